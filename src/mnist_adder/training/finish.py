"""When training has ended: weights, results and examples are written, and the run is complete.

A trained model comes in; the files that evaluation, reports and inference read go out.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from mnist_adder.data import DigitImages, MNISTAdder
from mnist_adder.evaluation.evaluate import predict_split
from mnist_adder.evaluation.examples import pick_mistakes, pick_samples
from mnist_adder.evaluation.metrics import Metrics, compute_metrics
from mnist_adder.inference.export import describe, export_onnx
from mnist_adder.inference.predictor import MODEL
from mnist_adder.models import Adder
from mnist_adder.models.summary import summarize
from mnist_adder.reproduce import command
from mnist_adder.runs import Run


def finish(run: Run, model: Adder, data: DigitImages, *, train_seconds: float, best_epoch: int) -> None:
    """Save the model, ask it about all test pairs, and save what it answered; results.json comes last.

    Args:
        run: its folder is written to.
        model: trained, on any device.
        data: whose test images are asked about.
        train_seconds: what training took.
        best_epoch: the epoch after which the weights were as they are, counted from 1.
    """
    run.save_model(model)
    test = MNISTAdder(split="test", data=data)
    answers = predict_split(model, test)
    samples, mistakes = pick_samples(model, test), pick_mistakes(model, test, answers)
    run.save_examples({**samples.to_tensors("sample_"), **mistakes.to_tensors("mistake_")})
    metrics = compute_metrics(answers, test.digits)
    results = _results(run, model, metrics, round(train_seconds, 2), best_epoch)
    export_onnx(model, run.folder / MODEL, metadata=describe(results))
    run.save_results(results)


def _results(
    run: Run, model: Adder, metrics: Metrics, train_seconds: float, best_epoch: int
) -> dict[str, Any]:
    about = run.config.to_json()
    return {
        "model": about.pop("model"),
        "command": command(run.config),
        "dataset": about.pop("dataset"),
        "seed": about.pop("seed"),
        "epochs": len(run.metrics),
        "best_epoch": best_epoch,
        "parameters": model.parameter_count(),
        "multiply_adds": summarize(model).multiply_adds,
        "device": about.pop("device"),
        "train_seconds": train_seconds,
        **dataclasses.asdict(metrics),
        **about,
    }
