"""The HTTP service: a request comes in, the digit and the sum go out, by onnxruntime and without torch.

``app`` puts it together and ``server`` runs it, each of its ``connections`` within bounds. ``requests`` reads
what is asked, ``answers`` works it out, ``v2`` speaks the Open Inference Protocol, ``limits`` keeps the whole
within bounds, ``metrics`` and ``logs`` tell how it goes. ``pages`` hands out the page for the browser, and
``samples`` the digits it shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mnist_adder.serving.limits import Limits

if TYPE_CHECKING:
    from mnist_adder.serving.app import create_app

__all__ = ["Limits", "create_app"]


def __getattr__(name: str) -> Any:
    """Import ``create_app`` when it is asked for: a new worker says that it lives before it loads models."""
    if name == "create_app":
        from mnist_adder.serving.app import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
