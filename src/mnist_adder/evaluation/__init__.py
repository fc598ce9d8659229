"""From a trained model to numbers that are counted: every image with each of the ten numbers."""

from mnist_adder.evaluation.evaluate import answer, evaluate, evaluate_run
from mnist_adder.evaluation.examples import Examples, pick_mistakes, pick_samples
from mnist_adder.evaluation.metrics import Metrics, PairPredictions, ask, compute_metrics, gather

__all__ = [
    "Examples",
    "Metrics",
    "PairPredictions",
    "answer",
    "ask",
    "compute_metrics",
    "evaluate",
    "evaluate_run",
    "gather",
    "pick_mistakes",
    "pick_samples",
]
