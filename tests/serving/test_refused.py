"""What is not answered: the proper status, one sentence, and never a 5xx or a file of the server's."""

from __future__ import annotations

import asyncio
import base64
import io
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image

from mnist_adder.serving.app import create_app
from mnist_adder.serving.limits import Limits

if TYPE_CHECKING:
    from tests.serving.conftest import Service

FIVE = Path(__file__).parents[2] / "examples" / "five.png"

DARK = [[0] * 28] * 28
ENCODED = base64.b64encode(FIVE.read_bytes()).decode()


def png(width: int, height: int, shade: int = 255) -> bytes:
    content = io.BytesIO()
    Image.new("L", (width, height), shade).save(content, "PNG")
    return content.getvalue()


def form(content: bytes, number: str = "7") -> dict[str, Any]:
    return {"files": {"image": ("a.png", content)}, "data": {"number": number}}


def encoded(content: bytes) -> dict[str, Any]:
    return {"json": {"number": 7, "image": base64.b64encode(content).decode()}}


@pytest.mark.parametrize(
    ("status", "says", "how"),
    [
        (
            404,
            "no model 'other'; there are: default",
            {"json": {"number": 7, "pixels": DARK, "model": "other"}},
        ),
        (
            413,
            "10,000,000 bytes",
            {"content": b" " * 10_000_001, "headers": {"content-type": "application/json"}},
        ),
        (413, "at most 25,000,000", form(png(5001, 5000))),
        (413, "at most 25,000,000", encoded(png(5001, 5000))),
        (413, "at most 256", {"json": {"pairs": [{"number": 1, "image": ENCODED}] * 257}}),
        (415, "content type is 'text/plain'", {"content": b"7", "headers": {"content-type": "text/plain"}}),
        (415, "content type is ''", {"content": b"7"}),
        (415, "not a picture of a known kind", form(b"GIF? No.")),
        (415, "is empty", form(b"")),
        (415, "not a picture of a known kind", encoded(b"/etc/passwd")),
        (422, "damaged", form(FIVE.read_bytes()[:200])),
        (422, "blank", form(png(40, 40))),
        (422, "at least 8 x 8", form(png(4, 40))),
        (422, "The number is '10'", form(FIVE.read_bytes(), "10")),
        (422, "The number is ''", form(FIVE.read_bytes(), "")),
        (422, "no field number", {"files": {"image": ("a", b"x")}}),
        (422, "The number is '-1'", {"json": {"number": -1, "pixels": DARK}}),
        (422, "The number is '2.5'", {"json": {"number": 2.5, "pixels": DARK}}),
        (422, "The number is 'True'", {"json": {"number": True, "pixels": DARK}}),
        (422, "The number is 'None'", {"json": {"number": None, "pixels": DARK}}),
        (422, "There is no number", {"json": {"pixels": DARK}}),
        (422, "either image", {"json": {"number": 1}}),
        (422, "either image", {"json": {"number": 1, "pixels": DARK, "image": ENCODED}}),
        (422, "28 rows", {"json": {"number": 1, "pixels": DARK[:27]}}),
        (422, "28 rows", {"json": {"number": 1, "pixels": [[256] * 28] * 28}}),
        (422, "28 rows", {"json": {"number": 1, "pixels": [[0.5] * 28] * 28}}),
        (422, "28 rows", {"json": {"number": 1, "pixels": ["0" * 28] * 28}}),
        (422, "28 rows", {"json": {"number": 1, "pixels": 3}}),
        (422, "no base64", {"json": {"number": 1, "image": "/etc/passwd"}}),
        (422, "no base64", {"json": {"number": 1, "image": "ä"}}),
        (422, "must be a string", {"json": {"number": 1, "image": {"path": "/etc/passwd"}}}),
        (422, "pairs[1]: The number", {"json": {"pairs": [{"number": 1, "image": ENCODED}, {"number": 11}]}}),
        (415, "pairs[0]: the picture", {"json": {"pairs": [{"number": 1, "image": ""}]}}),
        (422, "at least one", {"json": {"pairs": []}}),
        (422, "an object", {"json": [1]}),
        (422, "no JSON", {"content": b"{", "headers": {"content-type": "application/json"}}),
        (422, "no JSON", {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}),
    ],
)
def test_a_mistake(client: httpx.Client, status: int, says: str, how: dict[str, Any]) -> None:
    response = client.post("/predict", **how)
    assert response.status_code == status, response.text
    assert list(response.json()) == ["detail"]
    detail = response.json()["detail"]
    assert says.lower() in detail.lower()
    assert detail.endswith((".", ")"))


def test_a_body_in_chunks_is_cut_off_too(client: httpx.Client) -> None:
    chunks = (b" " * 1_000_000 for _ in range(11))
    response = client.post("/predict", content=chunks, headers={"content-type": "application/json"})
    assert response.status_code == 413


def test_another_method_or_path(client: httpx.Client) -> None:
    assert client.get("/predict").status_code == 405
    assert client.get("/nothing").json() == {"detail": "Not Found"}
    for path in ("/page/..%2f..%2fapp.py", "/page/%2e%2e/app.py", "/page//etc/passwd", "/page/app.py"):
        assert client.get(path).status_code == 404
    assert client.get("/v2/nothing").json() == {"error": "Not Found"}


def ask_together(limits: Limits, *asked: dict[str, Any]) -> list[httpx.Response]:
    """What the application answers to requests that arrive at the same time."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_app(limits=limits))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await asyncio.gather(*(client.post("/predict", **how) for how in asked))

    return asyncio.run(ask())


def test_what_is_too_much_at_once_is_refused_at_once() -> None:
    one = {"json": {"number": 1, "image": ENCODED}}
    answers = ask_together(Limits(in_flight=3), *[one] * 8)
    assert [answer.status_code for answer in answers] == [200] * 3 + [503] * 5
    assert answers[-1].headers["retry-after"] == "1"
    assert "try again" in answers[-1].json()["detail"]


def test_what_is_refused_at_once_is_counted_by_its_route() -> None:
    async def ask() -> str:
        transport = httpx.ASGITransport(create_app(limits=Limits(in_flight=0)))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            for path in ("/predict", "/nowhere"):
                assert (await client.post(path)).status_code == 503
            return (await client.get("/metrics")).text

    text = asyncio.run(ask())
    for route in ("/predict", "other"):
        assert f'mnist_adder_requests_total{{method="POST",route="{route}",status="503"}} 1.0' in text


def test_who_watches_is_let_in_however_much_is_asked() -> None:
    async def ask() -> list[int]:
        transport = httpx.ASGITransport(create_app(limits=Limits(in_flight=0)))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            paths = ("/healthz", "/metrics", "/v2/health/live")
            answers = [await client.get(path) for path in paths] + [await client.post("/predict")]
            return [answer.status_code for answer in answers]

    assert asyncio.run(ask()) == [200, 200, 200, 503]


def test_what_is_too_much_to_hold_is_refused_at_once() -> None:
    one = {"json": {"number": 1, "image": ENCODED}}
    size = len(ENCODED)
    answers = ask_together(Limits(held_bytes=3 * size), *[one] * 4)
    assert [answer.status_code for answer in answers] == [200, 200, 503, 503]


def test_who_waits_too_long_for_a_thread_is_refused() -> None:
    large = form(png(4000, 4000))
    answers = ask_together(Limits(threads=1, wait_seconds=0.001), large, large)
    assert [answer.status_code for answer in answers] == [422, 503]  # the first is blank
    assert answers[1].headers["retry-after"] == "1"


def test_pictures_that_take_too_long_are_refused() -> None:
    batch = {"json": {"pairs": [{"number": 1, "image": ENCODED}] * 2}}
    [answer] = ask_together(Limits(work_seconds=0), batch)
    assert answer.status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for_without_end() -> None:
    async def ask() -> httpx.Response:
        async def body() -> Any:
            yield b"{"
            await asyncio.sleep(60)

        transport = httpx.ASGITransport(create_app(limits=Limits(body_seconds=0.05)))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.post("/predict", content=body(), headers={"content-type": "application/json"})

    response = asyncio.run(ask())
    assert response.status_code == 408


def test_a_client_that_goes_away_costs_nothing(service: Service, client: httpx.Client) -> None:
    head = (
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    )
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(head)
    assert client.get("/healthz").status_code == 200
    assert not [line for line in service.lines if "traceback" in line]


def test_an_unforeseen_error_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError(str(Path("/secret")))

    monkeypatch.setattr("mnist_adder.serving.app.parse", fail)
    [answer] = ask_together(Limits(), {"json": {}})
    assert answer.status_code == 500
    assert answer.json() == {"detail": "Something went wrong here; the log says what."}
