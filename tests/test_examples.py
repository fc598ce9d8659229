"""Samples and mistakes: they are pairs of the dataset, and the mistakes are the most confident ones."""

from __future__ import annotations

import torch

from mnist_adder import models
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import load_images
from mnist_adder.evaluation.evaluate import predict_images
from mnist_adder.evaluation.metrics import PairPredictions
from mnist_adder.examples import Examples, pick_mistakes, pick_samples
from mnist_adder.runs import Run


def test_samples_are_the_first_images_with_every_number() -> None:
    dataset = MNISTAdder(split="test", data=load_images("digits"))
    model = models.get("shared-trunk")().train()
    samples = pick_samples(model, dataset)
    assert model.training
    assert torch.equal(samples.images, dataset.images[:24, 0])
    assert torch.equal(samples.digits, dataset.digits[:24])
    assert set(samples.numbers.tolist()) == set(range(10))
    outputs = model.eval()(samples.images.unsqueeze(1).float() / 255, samples.numbers)
    assert torch.allclose(samples.digit_probabilities, outputs.digit_logits.softmax(1), atol=1e-6)
    assert torch.allclose(samples.sum_probabilities.sum(1), torch.ones(24))


def test_mistakes_are_the_most_confident_wrong_predictions_each_image_once(trained_run: Run) -> None:
    dataset = MNISTAdder(split="test", data=load_images("digits"))
    model = trained_run.load_model()
    predictions = predict_images(model, dataset.images, dataset.digits)
    mistakes = pick_mistakes(model, dataset, predictions)
    predicted = mistakes.digit_probabilities.argmax(1)
    assert len(predicted) > 0
    assert not torch.any(predicted == mistakes.digits)  # exact-sum: a wrong pair has a wrong digit
    confidences = mistakes.digit_probabilities.max(1).values
    assert torch.equal(confidences, confidences.sort(descending=True).values)
    wrong = predictions.digits != dataset.digits.unsqueeze(1)
    worst = predictions.digit_confidences[wrong].max().item()
    assert abs(confidences[0].item() - worst) < 1e-5
    assert len({image.numpy().tobytes() for image in mistakes.images}) == len(mistakes.images)
    assert len(set(mistakes.numbers.tolist())) >= min(len(predicted), 8)  # not always the same number


def test_a_wrong_sum_beside_a_right_digit_is_a_mistake_too() -> None:
    dataset = MNISTAdder(split="test", data=load_images("digits"))
    digits = dataset.digits.unsqueeze(1).expand(-1, 10).clone()
    sums = digits + torch.arange(10)
    sums[5, 3] += 1
    confidences = torch.full_like(sums, 0.9, dtype=torch.float32)
    loss = torch.tensor(0.0)
    model = models.get("shared-trunk")()
    mistakes = pick_mistakes(
        model, dataset, PairPredictions(digits, sums, confidences, confidences, loss, loss)
    )
    assert mistakes.numbers.tolist() == [3]
    assert torch.equal(mistakes.images[0], dataset.images[5, 0])
    right = PairPredictions(digits, digits + torch.arange(10), confidences, confidences, loss, loss)
    none = pick_mistakes(model, dataset, right)
    assert none.images.shape == (0, 28, 28)


def test_a_run_keeps_them(trained_run: Run) -> None:
    kept = Examples.from_tensors(trained_run.examples, "sample_")
    dataset = MNISTAdder(split="test", data=load_images("digits"))
    fresh = pick_samples(trained_run.load_model(), dataset)
    assert torch.equal(kept.images, fresh.images)
    assert torch.allclose(kept.sum_probabilities, fresh.sum_probabilities, atol=1e-5)
    assert Examples.from_tensors(trained_run.examples, "mistake_").images.shape[1:] == (28, 28)
