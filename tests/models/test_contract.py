"""What every registered model must do, whatever is inside."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.optim import AdamW

from mnist_adder import models
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DigitImages
from mnist_adder.models import Adder
from mnist_adder.run_config import RunConfig
from mnist_adder.runs import Run
from mnist_adder.types import Batch, Outputs

every_model = pytest.mark.parametrize("name", models.names())


def make(name: str) -> Adder:
    torch.manual_seed(0)
    return models.get(name)()


@pytest.fixture(scope="module")
def batch(data: DigitImages) -> Batch:
    return MNISTAdder(split="train", data=data).batch(torch.arange(32))


def close(ours: Tensor, theirs: Tensor) -> bool:
    return torch.allclose(ours, theirs, atol=1e-5, rtol=1e-4)


@every_model
def test_shapes_are_right_and_values_finite(name: str, batch: Batch) -> None:
    model = make(name)
    outputs = model(batch.images, batch.numbers)
    assert outputs.digit_logits.shape == (32, 10)
    assert outputs.sum_scores.shape[0] == 32
    assert all(torch.isfinite(value).all() for value in outputs)
    losses = model.losses(outputs, batch.digits, batch.sums)
    assert losses.digit.shape == losses.sum.shape == ()
    assert torch.isfinite(torch.stack(losses)).all()


@every_model
def test_sum_probabilities_are_a_distribution(name: str, batch: Batch) -> None:
    model = make(name)
    probabilities = model.sum_probabilities(model(batch.images, batch.numbers))
    assert probabilities.shape == (32, 19)
    assert (probabilities >= 0).all()
    assert close(probabilities.sum(1), torch.ones(32))


@every_model
def test_a_digit_is_what_an_eleventh_class_with_a_logit_of_0_is_not(name: str, batch: Batch) -> None:
    model = make(name)
    outputs = model(batch.images, batch.numbers)
    eleven = torch.nn.functional.pad(outputs.digit_logits, (0, 1)).softmax(1)
    assert close(model.is_digit_probability(outputs), 1 - eleven[:, 10])
    assert close(model.is_digit_probability(outputs), outputs.digit_logits.logsumexp(1).sigmoid())


@every_model
def test_every_parameter_gets_a_gradient(name: str, batch: Batch) -> None:
    model = make(name)
    losses = model.losses(model(batch.images, batch.numbers), batch.digits, batch.sums)
    (losses.digit + losses.sum).backward()
    without = [
        key
        for key, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert not without
    assert all(
        torch.isfinite(parameter.grad).all() for parameter in model.parameters() if parameter.grad is not None
    )


@every_model
def test_a_batch_of_one_is_answered_like_a_batch_of_many(name: str, batch: Batch) -> None:
    model = make(name).eval()
    with torch.no_grad():
        many = model(batch.images, batch.numbers)
        one = model(batch.images[:1], batch.numbers[:1])
    assert all(close(ours, theirs[:1]) for ours, theirs in zip(one, many, strict=True))


@every_model
def test_forward_is_encode_then_combine(name: str, batch: Batch) -> None:
    model = make(name).eval()
    with torch.no_grad():
        whole = model(batch.images, batch.numbers)
        parts = model.combine(model.encode(batch.images), batch.numbers)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(whole, parts, strict=True))


@every_model
def test_a_certain_distribution_means_the_number(name: str, batch: Batch) -> None:
    model = make(name).eval()
    certain = torch.nn.functional.one_hot(batch.numbers, 10).float()
    with torch.no_grad():
        features = model.encode(batch.images)
        pairs = zip(model.combine(features, batch.numbers), model.combine(features, certain), strict=True)
    assert all(close(ours, theirs) for ours, theirs in pairs)


@every_model
def test_an_uncertain_number_has_a_gradient_or_a_mean(name: str, batch: Batch) -> None:
    model = make(name).eval()
    uncertain = torch.full((32, 10), 0.1, requires_grad=True)
    outputs: Outputs = model(batch.images, uncertain)
    outputs.sum_scores.square().sum().backward()
    assert uncertain.grad is not None
    assert torch.isfinite(uncertain.grad).all()
    assert uncertain.grad.any()


@every_model
def test_it_overfits_32_pairs(name: str, batch: Batch) -> None:
    model = make(name)
    recipe = model.recipe
    optimizer = AdamW(model.parameters(), lr=1e-2 if name == "argmax-regression" else 2e-3)
    for _ in range(1000):
        with torch.autocast("cpu", torch.bfloat16):  # as in training, and three times as quick
            features = model.encode(batch.images)
        outputs = model.combine(features.float(), batch.numbers)
        losses = model.losses(outputs, batch.digits, batch.sums)
        digit_right = outputs.digit_logits.argmax(1) == batch.digits
        sum_right = model.sum_probabilities(outputs).argmax(1) == batch.sums
        if (digit_right & sum_right).all():
            return
        optimizer.zero_grad()
        (recipe.digit_weight * losses.digit + recipe.sum_weight * losses.sum).backward()
        optimizer.step()
    pytest.fail(f"after 1000 steps {int((digit_right & sum_right).sum())} of 32 pairs are right")


@every_model
def test_saving_and_loading_changes_nothing(name: str, batch: Batch, tmp_path: Path) -> None:
    model = make(name)
    model(batch.images, batch.numbers)  # moves batch normalisation's statistics, where there are any
    config = RunConfig(
        model=name,
        recipe=model.recipe,
        seed=0,
        dataset="digits",
        data_sha256="",
        device="CPU",
        precision="32-true",
        devices=1,
        threads=1,
    )
    run = Run.create(tmp_path / "run", config)
    run.save_model(model)
    loaded = run.load_model()
    with torch.no_grad():
        before = model.eval()(batch.images, batch.numbers)
        after = loaded(batch.images, batch.numbers)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(before, after, strict=True))


@pytest.mark.parametrize("name", [name for name in models.names() if models.get(name).source])
def test_the_size_is_as_published(name: str) -> None:
    source = models.get(name).source
    assert source is not None
    digits = len(str(source.parameters).rstrip("0"))  # 17,300 claims three digits
    count = make(name).parameter_count()
    assert round(count, digits - len(str(count))) == source.parameters
