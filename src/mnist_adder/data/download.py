"""Fetching published files from mirrors, quickly or not at all.

In: the files wanted and a folder. Out: those files in the folder, each whole and with its known SHA-256.
Next: sources, which reads them.

Without a network the answer falls within ten seconds: all mirrors are asked at once, in threads that can
be left behind when a name server, a proxy or a mirror never answers, and a transfer that stalls or trickles
counts as failed. A mirror is not trusted: where it redirects nobody follows, what it sends is not unpacked,
and no more of it is taken than a file's size. Two processes may fetch into one folder at once: each renames
whole files into place.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pooch

from mnist_adder.data.manifest import ManifestFile
from mnist_adder.errors import DataError
from mnist_adder.safe_io import write_bytes

if TYPE_CHECKING:
    from requests import Response

PROBE_SECONDS = 3.5
"""How long the mirrors, asked together, have for a first answer."""
STALL_SECONDS = 3.0
"""How long a transfer may stand still. A probe and two stalls together stay under ten seconds."""
TRICKLE_SECONDS = 10.0
"""How long a piece of 4,096 bytes may take: a mirror that sends a byte now and then never stands still."""


CACHE_VARIABLE = "MNIST_ADDER_CACHE"
"""Environment variable: the folder that takes the place of the user's cache folder for this package."""


def cache_folder() -> Path:
    """Where downloaded files are kept: ``mnist`` in ``MNIST_ADDER_CACHE`` or in the user's cache folder.

    Raises:
        DataError: the variable begins with the home folder of somebody who has none.
    """
    base = os.environ.get(CACHE_VARIABLE)
    try:
        return (Path(base).expanduser() if base else Path(pooch.os_cache("mnist-adder"))) / "mnist"
    except RuntimeError:
        raise DataError(f"{CACHE_VARIABLE} is {base}: there is no such home folder. Name a folder.") from None


def fetch(files: Sequence[ManifestFile], folder: Path, mirrors: Sequence[str]) -> None:
    """Download ``files`` as ``name.gz`` into ``folder``, from the first mirror that has them whole.

    A file that already stands there is replaced, and only by a whole and right one. Progress is shown on
    standard error where that is a terminal.

    Raises:
        DataError: no mirror had them (the message gives each one's reason), or they cannot be written.
    """
    importlib.import_module("requests")  # pooch imports it late: not on the probes' time
    wanted = list(files)
    probes = [_Probe(mirror, wanted[0]) for mirror in mirrors]
    reasons = []
    for mirror, probe in zip(mirrors, probes, strict=True):
        try:
            probe.wait()
            while wanted:
                _keep(_download(mirror, wanted[0]), folder / f"{wanted[0].name}.gz")
                del wanted[0]
            return
        except _MirrorError as error:
            reasons.append(f"{mirror} {error}")
    raise DataError("; ".join(reasons) or "there is no mirror")


class _MirrorError(Exception):
    """A mirror is of no use; the message goes on from the mirror's address."""


class _Probe:
    """Asks in a thread of its own, from now on, whether a mirror serves a file."""

    def __init__(self, mirror: str, file: ManifestFile) -> None:
        self._url = f"{mirror}{file.name}.gz"
        self._deadline = time.monotonic() + PROBE_SECONDS
        self._reason: str | None = "gives no answer"
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            served = pooch.HTTPDownloader(timeout=PROBE_SECONDS)(self._url, None, None, check_only=True)
            self._reason = None if served else "does not have the files"
        except Exception as error:  # whatever goes wrong, a broken proxy setting say, the mirror is of no use
            self._reason = _in_words(error)

    def wait(self) -> None:
        """Return once the mirror is known to serve the file, else raise, at the deadline at the latest."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        if self._reason is not None:
            raise _MirrorError(self._reason)


class _Bounded(io.BytesIO):
    """A buffer that takes no more than a file's known size, whatever a mirror sends."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def write(self, content: bytes) -> int:  # type: ignore[override]
        if self.tell() + len(content) > self._limit:
            raise _MirrorError(f"sends more than the {self._limit:,} bytes of the file")
        return super().write(content)


class _Transfer:
    """Fetches a URL into a buffer in a thread of its own, from now on."""

    def __init__(self, url: str, limit: int) -> None:
        self._url, self._buffer = url, _Bounded(limit)
        self._reason: str | None = None
        self._thread = threading.Thread(target=self._fetch, daemon=True)
        self._thread.start()

    def _fetch(self) -> None:
        download = pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(),
            chunk_size=2**12,
            timeout=STALL_SECONDS,
            headers={"Accept-Encoding": "identity"},  # the file is packed already
            hooks={"response": _take_only_a_file},
        )
        try:
            download(self._url, self._buffer, None)
        except Exception as error:  # whatever a mirror may send: it is of no use
            self._reason = str(error) if isinstance(error, _MirrorError) else _in_words(error)

    def wait(self) -> bytes:
        """What was sent, once that is all; raises when it breaks off or hardly moves."""
        received = -1
        while self._thread.is_alive():
            if self._buffer.tell() == received:
                raise _MirrorError("sends next to nothing for a long time")
            received = self._buffer.tell()
            self._thread.join(TRICKLE_SECONDS)
        if self._reason is not None:
            raise _MirrorError(self._reason)
        return self._buffer.getvalue()


def _take_only_a_file(response: Response, **_: object) -> None:
    """Refuse an answer that is no file before any of its body is read.

    Of a redirect requests would read all there is into memory, and it would unpack what is said to be packed.
    """
    if response.status_code != 200:
        response.close()
        raise _MirrorError(f"answers with HTTP status {response.status_code}")
    response.raw.headers.pop("Content-Encoding", None)


def _download(mirror: str, file: ManifestFile) -> bytes:
    """The packed file from one mirror, checked."""
    try:
        content = _Transfer(f"{mirror}{file.name}.gz", file.packed_bytes).wait()
    except _MirrorError as error:
        raise _MirrorError(f"{error} ({file.name}.gz)") from error
    if hashlib.sha256(content).hexdigest() != file.packed_sha256:
        raise _MirrorError(f"sends something else as {file.name}.gz: {len(content):,} bytes, wrong SHA-256")
    return content


def _keep(content: bytes, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}") from error


def _in_words(error: Exception) -> str:
    """A short reason; the errors of requests are paragraphs."""
    name = type(error).__name__
    if "Timeout" in name:
        return "gives no answer"
    if isinstance(error, OSError):  # what requests raises are OSErrors
        return f"cannot be reached, or breaks off ({name})"
    return f"cannot be understood ({name})"
