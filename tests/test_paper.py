"""What benchmarks/paper.py draws is what its conditions say, and it counts what is answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paper
import pytest
from paper import CONDITIONS, Condition, Sample
from tests.pen.strokes import SEVEN, write_arrays

from mnist_adder.inference import Predictor
from mnist_adder.inference.picture import open_picture
from mnist_adder.types import NO_DIGIT

IMAGE = np.zeros((28, 28), np.uint8)
IMAGE[5:8, 9:19] = IMAGE[5:24, 16:19] = 255  # a seven
SAMPLES = [Sample(7, "pen", np.empty((0, 0), np.uint8), SEVEN), Sample(7, "mnist", IMAGE, [])]
HOW_MANY = {"MNIST": 1, "a digit": 1, "no digit": 1, "nothing": 0, "two digits": 2, "touching digits": 2}


def drawn(condition: Condition, sample: Sample = SAMPLES[0], seed: int = 0) -> np.ndarray:
    """A picture's brightness."""
    samples = [sample] * HOW_MANY[condition.written]
    return open_picture(paper.compose(np.random.default_rng(seed), condition, samples))


@pytest.mark.parametrize("name", [name for name in CONDITIONS if CONDITIONS[name].written != "MNIST"])
def test_each_seed_has_its_picture(name: str) -> None:
    first, again, other = (drawn(CONDITIONS[name], seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_mnist_image_is_shown_as_it_is() -> None:
    np.testing.assert_allclose(drawn(CONDITIONS["MNIST test image"], SAMPLES[1]), IMAGE / 255, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in CONDITIONS if name.startswith(("ruled", "squared"))])
@pytest.mark.parametrize("seed", range(5))
def test_lines_are_as_strong_as_their_name_says(name: str, seed: int) -> None:
    low, high = (int(number) / 100 for number in name.split()[1:4:2])
    found = []

    def measure(page: paper.Page) -> None:
        paper_alone = page.ink == 0
        lines = 1 - paper.brightness(page.picture)[paper_alone].min() / page.paper
        found.append(lines / page.contrast)

    drawn(CONDITIONS[name]._replace(after=(measure,)), seed=seed)
    assert low - 0.01 <= found[0] <= high + 0.01


@pytest.mark.parametrize("name", ["printed box", "ring", "underlined"])
@pytest.mark.parametrize("seed", range(5))
def test_what_is_around_a_digit_is_inside_the_picture(name: str, seed: int) -> None:
    plane = drawn(CONDITIONS[name]._replace(after=()), seed=seed)
    border = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
    assert np.ptp(border) < 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_no_paper_is_left_around_ink_that_is_cut_out(seed: int) -> None:
    plane = drawn(CONDITIONS["cut to the ink"], seed=seed)
    ink = plane < 0.85 * plane.max()
    assert ink[0].any()
    assert ink[-1].any()
    assert ink[:, 0].any()
    assert ink[:, -1].any()
    wider = drawn(CONDITIONS["one pixel around the ink"], seed=seed)
    assert wider.shape == tuple(side + 2 for side in plane.shape)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.source)
def test_answers_are_counted(sample: Sample) -> None:
    predictor, random = Predictor(), np.random.default_rng(0)
    picture = paper.compose(random, CONDITIONS["ballpen"], [sample])
    assert {"right", f"right_{sample.source}"} <= paper.outcome(predictor, [sample], picture)
    assert "right" not in paper.outcome(predictor, [sample._replace(answer=3)], picture)
    blank = paper.compose(random, CONDITIONS["blank paper"], [])
    assert paper.outcome(predictor, [], blank) == {"refused"}


def test_samples_come_from_validation_writers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_arrays(tmp_path)  # a one, and by writers who are held out a seven and a cross
    monkeypatch.setenv("MNIST_ADDER_STROKES", str(tmp_path))
    paper.read_characters.cache_clear()
    (digit,), (other,) = (
        paper.pen_samples(np.random.default_rng(0), 9, digits=digits) for digits in (True, False)
    )
    assert (digit.answer, other.answer) == (7, NO_DIGIT)
    assert [stroke.tolist() for stroke in digit.strokes] == [stroke.tolist() for stroke in SEVEN]
    paper.read_characters.cache_clear()
