"""Asking a run about a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_adder.data import load_corpus
from mnist_adder.errors import NumberError, PictureError, RunError
from mnist_adder.inference import Predictor, check_number, predict
from mnist_adder.runs import Run
from mnist_adder.task import Prediction


@pytest.fixture(scope="module")
def predictor(trained_run: Run) -> Predictor:
    return Predictor(trained_run)


def test_most_test_images_are_answered_rightly_and_all_consistently(predictor: Predictor) -> None:
    corpus = load_corpus("digits")
    right = 0
    for row in range(100):
        answer = predictor.predict(corpus.test_images[row].numpy(), row % 10)
        assert answer.sum == answer.digit + answer.number
        assert answer.number == row % 10
        assert len(answer.digit_probabilities) == 10
        assert len(answer.sum_probabilities) == 19
        assert sum(answer.digit_probabilities) == pytest.approx(1, abs=1e-5)
        assert sum(answer.sum_probabilities) == pytest.approx(1, abs=1e-5)
        assert answer.digit_probabilities[answer.digit] == max(answer.digit_probabilities)
        right += answer.digit == int(corpus.test_digits[row])
    assert right >= 80


def test_a_run_may_be_given_in_any_form(trained_run: Run, predictor: Predictor) -> None:
    picture = load_corpus("digits").test_images[0].numpy()
    answers: list[Prediction] = [
        predictor.predict(picture, "7"),
        predict(picture, 7, trained_run),
        predict(picture, 7, trained_run.folder),
        predict(picture, 7, str(trained_run.folder)),
    ]
    assert all(answer == answers[0] for answer in answers)


def test_asking_does_not_change_the_random_state(predictor: Predictor) -> None:
    before = torch.get_rng_state()
    predictor.predict(load_corpus("digits").test_images[0].numpy(), 1)
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
