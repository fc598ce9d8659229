"""Fetching published files from mirrors, quickly or not at all.

In: the files wanted and a folder. Out: those files in the folder, each whole and with its known SHA-256.
Next: sources, which reads them.

Without a network the answer falls within ten seconds: all mirrors are asked at once, in threads that can
be left behind when a name server, a proxy or a mirror never answers, and a transfer that stalls counts as
failed. Two processes may fetch into one folder at once: each renames whole files into place.
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

import pooch

from mnist_adder.data.release import ReleaseFile
from mnist_adder.errors import DataError
from mnist_adder.files import write_bytes

PROBE_SECONDS = 3.5
"""How long the mirrors, asked together, have for a first answer."""
STALL_SECONDS = 3.0
"""How long a transfer may stand still. A probe and two stalls together stay under ten seconds."""


CACHE_VARIABLE = "MNIST_ADDER_CACHE"
"""Environment variable: the folder that takes the place of the user's cache folder for this package."""


def cache_folder() -> Path:
    """Where downloaded files are kept: ``mnist`` in ``MNIST_ADDER_CACHE`` or in the user's cache folder."""
    base = os.environ.get(CACHE_VARIABLE)
    return (Path(base).expanduser() if base else Path(pooch.os_cache("mnist-adder"))) / "mnist"


def fetch(files: Sequence[ReleaseFile], folder: Path, mirrors: Sequence[str]) -> None:
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

    def __init__(self, mirror: str, file: ReleaseFile) -> None:
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


def _download(mirror: str, file: ReleaseFile) -> bytes:
    """The packed file from one mirror, checked."""
    buffer = _Bounded(file.packed_bytes)
    download = pooch.HTTPDownloader(
        progressbar=sys.stderr.isatty(),
        chunk_size=2**16,
        timeout=STALL_SECONDS,
        headers={"Accept-Encoding": "identity"},  # the file is packed already
    )
    try:
        download(f"{mirror}{file.name}.gz", buffer, None)
    except OSError as error:  # what requests raises are OSErrors
        raise _MirrorError(f"{_in_words(error)} ({file.name}.gz)") from error
    content = buffer.getvalue()
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
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"answers with HTTP status {status}"
    if "Timeout" in type(error).__name__:
        return "gives no answer"
    if isinstance(error, OSError):
        return f"cannot be reached, or breaks off ({type(error).__name__})"
    return f"cannot be asked ({error})"
