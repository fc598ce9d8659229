"""From run folders to one HTML file and its figures, without training again and without the dataset."""

from mnist_adder.reports.curves import range_test
from mnist_adder.reports.record import save_comparison, save_figure
from mnist_adder.reports.report import report

__all__ = ["range_test", "report", "save_comparison", "save_figure"]
