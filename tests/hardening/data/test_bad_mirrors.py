"""Mirrors that send what no server should: the next one serves, or the error is one line, and soon.

``tests/data/test_download.py`` has those that are merely down, gone or behind a login page.
"""

from __future__ import annotations

import contextlib
import gzip
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.hardening.attempts import Faults

from mnist_adder.data import download
from mnist_adder.data.images import load_images
from mnist_adder.data.mnist import Manifest
from mnist_adder.errors import DataError

if TYPE_CHECKING:
    from tests.data.conftest import Handler, Mirrors

Folder = tuple[Path, Manifest]
AssertWhole = Callable[[], None]
Answer = Callable[["Handler", bytes], None]
OK = b"HTTP/1.1 200 OK\r\n"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: "


def raw(*parts: bytes) -> Answer:
    """Answers HEAD as it should, and GET with these bytes, of which ``%d`` is the length of the rest."""

    def answer(handler: Handler, content: bytes) -> None:
        if handler.command == "HEAD":
            handler.send(content)
        else:
            handler.close_connection = True
            with contextlib.suppress(ConnectionError):  # nobody listens to the end
                handler.wfile.write(b"".join(parts))

    return answer


def of_the_right_length(header: bytes, body: bytes) -> Answer:
    """The file's own ``Content-Length``, another header, and another body of that length or longer."""

    def answer(handler: Handler, content: bytes) -> None:
        length = b"Content-Length: %d\r\n" % len(content)
        raw(OK, length, header, b"\r\n", body.ljust(len(content), b"\0"))(handler, content)

    return answer


BOMB = gzip.compress(bytes(2**26), 9)
SENT = {
    "nonsense for a length": raw(OK, b"Content-Length: all of it\r\n\r\n", b"x"),
    "a length below nothing": raw(OK, b"Content-Length: -1\r\n\r\n", b"x"),
    "two lengths": raw(OK, b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", b"xx"),
    "one length twice": raw(OK, b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", b"x"),
    "more bytes than promised": raw(OK, b"Content-Length: 10\r\n\r\n", bytes(50_000)),
    "bytes without a length": raw(OK, b"\r\n", bytes(10_000_000)),
    "a gzip bomb as the file": raw(OK, b"\r\n", BOMB),
    "a gzip bomb as the encoding": raw(OK, b"Content-Encoding: gzip\r\n\r\n", BOMB),
    "a bomb in a bomb": raw(OK, b"Content-Encoding: gzip, gzip\r\n\r\n", gzip.compress(BOMB)),
    "no gzip where it is promised": raw(OK, b"Content-Encoding: deflate\r\n\r\nx"),
    "a bomb of the right length as the encoding": of_the_right_length(b"Content-Encoding: gzip\r\n", BOMB),
    "chunks beside the right length": of_the_right_length(
        b"Transfer-Encoding: chunked\r\n", (b"10000\r\n" + bytes(2**16) + b"\r\n") * 100
    ),
    "other bytes of the right length": of_the_right_length(b"", b"\x1f\x8b"),
    "wrong chunks": raw(OK, b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello"),
    "a part of it": raw(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx"),
    "no content": raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "not modified": raw(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "an error of the server": raw(b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno"),
    "a redirect to itself": raw(REDIRECT, b"x.gz\r\nContent-Length: 0\r\n\r\n"),
    "a redirect to nowhere": raw(REDIRECT, b"http://[\r\nContent-Length: 0\r\n\r\n"),
    "a redirect to this machine's files": raw(REDIRECT, b"file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"),
    "a redirect that is no address": raw(REDIRECT, b"\xff\xfe\r\n\r\n"),
    "no HTTP": raw(b"hello\r\n\r\n"),
    "half a header": raw(OK, b"Content-Le"),
    "a header without end": raw(OK, b"X: " + b"y" * 100_000),
    "headers without end": raw(OK, b"X: y\r\n" * 1_000),
}


def mutated(attempt: int) -> Answer:
    """The right answer, of which a few bytes are other ones, left out, or doubled; mostly in the header."""

    def answer(handler: Handler, content: bytes) -> None:
        chance = random.Random(attempt)
        head = OK + b"Server: s\r\nContent-Type: application/gzip\r\nContent-Length: %d\r\n\r\n" % len(
            content
        )
        whole = bytearray(head + content)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(head) if chance.random() < 0.8 else len(whole))
            length = chance.randrange(12)
            other = [b"", bytes(whole[at : at + length]) * 2, chance.randbytes(length), b"\r\n", b"9"]
            whole[at : at + length] = chance.choice(other)
        raw(bytes(whole))(handler, content)

    return answer


def refused_while_the_next_one_serves(
    small: Folder, mirrors: Mirrors, assert_whole: AssertWhole, answer: Answer
) -> bool:
    """With a good mirror there are data; whether the bad one alone was refused. Else it gave the same."""
    right = load_images("mnist", small[0], manifest=small[1])
    bad = mirrors.start(answer)
    try:
        found = load_images("mnist", manifest=replace(small[1], mirrors=(bad,)))
    except DataError:
        refused = True
    else:
        refused = False
        assert found.sha256 == right.sha256
    manifest = replace(small[1], mirrors=(bad, mirrors.start()))
    assert load_images("mnist", manifest=manifest).sha256 == right.sha256
    assert_whole()
    return refused


@pytest.mark.parametrize("what", SENT)
def test_whatever_a_mirror_sends_is_refused(
    small: Folder, mirrors: Mirrors, assert_whole: AssertWhole, cache: Path, faults: Faults, what: str
) -> None:
    bad = mirrors.start(SENT[what])
    with faults("mirror sends nonsense, bombs or redirects"):
        with pytest.raises(DataError) as caught:
            load_images("mnist", manifest=replace(small[1], mirrors=(bad,)))
        assert f"cannot be downloaded: {bad}" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not cache.exists()
        assert refused_while_the_next_one_serves(small, mirrors, assert_whole, SENT[what])


def test_a_mutated_answer_is_refused_or_harmless(
    small: Folder,
    mirrors: Mirrors,
    assert_whole: AssertWhole,
    cache: Path,
    faults: Faults,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download, "PATIENCE_SECONDS", 0.5)
    refused = 0
    for attempt in faults.times(300, 20):
        with faults("mirror's answer mutated"):
            refused += refused_while_the_next_one_serves(small, mirrors, assert_whole, mutated(attempt))
        for path in cache.iterdir():
            path.unlink()
    assert refused > 5


def byte_by_byte(handler: Handler, pause: threading.Event) -> None:
    handler.wfile.write(OK + b"Content-Length: 9999\r\n\r\n")
    while not pause.wait(0.05):
        handler.wfile.write(b"x")


def header_byte_by_byte(handler: Handler, pause: threading.Event) -> None:
    handler.wfile.write(OK)
    while not pause.wait(0.05):
        handler.wfile.write(b"X")


def go_on(handler: Handler, pause: threading.Event) -> None:
    while not pause.wait(0.05):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def silence(handler: Handler, pause: threading.Event) -> None:
    pause.wait(20)


def redirect_with_a_page_without_end(handler: Handler, pause: threading.Event) -> None:
    handler.wfile.write(REDIRECT + b"x.gz\r\n\r\n")
    while not pause.wait(0.001):
        handler.wfile.write(bytes(2**16))


@pytest.mark.parametrize(
    "drag", [byte_by_byte, header_byte_by_byte, go_on, silence, redirect_with_a_page_without_end]
)
def test_a_mirror_without_end_is_given_up(
    small: Folder,
    mirrors: Mirrors,
    assert_whole: AssertWhole,
    faults: Faults,
    monkeypatch: pytest.MonkeyPatch,
    drag: Callable[[Handler, threading.Event], None],
) -> None:
    monkeypatch.setattr(download, "PATIENCE_SECONDS", 0.8)
    given_up = threading.Event()

    def answer(handler: Handler, content: bytes) -> None:
        if handler.command == "HEAD":
            handler.send(content)
            return
        handler.close_connection = True
        with contextlib.suppress(ConnectionError):
            drag(handler, given_up)

    manifest = replace(small[1], mirrors=(mirrors.start(answer), mirrors.start()))
    started = time.monotonic()
    try:
        with faults("mirror that stalls, trickles or never ends"):
            assert load_images("mnist", manifest=manifest).dataset == "mnist"
            assert time.monotonic() - started < 5
            assert_whole()
    finally:
        given_up.set()


def test_each_reason_is_told_in_a_line(small: Folder, mirrors: Mirrors) -> None:
    """In words that a person may read."""
    bad = [mirrors.start(SENT[what]) for what in ("no HTTP", "a redirect to itself", "one length twice")]
    with pytest.raises(DataError) as caught:
        load_images("mnist", manifest=replace(small[1], mirrors=tuple(bad)))
    assert f"{bad[0]} cannot be reached, or breaks off (ConnectionError); " in str(caught.value)
    file = f"a file of {small[1].files[0].packed_bytes:,} bytes"
    assert f"{bad[1]} does not serve {file} (HTTP status 302); " in str(caught.value)
    assert f"{bad[2]} does not serve {file} (HTTP status 200). " in str(caught.value)


def test_a_file_that_is_called_encoded_is_taken_as_it_is(
    small: Folder, mirrors: Mirrors, assert_whole: AssertWhole
) -> None:
    """Servers that store packed files may well say so: unpacked, they would be something else."""

    def encoded(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(content)

    manifest = replace(small[1], mirrors=(mirrors.start(encoded),))
    assert load_images("mnist", manifest=manifest).dataset == "mnist"
    assert_whole()
