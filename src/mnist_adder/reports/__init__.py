"""From run folders to one HTML page and its figures, without training again and without the dataset."""

from mnist_adder.reports.comparison import save_comparison
from mnist_adder.reports.figures import range_test
from mnist_adder.reports.page import report
from mnist_adder.reports.style import save_figure

__all__ = ["range_test", "report", "save_comparison", "save_figure"]
