"""/predict answers as the library does, whichever way it is asked."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from mnist_adder.data.images import DigitImages
from mnist_adder.inference import Predictor
from mnist_adder.inference.preprocess import preprocess
from mnist_adder.types import Prediction

FIVE = Path(__file__).parents[2] / "examples" / "five.png"

PICTURE = FIVE.read_bytes()
ENCODED = base64.b64encode(PICTURE).decode()
IN_LINES = "\r\n".join(ENCODED[start : start + 76] for start in range(0, len(ENCODED), 76))


def assert_is(answer: dict[str, Any], expected: Prediction) -> None:
    assert (answer["digit"], answer["number"], answer["sum"]) == (
        expected.digit,
        expected.number,
        expected.sum,
    )
    for name in ("digit_probabilities", "sum_probabilities"):
        np.testing.assert_allclose(answer[name], getattr(expected, name), rtol=0, atol=1e-6)
    assert np.shape(answer["seen"]) == (28, 28)


@pytest.mark.parametrize(
    "how",
    [
        {"json": {"number": 7, "image": ENCODED}},
        {"json": {"number": 7, "image": base64.encodebytes(PICTURE).decode()}},
        {"json": {"number": 7, "image": "data:image/png;base64," + IN_LINES}},
        {"json": {"number": "7", "image": f"data:image/png;base64,{ENCODED}", "model": "default"}},
        {"files": {"image": ("five.png", PICTURE, "image/png")}, "data": {"number": "7"}},
        {"files": {"image": ("../../five", PICTURE)}, "data": {"number": " 7", "model": "default"}},
    ],
    ids=["json", "base64-lines", "data-url-lines", "data-url", "form", "form-with-model"],
)
def test_a_picture(client: httpx.Client, predictor: Predictor, how: dict[str, Any]) -> None:
    response = client.post("/predict", **how)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert_is(answer, predictor.predict(PICTURE, 7))
    np.testing.assert_array_equal(answer["seen"], np.rint(preprocess(PICTURE) * 255))
    assert answer["model"] == "default"


def test_pixels_are_taken_as_they_are(client: httpx.Client, predictor: Predictor, data: DigitImages) -> None:
    for place in range(10):
        pixels = data.test_images[place].numpy()
        response = client.post("/predict", json={"number": place, "pixels": pixels.tolist()})
        expected = predictor.predict_images(
            pixels[None].astype(np.float32) / np.float32(255), np.array([place])
        )[0]
        assert_is(response.json(), expected)
        np.testing.assert_array_equal(response.json()["seen"], pixels)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_batch_has_the_answers_of_its_pairs(
    client: httpx.Client, predictor: Predictor, data: DigitImages, count: int
) -> None:
    pairs: list[dict[str, Any]] = [
        {"number": place % 10, "pixels": data.test_images[place].tolist()} for place in range(count)
    ]
    pairs[-1] = {"number": 4, "image": ENCODED}
    response = client.post("/predict", json={"pairs": pairs})
    assert response.status_code == 200, response.text
    answers = response.json()["answers"]
    assert [answer["number"] for answer in answers] == [pair["number"] for pair in pairs]
    assert_is(answers[-1], predictor.predict(PICTURE, 4))
    if count > 1:
        image = (data.test_images[0].float() / 255).numpy()
        assert_is(answers[0], predictor.predict_images(image[None], np.array([0]))[0])


def test_a_large_photograph_is_answered_too(client: httpx.Client, predictor: Predictor) -> None:
    with Image.open(FIVE) as small:
        large = small.convert("L").resize((2000, 2000))
    content = io.BytesIO()
    large.save(content, "JPEG")
    response = client.post("/predict", files={"image": ("p.jpg", content.getvalue())}, data={"number": "0"})
    assert_is(response.json(), predictor.predict(content.getvalue(), 0))
