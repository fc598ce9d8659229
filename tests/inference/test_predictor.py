"""Asking a run about a picture."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mnist_adder.data.images import load_images
from mnist_adder.errors import NumberError, PictureError, RunError
from mnist_adder.inference import Predictor, check_number, export_run, predict
from mnist_adder.inference.preprocess import preprocess
from mnist_adder.pretrained import load_pretrained, pretrained_folder
from mnist_adder.runs import Run
from mnist_adder.types import Prediction


@pytest.fixture(scope="module")
def run(trained_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of the trained run, with its model.onnx."""
    folder = tmp_path_factory.mktemp("runs") / "exported"
    copy = Run(shutil.copytree(trained_run.folder, folder), trained_run.config)
    export_run(copy)
    return copy


@pytest.fixture(scope="module")
def predictor(run: Run) -> Predictor:
    return Predictor(run)


@pytest.fixture(scope="module")
def images() -> NDArray[np.float32]:
    """(150, 28, 28): more than are asked about at a time."""
    pixels = load_images("digits").test_images[:150].float().reshape(-1, 28, 28)
    return (pixels / 255).numpy()


def test_most_test_images_are_answered_rightly_and_all_consistently(predictor: Predictor) -> None:
    data = load_images("digits")
    right = 0
    for row in range(100):
        answer = predictor.predict(data.test_images[row].numpy(), row % 10)
        assert answer.sum == answer.digit + answer.number
        assert answer.number == row % 10
        assert len(answer.digit_probabilities) == 10
        assert len(answer.sum_probabilities) == 19
        assert sum(answer.digit_probabilities) == pytest.approx(1, abs=1e-5)
        assert sum(answer.sum_probabilities) == pytest.approx(1, abs=1e-5)
        assert answer.digit_probabilities[answer.digit] == max(answer.digit_probabilities)
        right += answer.digit == int(data.test_digits[row])
    assert right >= 80


def test_a_run_may_be_given_in_any_form_and_without_one_the_package_answers(
    run: Run, predictor: Predictor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    picture = load_images("digits").test_images[0].numpy()
    answers: list[Prediction] = [
        predictor.predict(picture, "7"),
        predict(picture, 7, run),
        predict(picture, 7, run.folder),
        predict(picture, 7, str(run.folder)),
    ]
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run.folder, Path("runs", "newest"))
    answers.append(predict(picture, 7, "latest"))
    assert all(answer == answers[0] for answer in answers)
    shutil.copytree(run.folder, Path("default"))
    assert predict(picture, 7) == predict(picture, 7, load_pretrained()) != answers[0]
    assert Predictor().folder == pretrained_folder()


def test_asking_does_not_change_the_random_state(predictor: Predictor) -> None:
    before = torch.get_rng_state()
    predictor.predict(load_images("digits").test_images[0].numpy(), 1)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("number", [10, -1, "1.5", "", "seven", " 12", True, "٣", "²", 3.0, None])
def test_a_number_that_is_none_of_the_ten_is_an_error(number: object) -> None:
    with pytest.raises(NumberError, match="must be a whole number from 0 to 9"):
        check_number(number)  # type: ignore[arg-type]


def test_the_ten_numbers_are_read() -> None:
    assert [check_number(n) for n in range(10)] == list(range(10))
    assert check_number(np.int64(4)) == 4  # type: ignore[arg-type]
    assert check_number(" 4 ") == 4


def test_a_blank_picture_and_a_missing_run_are_errors(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(PictureError):
        predictor.predict(np.zeros((28, 28)), 1)
    with pytest.raises(RunError, match="There is no run folder"):
        Predictor(tmp_path / "none")


def test_many_images_are_answered_like_each_alone(predictor: Predictor, images: NDArray[np.float32]) -> None:
    numbers = np.arange(len(images)) % 10
    answers = predictor.predict_images(images, numbers)
    assert len(answers) == len(images)
    assert answers.digits.dtype == answers.numbers.dtype == answers.sums.dtype == np.int64
    assert answers.digit_probabilities.dtype == answers.sum_probabilities.dtype == np.float32
    assert answers.digit_probabilities.shape == (len(images), 10)
    assert answers.sum_probabilities.shape == (len(images), 19)
    for row in (0, 63, 64, 149):
        alone = predictor.predict_images(images[row : row + 1], [row % 10])[0]
        assert (answers[row].digit, answers[row].number, answers[row].sum) == (
            alone.digit,
            row % 10,
            alone.sum,
        )
        assert answers[row].digit_probabilities == pytest.approx(alone.digit_probabilities, abs=1e-5)
        assert answers[row].sum_probabilities == pytest.approx(alone.sum_probabilities, abs=1e-5)
    np.testing.assert_array_equal(answers.sums, answers.digits + numbers)
    np.testing.assert_array_equal(
        predictor.predict_images(images[::-1], numbers[::-1]).digits, answers.digits[::-1]
    )


def test_a_ready_made_image_is_answered_like_its_picture(predictor: Predictor) -> None:
    picture = load_images("digits").test_images[3].numpy()
    answer = predictor.predict_images(preprocess(picture)[None], np.array([4], dtype=np.uint8))[0]
    assert answer == predictor.predict(picture, 4)


def test_threads_change_nothing(run: Run, predictor: Predictor, images: NDArray[np.float32]) -> None:
    digits = predictor.predict_images(images, [3] * 150).digits
    for threads in (0, 2, 3):
        several = Predictor(run, threads=threads)
        np.testing.assert_array_equal(several.predict_images(images, [3] * 150).digits, digits)
    with ThreadPoolExecutor(4) as pool:
        for answers in pool.map(lambda _: predictor.predict_images(images, [3] * 150), range(8)):
            np.testing.assert_array_equal(answers.digits, digits)


BLANK = np.zeros((2, 28, 28), dtype=np.float32)


@pytest.mark.parametrize(
    ("images", "complaint"),
    [
        (BLANK.tolist(), "are list, but must be a float32 array (N, 28, 28)"),
        (torch.zeros(2, 28, 28), "are Tensor, but"),
        (BLANK[0], "are float32 (28, 28), but"),
        (BLANK[:, None], "are float32 (2, 1, 28, 28), but"),
        (BLANK[:, :27], "are float32 (2, 27, 28), but"),
        (BLANK[:0], "are float32 (0, 28, 28), but"),
        (np.float32(1), "are float32, but"),
        (BLANK.astype(np.float64), "are float64 (2, 28, 28), but"),
        (BLANK.astype(np.uint8), "are uint8 (2, 28, 28), but"),
        (BLANK + 255, "from 255 to 255, but must lie in [0, 1]: divide by 255"),
        (BLANK - 0.1, "from -0.1 to -0.1"),
        (BLANK * np.float32("nan"), "from nan to nan"),
    ],
    ids=[
        "list",
        "tensor",
        "one",
        "channel",
        "27",
        "none",
        "scalar",
        "float64",
        "uint8",
        "255",
        "below",
        "nan",
    ],
)
def test_images_that_are_not_like_mnist_are_refused(
    images: Any, complaint: str, predictor: Predictor
) -> None:
    with pytest.raises(PictureError, match=re.escape(complaint)):
        predictor.predict_images(images, [1, 2])


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [
        ([1], "are int64 (1,), but must be 2 whole numbers from 0 to 9"),
        (3, "are int64 (), but"),
        ([[1], [2]], "are int64 (2, 1), but"),
        ([1.0, 2.0], "are float64 (2,), but"),
        ([True, False], "are bool (2,), but"),
        (["1", "2"], "are <U1 (2,), but"),
        ([1, 10], "reach from 1 to 10, but"),
        ([-1, 1], "reach from -1 to 1, but"),
        (np.array([1, 2**63], dtype=np.uint64), "reach from 1 to 9223372036854775808, but"),
    ],
    ids=["few", "scalar", "column", "float", "bool", "text", "10", "-1", "uint64"],
)
def test_numbers_that_are_not_the_ten_are_refused(numbers: Any, complaint: str, predictor: Predictor) -> None:
    with pytest.raises(NumberError, match=re.escape(complaint)):
        predictor.predict_images(BLANK, numbers)
