"""Paper, pens and cameras leave more than a digit on a picture; the digit alone comes through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from tests.inference.test_preprocess import Strokes, difference, draw, save

from mnist_adder.errors import PictureError
from mnist_adder.inference.predictor import Predictor
from mnist_adder.inference.preprocess import find_digit, preprocess
from mnist_adder.types import SIDE

FIELD = Path(__file__).parents[3] / "shared" / "field"
SIZE = 300
Ink = NDArray[np.float32]


@pytest.fixture(params=["2", "5", "7"])
def digit(request: pytest.FixtureRequest) -> Ink:
    """Ink of 1 on 0, (300, 300), in the middle."""
    return draw(request.param, size=160, page=(SIZE, SIZE), at=(70, 70))


def lines(*strokes: list[tuple[float, float]], width: float = 3) -> Ink:
    """Straight lines of 1 on 0, (300, 300), antialiased."""
    image = Image.new("L", (SIZE * 4, SIZE * 4))
    for stroke in strokes:
        ImageDraw.Draw(image).line([(4 * x, 4 * y) for x, y in stroke], fill=255, width=round(4 * width))
    return np.asarray(image.reduce(4), dtype=np.float32) / np.float32(255)


def box(left: float, top: float, right: float, bottom: float, tilt: float = 0) -> list[tuple[float, float]]:
    """A closed outline, its right side ``tilt`` pixels lower than its left."""
    return [
        (left, top),
        (right, top + tilt),
        (right - tilt, bottom + tilt),
        (left - tilt, bottom),
        (left, top),
    ]


def unchanged(picture: Ink, digit: Ink, most: float = 0.15) -> None:
    """A picture in [0, 1], paper bright, gives what the digit alone gives, as it is and photographed."""
    noise = np.random.default_rng(0).normal(0, 0.01, picture.shape)
    wanted = preprocess(save(1 - digit))
    assert difference(preprocess(save(picture)), wanted) < most
    assert difference(preprocess(save(0.9 * picture + noise, "JPEG", quality=85)), wanted) < most + 0.05


def on_paper(digit: Ink, *prints: Ink) -> Ink:
    """Brightness of a digit of the strongest ink and of paler prints."""
    return np.asarray(1 - 0.8 * np.maximum.reduce([digit, *prints]), dtype=np.float32)


@pytest.mark.parametrize("strength", [0.2, 0.4, 0.6])
@pytest.mark.parametrize("slope", [0, 9])
def test_ruling_goes(digit: Ink, strength: float, slope: float) -> None:
    rows: Strokes = [[(0, y), (SIZE, y + slope)] for y in range(20, SIZE, 45)]
    unchanged(on_paper(digit, strength * lines(*rows)), digit)


@pytest.mark.parametrize("strength", [0.2, 0.4, 0.5])
def test_squares_go(digit: Ink, strength: float) -> None:
    grid: Strokes = [[(0, at), (SIZE, at + 5)] for at in range(12, SIZE, 30)]
    grid += [[(at, 0), (at - 5, SIZE)] for at in range(12, SIZE, 30)]
    unchanged(on_paper(digit, strength * lines(*grid, width=2)), digit, most=0.2)


def test_frames_and_rings_go(digit: Ink) -> None:
    turn = np.linspace(0, 2 * np.pi, 90)
    ring = [(150 + 120 * float(np.cos(a)), 150 + 115 * float(np.sin(a))) for a in turn]
    for frame in (box(60, 50, 245, 250), box(60, 50, 245, 250, tilt=6), ring):
        unchanged(on_paper(digit, lines(frame)), digit)


def test_a_box_that_the_digit_crosses_goes(digit: Ink) -> None:
    unchanged(on_paper(digit, lines(box(60, 95, 230, 250))), digit)
    unchanged(on_paper(digit, lines(box(60, 95, 230, 250, tilt=4))), digit)
    unchanged(on_paper(digit, 0.6 * lines(box(115, 50, 230, 250))), digit)


def test_cells_of_a_form_go(digit: Ink) -> None:
    rows: Strokes = [[(0, y), (SIZE, y)] for y in (60, 240)]
    columns: Strokes = [[(x, 60), (x, 240)] for x in (55, 235)]
    unchanged(on_paper(digit, lines(*rows, *columns)), digit)


def test_underlines_go(digit: Ink) -> None:
    for below in (
        lines([(60, 255), (240, 250)], width=6),
        lines([(50, 245), (250, 245)], [(50, 260), (250, 260)]),
    ):
        unchanged(on_paper(digit, below), digit)


def test_an_underline_that_the_digit_touches_goes() -> None:
    one = draw("1", size=160, page=(SIZE, SIZE), at=(70, 70))
    unchanged(on_paper(one, lines([(60, 214), (240, 216)], width=5)), one)


def test_zeros_stay_what_they_are() -> None:
    """A ring with nothing in it, or with a bar across it, is a digit."""
    turn = np.linspace(0, 2 * np.pi, 90)
    zero = [(150 + 60 * float(np.cos(a)), 150 + 90 * float(np.sin(a))) for a in turn]
    for ink in (
        lines(zero, width=9),
        lines(zero, [(115, 220), (185, 80)], width=9),
        lines(box(100, 60, 190, 240)),
    ):
        image = preprocess(save(1 - ink))
        assert image[SIDE // 2, :10].max() > 0.5
        assert image[SIDE // 2, -10:].max() > 0.5


@pytest.mark.parametrize("angle", range(0, 360, 40))
def test_hard_shadows_go(digit: Ink, angle: float) -> None:
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    away = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle)) - 10
    shadow = 1 - 0.6 * (away / 3).clip(0, 1)
    unchanged(np.asarray(on_paper(digit) * shadow, dtype=np.float32), digit)


@pytest.mark.parametrize("dark", [0.05, 0.3])
def test_the_desk_goes(digit: Ink, dark: float) -> None:
    y, x = np.mgrid[:SIZE, :SIZE]
    for desk in (x > 280, x < 50, y + 0.1 * x < 40, x + y < 110, (x < 30) | (y > 270), (x < 40) | (x > 260)):
        picture = on_paper(digit)
        picture[desk] = dark
        unchanged(picture, digit)


def test_no_margin_is_needed(data_images: NDArray[np.uint8]) -> None:
    for image in data_images:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        inner = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        for cut in (inner, 255 - inner):
            assert difference(preprocess(cut), preprocess(image)) < 0.15


def test_no_margin_is_needed_on_photographs(digit: Ink) -> None:
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    inner = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    unchanged(on_paper(digit)[inner], digit)


def test_small_ink_without_margin_is_not_told_to_cut_closer() -> None:
    picture = np.zeros((8, 8))
    picture[2:6, 2:6] = 1
    with pytest.raises(PictureError, match=r"write larger$"):
        preprocess(picture)
    with pytest.raises(PictureError, match="write larger or cut closer"):
        preprocess(np.pad(picture, 30))


def test_where_every_part_might_be_a_frame_something_is_read() -> None:
    picture = np.zeros((120, 120))
    for place in (20, 45, 70, 95):  # each is the wall of a cell with another in it
        picture[20:100, place : place + 4] = 1
    assert preprocess(picture).max() == 1


def test_several_digits_are_told() -> None:
    both = draw("7", size=140, page=(420, SIZE), at=(50, 80)) + draw(
        "2", size=140, page=(420, SIZE), at=(230, 80)
    )
    assert find_digit(save(1 - both)).halves
    assert not find_digit(save(1 - draw("5", size=200))).halves


@pytest.fixture(scope="module")
def data_images(data) -> NDArray[np.uint8]:  # type: ignore[no-untyped-def]
    return np.ascontiguousarray(data.test_images[:100].numpy())


@pytest.mark.skipif(not FIELD.is_dir(), reason="the pictures of the field are not beside the repository")
@pytest.mark.parametrize(
    ("start", "digit_of_it"),
    [
        ("0-", 7),
        ("1-", 7),
        ("2-", 7),
        ("3-", 7),
        ("4-", 2),
        ("4b-", 2),
        ("5-", 7),
        ("6-", 7),
        ("7-", 7),
        ("9-", 1),
    ],
)
def test_pictures_that_people_sent(start: str, digit_of_it: int) -> None:
    predictor = Predictor()
    paths = list(FIELD.glob(f"{start}*.png"))
    assert paths
    for path in paths:
        assert predictor.predict(path, 0).digit == digit_of_it


@pytest.mark.skipif(not FIELD.is_dir(), reason="the pictures of the field are not beside the repository")
def test_two_digits_that_people_sent_are_said_to_be_several() -> None:
    (path,) = FIELD.glob("8-*.png")
    answer = Predictor().predict(path, 0)
    assert answer.several
    assert not answer.is_digit
