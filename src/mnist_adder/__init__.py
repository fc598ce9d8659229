"""mnist-adder."""

__version__ = "0.1.0"
