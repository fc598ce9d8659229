"""What every registered design must do, whatever is inside."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.optim import AdamW

from mnist_adder import designs
from mnist_adder.data import Corpus, MNISTAdder
from mnist_adder.designs import Adder
from mnist_adder.runs import Run, RunConfig
from mnist_adder.task import Batch, Outputs

every_design = pytest.mark.parametrize("name", designs.names())


def make(name: str) -> Adder:
    torch.manual_seed(0)
    return designs.get(name)()


@pytest.fixture(scope="module")
def batch(corpus: Corpus) -> Batch:
    return MNISTAdder(split="train", corpus=corpus).batch(torch.arange(32))


def close(ours: Tensor, theirs: Tensor) -> bool:
    return torch.allclose(ours, theirs, atol=1e-5, rtol=1e-4)


@every_design
def test_shapes_are_right_and_values_finite(name: str, batch: Batch) -> None:
    design = make(name)
    outputs = design(batch.images, batch.numbers)
    assert outputs.digit_logits.shape == (32, 10)
    assert outputs.sum_scores.shape[0] == 32
    assert all(torch.isfinite(value).all() for value in outputs)
    losses = design.losses(outputs, batch.digits, batch.sums)
    assert losses.digit.shape == losses.sum.shape == ()
    assert torch.isfinite(torch.stack(losses)).all()


@every_design
def test_sum_probabilities_are_a_distribution(name: str, batch: Batch) -> None:
    design = make(name)
    probabilities = design.sum_probabilities(design(batch.images, batch.numbers))
    assert probabilities.shape == (32, 19)
    assert (probabilities >= 0).all()
    assert close(probabilities.sum(1), torch.ones(32))


@every_design
def test_every_parameter_gets_a_gradient(name: str, batch: Batch) -> None:
    design = make(name)
    losses = design.losses(design(batch.images, batch.numbers), batch.digits, batch.sums)
    (losses.digit + losses.sum).backward()
    without = [
        key
        for key, parameter in design.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert not without
    assert all(
        torch.isfinite(parameter.grad).all()
        for parameter in design.parameters()
        if parameter.grad is not None
    )


@every_design
def test_a_batch_of_one_is_answered_like_a_batch_of_many(name: str, batch: Batch) -> None:
    design = make(name).eval()
    with torch.no_grad():
        many = design(batch.images, batch.numbers)
        one = design(batch.images[:1], batch.numbers[:1])
    assert all(close(ours, theirs[:1]) for ours, theirs in zip(one, many, strict=True))


@every_design
def test_forward_is_encode_then_combine(name: str, batch: Batch) -> None:
    design = make(name).eval()
    with torch.no_grad():
        whole = design(batch.images, batch.numbers)
        parts = design.combine(design.encode(batch.images), batch.numbers)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(whole, parts, strict=True))


@every_design
def test_a_certain_distribution_means_the_number(name: str, batch: Batch) -> None:
    design = make(name).eval()
    certain = torch.nn.functional.one_hot(batch.numbers, 10).float()
    with torch.no_grad():
        features = design.encode(batch.images)
        pairs = zip(design.combine(features, batch.numbers), design.combine(features, certain), strict=True)
    assert all(close(ours, theirs) for ours, theirs in pairs)


@every_design
def test_an_uncertain_number_has_a_gradient_or_a_mean(name: str, batch: Batch) -> None:
    design = make(name).eval()
    uncertain = torch.full((32, 10), 0.1, requires_grad=True)
    outputs: Outputs = design(batch.images, uncertain)
    outputs.sum_scores.square().sum().backward()
    assert uncertain.grad is not None
    assert torch.isfinite(uncertain.grad).all()
    assert uncertain.grad.any()


@every_design
def test_it_overfits_32_pairs(name: str, batch: Batch) -> None:
    design = make(name)
    recipe = design.recipe
    optimizer = AdamW(design.parameters(), lr=5e-3 if name == "argmax-regression" else 2e-3)
    for _ in range(1000):
        with torch.autocast("cpu", torch.bfloat16):  # as in training, and three times as quick
            features = design.encode(batch.images)
        outputs = design.combine(features.float(), batch.numbers)
        losses = design.losses(outputs, batch.digits, batch.sums)
        digit_right = outputs.digit_logits.argmax(1) == batch.digits
        sum_right = design.sum_probabilities(outputs).argmax(1) == batch.sums
        if (digit_right & sum_right).all():
            return
        optimizer.zero_grad()
        (recipe.digit_weight * losses.digit + recipe.sum_weight * losses.sum).backward()
        optimizer.step()
    pytest.fail(f"after 1000 steps {int((digit_right & sum_right).sum())} of 32 pairs are right")


@every_design
def test_saving_and_loading_changes_nothing(name: str, batch: Batch, tmp_path: Path) -> None:
    design = make(name)
    design(batch.images, batch.numbers)  # moves batch normalisation's statistics, where there are any
    config = RunConfig(
        design=name,
        recipe=design.recipe,
        seed=0,
        dataset="digits",
        data_sha256="",
        device="CPU",
        precision="32-true",
        devices=1,
        threads=1,
    )
    run = Run.create(tmp_path / "run", config)
    run.save_design(design)
    loaded = run.load_design()
    with torch.no_grad():
        before = design.eval()(batch.images, batch.numbers)
        after = loaded(batch.images, batch.numbers)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(before, after, strict=True))


@pytest.mark.parametrize("name", [name for name in designs.names() if designs.get(name).source])
def test_the_size_is_as_published(name: str) -> None:
    source = designs.get(name).source
    assert source is not None
    digits = len(str(source.parameters).rstrip("0"))  # 17,300 claims three digits
    count = make(name).parameter_count()
    assert round(count, digits - len(str(count))) == source.parameters
