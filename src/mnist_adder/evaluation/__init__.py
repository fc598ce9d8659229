"""From a trained design to numbers that are counted: every image with each of the ten numbers."""

from mnist_adder.evaluation.evaluate import evaluate, evaluate_run
from mnist_adder.evaluation.metrics import Answers, Metrics, ask, measure

__all__ = ["Answers", "Metrics", "ask", "evaluate", "evaluate_run", "measure"]
