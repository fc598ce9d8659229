"""Pictures of digits become MNIST images, whatever they were, and MNIST images stay what they are."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_adder.data.images import DigitImages
from mnist_adder.errors import PictureError
from mnist_adder.inference.picture import open_picture
from mnist_adder.inference.preprocess import BOX, STROKE_WIDTHS, find_digit, preprocess, stroke_width
from mnist_adder.types import SIDE

Strokes = list[list[tuple[float, float]]]
SHAPES: dict[str, Strokes] = {  # in a unit square
    "1": [[(0.5, 0.1), (0.5, 0.9)]],
    "2": [[(0.25, 0.3), (0.4, 0.1), (0.65, 0.15), (0.7, 0.35), (0.25, 0.9), (0.8, 0.88)]],
    "5": [
        [(0.35, 0.15), (0.32, 0.45), (0.6, 0.45), (0.7, 0.7), (0.5, 0.9), (0.25, 0.8)],
        [(0.42, 0.06), (0.8, 0.06)],
    ],
    "7": [[(0.2, 0.15), (0.8, 0.15), (0.4, 0.9)]],
}


def draw(
    shape: str = "2",
    *,
    size: int = 200,
    page: tuple[int, int] | None = None,
    at: tuple[int, int] = (0, 0),
    pen: float = 0.09,
) -> NDArray[np.float32]:
    """Ink of 1 on 0, antialiased: a shape of ``size`` pixels, the pen ``pen * size``, on a larger page."""
    width, height = page or (size, size)
    finer = 4
    image = Image.new("L", (width * finer, height * finer))
    canvas = ImageDraw.Draw(image)
    radius = max(pen * size * finer / 2, 0.5)
    for stroke in SHAPES[shape]:
        line = [((at[0] + x * size) * finer, (at[1] + y * size) * finer) for x, y in stroke]
        canvas.line(line, fill=255, width=round(2 * radius))
        for x, y in line:
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.reduce(finer), dtype=np.float32) / np.float32(255)


def save(brightness: NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray((np.clip(brightness, 0, 1) * 255).round().astype(np.uint8)).save(file, kind, **options)
    return file.getvalue()


def looks_like_mnist(image: NDArray[np.float32]) -> None:
    """The properties that MNIST's own images have."""
    assert image.shape == (SIDE, SIDE)
    assert image.dtype == np.float32
    assert image.min() == 0
    assert image.max() == 1
    rows, columns = np.nonzero(image)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (BOX - 1, BOX)
    mass = image / image.sum()
    centre = float(mass.sum(axis=1) @ np.arange(SIDE)), float(mass.sum(axis=0) @ np.arange(SIDE))
    inside = rows.min() > 0 and rows.max() < SIDE - 1 and columns.min() > 0 and columns.max() < SIDE - 1
    assert not inside or centre == pytest.approx((SIDE / 2, SIDE / 2), abs=0.51)


def difference(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """How much of the ink of two images differs, 0..1.

    They may be a pixel apart, for a centre of mass between two pixels is rounded either way.
    """
    apart = [np.roll(first, (y, x), axis=(0, 1)) - second for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return float(min(np.abs(d).sum() for d in apart) / (first.sum() + second.sum()))


@pytest.fixture(scope="module")
def images(data: DigitImages) -> NDArray[np.uint8]:
    return np.ascontiguousarray(data.test_images[:300].numpy())


def test_mnist_images_stay_what_they_are(images: NDArray[np.uint8]) -> None:
    share = [np.abs(preprocess(image) - image / max(1, image.max())).max() < 0.01 for image in images]
    assert np.mean(share) > 0.9


def test_mnist_images_in_both_polarities_and_as_files(images: NDArray[np.uint8]) -> None:
    for image in images[:60]:
        wanted = preprocess(image)
        for same in (
            255 - image,
            image / np.float32(255),
            save(image / 255),
            save(1 - image / 255),
            Image.fromarray(image),
        ):
            np.testing.assert_allclose(preprocess(same), wanted, atol=1e-5)


def test_mnist_images_as_jpeg(images: NDArray[np.uint8]) -> None:
    small = [preprocess(save(1 - image / 255, "JPEG", quality=80)) for image in images]
    differences = [difference(image, preprocess(wanted)) for image, wanted in zip(small, images, strict=True)]
    assert np.mean(differences) < 0.12
    assert max(differences) < 0.5


@pytest.mark.parametrize("size", [84, 280, 1400])
def test_enlarged_mnist_images_come_back(images: NDArray[np.uint8], size: int) -> None:
    differences = []
    for image in images[:12]:
        large = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)) / 255
        differences.append(difference(preprocess(save(1 - large)), preprocess(image)))
    assert np.mean(differences) < 0.2


@pytest.mark.parametrize("shape", SHAPES)
def test_drawings_look_like_mnist(shape: str) -> None:
    for ink in (draw(shape), draw(shape, size=60, page=(300, 200), at=(200, 10)), draw(shape, size=900)):
        looks_like_mnist(preprocess(save(1 - ink)))
        looks_like_mnist(preprocess(save(0.2 + 0.7 * ink)))


@given(
    st.sampled_from(list(SHAPES)),
    st.integers(80, 400),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(1.05, 2.5),
)
def test_size_and_place_do_not_matter(shape: str, size: int, x: float, y: float, room: float) -> None:
    side = round(size * room)
    at = (round(x * (side - size)), round(y * (side - size)))
    elsewhere = draw(shape, size=size, page=(side, side), at=at)
    assert difference(preprocess(save(1 - elsewhere)), preprocess(save(1 - draw(shape)))) < 0.18


@given(st.floats(0, 6.3), st.floats(0, 0.6), st.floats(0.3, 0.9), st.integers(0, 99), st.booleans())
def test_light_and_noise_do_not_matter(angle: float, fall: float, ink: float, seed: int, light: bool) -> None:
    strokes = draw(page=(260, 280), at=(40, 50))
    height, width = strokes.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    lamp = 1 - fall * (0.5 + 0.3 * (np.cos(angle) * x + np.sin(angle) * y) + 0.1 * (x**2 + y**2))
    noise = np.random.default_rng(seed).normal(0, 0.02, strokes.shape)
    photograph = lamp * (1 - ink * strokes) * 0.95 + noise
    photograph = 1 - photograph if light else photograph
    assert difference(preprocess(save(photograph, "JPEG", quality=80)), preprocess(draw())) < 0.15


@pytest.mark.parametrize("pen", [0.003, 0.008, 0.02, 0.05, 0.09, 0.15, 0.3])
def test_every_pen_gives_the_strokes_of_mnist(pen: float) -> None:
    image = preprocess(save(1 - draw("7", size=560, page=(640, 640), at=(40, 40), pen=pen)))
    least, most = STROKE_WIDTHS
    assert least <= stroke_width(image) * SIDE / BOX <= most
    assert difference(image, preprocess(draw("7"))) < 0.4


def test_stroke_width_is_measured_right() -> None:
    for width in (5, 10, 20):
        bar = np.zeros((200, 100), dtype=np.float32)
        bar[:, 50 : 50 + width] = 1
        assert stroke_width(bar) == pytest.approx(width / 10, rel=0.1)


def test_specks_go_and_parts_stay() -> None:
    five = draw("5", page=(300, 300), at=(50, 50), pen=0.06)
    wanted = preprocess(save(1 - five))
    dusty = five.copy()
    for row, column in ((10, 10), (290, 20), (20, 280), (150, 285), (60, 20)):
        dusty[row : row + 3, column : column + 3] = 1
    np.testing.assert_allclose(preprocess(save(1 - dusty)), wanted, atol=0.01)
    without_bar = draw("5", page=(300, 300), at=(50, 50), pen=0.06)
    without_bar[:72] = 0
    assert difference(preprocess(save(1 - without_bar)), wanted) > 0.2  # so the bar was there


@pytest.mark.parametrize(("gap", "shows_both"), [(0, True), (40, True), (100, False), (300, False)])
def test_two_side_by_side_are_two_halves_as_well(gap: int, shows_both: bool) -> None:
    seven, two = draw("7"), draw("2")
    found = find_digit(np.hstack([seven[:, :170], np.zeros((200, gap)), two[:, 30:]]))
    assert found.shows_both == shows_both
    for half, alone in zip(found.halves, (seven, two), strict=True):
        assert difference(half, preprocess(alone)) < 0.05
    assert (difference(found.image, found.halves[1]) < 0.05) == (not shows_both)


def test_what_is_one_digit_has_no_halves(images: NDArray[np.uint8]) -> None:
    assert not any(find_digit(image).halves for image in images[:200])


def test_halves_of_which_one_would_be_refused_are_none() -> None:
    picture = np.zeros((24, 40))
    picture[4:20, 20:22] = 1  # the digit
    picture[8:18, 23] = 1  # more than half as high, a pixel beside it
    assert len(find_digit(picture).halves) == 2
    picture[10:14, 30:34] = 1  # more ink, and too small
    assert len(find_digit(picture).halves) == 0


def test_what_the_edge_cuts_off_goes() -> None:
    ink = draw(page=(300, 300), at=(50, 50))
    shadowed = ink.copy()
    shadowed[:, :6] = 1
    assert difference(preprocess(save(1 - shadowed)), preprocess(save(1 - ink))) < 0.02


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((28, 28)),
        np.full((300, 200), 255, dtype=np.uint8),
        np.full((100, 100), 0.5) + np.random.default_rng(0).normal(0, 0.03, (100, 100)),
        np.linspace(0.1, 0.9, 200)[None, :] * np.ones((200, 1)),
        0.5 + 0.03 * draw(),
        np.pad(np.ones((3, 3)), 50),
    ],
    ids=["black", "white", "noise", "ramp", "pale", "speck"],
)
def test_what_shows_no_digit_is_refused(picture: NDArray[Any]) -> None:
    with pytest.raises(PictureError) as caught:
        preprocess(picture)
    assert "\n" not in str(caught.value)


def test_nothing_in_the_alpha_channel() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (100, 100)).save(file, "PNG")
    with pytest.raises(PictureError, match="blank"):
        preprocess(file.getvalue())


@given(st.integers(8, 70), st.integers(8, 70), st.integers(0, 2**32 - 1), st.sampled_from([2, 3, 256]))
def test_any_array_is_an_image_or_an_error(height: int, width: int, seed: int, greys: int) -> None:
    random = np.random.default_rng(seed)
    picture = random.integers(0, greys, (height, width)) * (255 // (greys - 1))
    picture[random.random((height, width)) < random.random()] = 0
    try:
        image = preprocess(picture)
    except PictureError:
        return
    assert image.shape == (SIDE, SIDE)
    assert image.min() >= 0
    assert image.max() == 1


def test_shapes_of_every_kind_survive() -> None:
    for thick in (1, 3, 9):
        for wide, high in ((8, 200), (200, 8), (300, 10), (511, 512)):
            bar = np.zeros((high + 40, wide + 40))
            bar[20 : 20 + high, 20 : 20 + wide] = 1
            bar[20 + thick : 20 + high - thick, 20 + thick : 20 + wide - thick] = 0
            assert preprocess(bar).max() == 1


def test_importing_it_stays_cheap() -> None:
    """Neither torch nor the plugins of formats that are not asked for."""
    code = (
        "import sys, mnist_adder.inference.picture as p; from PIL import Image; import numpy as np;"
        "p.open_picture(np.zeros((28, 28)));"
        "heavy = 'torch', 'scipy', 'sklearn', 'lightning';"
        "print([m for m in sys.modules if m in heavy or m.startswith('PIL.') and m.endswith('Plugin')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_large_pictures_are_reduced_first(images: NDArray[np.uint8]) -> None:
    large = np.kron(images[0], np.ones((100, 100), dtype=np.uint8))
    assert max(open_picture(large).shape) <= 512
    assert difference(preprocess(large), preprocess(images[0])) < 0.15
