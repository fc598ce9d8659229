"""When training has ended: weights, results and examples are written, and the run is complete.

A trained design comes in; the files that evaluation, reports and inference read go out.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from mnist_adder.data import Corpus, MNISTAdder
from mnist_adder.designs import Adder
from mnist_adder.designs.layers import dissect
from mnist_adder.evaluation import Metrics, answer, measure, pick_mistakes, pick_samples
from mnist_adder.inference.export import describe, export_onnx
from mnist_adder.inference.predictor import MODEL
from mnist_adder.repeat import command
from mnist_adder.runs import Run


def finish(run: Run, design: Adder, corpus: Corpus, *, train_seconds: float, kept_epoch: int) -> None:
    """Save the design, ask it about all test pairs, and save what it answered; results.json comes last.

    Args:
        run: its folder is written to.
        design: trained, on any device.
        corpus: whose test images are asked about.
        train_seconds: what training took.
        kept_epoch: the epoch after which the weights were as they are, counted from 1.
    """
    run.save_design(design)
    test = MNISTAdder(split="test", corpus=corpus)
    answers = answer(design, test)
    samples, mistakes = pick_samples(design, test), pick_mistakes(design, test, answers)
    run.save_examples({**samples.to_tensors("sample_"), **mistakes.to_tensors("mistake_")})
    metrics = measure(answers, test.digits)
    results = _results(run, design, metrics, round(train_seconds, 2), kept_epoch)
    export_onnx(design, run.folder / MODEL, metadata=describe(results))
    run.save_results(results)


def _results(
    run: Run, design: Adder, metrics: Metrics, train_seconds: float, kept_epoch: int
) -> dict[str, Any]:
    about = run.config.to_json()
    return {
        "design": about.pop("design"),
        "command": command(run.config),
        "dataset": about.pop("dataset"),
        "seed": about.pop("seed"),
        "epochs": len(run.metrics),
        "kept_epoch": kept_epoch,
        "parameters": design.parameter_count(),
        "multiply_adds": dissect(design).multiply_adds,
        "device": about.pop("device"),
        "train_seconds": train_seconds,
        **dataclasses.asdict(metrics),
        **about,
    }
