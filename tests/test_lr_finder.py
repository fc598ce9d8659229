"""The range test: reading a curve, on made-up ones; and that a suggestion is worth following, on digits."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mnist_adder import lr_finder
from mnist_adder.errors import ModelError
from mnist_adder.lr_finder import MEMORY, RATES, RangeTest, find_learning_rate, smooth, suggest
from mnist_adder.training.config import TrainConfig


def made_up(end: float, *, height: float = 2.3, depth: float = 2.0, width: float = 1.5) -> list[float]:
    """Losses that fall e^depth times in the ``width`` decades before ``end``, and rise from ten times it."""
    losses = []
    for rate in RATES:
        fallen = min(max(1 - math.log10(end / rate) / width, 0), 1)
        risen = max(math.log10(rate / (10 * end)), 0)
        losses.append(height * math.exp(-depth * fallen + 2 * risen))
    return losses


@pytest.fixture(scope="module")
def found() -> RangeTest:
    return find_learning_rate(TrainConfig(model="exact-sum", dataset="digits"))


# Reading a curve.


def test_rates_climb_by_a_constant_factor_from_the_lowest_to_the_highest() -> None:
    assert len(RATES) == 200
    assert RATES[0] == pytest.approx(1e-5)
    assert RATES[-1] == pytest.approx(10)
    factors = [after / before for before, after in itertools.pairwise(RATES)]
    assert factors == pytest.approx([10 ** (6 / 199)] * 199)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=50), st.floats(1.5, 50))
def test_smoothing_is_a_mean_with_weights_that_fade(losses: list[float], memory: float) -> None:
    smoothed = smooth(losses, memory)
    for last in range(len(losses)):
        weights = [(1 - 1 / memory) ** (last - step) for step in range(last + 1)]
        expected = sum(w * x for w, x in zip(weights, losses[: last + 1], strict=True)) / sum(weights)
        assert smoothed[last] == pytest.approx(expected)


@given(st.floats(1e-3, 0.1), st.floats(1, 4), st.floats(0.8, 2))
def test_the_suggestion_is_where_the_fall_ends(end: float, depth: float, width: float) -> None:
    suggestion = suggest(made_up(end, depth=depth, width=width))
    assert end < suggestion / lr_finder.BEYOND < 1.5 * end  # a slope is seen to end within its reach


@given(st.floats(1e-3, 0.1), st.floats(1e-3, 1e3))
def test_the_unit_of_the_loss_does_not_matter(end: float, unit: float) -> None:
    assert suggest(made_up(end, height=2.3 * unit)) == suggest(made_up(end))


@given(st.floats(1e-3, 0.1), st.integers(0, 1000))
def test_noise_moves_the_suggestion_little(end: float, seed: int) -> None:
    noise = random.Random(seed)
    clean = made_up(end)
    noisy = [loss * math.exp(noise.gauss(0, 0.05)) for loss in clean]
    ratio = suggest(smooth(noisy, MEMORY)) / suggest(smooth(clean, MEMORY))
    assert 0.5 < ratio < 2


@given(st.integers(0, 199))
def test_chance_in_the_first_steps_does_not_count_as_the_fall(seed: int) -> None:
    noise = random.Random(seed)
    noisy = [loss * math.exp(noise.gauss(0, 0.1)) for loss in made_up(0.01)]
    assert suggest(smooth(noisy, MEMORY)) > 0.004


def test_a_flat_floor_does_not_draw_the_suggestion_to_its_far_end() -> None:
    losses = made_up(0.01)
    floor = RATES.index(next(rate for rate in RATES if rate > 0.09))
    losses[floor] *= 0.95  # the lowest of all, a decade further on
    assert suggest(losses) == suggest(made_up(0.01))


# What cannot be read.


@pytest.mark.parametrize("losses", [[2.3] * 200, [2.3 + rate for rate in RATES]])
def test_a_loss_that_never_falls_is_refused(losses: list[float]) -> None:
    with pytest.raises(ModelError, match=r"did not fall between the rates 1e-05 and 10, from 2\.3 at first"):
        suggest(losses)


def test_a_loss_that_still_falls_at_the_end_is_refused() -> None:
    with pytest.raises(ModelError, match="still falling between the rates 1e-05 and 10"):
        suggest([rate**-0.2 for rate in RATES])


def test_names_and_settings_are_checked() -> None:
    with pytest.raises(ModelError, match="no-such"):
        find_learning_rate(TrainConfig(model="no-such", dataset="digits"))
    with pytest.raises(ModelError, match="There is no setting 'batch'"):
        find_learning_rate(TrainConfig(model="exact-sum", recipe={"batch": "3"}, dataset="digits"))


# The real thing, on the bundled digits.


def test_the_columns_belong_together_and_the_suggestion_lies_inside(found: RangeTest) -> None:
    assert found.dataset == "digits"
    steps = len(found.learning_rates)
    assert len(found.losses) == len(found.smoothed_losses) == steps <= 200
    assert found.learning_rates == tuple(RATES[:steps])
    assert found.smoothed_losses == pytest.approx(smooth(found.losses, MEMORY))
    assert found.learning_rates[0] < found.suggestion < found.learning_rates[-1]
    assert found.losses[0] == pytest.approx(math.log(10), rel=0.2)  # fresh networks guess


def test_it_ends_where_the_loss_has_diverged(found: RangeTest) -> None:
    smoothed = found.smoothed_losses
    assert len(smoothed) < 200
    diverged = [loss > 4 * min(smoothed[: place + 1]) for place, loss in enumerate(smoothed)]
    assert diverged == [False] * (len(smoothed) - 1) + [True]


def test_the_same_seed_gives_the_same_curve_and_leaves_the_callers_random_numbers(found: RangeTest) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    seen: list[int] = []
    again = find_learning_rate(TrainConfig(model="exact-sum", dataset="digits"), progress=seen.append)
    assert torch.equal(torch.rand(3), expected)
    assert again == found
    assert seen == list(range(1, len(seen) + 1))  # told after each step
    assert len(found.losses) <= len(seen) <= 200


@pytest.mark.parametrize(
    "changed", [{"seed": 1}, {"recipe": {"batch_size": "16"}}, {"recipe": {"rotation_degrees": "40"}}]
)
def test_seed_and_settings_reach_the_networks(changed: dict[str, Any], found: RangeTest) -> None:
    other = find_learning_rate(TrainConfig(model="exact-sum", dataset="digits", **changed))
    assert other.losses[:50] != found.losses[:50]


def test_training_at_the_suggestion_beats_a_hundredth_of_it(found: RangeTest, tmp_path: Path) -> None:
    from mnist_adder.training.train import train

    accuracies = []
    for factor in (1, 0.01):
        settings = {
            "epochs": "1",
            "weight_averaging": "none",
            "learning_rate": str(found.suggestion * factor),
        }
        run = train(
            TrainConfig(model="exact-sum", recipe=settings, dataset="digits", run_dir=tmp_path / str(factor))
        )
        accuracies.append(run.metrics[-1]["validation_joint_accuracy"])
    assert accuracies[0] > accuracies[1] + 0.05
