"""Pen-written characters, from a few strokes written by hand here."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.pen.strokes import CROSS, ONE, SEVEN, ZERO, write_arrays

from mnist_adder.data.strokes import ARRAY_FILES, STROKES_VARIABLE, Character, checksum, load_characters
from mnist_adder.errors import DataError
from mnist_adder.pen import images as pen
from mnist_adder.pen.drawing import Pen, draw, draw_images, random_pen
from mnist_adder.pen.images import coarse_copy, draw_training_images, draw_validation_images, load_images
from mnist_adder.pen.styles import rare_digit, scribble
from mnist_adder.types import NO_DIGIT

# A seven of two components and a cross of two, as UNIPEN writes them: y grows upwards.
INCLUDED = """.COMMENT a writer's pen
.COORD X Y
.PEN_DOWN
0 1000
700 1000
200 0
.PEN_UP
.PEN_DOWN
150 500
600 500
.PEN_UP
300 900
.PEN_DOWN
0 1000
1000 0
.PEN_UP
.PEN_DOWN
1000 1000
0 0
.PEN_UP
"""
SEGMENTS = """.VERSION 1.0
.INCLUDE abc/data/writer.dat
.SEGMENT TEXT 0-3 ? "7X"
.SEGMENT CHARACTER 0-1 ? "7"
.SEGMENT CHARACTER 2-3 OK "X"
.SEGMENT CHARACTER 0:0-0:2 ? "1"
.SEGMENT CHARACTER 3 ? "o"
"""


def write_unipen(folder: Path) -> None:
    for path, text in (
        ("data/1a/abc/writer.dat", SEGMENTS),
        ("include/abc/data/writer.dat", INCLUDED),
    ):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(text)


def test_reads_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_arrays(tmp_path)
    monkeypatch.setenv(STROKES_VARIABLE, str(tmp_path))
    one, seven, cross = load_characters()
    assert [each.digit for each in (one, seven, cross)] == [1, 7, NO_DIGIT]
    assert [each.validation for each in (one, seven, cross)] == [False, True, True]
    for character, strokes in ((one, ONE), (seven, SEVEN), (cross, CROSS)):
        for found, written in zip(character.strokes, strokes, strict=True):
            np.testing.assert_array_equal(found, written)


def test_reads_the_files_of_unipen(tmp_path: Path) -> None:
    write_unipen(tmp_path)
    seven, cross = load_characters(tmp_path)  # a part of a component and other letters are left out
    assert (seven.digit, cross.digit) == (7, NO_DIGIT)
    assert seven.validation == cross.validation  # one writer is on one side
    assert [len(stroke) for stroke in seven.strokes] == [3, 2]
    np.testing.assert_array_equal(seven.strokes[0], [[0, -1000], [700, -1000], [200, 0]])  # upside down
    image, label = draw_images([seven])
    assert label.tolist() == [7]
    assert image[0, :10].sum() > image[0, 18:].sum()  # the long bar is at the top


@pytest.mark.parametrize("what", ["none", "empty", "missing", "damaged"])
def test_missing_strokes_are_one_line(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STROKES_VARIABLE, raising=False)
    if what == "damaged":
        write_arrays(tmp_path)
        (tmp_path / ARRAY_FILES[0]).write_bytes(b"PK\3\4 nothing more")
    folder = {"none": None, "missing": tmp_path / "nowhere"}.get(what, tmp_path)
    with pytest.raises(DataError) as caught:
        load_characters(folder)
    said = str(caught.value)
    for word in ("train_r01_v07", "10.5281/zenodo.1195803", "CC BY 4.0", STROKES_VARIABLE):
        assert word in said
    assert "\n" not in said


def test_a_pen_draws_dark_ink_with_a_margin() -> None:
    thin, thick = (draw(SEVEN, Pen(width=width, side=100)) for width in (0.05, 0.2))
    for picture in (thin, thick):
        assert picture.dtype == np.uint8
        assert picture.min() == 0
        border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert (border == 255).all()
    assert (thick < 128).mean() > 2 * (thin < 128).mean()
    wide = draw(SEVEN, Pen(side=100, stretch=2)).shape
    assert wide[1] > wide[0]
    nib = draw(CROSS, Pen(width=0.2, nib=0.5, side=100))
    assert (nib < 128).mean() < (draw(CROSS, Pen(width=0.2, side=100)) < 128).mean()
    assert draw([np.zeros((1, 2))], Pen()).min() == 0  # a dot


def test_random_pens_differ_and_repeat() -> None:
    pens = [random_pen(np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert pens[0] == pens[1] != pens[2]
    assert all(0.03 <= random_pen(np.random.default_rng(seed)).width <= 0.2 for seed in range(50))


def test_images_are_what_prediction_sees() -> None:
    characters = [Character(SEVEN, 7, False), Character(CROSS, NO_DIGIT, False)]
    images, labels = draw_images(characters, times=3)
    assert images.shape == (6, 28, 28)
    assert images.dtype == torch.uint8
    assert labels.tolist() == [7, 7, 7, NO_DIGIT, NO_DIGIT, NO_DIGIT]
    assert (images.flatten(1).amax(1) == 255).all()
    assert not images[:, :3].any()  # MNIST's margin
    first, _ = draw_images(characters, times=3, pen=random_pen)
    again, _ = draw_images(characters, times=3, pen=random_pen)
    other, _ = draw_images(characters, times=3, seed=1, pen=random_pen)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_two_digits_side_by_side_are_no_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pen, "DRAWINGS", 1)
    monkeypatch.setattr(pen, "PAIRS", 12)
    monkeypatch.setattr(pen, "RARE_DIGITS", 0)
    monkeypatch.setattr(pen, "SCRIBBLES", 0)
    monkeypatch.setattr(pen, "FRAMED", 0)
    monkeypatch.setattr(pen, "COARSE_COPIES", 0)
    zero, seven = Character(ZERO, 0, False), Character(SEVEN, 7, False)
    images, labels = draw_training_images([zero, seven], torch.zeros(0, 28, 28), torch.zeros(0))
    pairs = images[labels == NO_DIGIT]
    assert len(pairs) > 6
    assert sorted(labels[labels != NO_DIGIT].tolist()) == [
        0,
        0,
        7,
        7,
    ]  # and coarse copies
    heights, widths = ((pairs > 64).any(axis).sum(1) for axis in (2, 1))
    assert (widths > 0.8 * heights).all()
    assert (heights >= 6).all()


def test_a_frame_that_stays_makes_no_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("PAIRS", 0), ("RARE_DIGITS", 0), ("SCRIBBLES", 0), ("COARSE_COPIES", 0)):
        monkeypatch.setattr(pen, name, count)
    monkeypatch.setattr(pen, "FRAMED", 12)
    seven = Character(SEVEN, 7, validation=False)
    images, labels = draw_training_images([seven], torch.zeros(0, 28, 28), torch.zeros(0))
    framed, digits = images[labels == NO_DIGIT], images[labels == 7]
    assert len(framed) > 8
    left, right = (framed[..., half].flatten(1).float().sum(1) for half in (slice(14), slice(14, None)))
    assert ((left / right - 1).abs() < 0.8).all()  # ink on both sides of the seven
    assert framed.float().mean() > digits.float().mean()


@pytest.mark.parametrize("seed", range(20))
def test_a_coarse_copy_has_few_pixels_and_the_form_of_mnist(seed: int) -> None:
    ink = 255 - draw(SEVEN, Pen(side=48))
    copy = coarse_copy(ink, np.random.default_rng(seed))
    assert copy.shape == (28, 28)
    assert copy.dtype == np.uint8
    rows, columns = np.nonzero(copy)
    assert max(np.ptp(rows), np.ptp(columns)) <= 20
    assert copy.max() > 200


@pytest.mark.mnist
def test_pen_images_are_added_to_mnist_and_none_is_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_arrays(tmp_path)
    monkeypatch.setenv(STROKES_VARIABLE, str(tmp_path))
    monkeypatch.setattr(pen, "PAIRS", 20)
    monkeypatch.setattr(pen, "RARE_DIGITS", 10)
    monkeypatch.setattr(pen, "SCRIBBLES", 5)
    monkeypatch.setattr(pen, "FRAMED", 4)
    monkeypatch.setattr(pen, "COARSE_COPIES", 30)
    mnist, both = load_images("mnist"), load_images("mnist+pen")
    drawn = pen.DRAWINGS + 20 + 10 + 5 + 4  # the one, pairs of ones, rare digits, scribbles, framed ones
    most = drawn + 1 + 10 + 30  # coarse copies of the one, of the rare digits and of MNIST's
    assert most / 2 < both.pen <= most  # those of too few pixels are left out
    assert both.has_outliers
    assert not mnist.has_outliers
    assert both.dataset == "mnist+pen"
    assert both.sha256 != mnist.sha256
    assert torch.equal(both.test_images, mnist.test_images)
    assert torch.equal(both.select("validation")[0], mnist.select("validation")[0])
    images, digits = both.select("train")
    assert len(images) == 55_000 + both.pen
    assert torch.equal(digits[:55_000], mnist.select("train")[1])
    held_out, labels = draw_validation_images()
    assert labels.tolist() == [7] * 5 + [NO_DIGIT] * 5
    assert held_out.shape == (10, 28, 28)


def test_the_checksum_is_of_strokes_labels_and_sides() -> None:
    seven = Character(SEVEN, 7, False)
    others = [
        dataclasses.replace(seven, digit=1),
        dataclasses.replace(seven, validation=True),
        dataclasses.replace(seven, strokes=SEVEN[:1]),
    ]
    assert len({checksum([each]) for each in (seven, *others)}) == 4
    assert checksum([seven]) == checksum([Character([stroke.copy() for stroke in SEVEN], 7, False)])


@pytest.mark.parametrize("seed", range(12))
def test_rare_digits_and_scribbles_fill_their_box(seed: int) -> None:
    random = np.random.default_rng(seed)
    digit, lines = rare_digit(random), scribble(random)
    assert digit.digit in (1, 4, 9)
    assert lines.digit == NO_DIGIT
    for character in (digit, lines):
        points = np.concatenate(character.strokes)
        assert np.isfinite(points).all()
        assert 0.5 < np.ptp(points[:, 1]) < 1.6
        assert not character.validation


def test_rare_digits_are_of_all_three_kinds() -> None:
    random = np.random.default_rng(0)
    kinds = {digit.digit: len(digit.strokes) for digit in (rare_digit(random) for _ in range(40))}
    assert kinds.keys() == {1, 4, 9}
    assert kinds[4] == 2
