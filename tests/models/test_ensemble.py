"""An ensemble answers by the mean of its members' probabilities, whatever the members are."""

from __future__ import annotations

import pytest
import torch

from mnist_adder import models
from mnist_adder.models import Ensemble
from mnist_adder.models.ensemble import SHIFTS

IMAGES = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
NUMBERS = torch.tensor([0, 3, 6, 9])


@pytest.mark.parametrize("name", models.names())
def test_it_is_the_mean_of_its_members(name: str) -> None:
    members = [models.build(name).eval() for _ in range(3)]
    ensemble = Ensemble(members).eval()
    with torch.no_grad():
        alone = [member(IMAGES, NUMBERS) for member in members]
        together = ensemble(IMAGES, NUMBERS)
    digits = torch.stack([outputs.digit_logits.softmax(1) for outputs in alone]).mean(0)
    torch.testing.assert_close(together.digit_logits.softmax(1), digits)
    sums = torch.stack([m.sum_probabilities(o) for m, o in zip(members, alone, strict=True)]).mean(0)
    torch.testing.assert_close(ensemble.sum_probabilities(together), sums)
    is_digit = torch.stack([m.is_digit_probability(o) for m, o in zip(members, alone, strict=True)]).mean(0)
    torch.testing.assert_close(ensemble.is_digit_probability(together), is_digit)


@pytest.mark.parametrize("shift", [-200.0, 200.0])
def test_members_that_are_certain_keep_it_finite(shift: float) -> None:
    model = models.build("exact-sum").eval()
    with torch.no_grad():
        layer = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
        layer.bias.add_(shift)
        alone, together = model(IMAGES, NUMBERS), Ensemble([model, model])(IMAGES, NUMBERS)
    assert together.digit_logits.isfinite().all()
    torch.testing.assert_close(together.digit_logits.softmax(1), alone.digit_logits.softmax(1))
    expected = torch.full((4,), float(shift > 0))
    torch.testing.assert_close(model.is_digit_probability(alone), expected)
    torch.testing.assert_close(model.is_digit_probability(together), expected)


def test_one_member_asked_once_changes_nothing() -> None:
    model = models.build("exact-sum").eval()
    with torch.no_grad():
        alone, together = model(IMAGES, NUMBERS), Ensemble([model])(IMAGES, NUMBERS)
        losses = [d.losses(o, NUMBERS, NUMBERS) for d, o in ((model, alone), (Ensemble([model]), together))]
    torch.testing.assert_close(together.digit_logits, alone.digit_logits)
    torch.testing.assert_close(losses[0], losses[1])


def test_shifts_ask_about_the_image_moved() -> None:
    model = models.build("exact-sum").eval()
    moved = torch.zeros_like(IMAGES)
    moved[..., :, 1:] = IMAGES[..., :, :-1]  # to the right
    with torch.no_grad():
        expected = model.encode(moved)
        found = Ensemble([model], [(1, 0)]).encode(IMAGES)
        five = Ensemble([model], SHIFTS).encode(IMAGES)
    torch.testing.assert_close(found, expected)
    assert five.shape == (4, 50)


def test_it_is_built_by_the_number_of_its_members() -> None:
    ensemble = models.build("exact-sum", ensemble_size=3)
    assert isinstance(ensemble, Ensemble)
    assert ensemble.parameter_count() == 3 * models.build("exact-sum").parameter_count()
