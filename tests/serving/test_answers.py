from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_adder.data.images import DigitImages
from mnist_adder.errors import RunError
from mnist_adder.serving.answers import Answer, MicroBatcher, Model, load_models

Images = NDArray[np.float32]


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    return load_models(None)


@pytest.fixture
def together() -> Iterator[MicroBatcher]:
    one = MicroBatcher()
    yield one
    one.close()


@pytest.fixture
def images(data: DigitImages) -> Images:
    return data.test_images[:60].numpy().reshape(60, 1, 28, 28).astype(np.float32) / np.float32(255)


def check(answers: list[Answer], models: list[Model], images: Images) -> None:
    for place, (together, row) in enumerate(answers):
        answer = together[row]
        expected = models[place].predictor.predict_images(images[place], np.array([place % 10]))[0]
        assert (answer.digit, answer.number, answer.sum) == (expected.digit, place % 10, expected.sum)
        np.testing.assert_allclose(answer.digit_probabilities, expected.digit_probabilities, atol=1e-5)
        np.testing.assert_allclose(answer.sum_probabilities, expected.sum_probabilities, atol=1e-5)


def test_each_question_gets_its_own_answer(
    models: dict[str, Model], together: MicroBatcher, images: Images
) -> None:
    asked = [list(models.values())[place % len(models)] for place in range(len(images))]

    async def ask_in_waves() -> list[Answer]:
        waiting: list[Awaitable[Answer]] = []
        for place, image in enumerate(images):
            waiting.append(asyncio.ensure_future(together.ask(asked[place], image, place % 10)))
            if place % 7 == 0:  # a new turn of the loop, while the thread is busy
                await asyncio.sleep(0)
        return await asyncio.gather(*waiting)

    check(asyncio.run(ask_in_waves()), asked, images)


def test_who_comes_after_the_others_is_answered_too(
    models: dict[str, Model], together: MicroBatcher, images: Images
) -> None:
    model = models["tiny"]

    async def ask_one_after_the_other() -> list[Answer]:
        first = await asyncio.gather(*(together.ask(model, images[place], place) for place in range(5)))
        return [*first, *[await together.ask(model, images[place], place) for place in range(5, 8)]]

    check(asyncio.run(ask_one_after_the_other()), [model] * 8, images)


@pytest.mark.parametrize("count", [1, 5])
def test_a_failure_reaches_all_who_asked_and_none_after(
    models: dict[str, Model], together: MicroBatcher, images: Images, count: int
) -> None:
    model = models["tiny"]

    async def ask() -> Answer:
        failed = await asyncio.gather(
            *(together.ask(model, images[0] * np.nan, 0) for _ in range(count)), return_exceptions=True
        )
        assert [type(each) for each in failed] == [RunError] * count
        return await together.ask(model, images[0], 0)

    check([asyncio.run(ask())], [model], images)


def test_who_has_gone_holds_nobody_up(
    models: dict[str, Model], together: MicroBatcher, images: Images
) -> None:
    model = models["tiny"]

    async def ask() -> list[Answer]:
        waiting = [asyncio.ensure_future(together.ask(model, images[place], place)) for place in range(4)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        answered = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(answered.pop(1), asyncio.CancelledError)
        assert not any(isinstance(answer, BaseException) for answer in answered)
        return [await together.ask(model, images[0], 0)]

    check(asyncio.run(ask()), [model], images)
