from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, asdict, replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnist_adder.data.augment import Augment
from mnist_adder.data.images import DigitImages

ALL = Augment(rotation_degrees=15, translation_pixels=2.5, scale=0.2, shear_degrees=12)
WARPED = replace(ALL, elastic_sigma=1, stroke_jitter=0.6)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blob(count: int) -> torch.Tensor:
    """(count, 1, 28, 28): a soft upright ellipse in the middle, without symmetry under turns."""
    place = torch.arange(28) - 13.5
    ellipse = torch.exp(-(place[None] ** 2) / (2 * 1.5**2) - place[:, None] ** 2 / (2 * 3.0**2))
    return ellipse.expand(count, 1, 28, 28).contiguous()


def centres(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Centre of mass: x and y, in pixels from the middle."""
    place, mass = torch.arange(28) - 13.5, images.sum((1, 2, 3))
    return images.sum((1, 2)) @ place / mass, images.sum((1, 3)) @ place / mass


def test_nothing_to_do_returns_the_very_tensor() -> None:
    images = blob(3)
    generator = seeded()
    state = generator.get_state()
    assert Augment()(images, generator) is images
    assert torch.equal(generator.get_state(), state)


def test_the_least_change_is_hardly_one(data: DigitImages) -> None:
    images = data.test_images[:50].unsqueeze(1) / 255
    changed = Augment(rotation_degrees=1e-6)(images, seeded())
    torch.testing.assert_close(changed, images, atol=1e-4, rtol=0)


def bilinear(image: NDArray[np.float64], x: float, y: float) -> float:
    """The value between the pixels of an image that is dark outside."""
    left, top = math.floor(x), math.floor(y)
    total = 0.0
    for column in (left, left + 1):
        for row in (top, top + 1):
            if 0 <= column < 28 and 0 <= row < 28:
                total += (1 - abs(x - column)) * (1 - abs(y - row)) * image[row, column]
    return total


def test_it_does_what_matrices_do(data: DigitImages) -> None:
    """Against plain matrices, inverted by numpy, and a loop over pixels."""
    images = data.test_images[:4].unsqueeze(1) / 255
    changed = ALL(images, seeded(3))
    drawn = (torch.rand(5, 4, generator=seeded(3)).double() * 2 - 1).numpy()
    for index in range(4):
        angle, slant = math.radians(15 * drawn[0, index]), math.tan(math.radians(12 * drawn[1, index]))
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        forward = (1 + 0.2 * drawn[2, index]) * turn @ np.array([[1, slant], [0, 1]])
        back, shift = np.linalg.inv(forward), 2.5 * drawn[3:, index]
        expected = np.empty((28, 28))
        for row in range(28):
            for column in range(28):
                x, y = back @ (np.array([column - 13.5, row - 13.5]) - shift) + 13.5
                expected[row, column] = bilinear(images[index, 0].double().numpy(), x, y)
        np.testing.assert_allclose(changed[index, 0].numpy(), expected, atol=1e-4)


def test_translation_is_in_pixels_both_ways() -> None:
    x, y = centres(Augment(translation_pixels=3)(blob(2_000), seeded()))
    for shift in (x, y):
        assert -3.01 < shift.min() < -2.9
        assert 2.9 < shift.max() < 3.01
        assert abs(shift.mean()) < 0.15
        assert abs(shift.std() - 3 / math.sqrt(3)) < 0.1  # drawn evenly
    assert abs(torch.corrcoef(torch.stack((x, y)))[0, 1]) < 0.1


def test_rotation_is_in_degrees_about_the_centre() -> None:
    images = Augment(rotation_degrees=30)(blob(2_000), seeded())
    x, y = centres(images)
    assert torch.maximum(x.abs(), y.abs()).max() < 0.02
    place, mass = torch.arange(28) - 13.5, images.sum((1, 2, 3))
    xx = images.sum((1, 2)) @ place**2 / mass
    yy = images.sum((1, 3)) @ place**2 / mass
    xy = (images.squeeze(1) * place[None] * place[:, None]).sum((1, 2)) / mass
    angle = torch.rad2deg(0.5 * torch.atan2(2 * xy, yy - xx))  # of the long axis, from upright
    assert -30.1 < angle.min() < -29.5
    assert 29.5 < angle.max() < 30.1
    assert abs(angle.std() - 30 / math.sqrt(3)) < 1


def test_scale_is_a_factor_about_one() -> None:
    mass = Augment(scale=0.25)(blob(2_000), seeded()).sum((1, 2, 3))
    factor = (mass / blob(1).sum()).sqrt()
    assert 0.74 < factor.min() < 0.76
    assert 1.24 < factor.max() < 1.26


def test_shear_moves_rows_sideways_only() -> None:
    images = Augment(shear_degrees=20)(blob(500), seeded())
    rows = blob(500).sum(3)
    torch.testing.assert_close(images.sum(3), rows, atol=2e-3, rtol=0)
    place = torch.arange(28) - 13.5
    six_down = (images[:, 0, 19] @ place) / images[:, 0, 19].sum(1)  # 5.5 pixels below the middle
    assert abs(six_down.abs().max() - 5.5 * math.tan(math.radians(20))) < 0.1
    assert six_down.min() < 0 < six_down.max()


def test_a_warp_moves_places_by_its_deviation_and_neighbours_alike() -> None:
    place = (torch.arange(28) + 0.5) / 28
    ramps = torch.stack((place.expand(28, 28), place[:, None].expand(28, 28)))  # values are places
    images = ramps.repeat(500, 1, 1).unsqueeze(1)
    moved = (Augment(elastic_sigma=0.8)(images, seeded()) - images)[..., 4:24, 4:24] * 28  # pixels
    assert abs(moved.std() - 0.8) < 0.05
    assert abs(moved.mean()) < 0.05
    beside = moved[..., 1:] - moved[..., :-1]
    assert beside.std() < 0.15 * moved.std()


def test_strokes_become_bolder_or_finer_by_up_to_their_setting_on_either_side() -> None:
    images = torch.zeros(2_000, 1, 28, 28)
    images[..., 12:16] = 1  # a bar, 4 wide
    widths = Augment(stroke_jitter=0.5)(images, seeded())[:, 0, 14].sum(1)
    assert 2.99 < widths.min() < 3.01
    assert 4.99 < widths.max() < 5.01
    assert abs(widths.mean() - 4) < 0.05
    assert abs(widths.std() - 1 / math.sqrt(3)) < 0.02


@given(
    rotation=st.floats(0, 180),
    shift=st.floats(0, 40),
    scale=st.floats(0, 0.99),
    shear=st.floats(0, 80),
    warp=st.floats(0, 10),
    stroke=st.floats(0, 1),
    interpolation=st.sampled_from(["bilinear", "bicubic"]),
)
def test_images_stay_images(
    rotation: float,
    shift: float,
    scale: float,
    shear: float,
    warp: float,
    stroke: float,
    interpolation: Literal["bilinear", "bicubic"],
) -> None:
    augment = Augment(
        rotation_degrees=rotation,
        translation_pixels=shift,
        scale=scale,
        shear_degrees=shear,
        elastic_sigma=warp,
        stroke_jitter=stroke,
        interpolation=interpolation,
    )
    images = torch.rand(5, 1, 28, 28, generator=seeded(1))
    changed = augment(images, seeded(2))
    assert changed.shape == images.shape
    assert changed.dtype == torch.float32
    assert changed.min() >= 0
    assert changed.max() <= 1 + 1e-5
    assert torch.equal(changed, augment(images, seeded(2)))


@pytest.mark.parametrize(("interpolation", "kept"), [("bilinear", 0.91), ("bicubic", 1.015)])
def test_bicubic_sampling_does_not_blur(interpolation: Literal["bilinear", "bicubic"], kept: float) -> None:
    wave = 0.5 + 0.4 * (torch.arange(28) * math.tau / 6).sin()  # six pixels long: two strokes
    augment = Augment(translation_pixels=3, interpolation=interpolation)
    changed = augment(wave.expand(2_000, 1, 28, 28), seeded())[..., 6:22, 6:22]
    assert abs(float(changed.std()) / (0.4 / math.sqrt(2)) - kept) < 0.01


def test_each_image_is_changed_its_own_way() -> None:
    changed = WARPED(blob(50), seeded())
    assert len({image.numpy().tobytes() for image in changed}) == 50
    assert not torch.equal(changed, WARPED(blob(50), seeded(1)))


def test_autocast_does_not_blur_the_places() -> None:
    images = blob(20)
    with torch.autocast("cpu", torch.bfloat16):
        changed = WARPED(images, seeded())
    assert torch.equal(changed, WARPED(images, seeded()))


def test_the_settings_are_fixed_and_can_be_written_down() -> None:
    assert Augment(**asdict(ALL)) == ALL
    anything: Any = ALL
    with pytest.raises(FrozenInstanceError):
        anything.scale = 0.1
