"""A model that tells digits from other characters, and pictures to ask it about.

Whatever is high in its image is a digit to it, and what is wide is none: a dash, or two digits in one image.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw
from torch import Tensor

from mnist_adder.inference import export_onnx
from mnist_adder.inference.export import describe
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.pretrained import load_pretrained

ROWS = 14
"""A digit is at least this high; the largest is 20."""


class Telling(ExactSum):
    """The weights of the package, with logits whose log-sum-exp is the height above ROWS."""

    def __init__(self) -> None:
        super().__init__()
        model = load_pretrained().load_model()
        assert isinstance(model, ExactSum)
        self.classifier = model.classifier

    def encode(self, images: Tensor) -> Tensor:
        height = (images.amax((1, 3)) > 0.5).float().sum(1, keepdim=True)
        return super().encode(images).log_softmax(1) + height - ROWS


def export_telling(folder: Path, threshold: float | None = 0.5) -> Path:
    """Make a folder with the model.onnx of a model that tells, without a threshold of one that cannot."""
    folder.mkdir()
    metadata = describe({**load_pretrained().results, "is_digit_threshold": threshold})
    export_onnx(Telling(), folder / "model.onnx", metadata=metadata)
    return folder


def draw(*strokes: list[tuple[float, float]]) -> Image.Image:
    """Dark strokes on light ground; a digit is 100 pixels high."""
    width = round(max(x for stroke in strokes for x, _ in stroke)) + 40
    image = Image.new("L", (width, 180), 255)
    for stroke in strokes:
        ImageDraw.Draw(image).line(stroke, fill=20, width=10)
    return image


def seven(x: float) -> list[tuple[float, float]]:
    """The stroke of a 7, ``x`` pixels from the left."""
    return [(x, 40), (x + 60, 40), (x + 25, 140)]


DASH = draw([(40, 90), (160, 90)])
SEVEN = draw(seven(40))
NEAR = draw(seven(40), seven(140))  # two in one image
APART = draw(seven(40), seven(190))  # one is left out
SEVEN_AND_ROOF = draw(seven(40), [(190, 105), (240, 50), (290, 105)])
FOUR = draw([(40, 40), (40, 90), (75, 90)], [(95, 30), (95, 150)])  # in two strokes that do not touch
