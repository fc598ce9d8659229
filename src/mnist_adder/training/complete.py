"""What follows every training: the network is evaluated, exported, and its run folder completed."""

from __future__ import annotations

import dataclasses

from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DigitImages
from mnist_adder.errors import DivergedError
from mnist_adder.evaluation.evaluate import predict_images
from mnist_adder.evaluation.metrics import compute_metrics
from mnist_adder.evaluation.outliers import THRESHOLD
from mnist_adder.examples import pick_mistakes, pick_samples
from mnist_adder.inference.export import describe, export_onnx
from mnist_adder.inference.predictor import MODEL
from mnist_adder.models import Adder
from mnist_adder.models.summary import summarize
from mnist_adder.reproduce import train_command
from mnist_adder.runs import Run


def complete_run(
    run: Run,
    model: Adder,
    data: DigitImages,
    *,
    train_seconds: float,
    best_epoch: int,
    command: str | None = None,
) -> None:
    """Save the model, evaluate it on all test pairs, and write what came of it; results.json comes last.

    The model's weights are those after ``best_epoch``, counted from 1. ``command`` trains the run again; by
    default it is a ``mnist-adder train``.
    """
    run.save_model(model)
    test = MNISTAdder(split="test", data=data)
    answers = predict_images(model, test.images, test.digits)
    samples, mistakes = pick_samples(model, test), pick_mistakes(model, test, answers)
    run.save_examples({**samples.to_tensors("sample_"), **mistakes.to_tensors("mistake_")})
    about = run.config.to_json()
    results = {
        "model": about.pop("model"),
        "command": command or train_command(run.config),
        "dataset": about.pop("dataset"),
        "seed": about.pop("seed"),
        "epochs": len(run.metrics),
        "best_epoch": best_epoch,
        "parameters": model.parameter_count(),
        "multiply_adds": summarize(model).multiply_adds,
        "device": about.pop("device"),
        "train_seconds": round(train_seconds, 2),
        **dataclasses.asdict(compute_metrics(answers, test.digits)),
        **({"is_digit_threshold": THRESHOLD} if data.has_outliers else {}),
        **about,
    }
    export_onnx(model, run.folder / MODEL, metadata=describe(results))
    run.save_results(results)


def check_weights(model: Adder) -> None:
    """Raise DivergedError if weights, or statistics of batch normalisation, are not finite."""
    for name, values in model.state_dict().items():
        if not bool(values.isfinite().all()):
            raise DivergedError(f"its weights {name} hold values that are not finite numbers")
