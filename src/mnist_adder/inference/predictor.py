"""Asking a trained run about a picture.

Any picture of one digit and a number come in, a Prediction goes out; the command line prints it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mnist_adder.errors import NumberError
from mnist_adder.inference.preprocess import preprocess
from mnist_adder.runs import load_run
from mnist_adder.task import NUMBERS, Prediction

if TYPE_CHECKING:
    from mnist_adder.designs import Adder
    from mnist_adder.inference.picture import Picture
    from mnist_adder.runs import Run


class Predictor:
    """A trained run that is loaded once and can be asked often.

    Example::

        predictor = Predictor("runs/exact-sum")
        predictor.predict("seven.png", 5).sum

    Args:
        run: a run, its folder, or None for the newest finished run below ``runs/``.

    Raises:
        RunError: there is no such run, or it cannot be read.
    """

    def __init__(self, run: Run | str | Path | None = None) -> None:
        opened = load_run(run) if run is None or isinstance(run, str | Path) else run
        self.design: Adder = opened.load_design()

    def predict(self, picture: Picture, number: int | str) -> Prediction:
        """The digit in a picture and its sum with a number.

        Args:
            picture: a path, bytes, an open file, a PIL image or a 2-D array; see
                :func:`mnist_adder.inference.preprocess.preprocess`.
            number: 0..9, an int or its text.

        Raises:
            NumberError: the number is not one of 0..9.
            PictureError: the picture is not one of a digit.
        """
        import torch

        whole = check_number(number)
        image = torch.from_numpy(preprocess(picture))
        with torch.inference_mode():
            outputs = self.design(image[None, None], torch.tensor([whole]))
            sum_probabilities = self.design.sum_probabilities(outputs)[0]
        digit_probabilities = outputs.digit_logits[0].softmax(0)
        return Prediction(
            digit=int(digit_probabilities.argmax()),
            number=whole,
            sum=int(sum_probabilities.argmax()),
            digit_probabilities=tuple(digit_probabilities.tolist()),
            sum_probabilities=tuple(sum_probabilities.tolist()),
        )


def predict(picture: Picture, number: int | str, run: Run | str | Path | None = None) -> Prediction:
    """The digit in a picture and its sum with a number, by a run (default: the newest finished one).

    For many pictures make one :class:`Predictor`; this loads the run each time. Arguments and errors are
    those of :class:`Predictor` and its ``predict``.
    """
    return Predictor(run).predict(picture, number)


def check_number(number: int | str) -> int:
    """The number as an int.

    Raises:
        NumberError: it is not one of 0..9.
    """
    text = str(number).strip()
    if isinstance(number, bool) or not (len(text) == 1 and text.isascii() and text.isdigit()):
        raise NumberError(f"The number is {text[:40]!r}, but must be a whole number from 0 to {NUMBERS - 1}.")
    return int(text)
