"""Downloading a file of known size from a mirror that is not trusted, quickly or not at all.

pooch does the transfer. Left alone, it would follow redirects, unpack what is called packed, and wait as long
as a mirror sends a byte now and then. ``mnist`` compares what arrives with the published SHA-256.
"""

from __future__ import annotations

import functools
import io
import sys
import threading

import pooch
import requests

from mnist_adder.errors import DataError

PATIENCE_SECONDS = 4.0  # a mirror that sends less than 4,096 bytes in this time is given up


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
            chunk_size=4096,
            timeout=(1.5, 30),  # to connect: a dead IPv6 leaves time for IPv4; and of silence, once given up
            headers={"Accept-Encoding": "identity"},  # the file is packed already
            hooks={"response": functools.partial(_take_only_the_file, size)},
        )(url, received, None)
    except DataError as error:
        failures.append(error)
    except Exception as error:  # whatever a mirror or a proxy makes it raise, in paragraphs
        failures.append(DataError(_explain(error)))


def _explain(error: Exception) -> str:
    """What to do about the commonest failures; of others only their kind."""
    said = str(error)
    if "SOCKS" in said:
        return "cannot be reached through a SOCKS proxy without PySocks: pip install pysocks"
    if "TLS CA certificate bundle" in said:
        bundle = said.split()[-1]
        return f"cannot be trusted: there is no {bundle}, which REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names"
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return "has an unknown certificate; a company's proxy has its own, to be named in REQUESTS_CA_BUNDLE"
    if isinstance(error, requests.exceptions.ProxyError):
        return "cannot be reached through the proxy that HTTPS_PROXY or HTTP_PROXY names"
    return f"cannot be reached, or breaks off ({type(error).__name__})"


def _take_only_the_file(size: int, response: requests.Response, **_: object) -> None:
    """Refuse any other answer before its body is read; of this one no more than ``size`` bytes are read."""
    whole = response.headers.get("Content-Length") == str(size)
    if response.status_code != 200 or not whole or "Transfer-Encoding" in response.headers:
        response.close()
        raise DataError(f"does not serve a file of {size:,} bytes (HTTP status {response.status_code})")
    response.raw.headers.pop("Content-Encoding", None)  # servers of packed files may say so: do not unpack
