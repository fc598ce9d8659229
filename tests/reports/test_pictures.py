"""Samples and mistakes: what was answered, how surely, what is true, told by more than colour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from mnist_adder.evaluation.examples import Examples
from mnist_adder.reports.contents import Contents
from mnist_adder.reports.pictures import mistakes, pairs, samples
from mnist_adder.reports.style import probability

Legible = Callable[[Figure], list[str]]


def made_up(*answers: tuple[int, int, int, int]) -> Examples:
    """Examples with these numbers, true digits, digits and sums answered, each with probability 0.75."""
    count = len(answers)
    numbers, digits, said_digits, said_sums = torch.tensor(answers).T
    rows = torch.arange(count)
    digit_probabilities, sum_probabilities = torch.zeros(count, 10), torch.zeros(count, 19)
    digit_probabilities[rows, said_digits] = 0.75
    sum_probabilities[rows, said_sums] = 0.75
    return Examples(
        images=torch.randint(256, (count, 28, 28), dtype=torch.uint8),
        numbers=numbers,
        digits=digits,
        digit_probabilities=digit_probabilities,
        sum_probabilities=sum_probabilities,
    )


def test_every_sample_says_number_digit_sum_and_probabilities(contents: Contents, legible: Legible) -> None:
    figure = samples(contents.samples)
    words = legible(figure)
    shown = pairs(contents.samples)
    assert len(shown) == len(contents.samples.numbers) > 0
    for pair in shown:
        assert f"+ {pair.number} →" in words
        assert any(word.removeprefix("✗\u2009") == f"{pair.said_digit}," for word in words)
        assert any(word.removeprefix("✗\u2009") == f"{pair.said_sum}" for word in words)
        assert probability(pair.digit_probability) in words
        assert probability(pair.sum_probability) in words
    assert words.count("✓ right") == sum(pair.digit_right and pair.sum_right for pair in shown)


def test_the_images_are_the_examples_own(contents: Contents) -> None:
    drawn = [image.get_array() for image in samples(contents.samples).axes[0].get_images()]
    assert len(drawn) == len(contents.samples.images)
    for found, image in zip(drawn, contents.samples.images, strict=True):
        assert np.array_equal(np.asarray(found)[..., 3], image.numpy())  # as opaque as the pixel is bright


def test_mistakes_tell_the_truth_and_inconsistencies(legible: Legible) -> None:
    words = legible(mistakes(made_up((7, 5, 3, 10), (7, 5, 5, 11), (7, 5, 3, 12), (9, 9, 0, 18))))
    assert [word for word in words if word.startswith("truth")] == [
        "truth: 5, 12",
        "truth: 5, 12; 5 + 7 ≠ 11",
        "truth: 5, 12; 3 + 7 ≠ 12",
        "truth: 9, 18; 0 + 9 ≠ 18",
    ]
    crossed = [word.removeprefix("✗\u2009") for word in words if word.startswith("✗")]
    assert crossed == ["3,", "10", "11", "3,", "0,"]
    assert words.count("75.0\u00a0%") == 8


def test_the_widest_answers_fit(legible: Legible) -> None:
    legible(mistakes(made_up(*[(9, 8, 9, 10)] * 24)))


@pytest.mark.parametrize("draw", [samples, mistakes])
def test_none_at_all_is_said(draw: Callable[[Examples], Figure], legible: Legible) -> None:
    empty = Examples(
        images=torch.zeros(0, 28, 28, dtype=torch.uint8),
        numbers=torch.zeros(0, dtype=torch.int64),
        digits=torch.zeros(0, dtype=torch.int64),
        digit_probabilities=torch.zeros(0, 10),
        sum_probabilities=torch.zeros(0, 19),
    )
    (words,) = legible(draw(empty))
    assert words.lower().startswith(("no ", "there are no "))
