"""Ten steps on real images: the network learns, repeats itself with any threads, and may diverge."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tests.speedrun.conftest import COUNT
from torch import Tensor

from mnist_adder.data.images import DigitImages, load_images
from mnist_adder.errors import DataError, DivergedError
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.speedrun.loop import RECIPE, _Loop, train_network
from mnist_adder.speedrun.stream import StreamedImages, TrainingImages, extract_patches

SMALL = RECIPE.replaced({"batch_size": 128})

# What another process runs: the weights of five steps on the bundled digits, into a file.
PROCESS = """
import sys
from pathlib import Path
from tests.speedrun.test_loop import save_weights

save_weights(Path(sys.argv[1]))
assert "sympy" not in sys.modules, "something slow to import was needed while the clock ran"
"""


def save_weights(file: Path) -> None:
    data = load_images("digits")
    images = TrainingImages(data.train_images, data.train_digits)
    recipe = RECIPE.replaced({"batch_size": 256})
    model = train_network(images, seed=7, threads=torch.get_num_threads(), recipe=recipe)
    save_file(model.state_dict(), file)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def accuracy(model: ExactSum, images: Tensor, digits: Tensor) -> float:
    with torch.inference_mode():
        return float((model.encode(images.unsqueeze(1) / 255).argmax(1) == digits).float().mean())


def test_it_learns_in_ten_steps(data: DigitImages, files: dict[str, bytes]) -> None:
    model = train_network(StreamedImages(files), seed=0, recipe=SMALL)
    assert not model.training
    assert all(weight.dtype == torch.float32 for weight in model.parameters())
    assert accuracy(model, data.test_images, data.test_digits) > 0.7
    assert accuracy(ExactSum("fast").eval(), data.test_images, data.test_digits) < 0.4


def test_one_thread_or_two_give_the_same_weights_and_another_seed_others(files: dict[str, bytes]) -> None:
    torch_threads, state = torch.get_num_threads(), torch.get_rng_state()
    two, again, one, other_seed = (
        train_network(StreamedImages(files), seed=seed, threads=threads, recipe=SMALL).state_dict()
        for seed, threads in ((3, 2), (3, 2), (3, 1), (4, 1))
    )
    assert same(two, again)
    assert same(two, one)
    assert not same(two, other_seed)
    assert torch.get_num_threads() == torch_threads
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_another_process_gives_the_same_weights(threads: str, tmp_path: Path) -> None:
    save_weights(tmp_path / "here")
    variables = {
        "OMP_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "PASSIVE",
    }  # else threads work while they wait
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "there")]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert same(load_file(tmp_path / "here"), load_file(tmp_path / "there"))


def test_images_in_memory_will_do_as_well(data: DigitImages, files: dict[str, bytes]) -> None:
    in_memory = TrainingImages(data.train_images[:COUNT], data.train_digits[:COUNT])
    models = (train_network(images, seed=0, recipe=SMALL) for images in (in_memory, StreamedImages(files)))
    one, other = (model.state_dict() for model in models)
    assert same(one, other)  # the files are so small that they arrive in one chunk


def test_the_unrolled_network_is_the_model(data: DigitImages) -> None:
    torch.manual_seed(0)
    model, recipe = ExactSum("fast"), RECIPE
    loop = _Loop(model, iter(()), recipe, torch.float32, None)
    images, digits = data.train_images[:32], data.train_digits[:32]
    patches = extract_patches(images, torch.float32)
    expected = model.encode(images.unsqueeze(1) / 255)
    torch.testing.assert_close(loop.replicas[0](patches), expected, rtol=1e-4, atol=1e-4)
    loss = F.cross_entropy(expected, digits, label_smoothing=recipe.label_smoothing)
    gradients = torch.autograd.grad(loss * len(digits) / recipe.batch_size, list(model.parameters()))
    zeros = [torch.zeros_like(weight) for weight in loop.working_weights]
    unrolled = loop._gradients(loop.replicas[0], patches, digits)
    for weight, gradient, one, other in zip(loop.weights, gradients, unrolled, zeros, strict=True):
        torch.testing.assert_close(weight.gradient(one, other), gradient.flatten(1), rtol=1e-3, atol=1e-6)


def test_too_few_images_for_a_step_are_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(DataError, match="too few for one step of 128"):
        train_network(StreamedImages(files), seed=0, indices=torch.arange(127), recipe=SMALL)


def test_weights_that_are_not_finite_are_told(files: dict[str, bytes]) -> None:
    recipe = SMALL.replaced({"learning_rate": 1e38})
    with pytest.raises(DivergedError, match=r"The speedrun diverged: its weights .* below 1e\+38\."):
        train_network(StreamedImages(files), seed=0, recipe=recipe)
