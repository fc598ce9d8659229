"""Every figure, by one name each: plain data comes in, a matplotlib Figure goes out.

``report`` draws those of a run with them; the learning-rate finder and the comparison of designs draw theirs.
:func:`mnist_adder.reports.render.png` makes a file of one.
"""

from mnist_adder.reports.comparison import accuracy_against_parameters, accuracy_against_seconds
from mnist_adder.reports.confusion import digit_confusion, sum_confusion
from mnist_adder.reports.curves import accuracy_curves, learning_rate_curve, loss_curves, range_test
from mnist_adder.reports.drawing import network
from mnist_adder.reports.measures import accuracy_by_number, reliability
from mnist_adder.reports.pictures import mistakes, samples

__all__ = [
    "accuracy_against_parameters",
    "accuracy_against_seconds",
    "accuracy_by_number",
    "accuracy_curves",
    "digit_confusion",
    "learning_rate_curve",
    "loss_curves",
    "mistakes",
    "network",
    "range_test",
    "reliability",
    "samples",
    "sum_confusion",
]
