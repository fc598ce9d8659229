"""Requests that reach for what is none of theirs: files, methods, heads of answers, lines of the log."""

from __future__ import annotations

import json
import random
from itertools import product
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.hardening.attempts import Faults
from tests.hardening.serving.wire import (
    FORM,
    JSON,
    answers,
    connect,
    converse,
    form_of,
    read_all,
    request,
)

if TYPE_CHECKING:
    from tests.serving.conftest import Service


def test_no_path_leads_to_a_file(service: Service, faults: Faults) -> None:
    up = [
        "../",
        "..\\",
        "%2e%2e/",
        "..%2f",
        "%2e%2e%2f",
        "..%5c",
        "%252e%252e%252f",
        "..%c0%af",
        "..%255c",
        "....//",
    ]
    up += ["%2e%2e%c0%af", "..;/", ".%00./", "..%00/", "%uff0e%uff0e/", "..%ef%bc%8f", "/", "%2f"]
    files = [
        "etc/passwd",
        "app.py",
        "page/../app.py",
        "etc%2fpasswd",
        "etc/passwd%00.html",
        "proc/self/environ",
    ]
    starts = ["/page/", "/docs/", "/v2/models/", "/", "/page/index.html/", "/samples/", "/page/%00"]
    every = [*product(starts, up, (1, 2, 8), files)]
    random.Random(0).shuffle(every)
    for place in faults.times(len(every), 400):
        start, step, times, file = every[place]
        path = start + step * times + file
        with faults("paths to files"):
            [answer] = converse(service.port, request("GET", path))
            assert answer.status in (404, 400), (path, answer)
            assert b"root:" not in answer.body
            assert len(answer.body) < 400
            assert next(iter(answer.json)) in ("detail", "error")
    with faults("paths to files"):  # a raw NUL, and dots that a client would have resolved
        for path in ("/page/index.html\x00", "/page/\x00/etc/passwd", "/page/./x/../index.html", "/page/.."):
            assert converse(service.port, request("GET", path))[0].status in (400, 404)


ROUTES = {
    **dict.fromkeys(
        ["/", "/docs", "/page/docs.js", "/models", "/healthz", "/metrics", "/openapi.json"], "GET"
    ),
    **dict.fromkeys(
        ["/page/index.html", "/samples/random", "/v2", "/v2/health/live", "/v2/health/ready"], "GET"
    ),
    **dict.fromkeys(
        ["/v2/models/default", "/v2/models/default/ready", "/v2/models/default/versions/1"], "GET"
    ),
    **dict.fromkeys(["/predict", "/v2/models/default/infer", "/v2/models/default/versions/1/infer"], "POST"),
}
METHODS = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "LOCK",
    "QUERY",
    "PRI",
]


def test_a_wrong_method_is_refused(service: Service, faults: Faults) -> None:
    for (path, right), method in product(ROUTES.items(), METHODS):
        with faults("wrong methods"), connect(service.port) as connection:
            connection.sendall(request(method, path, b"" if method == right else b"{}"))
            received = read_all(connection)
            if method == "HEAD":
                assert received.startswith((b"HTTP/1.1 405 ", b"HTTP/1.1 200 ")), path
                assert received.endswith(b"\r\n\r\n")
                continue
            [answer] = answers(received)
            if method == right:
                assert answer.status == (200 if right == "GET" else 422 if "infer" in path else 415)
            else:
                assert answer.status in (405, 400), (path, method, answer)
                assert answer.status == 400 or right in answer.headers["allow"]


def test_nothing_of_a_request_gets_into_a_head_or_a_line_of_the_log(service: Service, faults: Faults) -> None:
    breaks = [
        "\r\nset-cookie: a=b",
        "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "\n{}\n",
        "\r",
        "\x00",
        "\x1b[2J",
        "\u2028",
    ]
    logged = len(service.lines)
    for line in breaks:
        coded, raw = quote(line), line.encode("utf-8").decode("latin-1")
        name = json.dumps({"number": 1, "pixels": [[0] * 28] * 28, "model": f"x{line}"}).encode()
        infer = json.dumps({"inputs": [], "id": f"x{line}"}).encode()
        attempts = {
            "paths": [
                request("GET", f"/page/x{coded}"),
                request("GET", f"/{coded}/"),
                request("GET", f"/docs{coded}/"),
            ],
            "model names": [
                request("GET", f"/v2/models/x{coded}"),
                request("POST", f"/v2/models/x{coded}/versions/{coded}/infer", b"{}"),
                request("POST", "/predict", name, JSON),
                request("POST", "/v2/models/default/infer", infer, JSON),
            ],
            "file names": [
                request("POST", "/predict", form_of(b"no picture", "7", f'a"{raw}'), f"content-type: {FORM}"),
                request("POST", "/predict", form_of(b"no picture", f"7{raw}"), f"content-type: {FORM}"),
            ],
            "content types": [
                request("POST", "/predict", b"{}", f"content-type: a/b{raw}"),
                request("POST", "/predict", b"{}", f"content-type: multipart/form-data; boundary={raw}"),
                request("POST", "/predict", b"{}", f'content-type: multipart/form-data; boundary="{coded}"'),
            ],
        }
        for kind, requests in attempts.items():
            for sent in requests:
                with faults(f"line breaks in {kind}"):
                    found = converse(service.port, sent)  # whose heads have headers of ours alone
                    assert len(found) == 1, sent
                    assert 400 <= found[0].status < 500, (sent, found)
    assert len(service.lines) > logged
    for entry in service.lines[logged:]:
        assert entry.endswith("\n")
        assert {"time", "level", "message"} <= json.loads(entry).keys()
