"""Random changes of images, a whole batch at a time: geometry, elastic distortion, width of strokes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from mnist_adder.types import SIDE

_KNOTS = 5  # in a row: where a distortion is drawn; between them it is smooth


@dataclass(frozen=True, kw_only=True)
class Augment:
    """How far images are changed at random; each amount is drawn evenly from its range for each image.

    With every amount at 0 the images come back untouched, the very same tensor. The elastic distortion is
    that of Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual
    document analysis", 2003, but drawn on 5x5 knots instead of blurred. The ranges are checked by the recipe.
    """

    rotation_degrees: float = 0.0  # 0..180, either way, about the centre
    translation_pixels: float = 0.0  # 0 or more, left or right, and up or down
    scale: float = 0.0  # 0 to below 1: a factor between 1 - scale and 1 + scale
    shear_degrees: float = 0.0  # 0 to below 90, sideways, either way
    elastic_sigma: float = 0.0  # pixels by which a place is moved (standard deviation), its neighbours alike
    # 0..1: each pixel goes up to this share of the way to the brightest, or the darkest, of the nine around
    # it, which makes strokes wider or narrower by about as many pixels on either side.
    stroke_jitter: float = 0.0
    # Bicubic takes longer and blurs less, and the images to be classified are not blurred.
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Change each of the images, (B, 1, 28, 28) float32 in [0, 1]; what comes in at the borders is dark.

        The generator is on the images' device, and the values stay in [0, 1] up to rounding.
        """
        if self == Augment(interpolation=self.interpolation):
            return images
        theta = self._draw(len(images), generator)
        # Under autocast the product would be bfloat16, and bfloat16 cannot tell neighbouring pixels apart.
        with torch.autocast(images.device.type, enabled=False):
            grid = theta @ _basis(images.device)
            if self.elastic_sigma:
                knots = torch.randn(len(images), 2, _KNOTS**2, generator=generator, device=generator.device)
                moved = knots @ _bumps(images.device) * (self.elastic_sigma * 2 / SIDE)
                grid = grid + moved.transpose(1, 2).flatten(1)
        grid = grid.view(-1, SIDE, SIDE, 2)
        changed = F.grid_sample(images, grid, mode=self.interpolation, align_corners=False)
        if self.interpolation == "bicubic":
            changed = changed.clamp_(0, 1)  # it overshoots beside edges
        return self._set_strokes(changed, generator) if self.stroke_jitter else changed

    def _set_strokes(self, images: Tensor, generator: torch.Generator) -> Tensor:
        share = torch.rand(len(images), 1, 1, 1, generator=generator, device=generator.device)
        share = (share * 2 - 1) * self.stroke_jitter
        wider, narrower = F.max_pool2d(images, 3, 1, 1), -F.max_pool2d(-images, 3, 1, 1)
        return images + share.abs() * (torch.where(share > 0, wider, narrower) - images)

    def _draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(B, 6): the rows of each inverse map, which takes a place in the result to one in the image.

        Forward a point p goes to ``scale * turn(shear(p)) + shift``, in units of half an image. Inverse, in
        closed form: ``unshear(unturn(p - shift)) / scale``.
        """
        drawn = torch.rand(5, count, generator=generator, device=generator.device).mul_(2).sub_(1)
        angle = drawn[0] * math.radians(self.rotation_degrees)
        slant = (drawn[1] * math.radians(self.shear_degrees)).tan_()
        shrink = (drawn[2] * self.scale).add_(1).reciprocal_()
        across, down = (drawn[3:] * (self.translation_pixels * 2 / SIDE)).unbind()
        cosine, sine = angle.cos() * shrink, angle.sin() * shrink
        a, b = cosine + slant * sine, sine - slant * cosine
        c, d = -sine, cosine
        return torch.stack((a, b, -a * across - b * down, c, d, -c * across - d * down), dim=1)


@lru_cache(maxsize=8)
def _basis(device: torch.device) -> Tensor:
    """(6, 28 * 28 * 2): times (B, 6) it gives every pixel's (x, y) in the image, as grid_sample reads them.

    It is what ``affine_grid`` computes, as one matrix product that is several times as quick.
    """
    places = (torch.arange(SIDE, device=device) * 2 + 1 - SIDE) / SIDE
    ones = torch.ones(SIDE, SIDE, device=device)
    rows = torch.stack((places * ones, places[:, None] * ones, ones))
    basis = torch.zeros(2, 3, SIDE, SIDE, 2, device=device)
    basis[0, ..., 0] = rows
    basis[1, ..., 1] = rows
    return basis.view(6, -1)


@lru_cache(maxsize=8)
def _bumps(device: torch.device) -> Tensor:
    """(25, 28 * 28): how far each knot reaches, a Gaussian; scaled so that noise of deviation 1 stays so."""
    knots = torch.linspace(-1, 1, _KNOTS, device=device)
    reach = 0.75 * 2 / (_KNOTS - 1)
    near = torch.exp(-0.5 * ((torch.linspace(-1, 1, SIDE, device=device) - knots[:, None]) / reach) ** 2)
    bumps = torch.kron(near, near)
    return bumps / bumps.square().sum(0).mean().sqrt()
