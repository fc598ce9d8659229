"""From any picture and a number to the digit and the sum."""

from mnist_adder.inference.export import export_onnx, export_run
from mnist_adder.inference.int8 import export_int8
from mnist_adder.inference.predictor import Predictions, Predictor, check_number, predict
from mnist_adder.inference.triton import write_repository

__all__ = [
    "Predictions",
    "Predictor",
    "check_number",
    "export_int8",
    "export_onnx",
    "export_run",
    "predict",
    "write_repository",
]
