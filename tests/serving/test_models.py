"""Pairs that come at the same time are answered together, and each gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_adder.data.images import DigitImages
from mnist_adder.errors import RunError
from mnist_adder.inference import Predictions
from mnist_adder.serving.models import Model, load_models

Images = NDArray[np.float32]
Answer = tuple[Predictions, int]  # what was answered together, and a row


@pytest.fixture
def models() -> Iterator[dict[str, Model]]:
    loaded = load_models(None)
    yield loaded
    for model in loaded.values():
        model.batcher.close()


@pytest.fixture
def images(data: DigitImages) -> Images:
    return data.test_images[:60].numpy().reshape(60, 1, 28, 28).astype(np.float32) / np.float32(255)


def check(answers: Sequence[Answer], models: Sequence[Model], images: Images) -> None:
    for place, ((predictions, row), model) in enumerate(zip(answers, models, strict=True)):
        answer = predictions[row]
        expected = model.predictor.predict_images(images[place], np.array([place % 10]))[0]
        assert (answer.digit, answer.number, answer.sum) == (expected.digit, place % 10, expected.sum)
        np.testing.assert_allclose(answer.digit_probabilities, expected.digit_probabilities, atol=1e-5)
        np.testing.assert_allclose(answer.sum_probabilities, expected.sum_probabilities, atol=1e-5)


def test_each_request_gets_its_own_answer(models: dict[str, Model], images: Images) -> None:
    asked = [list(models.values())[place % len(models)] for place in range(len(images))]

    async def predict_in_waves() -> list[Answer]:
        waiting: list[Awaitable[Answer]] = []
        for place, image in enumerate(images):
            waiting.append(asyncio.ensure_future(asked[place].batcher.predict(image, place % 10)))
            if place % 7 == 0:  # a new turn of the loop, while the threads are busy
                await asyncio.sleep(0)
        return await asyncio.gather(*waiting)

    check(asyncio.run(predict_in_waves()), asked, images)


def test_who_comes_after_the_others_is_answered_too(models: dict[str, Model], images: Images) -> None:
    model = models["tiny"]

    async def predict_one_after_the_other() -> list[Answer]:
        first = await asyncio.gather(*(model.batcher.predict(images[place], place) for place in range(5)))
        return [*first, *[await model.batcher.predict(images[place], place) for place in range(5, 8)]]

    check(asyncio.run(predict_one_after_the_other()), [model] * 8, images)


@pytest.mark.parametrize("count", [1, 5])
def test_a_failure_reaches_all_who_asked_and_none_after(
    models: dict[str, Model], images: Images, count: int
) -> None:
    model = models["tiny"]

    async def predict() -> Answer:
        failed = await asyncio.gather(
            *(model.batcher.predict(images[0] * np.nan, 0) for _ in range(count)), return_exceptions=True
        )
        assert [type(each) for each in failed] == [RunError] * count
        return await model.batcher.predict(images[0], 0)

    check([asyncio.run(predict())], [model], images)


def test_who_has_gone_holds_nobody_up(models: dict[str, Model], images: Images) -> None:
    model = models["tiny"]

    async def predict() -> list[Answer]:
        waiting = [asyncio.ensure_future(model.batcher.predict(images[place], place)) for place in range(4)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        answered = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(answered.pop(1), asyncio.CancelledError)
        assert not any(isinstance(answer, BaseException) for answer in answered)
        return [await model.batcher.predict(images[0], 0)]

    check(asyncio.run(predict()), [model], images)
