"""The service says whether a picture may show no digit, or several, however it is asked."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.telling import APART, DASH, FOUR, NEAR, SEVEN, export_telling

from mnist_adder.inference import Predictor

if TYPE_CHECKING:
    from tests.serving.conftest import Start

PICTURES = [SEVEN, FOUR, DASH, NEAR, APART]
INFER = "/v2/models/telling"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_telling(tmp_path_factory.mktemp("runs") / "telling")


@pytest.fixture
def telling(start: Start, folder: Path) -> Iterator[httpx.Client]:
    """Asks a service of a model that tells."""
    with start(folder, "--run", str(folder)) as running, httpx.Client(base_url=running.url) as client:
        yield client


def png(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def told(answer: dict[str, Any]) -> list[Any]:
    return [answer[name] for name in ("is_digit", "is_digit_probability", "several")]


def test_pictures_in_every_form_alone_and_together(telling: httpx.Client, folder: Path) -> None:
    predictor = Predictor(folder)
    expected = [predictor.predict(picture, 3) for picture in PICTURES]
    pairs = [{"number": 3, "image": base64.b64encode(png(picture)).decode()} for picture in PICTURES]
    for picture, pair, answer in zip(PICTURES, pairs, expected, strict=True):
        form = telling.post("/predict", files={"image": png(picture)}, data={"number": "3"})
        for response in (form, telling.post("/predict", json=pair)):
            assert told(response.json()) == pytest.approx(
                [answer.is_digit, answer.is_digit_probability, answer.several], abs=1e-6
            )
    for many in (1, 4):  # on the event loop, and in a thread
        answers = telling.post("/predict", json={"pairs": pairs * many}).json()["answers"]
        assert [each["several"] for each in answers] == [False, False, False, True, True] * many
        assert [each["is_digit"] for each in answers] == [True, True, False, False, False] * many
    pixels = np.zeros((28, 28), int)
    pixels[12:16, 4:24] = 255
    flat = telling.post("/predict", json={"number": 3, "pixels": pixels.tolist()}).json()
    assert told(flat) == [False, pytest.approx(0, abs=1e-3), False]


def test_a_model_that_cannot_tell_says_so(start: Start, tmp_path: Path) -> None:
    silent = export_telling(tmp_path / "silent", threshold=None)
    with start(tmp_path, "--run", str(silent)) as running, httpx.Client(base_url=running.url) as client:
        for picture, several in ((SEVEN, False), (DASH, False), (NEAR, False), (APART, True)):
            answer = client.post("/predict", files={"image": png(picture)}, data={"number": "3"}).json()
            assert told(answer) == [not several, None, several]
        assert len(client.get("/v2/models/silent").json()["outputs"]) == 4
        asked = {**question(), "outputs": [{"name": "is_digit_probability"}]}
        response = client.post("/v2/models/silent/infer", json=asked)
        assert response.status_code == 422
        outputs = "digit, sum, digit_probabilities, sum_probabilities"
        assert response.json() == {"error": f"The outputs must be among {outputs}, each once."}


def question() -> dict[str, Any]:
    """A lying and a standing bar, asked by the Open Inference Protocol."""
    image = np.zeros((2, 1, 28, 28))
    image[0, :, 12:16, 4:24] = image[1, :, 4:24, 12:16] = 1
    return {
        "inputs": [
            {"name": "image", "shape": [2, 1, 28, 28], "datatype": "FP32", "data": image.ravel().tolist()},
            {"name": "number", "shape": [2], "datatype": "INT64", "data": [3, 4]},
        ]
    }


def test_the_open_inference_protocol_has_one_output_more(telling: httpx.Client) -> None:
    last = telling.get(INFER).json()["outputs"][-1]
    assert last == {"name": "is_digit_probability", "datatype": "FP32", "shape": [-1]}
    asked = question()
    outputs = telling.post(f"{INFER}/infer", json=asked).json()["outputs"]
    assert outputs[-1]["data"] == pytest.approx([0, 1], abs=0.01)
    asked["outputs"] = [{"name": "is_digit_probability", "parameters": {"binary_data": True}}]
    response = telling.post(f"{INFER}/infer", json=asked)
    start = int(response.headers["inference-header-content-length"])
    assert np.frombuffer(response.content[start:], "<f4").tolist() == pytest.approx(outputs[-1]["data"])
