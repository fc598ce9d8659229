"""HTTP by hand, for tests that send what no client would: bytes out, answers in, checked to the last byte."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_adder.inference import Predictor
from mnist_adder.inference.preprocess import preprocess

KNOWN_HEADERS = {
    *("allow", "cache-control", "connection", "content-length", "content-security-policy", "content-type"),
    *("inference-header-content-length", "referrer-policy", "retry-after", "x-content-type-options"),
}
"""All that the service ever sends: whatever else stands in an answer's head was put there by a request."""


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def connect(port: int, seconds: float = 20) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=seconds)


def converse(port: int, sent: bytes, seconds: float = 20) -> list[Answer]:
    """All that is answered until the service hangs up, which it must."""
    with connect(port, seconds) as connection:
        with suppress(ConnectionResetError, BrokenPipeError):  # hung up before it had all of it
            connection.sendall(sent)
        return answers(read_all(connection))


def read_all(connection: socket.socket) -> bytes:
    received = bytearray()
    try:
        while piece := connection.recv(1 << 16):
            received += piece
    except ConnectionResetError:
        pass  # as a connection ends whose last bytes are not read
    return bytes(received)


def read_one(connection: socket.socket) -> Answer | None:
    """The next answer; None if the connection breaks before it is whole."""
    received = bytearray()
    with suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            received += piece
            head, blank, body = received.partition(b"\r\n\r\n")
            size = re.search(rb"content-length: (\d+)", head)
            if blank and size and len(body) >= int(size[1]):
                [answer] = answers(bytes(received))
                return answer
    return None


def answers(received: bytes) -> list[Answer]:
    """Bytes -> answers; anything between or after them is an error."""
    found = []
    while received:
        head, blank, rest = received.partition(b"\r\n\r\n")
        assert blank, received[:300]
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = dict(line.split(": ", 1) for line in lines)
        if status == "100":
            received = rest
            continue
        assert headers.keys() <= KNOWN_HEADERS, headers
        assert len(headers) == len(lines)
        size = int(headers["content-length"])
        assert len(rest) >= size, "cut off"
        found.append(Answer(int(status), headers, rest[:size]))
        received = rest[size:]
    return found


def request(method: str, path: str, body: bytes = b"", *headers: str, close: bool = True) -> bytes:
    """A request as it should be, headers besides."""
    lines = [f"{method} {path} HTTP/1.1", "host: x", *headers]
    if body and not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"content-length: {len(body)}")
    if close:
        lines.append("connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


JSON = "content-type: application/json"


@dataclass(frozen=True)
class Question:
    """A request that has a right answer, in one of the forms in which it may be asked."""

    body: bytes
    path: str
    content_type: str
    images: NDArray[np.float32]  # (N, 28, 28), as the library sees them
    numbers: list[int]

    def ask(self, *headers: str, close: bool = True) -> bytes:
        return request(
            "POST", self.path, self.body, f"content-type: {self.content_type}", *headers, close=close
        )

    def check(self, answer: Answer, predictor: Predictor) -> None:
        """That the answer is the library's, in every figure."""
        assert answer.status == 200, (answer.status, answer.body[:300])
        expected = predictor.predict_images(self.images, np.array(self.numbers))
        names = ("digit", "sum", "digit_probabilities", "sum_probabilities")
        wanted = (expected.digits, expected.sums, expected.digit_probabilities, expected.sum_probabilities)
        if self.path == "/predict":
            rows = answer.json.get("answers", [answer.json])
            assert [row["number"] for row in rows] == self.numbers
            seen = np.array([row["seen"] for row in rows])
            np.testing.assert_array_equal(seen, np.rint(self.images * 255))
            given = [np.array([row[name] for row in rows]) for name in names]
        else:
            outputs = {each["name"]: each for each in answer.json["outputs"]}
            given = [np.reshape(outputs[name]["data"], outputs[name]["shape"]) for name in names]
        np.testing.assert_array_equal(given[0], wanted[0])
        np.testing.assert_array_equal(given[1], wanted[1])
        for had, want in zip(given[2:], wanted[2:], strict=True):
            np.testing.assert_allclose(had, want, rtol=0, atol=2e-6)


def question(seed: int, form: str | None = None, count: int = 5) -> Question:
    """A question by its number; the same number asks the same."""
    chance = np.random.default_rng(seed)
    form = form or ("pixels", "png", "base64", "batch", "infer")[seed % 5]
    grey = [_handwriting(chance) for _ in range(count if form in ("batch", "infer") else 1)]
    numbers = [int(number) for number in chance.integers(10, size=len(grey))]
    images = np.stack(grey).astype(np.float32) / np.float32(255)
    if form == "pixels":
        asked: Any = {"number": numbers[0], "pixels": grey[0].tolist()}
        return Question(json.dumps(asked).encode(), "/predict", "application/json", images, numbers)
    if form == "batch":
        pairs = [{"number": n, "pixels": each.tolist()} for n, each in zip(numbers, grey, strict=True)]
        content = json.dumps({"pairs": pairs}).encode()
        return Question(content, "/predict", "application/json", images, numbers)
    if form == "infer":
        data = images.ravel().tolist()
        image = {"name": "image", "shape": [len(grey), 1, 28, 28], "datatype": "FP32", "data": data}
        number = {"name": "number", "shape": [len(grey)], "datatype": "INT64", "data": numbers}
        content = json.dumps({"inputs": [image, number]}).encode()
        return Question(content, "/v2/models/default/infer", "application/json", images, numbers)
    picture = _png(255 - grey[0])
    seen = preprocess(picture)[None]
    if form == "base64":
        content = json.dumps({"number": numbers[0], "image": base64.b64encode(picture).decode()}).encode()
        return Question(content, "/predict", "application/json", seen, numbers)
    return Question(form_of(picture, str(numbers[0])), "/predict", FORM, seen, numbers)


FORM = "multipart/form-data; boundary=limit"


def form_of(picture: bytes, number: str, file: str = "a.png") -> bytes:
    head = f'--limit\r\ncontent-disposition: form-data; name="image"; filename="{file}"\r\n\r\n'.encode(
        "latin-1"
    )
    rest = f'\r\n--limit\r\ncontent-disposition: form-data; name="number"\r\n\r\n{number}\r\n--limit--\r\n'
    return head + picture + rest.encode()


def _handwriting(chance: np.random.Generator) -> NDArray[np.uint8]:
    """Strokes at random on 28 x 28, ink bright: no digit, but an answer depends on every pixel."""
    image = np.zeros((28, 28), np.uint8)
    for _ in range(3):
        y, x = chance.integers(4, 20, size=2)
        height, width = chance.permutation(np.array([6, 2]))
        image[y : y + height, x : x + width] = chance.integers(120, 256)
    return image


def _png(grey: NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(grey).save(content, "PNG")
    return content.getvalue()
