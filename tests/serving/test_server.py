"""The process: how it ends, how it begins, and that several of them count together."""

from __future__ import annotations

import base64
import io
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from PIL import Image

if TYPE_CHECKING:
    from tests.serving.conftest import Start

FIVE = Path(__file__).parents[2] / "examples" / "five.png"


def slow_batch() -> dict[str, object]:
    """Pictures that take a second to open."""
    with Image.open(FIVE) as five:
        large = five.convert("L").resize((1500, 1500))
    content = io.BytesIO()
    large.save(content, "PNG")
    return {"pairs": [{"number": 7, "image": base64.b64encode(content.getvalue()).decode()}] * 20}


def test_sigterm_finishes_what_is_in_flight(start: Start, tmp_path: Path) -> None:
    with start(tmp_path) as service, httpx.Client(base_url=service.url, timeout=30) as client:
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(httpx.post, f"{service.url}/predict", json=slow_batch(), timeout=30)
            while "mnist_adder_in_flight 2.0" not in client.get("/metrics").text:
                assert not answer.done(), answer.result().text
            service.process.send_signal(signal.SIGTERM)
            assert len(answer.result().json()["answers"]) == 20
        log = service.stop()
    assert service.process.returncode in (0, -signal.SIGTERM)
    assert not [entry for entry in log if entry["level"] not in ("info", "warning")]
    assert [entry for entry in log if entry.get("path") == "/predict"]


def test_two_workers_answer_and_count_together(start: Start, tmp_path: Path) -> None:
    with start(tmp_path, "--workers", "2") as service:
        for _ in range(8):  # each on a connection of its own, so that both may get some
            files = {"image": FIVE.read_bytes()}
            response = httpx.post(f"{service.url}/predict", files=files, data={"number": "2"}, timeout=60)
            assert response.json()["sum"] == 7
        text = httpx.get(f"{service.url}/metrics").text
        assert 'mnist_adder_answers_total{digit="5",model="default"} 8.0' in text
        assert "mnist_adder_in_flight 1.0" in text
        service.stop()
    assert not list(tmp_path.iterdir())
