"""Proxies and certificates: what stands between a mirror and a company's or a container's machine."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import tornado

from mnist_adder.data.download import download
from mnist_adder.errors import DataError

MIRROR = "https://mirror.invalid/mnist.gz"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def unknown_certificate() -> Iterator[str]:
    """The address of a server whose certificate nobody vouches for: tornado's, for its own tests."""
    folder = Path(tornado.__file__).parent / "test"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "test.crt", folder / "test.key")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://localhost:{server.server_port}/mnist.gz"
        server.shutdown()
        thread.join()


def test_a_socks_proxy_needs_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5h://127.0.0.1:9")
    with pytest.raises(DataError, match="SOCKS proxy without PySocks: pip install pysocks"):
        download(MIRROR, 10)


def test_certificates_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "company.pem"))
    with pytest.raises(DataError, match=r"there is no .*company\.pem, which REQUESTS_CA_BUNDLE"):
        download(MIRROR, 10)


def test_an_unknown_certificate_may_be_a_companys(unknown_certificate: str) -> None:
    with pytest.raises(DataError, match=r"unknown certificate.* REQUESTS_CA_BUNDLE"):
        download(unknown_certificate, 10)


def test_a_proxy_that_is_not_there_is_not_taken_for_the_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="through the proxy that HTTPS_PROXY"):
        download(MIRROR, 10)
