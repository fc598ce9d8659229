"""From a trained design to numbers that are counted: every image with each of the ten numbers."""

from mnist_adder.evaluation.evaluate import answer, evaluate, evaluate_run
from mnist_adder.evaluation.examples import Examples, pick_mistakes, pick_samples
from mnist_adder.evaluation.metrics import Answers, Metrics, ask, gather, measure

__all__ = [
    "Answers",
    "Examples",
    "Metrics",
    "answer",
    "ask",
    "evaluate",
    "evaluate_run",
    "gather",
    "measure",
    "pick_mistakes",
    "pick_samples",
]
