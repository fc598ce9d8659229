"""Downloading a file of known size from a mirror that is not trusted, quickly or not at all.

pooch does the transfer and shows its progress. Left alone, it would read the whole page of a redirect, unpack
what is called packed, and wait as long as a mirror sends a byte now and then or a name server says nothing.
All this is refused here, so that a mirror can neither hang the caller nor fill its memory. What arrives is
compared with the published SHA-256 by ``mnist``, which writes the file. (A pooch registry would need a second
SHA-256 for each file, of its packed bytes, and makes cached files that only their owner may read.)
"""

from __future__ import annotations

import functools
import io
import sys
import threading

import pooch
import requests

from mnist_adder.errors import DataError

PATIENCE_SECONDS = 4.0
"""A mirror that sends less than a piece in this time is given up: two silent ones in eight seconds."""
_PIECE_BYTES = 4096
_CONNECT_SECONDS = 1.5  # for each address of a mirror, so that a dead IPv6 leaves time for IPv4
_ABANDONED_SECONDS = 30  # a transfer that was given up ends itself after this time of silence


def download(url: str, size: int) -> bytes:
    """The file of ``size`` bytes at a URL; a bar on standard error shows progress where that is a terminal.

    Raises:
        DataError: there is no such file, or it does not arrive; the message goes on from the mirror's name.
    """
    received = io.BytesIO()
    failures: list[DataError] = []
    # A daemon, because it may be left waiting for an answer that never comes.
    thread = threading.Thread(target=_transfer, args=(url, size, received, failures), daemon=True)
    thread.start()
    before = -1
    while thread.is_alive():
        if received.tell() == before:
            raise DataError("does not answer, or hardly sends anything")
        before = received.tell()
        thread.join(PATIENCE_SECONDS)
    if failures:
        raise failures[0]
    return received.getvalue()


def _transfer(url: str, size: int, received: io.BytesIO, failures: list[DataError]) -> None:
    try:
        pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(),
            chunk_size=_PIECE_BYTES,
            timeout=(_CONNECT_SECONDS, _ABANDONED_SECONDS),
            headers={"Accept-Encoding": "identity"},  # the file is packed already
            hooks={"response": functools.partial(_take_only_the_file, size)},
        )(url, received, None)
    except DataError as error:
        failures.append(error)
    except Exception as error:  # whatever a mirror or a proxy makes it raise, in paragraphs
        failures.append(DataError(f"cannot be reached, or breaks off ({type(error).__name__})"))


def _take_only_the_file(size: int, response: requests.Response, **_: object) -> None:
    """Refuse any other answer before its body is read; of this one no more than ``size`` bytes are read."""
    reason = ""
    if response.status_code != 200:
        reason = f"answers with HTTP status {response.status_code}"
    elif response.headers.get("Content-Length") != str(size) or "Transfer-Encoding" in response.headers:
        reason = f"serves something else: not a file of {size:,} bytes"
    if reason:
        response.close()
        raise DataError(reason)
    response.raw.headers.pop("Content-Encoding", None)  # servers of packed files may say so: do not unpack
