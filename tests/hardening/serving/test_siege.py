"""Requests that lie about where they end: refused cleanly, or answered as the library answers."""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.hardening.attempts import Faults
from tests.hardening.serving.wire import (
    JSON,
    Answer,
    answers,
    connect,
    converse,
    question,
    read_all,
    request,
)

from mnist_adder.inference import Predictor
from mnist_adder.serving.limits import Limits

if TYPE_CHECKING:
    from tests.serving.conftest import Service

ONE = question(0, "pixels")
SMUGGLED = b"0\r\n\r\n" + request("GET", "/metrics")
HEAD = Limits().head_bytes


def post(*headers: str, body: bytes = ONE.body, close: bool = False) -> bytes:
    """A request to /predict whose length is told by ``headers`` alone."""
    lines = ["POST /predict HTTP/1.1", "host: x", JSON, *headers, *["connection: close"] * close]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


LENGTH = f"content-length: {len(ONE.body)}"
CHUNKED = "transfer-encoding: chunked"
WHOLE = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ONE.body), ONE.body)

NOT_HTTP = {
    "both lengths": [
        post(LENGTH, CHUNKED, body=SMUGGLED),
        post(CHUNKED, LENGTH, body=SMUGGLED),
        post("content-length: 5", "Transfer-Encoding : chunked", body=SMUGGLED),
        post("content-length: 5", "transfer-encoding: xchunked", body=SMUGGLED),
    ],
    "wrong lengths": [
        post(f"content-length: {value}")
        for value in (
            "-1",
            "+5",
            "0x5",
            "5, 5",
            "5 5",
            "",
            "1e3",
            "5.0",
            "99999999999999999999",
            "٣".encode().hex(),
        )
    ]
    + [post(LENGTH, "content-length: 5"), post(LENGTH, LENGTH), post("content-length : 5")],
    "wrong codings": [
        post(f"transfer-encoding: {value}", body=WHOLE)
        for value in ("identity", "chunked, identity", "\x0bchunked", "chunked\x00", "gzip")
    ]
    + [post(CHUNKED, "transfer-encoding: identity", body=WHOLE)],
    "wrong chunks": [
        post(CHUNKED, body=body)
        for body in (
            *(
                b"-1\r\n",
                b"FFFFFFFFFFFFFFFFFF\r\n",
                b"0x5\r\nhello\r\n",
                b"5\r\nhello there\r\n",
                b"g\r\n",
                b"\r\n",
            ),
            WHOLE.replace(b"\r\n", b"\n"),
            WHOLE[:-2] + b"content-length: 7\r\n\r\n",
            WHOLE[:-2] + b"transfer-encoding: chunked\r\n\r\n",
        )
    ],
    "wrong lines": [
        *(b"GET / HTTP/1.3\r\n\r\n", b"GET /a b HTTP/1.1\r\n\r\n", b"GET healthz HTTP/1.1\r\n\r\n"),
        *(b"FOO / HTTP/1.1\r\n\r\n", b"get / HTTP/1.1\r\n\r\n", b" / HTTP/1.1\r\n\r\n", bytes(range(256))),
        *(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 99),
        *(b"CONNECT example.com:80 HTTP/1.1\r\n\r\n", b"GET http://other HTTP/1.1\r\n\r\n"),
        *("GET /ä HTTP/1.1\r\n\r\n".encode(), b"GET ?x HTTP/1.1\r\n\r\n", b"GET\r\n\r\n"),
    ],
    "wrong headers": [
        *(b"GET /healthz HTTP/1.1\nhost: x\n\n", b"GET /healthz HTTP/1.1\rhost: x\r\r"),
        *(
            request("GET", "/healthz", b"", line)
            for line in ("x: a\x00b", "x: a\rb", "x: a\nb", "x: a\r\n b")
        ),
        *(request("GET", "/healthz", b"", line) for line in ("no colon", ": no name", "two words: x")),
    ],
}


@pytest.mark.parametrize("kind", NOT_HTTP)
def test_what_is_no_http_or_can_be_read_twice_is_refused_once(
    service: Service, faults: Faults, kind: str
) -> None:
    for sent in NOT_HTTP[kind]:
        with faults(f"no HTTP: {kind}"):
            [answer] = converse(service.port, sent)
            assert answer.status == 400, (sent[:200], answer)
            assert answer.headers["connection"] == "close"
            assert list(answer.json) == ["detail"]


def test_what_is_odd_but_right_is_answered(service: Service, faults: Faults, predictor: Predictor) -> None:
    pieces = b"".join(b"%X;a=b\r\n%b\r\n" % (1, bytes([byte])) for byte in ONE.body) + b"0\r\nx: y\r\n\r\n"
    odd = [
        post(f"content-length: {'0' * 5000}{len(ONE.body)}", close=True),
        post("transfer-encoding:\tchunked", body=WHOLE, close=True),
        post(CHUNKED, body=pieces, close=True),
        post(LENGTH, "expect: 100-continue", close=True),
        post(LENGTH, "content-type: text/plain", close=True),
        post(LENGTH, "upgrade: websocket", close=True),
        post(LENGTH).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
        b"\r\n\r\n" + post(LENGTH, close=True),
    ]
    for sent in odd:
        with faults("odd but right requests"):
            [answer] = converse(service.port, sent)
            ONE.check(answer, predictor)


@pytest.mark.parametrize(
    "sent",
    [
        request("GET", "/healthz", b"", "x: " + "a" * HEAD),
        request("GET", "/healthz", b"", *["x: y"] * (HEAD // 6)),
        request("GET", "/healthz?" + "a" * HEAD),
        request("GET", "/" + "a" * 10_000_000),
        b"GET /healthz HTTP/1.1\r\nx: " + b"a" * HEAD,
        post(CHUNKED, body=WHOLE[:-2] + b"x: y\r\n" * (HEAD // 6)),
        post(CHUNKED, body=b"5;" + b"a" * HEAD),
        post(LENGTH) + b"GET /healthz HTTP/1.1\r\nx: " + b"a" * 2 * HEAD,
    ],
    ids=["value", "lines", "query", "path", "unended", "trailers", "extension", "second"],
)
def test_an_oversized_head_is_refused(service: Service, faults: Faults, sent: bytes) -> None:
    with faults("oversized heads"):
        assert converse(service.port, sent)[-1].status in (400, 431)
    with faults("oversized heads in small pieces"), connect(service.port) as connection:
        try:
            for start in range(0, len(sent), 1000):
                connection.sendall(sent[start : start + 1000])
        except (ConnectionResetError, BrokenPipeError):
            pass
        found = answers(read_all(connection))
        assert found[-1].status in (400, 431)
    fits = request("GET", "/healthz", b"", "x: " + "a" * (HEAD - 100))
    assert converse(service.port, fits)[0].status == 200


def test_pipelined_requests_are_answered_in_their_order(
    service: Service, faults: Faults, predictor: Predictor
) -> None:
    for seed in faults.times(100, 4):
        asked = [question(20 * seed + each) for each in range(20)]
        with faults("pipelined requests"):
            sent = b"".join(each.ask(close=each is asked[-1]) for each in asked)
            found = converse(service.port, sent)
            assert len(found) == len(asked)
            for each, answer in zip(asked, found, strict=True):
                each.check(answer, predictor)


def test_requests_that_pile_up_are_refused(service: Service, faults: Faults, predictor: Predictor) -> None:
    with faults("thousands of pipelined requests"), connect(service.port) as connection:
        try:
            for _ in range(50):
                connection.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10_000)
        except (ConnectionResetError, BrokenPipeError):
            pass
        found = answers(read_all(connection))
        assert found[-1].status in (431, 503)
        assert len(found) < 5000
    ONE.check(converse(service.port, ONE.ask())[0], predictor)


def spoilt(sent: bytes, chance: random.Random) -> bytes:
    """A request with bytes changed, cut, doubled, moved."""
    content = bytearray(sent)
    for _ in range(chance.randint(1, 4)):
        head = content.find(b"\r\n\r\n") + 4
        place = chance.randrange(max(head, 1) if chance.random() < 0.7 else len(content))
        match chance.randrange(4):
            case 0:
                content[place] = chance.choice(b"\r\n\x00 :;,%/-+0129\xffa" + bytes([chance.randrange(256)]))
            case 1:
                del content[place : place + chance.randint(1, 30)]
            case 2:
                content[place:place] = content[place : place + chance.randint(1, 30)]
            case _:
                content[place:place] = chance.choice([b"\r\n", b"\r\n\r\n", b"\n", b"0" * 30, b"chunked"])
    return bytes(content)


def test_spoilt_requests_are_refused_or_answered_rightly(
    service: Service, faults: Faults, predictor: Predictor
) -> None:
    answered = 0
    for seed in faults.times(20_000, 600):
        chance = random.Random(seed)
        asked = question(seed % 50)
        with faults("spoilt requests"), connect(service.port) as connection:
            connection.sendall(spoilt(asked.ask(), chance))
            connection.shutdown(socket.SHUT_WR)
            for answer in answers(read_all(connection)):
                assert answer.status < 500, answer
                if answer.status == 200:
                    answered += 1
                    _is_consistent(answer, predictor)
    assert answered
    assert not [line for line in service.lines if "traceback" in line]


def _is_consistent(answer: Answer, predictor: Predictor) -> None:
    """That the answers are right for the images that they say were seen."""
    if answer.headers["content-type"] != "application/json":
        return  # a page
    rows = answer.json.get("answers", [answer.json] if "seen" in answer.json else [])
    for row in rows:
        seen = np.array([row["seen"]], np.float32) / np.float32(255)
        expected = predictor.predict_images(seen, np.array([row["number"]]))
        assert (row["digit"], row["sum"]) == (expected.digits[0], expected.sums[0])
