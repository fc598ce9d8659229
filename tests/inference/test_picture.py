"""Every way a picture can come in."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_adder.inference.picture import WORKING_SIDE, open_picture

FORMATS = ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"]


def draw(width: int = 120, height: int = 160, paper: int = 255, ink: int = 0) -> Image.Image:
    """A lopsided 7: no two of the eight orientations look alike."""
    image = Image.new("L", (width, height), paper)
    points = [(0.25, 0.2), (0.75, 0.25), (0.4, 0.85)]
    line = [(x * width, y * height) for x, y in points]
    ImageDraw.Draw(image).line(line, fill=ink, width=max(2, width // 12), joint="curve")
    return image


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


WANTED = np.asarray(draw(), dtype=np.float32) / np.float32(255)
INVERTED = np.asarray(draw(paper=0, ink=255), dtype=np.float32) / np.float32(255)


def difference(plane: NDArray[np.float32], wanted: NDArray[Any] = WANTED) -> float:
    assert plane.shape == wanted.shape
    assert plane.dtype == np.float32
    return float(np.abs(plane - wanted).mean())


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_formats_and_modes(kind: str, mode: str) -> None:
    if (kind, mode) in {("JPEG", "P"), ("JPEG", "1"), ("WEBP", "P"), ("WEBP", "1")}:
        mode = "RGB"  # the format has no such mode
    assert difference(open_picture(save(draw().convert(mode), kind))) < 0.02


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind: str) -> None:
    assert difference(open_picture(save(draw().convert("CMYK"), kind))) < 0.02


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits(kind: str) -> None:
    deep = Image.fromarray(np.asarray(draw()).astype(np.uint16) * 257)
    assert difference(open_picture(save(deep, kind))) < 0.001


@pytest.mark.parametrize("scale", [1.0, 255.0, 65535.0, 1e38])
def test_floating_point_tiff(scale: float) -> None:
    assert difference(open_picture(save(Image.fromarray(WANTED * np.float32(scale)), "TIFF"))) < 0.001


def test_floating_point_tiff_of_extremes() -> None:
    values = np.where(WANTED > 0.5, np.float32(3e38), np.float32(-3e38))
    assert difference(open_picture(save(Image.fromarray(values), "TIFF"))) < 0.02


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_compressions_of_tiff(compression: str) -> None:
    assert difference(open_picture(save(draw(), "TIFF", compression=compression))) < 0.02


def test_fax() -> None:
    fax = save(draw().convert("1"), "TIFF", compression="group4")
    assert difference(open_picture(fax)) < 0.02


@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF"])
def test_ink_in_the_alpha_channel(kind: str, ink: int) -> None:
    strokes = draw(paper=0, ink=255)
    flat = Image.new("L", strokes.size, ink)
    picture = Image.merge("RGBA", (flat, flat, flat, strokes))
    options = {"lossless": True} if kind == "WEBP" else {}
    assert difference(open_picture(save(picture, kind, **options)), INVERTED) < 0.02


def test_ink_in_the_alpha_channel_of_grey() -> None:
    picture = Image.merge("LA", (Image.new("L", (120, 160), 0), draw(paper=0, ink=255)))
    assert difference(open_picture(save(picture, "PNG")), INVERTED) < 0.001


def test_a_page_with_round_transparent_corners() -> None:
    page = draw().convert("RGBA")
    corners = Image.new("L", page.size, 0)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, 119, 159), radius=20, fill=255)
    page.putalpha(corners)
    assert difference(open_picture(save(page, "PNG"))) < 0.001


def test_a_transparent_colour_in_a_palette() -> None:
    picture = draw().convert("1").convert("P")
    paper = picture.getpixel((0, 0))
    assert difference(open_picture(save(picture, "GIF", transparency=paper)), INVERTED) < 0.02


def test_yellow_ink_on_white_is_seen() -> None:
    strokes = draw(paper=0, ink=255)
    picture = Image.composite(
        Image.new("RGB", strokes.size, (255, 255, 0)), Image.new("RGB", strokes.size, "white"), strokes
    )
    assert difference(open_picture(save(picture, "PNG"))) < 0.001


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientations(kind: str, orientation: int) -> None:
    stored: dict[
        int, Callable[[NDArray[Any]], NDArray[Any]]
    ] = {  # what a camera does to the upright picture, by the EXIF standard's table
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: np.transpose,
        6: np.rot90,
        7: lambda a: np.rot90(a, 2).T,
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(
        Image.fromarray(np.ascontiguousarray(stored[orientation](np.asarray(draw())))), kind, exif=exif
    )
    assert difference(open_picture(data)) < 0.02


def test_the_first_frame_counts() -> None:
    frames = [draw(), Image.new("L", (120, 160), 0)]
    for kind in ("GIF", "TIFF", "PNG", "WEBP"):
        data = save(frames[0], kind, save_all=True, append_images=frames[1:])
        assert difference(open_picture(data)) < 0.02


def test_ways_in(tmp_path: Path) -> None:
    image = draw()
    data = save(image, "PNG")
    path = tmp_path / "seven.picture"  # the name says nothing, the bytes do
    path.write_bytes(data)
    with path.open("rb") as file:
        ways: list[Any] = [path, str(path), data, bytearray(data), io.BytesIO(data), file, image]
        ways += [np.asarray(image), WANTED, WANTED.astype(np.float64), np.asarray(image).astype(np.int64)]
        ways += [WANTED[None], WANTED[..., None], torch.tensor(WANTED), torch.tensor(WANTED)[None]]
        ways += [torch.tensor(WANTED, requires_grad=True), torch.tensor(np.asarray(image))]
        for way in ways:
            np.testing.assert_array_equal(open_picture(way), WANTED)


@pytest.mark.gpu
def test_a_tensor_on_another_device() -> None:
    np.testing.assert_array_equal(open_picture(torch.tensor(WANTED, device="cuda")), WANTED)


def test_colours_in_an_array() -> None:
    red_on_blue = Image.composite(
        Image.new("RGB", (120, 160), (20, 20, 240)), Image.new("RGB", (120, 160), (240, 30, 30)), draw()
    )
    wanted = open_picture(save(red_on_blue, "PNG"))
    colours = np.asarray(red_on_blue)
    ways: list[Any] = [colours, colours / 255, colours.astype(np.int64), torch.tensor(colours)]
    for way in ways:
        np.testing.assert_array_equal(open_picture(way), wanted)


def test_an_image_is_left_as_it_is() -> None:
    image = Image.open(io.BytesIO(save(draw(1200, 1600).convert("RGB"), "JPEG")))
    open_picture(image)
    assert (image.size, image.mode) == ((1200, 1600), "RGB")


@pytest.mark.parametrize("size", [(8, 8), (9, 700), (512, 512), (513, 300), (3000, 4000)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "array"])
def test_sizes(size: tuple[int, int], kind: str) -> None:
    image = draw(*size)
    plane = open_picture(np.asarray(image) if kind == "array" else save(image, kind))
    assert max(plane.shape) <= WORKING_SIDE
    assert max(plane.shape) >= min(max(size), WORKING_SIDE // 2)
    assert plane.shape[0] / plane.shape[1] == pytest.approx(size[1] / size[0], rel=0.15)
    assert 0 <= plane.min() < plane.max() <= 1
