"""The HTTP service: a request comes in, the digit and the sum go out, by onnxruntime and without torch.

``app`` puts it together and ``server`` runs it. ``requests`` reads what is asked, ``answers`` works it out,
``v2`` speaks the Open Inference Protocol, ``limits`` keeps the whole within bounds, ``metrics`` and ``logs``
tell how it goes. ``pages`` hands out the page for the browser, and ``samples`` the digits it shows.
"""

from mnist_adder.serving.app import create_app
from mnist_adder.serving.limits import Limits

__all__ = ["Limits", "create_app"]
