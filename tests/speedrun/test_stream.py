"""Images arrive whole while they are unpacked, batches give each once, and wrong files are refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.speedrun.conftest import COUNT, packed

from mnist_adder.errors import DataError
from mnist_adder.speedrun.loop import RECIPE, train_network
from mnist_adder.speedrun.stream import IMAGES, LABELS, StreamedImages, draw_batches, extract_patches


def test_each_chosen_image_is_drawn_once(files: dict[str, bytes]) -> None:
    images = StreamedImages(files)
    chosen = torch.arange(0, COUNT, 2)
    batches = list(draw_batches(images, chosen, 64, 0, torch.float32))
    assert [len(digits) for _, digits in batches] == [64] * (len(chosen) // 64)
    patches = extract_patches(images.pixels, torch.float32).view(COUNT, -1)
    rows = {row.numpy().tobytes(): place for place, row in enumerate(patches)}
    places = [rows[row.numpy().tobytes()] for drawn, _ in batches for row in drawn.view(64, -1)]
    assert len(set(places)) == len(places)
    assert places != sorted(places)
    assert all(place % 2 == 0 for place in places)
    assert torch.equal(images.digits[places], torch.cat([digits for _, digits in batches]))


def test_a_file_of_several_chunks_arrives_whole() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (4000, 28, 28), dtype=np.uint8)  # noise: 3 MB packed
    digits = random.integers(0, 10, 4000, dtype=np.uint8)
    stream = StreamedImages(packed(images, digits))
    available = []
    while stream.available < 4000:
        stream.wait()
        available.append(stream.available)
        assert np.array_equal(stream.pixels[: stream.available].numpy(), images[: stream.available])
    assert len(available) > 2
    assert np.array_equal(stream.digits.numpy(), digits)


def changed(name: str, change: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {**files, name: change(files[name])}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda files: {LABELS: files[LABELS]}, "images-idx3-ubyte.gz is missing"),
        (
            lambda files: {**files, IMAGES: files[LABELS]},
            "does not hold 1,297 images of 28 x 28: it starts with 00 00 08 01",
        ),
        (
            lambda files: {**files, LABELS: files[IMAGES]},
            r"does not hold digits: an array of shape \(1297, 28, 28\)",
        ),
        (
            changed(LABELS, lambda packed: gzip.compress(gzip.decompress(packed)[:-1] + b"\x0a")),
            r"does not hold digits: an array of shape \(1297,\) with values up to 10",
        ),
        (changed(IMAGES, lambda packed: packed[:-2000]), "is truncated"),
        (changed(IMAGES, lambda packed: packed[:-8] + bytes(8)), "is damaged"),
        (changed(IMAGES, lambda _: b"no gzip at all"), "is damaged"),
        (changed(LABELS, lambda _: b"no gzip at all"), "is damaged"),
        (changed(IMAGES, lambda all_: gzip.compress(gzip.decompress(all_) + b"more", 1)), "bytes too many"),
    ],
)
def test_files_that_are_wrong_are_refused(
    files: dict[str, bytes], spoil: Callable[[dict[str, bytes]], dict[str, bytes]], message: str
) -> None:
    recipe = RECIPE.replaced({"batch_size": 128})
    with pytest.raises(DataError, match=message):
        train_network(StreamedImages(spoil(files)), seed=0, recipe=recipe)
