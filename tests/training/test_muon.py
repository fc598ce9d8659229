"""Muon: singular values go towards 1, losses fall, vectors are AdamW's, and a saved state goes on exactly."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from mnist_adder.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(8, 8), (20, 50), (50, 20), (256, 576), (576, 256)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    left, values, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    values = torch.linspace(1, 0.05, len(values))  # a factor of 20 between the largest and the smallest
    update = left @ values.diag() @ right
    found = orthogonalise(update, steps=5).float()
    assert found.shape == shape
    inside = left.T @ found @ right.T  # diagonal, if the singular vectors stayed
    diagonal = inside.diagonal()
    assert diagonal.min() > 0.3
    assert diagonal.max() < 1.3
    assert diagonal.min() / diagonal.max() > 5 * values.min() / values.max()
    assert (inside - diagonal.diag()).abs().max() < 0.05


def test_more_steps_come_nearer() -> None:
    update = torch.linspace(1, 0.005, 30).diag()
    smallest = [torch.linalg.svdvals(orthogonalise(update, steps)).min() for steps in (1, 3, 5)]
    assert smallest[0] < smallest[1] < smallest[2]


def test_the_size_of_a_gradient_does_not_matter_and_zero_stays_zero() -> None:
    torch.manual_seed(0)
    update = torch.randn(10, 30)
    torch.testing.assert_close(orthogonalise(update), orthogonalise(1000 * update))
    assert orthogonalise(torch.zeros(10, 30)).abs().max() == 0


def network() -> nn.Module:
    """A convolution, normalisation and a linear layer with a bias: every kind of parameter."""
    torch.manual_seed(1)
    layers = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 3)
    model = nn.Sequential(*layers)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def problem() -> tuple[Tensor, Tensor]:
    """Bars, lying in one of three rows, in noise."""
    torch.manual_seed(2)
    answers = torch.arange(96) % 3
    images = torch.randn(96, 1, 6, 6) / 2
    for image, row in zip(images, answers.tolist(), strict=True):
        image[0, 1 + row] += 1
    return images, answers


def learn(model: nn.Module, optimizer: Muon, steps: int, schedule: OneCycleLR | None = None) -> list[float]:
    images, answers = problem()
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(images), answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        losses.append(loss.item())
    return losses


def test_it_learns_with_every_kind_of_parameter_and_one_schedule() -> None:
    model = network()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = Muon(model.parameters(), lr=0.05, weight_decay=0.01)
    losses = learn(model, optimizer, 40, OneCycleLR(optimizer, 0.05, total_steps=41, cycle_momentum=False))
    assert losses[-1] < 0.05 * losses[0]
    assert all(not torch.equal(weight, before[name]) for name, weight in model.named_parameters())


def test_a_matrix_moves_by_the_rate_in_every_direction() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(40, 10))
    weight.grad = torch.randn(40, 10) * 1e-3
    Muon([weight], lr=0.1, momentum=0.0).step()
    moved = torch.linalg.svdvals(weight.detach())
    assert moved.min() > 0.1 * 2 * 0.6  # 2 = sqrt(40 / 10)
    assert moved.max() < 0.1 * 2 * 1.3


def test_vectors_are_updated_as_adamw_does() -> None:
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(7)) for _ in range(2))
    muon = Muon([ours], lr=2.5, weight_decay=0.2)  # vectors follow a fiftieth of the rate
    adamw = torch.optim.AdamW([theirs], lr=0.05, betas=(0.9, 0.99), weight_decay=0.2)
    for _ in range(5):
        ours.grad = torch.randn(7)
        theirs.grad = ours.grad.clone()
        muon.step()
        adamw.step()
    torch.testing.assert_close(ours, theirs)


def test_a_group_keeps_its_own_settings() -> None:
    still, moving = (nn.Parameter(torch.ones(4, 4)) for _ in range(2))
    for weight in (still, moving):
        weight.grad = torch.zeros(4, 4)
    Muon([{"params": [still]}, {"params": [moving], "weight_decay": 0.5}], lr=0.1).step()
    assert torch.equal(still, torch.ones(4, 4))
    torch.testing.assert_close(moving.detach(), torch.full((4, 4), 0.95))


def test_a_saved_state_goes_on_bit_for_bit() -> None:
    model = network()
    optimizer = Muon(model.parameters(), lr=0.05)
    learn(model, optimizer, 5)
    other = copy.deepcopy(model)
    resumed = Muon(other.parameters(), lr=1.0)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert learn(model, optimizer, 5) == learn(other, resumed, 5)
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    assert all(torch.equal(one, another) for one, another in pairs)
