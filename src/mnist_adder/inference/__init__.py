"""From any picture and a number to the digit and the sum."""

from mnist_adder.inference.predictor import Predictor, check_number, predict
from mnist_adder.inference.preprocess import preprocess

__all__ = ["Predictor", "check_number", "predict", "preprocess"]
