"""The one-file example runs, is as short and plain as it claims, and adds as the package adds."""

from __future__ import annotations

import ast
import dataclasses
import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from examples import adder
from mnist_adder import models
from mnist_adder.data.images import DigitImages, load_images
from mnist_adder.data.mnist import cache_folder

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "adder.py"
SOURCE = EXAMPLE.read_text()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The example in a process of its own, as a reader starts it."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(EXAMPLE), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def counted(output: str) -> float:
    """The accuracy that the example reports, as a fraction; it must be the quotient of the two counts."""
    found = re.search(
        r"make ([\d,]+) questions\.\nDigit and sum are both right in ([\d,]+) answers: ([\d.]+)%\.", output
    )
    assert found, output
    pairs, right = (int(count.replace(",", "")) for count in found.group(1, 2))
    assert float(found[3]) == pytest.approx(100 * right / pairs, abs=0.005001)
    return right / pairs


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    content = bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()
    path.write_bytes(gzip.compress(content, compresslevel=1) if path.suffix == ".gz" else content)


def write_mnist(folder: Path, data: DigitImages) -> None:
    """A dataset in the four files of MNIST: two of them gzipped, two not."""
    write_idx(folder / "train-images-idx3-ubyte.gz", data.train_images.numpy())
    write_idx(folder / "train-labels-idx1-ubyte", data.train_digits.numpy().astype(np.uint8))
    write_idx(folder / "t10k-images-idx3-ubyte", data.test_images.numpy())
    write_idx(folder / "t10k-labels-idx1-ubyte.gz", data.test_digits.numpy().astype(np.uint8))


@pytest.fixture(scope="module")
def digits() -> DigitImages:
    return load_images("digits")


def test_it_trains_counts_and_answers(tmp_path: Path, digits: DigitImages) -> None:
    write_mnist(tmp_path, digits)
    done = run(str(tmp_path), "--epochs", "3", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.findall(r"^epoch  (\d)/3   loss \d\.\d{4}   pairs right \d+\.\d\d%$", done.stdout, re.M) == [
        *"123"
    ]
    assert "360 unseen images, each with the numbers 0 to 9, make 3,600 questions." in done.stdout
    assert 0.5 < counted(done.stdout) <= 1
    assert len(re.findall(r"^An image of a \d and the number \d: .*\d\.$", done.stdout, re.M)) == 2


@pytest.mark.mnist
def test_a_fifth_of_mnist_is_enough_to_read_97_of_100_pairs(mnist: DigitImages, tmp_path: Path) -> None:
    fifth = dataclasses.replace(
        mnist, train_images=mnist.train_images[:12_000], train_digits=mnist.train_digits[:12_000]
    )
    write_mnist(tmp_path, fifth)
    done = run(str(tmp_path), "--epochs", "1")
    assert done.returncode == 0, done.stderr
    assert "make 100,000 questions." in done.stdout
    assert counted(done.stdout) > 0.97


def test_it_reads_what_was_written(tmp_path: Path, digits: DigitImages) -> None:
    write_mnist(tmp_path, digits)
    images, labels = adder.load_mnist(tmp_path, "train")
    assert images.shape == (1437, 1, 28, 28)
    assert torch.equal((images * 255).round().byte().squeeze(1), digits.train_images)
    assert torch.equal(labels, digits.train_digits)


def test_a_missing_folder_is_one_line() -> None:
    done = run("no/such/folder")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "There is no no/such/folder/train-images-idx3-ubyte" in done.stderr


def test_the_variable_names_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_ADDER_DATA", "~/elsewhere")
    assert adder.default_folder() == Path("~/elsewhere").expanduser()


@pytest.mark.parametrize("variables", [{}, {"MNIST_ADDER_CACHE": "~/mine"}, {"XDG_CACHE_HOME": "/caches"}])
def test_the_default_folder_is_the_packages_cache(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MNIST_ADDER_DATA", "MNIST_ADDER_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert adder.default_folder() == cache_folder()


@pytest.mark.parametrize(
    ("platform", "cache"),
    [
        ("linux", "~/.cache/mnist-adder"),
        ("darwin", "~/Library/Caches/mnist-adder"),
        ("win32", "~/AppData/Local/mnist-adder/mnist-adder/Cache"),
    ],
)
def test_the_default_folder_on_each_system(
    platform: str, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MNIST_ADDER_DATA", "MNIST_ADDER_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    assert adder.default_folder() == Path(cache).expanduser() / "mnist"


def test_its_sum_is_the_packages_exact_sum() -> None:
    random = torch.Generator().manual_seed(0)
    logits = 5 * torch.randn(1000, 10, generator=random)
    numbers = torch.randint(10, (1000,), generator=random)
    exact_sum = models.get("exact-sum")()
    expected = exact_sum.sum_probabilities(exact_sum.combine(logits, numbers))
    found = adder.add(logits.log_softmax(dim=1), numbers).exp()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_both_losses_reach_every_parameter() -> None:
    model = adder.Adder()
    numbers = torch.arange(10)
    _, sum_log_probs = model(torch.rand(10, 1, 28, 28), numbers)
    sum_log_probs.gather(1, numbers.unsqueeze(1)).sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


def test_it_is_short_and_needs_torch_and_numpy_alone() -> None:
    assert len(SOURCE.splitlines()) <= 150
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(SOURCE))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names == {"numpy", "torch"}


def test_what_the_readme_shows_of_it_is_its_source() -> None:
    readme = (ROOT / "README.md").read_text()
    (extract,) = re.findall(r"```py\n(.*?)```", readme, flags=re.S)
    assert extract in SOURCE
