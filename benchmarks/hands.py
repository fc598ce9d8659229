"""How well do the weights of the package read strangers' digits? ``python benchmarks/hands.py``.

Each weights' run is evaluated on MNIST's test pairs, on the pen-written digits of held-out writers
(MNIST_ADDER_STROKES names their folder), and on all digits bundled with scikit-learn, and with what is no
digit: other characters by the same writers, and MNIST's test images, which all are digits. The figures go to
results/hands.json; with ``--run NAME=FOLDER --output FILE`` those of other runs, such as weights of before,
to another file.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mnist_adder import environment
from mnist_adder.data.images import load_images
from mnist_adder.evaluation.evaluate import evaluate_run, predict_images
from mnist_adder.evaluation.outliers import compute_outlier_metrics, is_digit_probabilities
from mnist_adder.models import Adder
from mnist_adder.pen.images import draw_validation_images
from mnist_adder.pretrained import names, pretrained_folder
from mnist_adder.runs import Run, load_run
from mnist_adder.safe_io import write_json
from mnist_adder.types import NO_DIGIT

RESULTS = Path(__file__).parent.parent / "results" / "hands.json"
SURE = 0.9


def digits_read(run: Run) -> dict[str, Any]:
    """Accuracies, and calibration errors, on the digits of three sources."""
    found = {on: evaluate_run(run, on=on) for on in ("mnist", "pen", "digits")}
    return {
        on: {
            "pairs": metrics.pairs,
            "joint_accuracy": metrics.joint_accuracy,
            "digit_calibration_error": metrics.digit_calibration_error,
        }
        for on, metrics in found.items()
    }


def surely_digits(model: Adder, images: Tensor, threshold: float | None) -> float:
    """Fraction of images (N, 28, 28) uint8 answered as some digit with p > SURE, and not said to be none."""
    answers = predict_images(model, images.unsqueeze(1), torch.zeros(len(images), dtype=torch.int64))
    sure = answers.digit_confidences[:, 0].cpu() > SURE
    if threshold is not None:
        sure &= is_digit_probabilities(model, images) >= threshold
    return float(sure.float().mean())


def no_digits(run: Run) -> dict[str, Any]:
    """How well digits are told from other characters."""
    model, threshold = run.load_model(), run.results.get("is_digit_threshold")
    images, labels = draw_validation_images()
    digits, others = images[labels != NO_DIGIT], images[labels == NO_DIGIT]
    row: dict[str, Any] = {
        "others": len(others),
        "others_surely_digits": surely_digits(model, others, threshold),
    }
    if threshold is None:
        return row
    likely, unlikely = is_digit_probabilities(model, digits), is_digit_probabilities(model, others)
    row |= {
        "threshold": threshold,
        **dataclasses.asdict(compute_outlier_metrics(likely, unlikely, threshold)),
    }
    test = load_images("mnist")
    flagged = is_digit_probabilities(model, test.test_images) < threshold
    answers = predict_images(model, test.test_images.unsqueeze(1), test.test_digits)
    right = answers.digits[:, 0].cpu() == test.test_digits
    row["mnist_test_flagged"] = float(flagged.float().mean())
    row["mnist_test_right_and_flagged"] = float((flagged & right).float().mean())
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--run", action="append", metavar="NAME=FOLDER", help="default: the package's weights"
    )
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    folders = {name: pretrained_folder(name) for name in names()}
    if arguments.run:
        folders = {name: Path(folder) for name, folder in (text.split("=", 1) for text in arguments.run)}
    rows = {}
    for name, folder in folders.items():
        run = load_run(folder)
        rows[name] = {
            "network": run.config.network,
            "dataset": run.config.dataset,
            "commit": run.config.commit,
            **digits_read(run),
            "no_digit": no_digits(run),
        }
        figures = ", ".join(
            f"{on} {100 * rows[name][on]['joint_accuracy']:.2f} %" for on in ("mnist", "pen", "digits")
        )
        print(f"{name}: {figures}; {rows[name]['no_digit']}", flush=True)
    about = {
        "commit": environment.source_commit(),
        "versions": environment.versions(),
        "device": environment.describe_device(torch.device("cpu")),
    }
    write_json(arguments.output, {**about, "rows": rows})
    print(f"Written to {arguments.output}")


if __name__ == "__main__":
    main()
