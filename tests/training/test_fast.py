"""The lean loop on real images, some ten steps: it learns, repeats itself, refuses files that are wrong."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mnist_adder.data import DigitImages
from mnist_adder.errors import DataError
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.training import fast, unrolled
from mnist_adder.training.fast import RECIPE, train_fast
from mnist_adder.training.stream import IMAGES, LABELS, Images, UnpackedImages, as_windows, batches

SMALL = RECIPE.replaced({"batch_size": 128})
COUNT = 1297  # ten batches and some more


def packed(images: np.ndarray, digits: np.ndarray) -> dict[str, bytes]:
    """The two training files of MNIST, holding these."""
    header = b"".join(size.to_bytes(4, "big") for size in (0x803, *images.shape))
    labels = (0x801).to_bytes(4, "big") + len(digits).to_bytes(4, "big")
    return {
        IMAGES: gzip.compress(header + images.tobytes(), compresslevel=1),
        LABELS: gzip.compress(labels + digits.tobytes()),
    }


@pytest.fixture(scope="module")
def files(data: DigitImages) -> dict[str, bytes]:
    digits = data.train_digits[:COUNT].numpy().astype(np.uint8)
    return packed(data.train_images[:COUNT].numpy(), digits)


def same(one: ExactSum, other: ExactSum) -> bool:
    values = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(left, right) for left, right in values)


def accuracy(model: ExactSum, images: Tensor, digits: Tensor) -> float:
    with torch.inference_mode():
        return float((model.encode(images.unsqueeze(1) / 255).argmax(1) == digits).float().mean())


def test_it_learns_in_ten_steps(data: DigitImages, files: dict[str, bytes]) -> None:
    model = train_fast(UnpackedImages(files), seed=0, recipe=SMALL)
    assert not model.training
    assert all(weight.dtype == torch.float32 for weight in model.parameters())
    assert accuracy(model, data.test_images, data.test_digits) > 0.7
    assert accuracy(ExactSum("fast").eval(), data.test_images, data.test_digits) < 0.4


def test_one_thread_or_two_give_the_same_weights_and_another_seed_others(files: dict[str, bytes]) -> None:
    torch_threads, state = torch.get_num_threads(), torch.get_rng_state()
    two, again, one = (
        train_fast(UnpackedImages(files), seed=3, threads=threads, recipe=SMALL) for threads in (2, 2, 1)
    )
    assert same(two, again)
    assert same(two, one)
    assert not same(two, train_fast(UnpackedImages(files), seed=4, recipe=SMALL))
    assert torch.get_num_threads() == torch_threads
    assert torch.equal(torch.get_rng_state(), state)


def test_a_data_will_do_as_well(data: DigitImages, files: dict[str, bytes]) -> None:
    there = Images(data.train_images[:COUNT], data.train_digits[:COUNT])
    assert same(
        train_fast(there, seed=0, recipe=SMALL), train_fast(UnpackedImages(files), seed=0, recipe=SMALL)
    )  # the files are so small that they arrive in one piece


def test_each_kept_image_is_given_once(files: dict[str, bytes]) -> None:
    images = UnpackedImages(files)
    kept = torch.arange(0, COUNT, 2)
    given = list(batches(images, kept, 64, 0, torch.float32))
    assert [len(digits) for _, digits in given] == [64] * (len(kept) // 64)
    seen = as_windows(images.pixels, torch.float32).view(COUNT, -1)
    rows = {row.numpy().tobytes(): place for place, row in enumerate(seen)}
    places = [rows[row.numpy().tobytes()] for windows, _ in given for row in windows.view(64, -1)]
    assert len(set(places)) == len(places)
    assert places != sorted(places)
    assert all(place % 2 == 0 for place in places)
    assert torch.equal(images.digits[places], torch.cat([digits for _, digits in given]))


def test_a_file_of_several_pieces_arrives_whole() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (4000, 28, 28), dtype=np.uint8)  # noise: 3 MB packed
    digits = random.integers(0, 10, 4000, dtype=np.uint8)
    stream = UnpackedImages(packed(images, digits))
    seen = []
    while stream.ready < 4000:
        stream.wait()
        seen.append(stream.ready)
        assert np.array_equal(stream.pixels[: stream.ready].numpy(), images[: stream.ready])
    assert len(seen) > 2
    assert np.array_equal(stream.digits.numpy(), digits)


def test_the_unrolled_network_is_the_model(data: DigitImages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unrolled, "precision", lambda: torch.float32)
    torch.manual_seed(0)
    model, recipe = ExactSum("fast"), RECIPE
    loop = fast._Loop(model, iter(()), recipe, None)
    images, digits = data.train_images[:32], data.train_digits[:32]
    windows = as_windows(images, torch.float32)
    wanted = model.encode(images.unsqueeze(1) / 255)
    torch.testing.assert_close(loop.one(windows), wanted, rtol=1e-4, atol=1e-4)
    loss = F.cross_entropy(wanted, digits, label_smoothing=recipe.label_smoothing)
    slopes = torch.autograd.grad(loss * len(digits) / recipe.batch_size, list(model.parameters()))
    nothing = [torch.zeros_like(weight) for weight in loop.parameters]
    found = loop._gradients(loop.one, windows, digits)
    for weight, slope, one, other in zip(loop.weights, slopes, found, nothing, strict=True):
        torch.testing.assert_close(weight._gather(one, other), slope.flatten(1), rtol=1e-3, atol=1e-6)


def changed(name: str, change: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {**files, name: change(files[name])}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda files: {LABELS: files[LABELS]}, "images-idx3-ubyte.gz is missing"),
        (lambda files: {**files, IMAGES: files[LABELS]}, "is not that: it starts with 00 00 08 01"),
        (lambda files: {**files, LABELS: files[IMAGES]}, "holds no digits"),
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
    with pytest.raises(DataError, match=message):
        train_fast(UnpackedImages(spoil(files)), seed=0, recipe=SMALL)


def test_too_few_images_for_a_step_are_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(DataError, match="too few for one step of 128"):
        train_fast(UnpackedImages(files), seed=0, kept=torch.arange(127), recipe=SMALL)
