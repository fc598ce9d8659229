"""A picture of a handwritten digit and a number go in; the digit and the sum of both come out.

    image of a 5  +  7   ->   digit 5,  sum 12

Read it from top to bottom: data, network, sum, training, evaluation. It takes about a minute on two cores:

    python examples/adder.py FOLDER_OF_MNIST
"""

import argparse
import gzip
import os
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

DIGITS, NUMBERS, SUMS = 10, 10, 19  # classes: digits and numbers are 0..9, so sums are 0..18
BATCH_SIZE, MAX_LEARNING_RATE, WEIGHT_DECAY = 250, 0.02, 0.05


def default_folder() -> Path:
    """MNIST_ADDER_DATA, else the cache into which the package mnist-adder downloads MNIST."""
    linux = f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/mnist-adder"
    windows, macos = "~/AppData/Local/mnist-adder/mnist-adder/Cache", "~/Library/Caches/mnist-adder"
    user_cache = {"win32": windows, "darwin": macos}.get(sys.platform, linux)
    cache = os.environ.get("MNIST_ADDER_CACHE") or user_cache
    return Path(os.environ.get("MNIST_ADDER_DATA") or f"{cache}/mnist").expanduser()


def read_idx(path: Path) -> Tensor:
    """Read a file in MNIST's own format, gzipped or not: a header with the shape, then one byte a value."""
    packed = path.with_name(f"{path.name}.gz")
    if not path.exists() and not packed.exists():
        sys.exit(f"There is no {path} or {packed.name}: give the folder that holds the four MNIST files.")
    content = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    dimensions = content[3]  # images have 3, their digits 1
    shape = np.frombuffer(content, ">i4", count=dimensions, offset=4)  # ">i4": four bytes, largest first
    return torch.tensor(np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape))


def load_mnist(folder: Path, split: str) -> tuple[Tensor, Tensor]:
    """Images (N, 1, 28, 28) in [0, 1] and their digits (N,); the split is "train", or "t10k" for testing."""
    images = read_idx(folder / f"{split}-images-idx3-ubyte")
    digits = read_idx(folder / f"{split}-labels-idx1-ubyte")
    return images.unsqueeze(1) / 255, digits.long()


def augment(images: Tensor) -> Tensor:
    """Shift, turn, stretch and slant each image at random, so that the network never sees one twice."""
    noise = 2 * torch.rand(len(images), 2, 3) - 1  # evenly from -1 to 1
    maps = torch.eye(2, 3) + 0.1 * noise  # near the identity; the last column shifts by up to 1.4 pixels
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


class Adder(nn.Module):
    """A convolutional network reads the digit; the sum is computed from what it read."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 32, kernel_size=5, stride=2), nn.BatchNorm2d(32)
        self.conv2, self.norm2 = nn.Conv2d(32, 32, kernel_size=3), nn.BatchNorm2d(32)
        self.conv3, self.norm3 = nn.Conv2d(32, 96, kernel_size=3), nn.BatchNorm2d(96)
        self.linear = nn.Linear(96 * 3 * 3, DIGITS)

    def forward(self, images: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 1, 28, 28), numbers (B,) -> log-probabilities of digits (B, 10) and of sums (B, 19)."""
        x = F.relu(self.norm1(self.conv1(images)))  # (B, 32, 12, 12); a stride of 2 saves time
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)  # (B, 32, 10, 10), pooled to (B, 32, 5, 5)
        x = F.relu(self.norm3(self.conv3(x)))  # (B, 96, 3, 3)
        digit_log_probs = F.log_softmax(self.linear(x.flatten(1)), dim=1)
        return digit_log_probs, add(digit_log_probs, numbers)


def add(digit_log_probs: Tensor, numbers: Tensor) -> Tensor:
    """Addition is not learned, it is computed: from digits (B, 10) and numbers (B,) to sums (B, 19).

        P(sum = s) = sum over d of P(digit = d) * P(number = s - d)

    The number n is known: P(number = s - d) is 1 for d = s - n, and 0 for every other d. One term is left,
    P(sum = s) = P(digit = s - n): the digit's probabilities, moved n places up. That has no parameters,
    lets gradients through, and can never contradict the digit.
    """
    sums = numbers.unsqueeze(1) + torch.arange(DIGITS)  # (B, 10): the sums that the digits 0..9 lead to
    impossible = torch.full((len(numbers), SUMS), -torch.inf)  # log 0, which the other sums keep
    return impossible.scatter(1, sums, digit_log_probs)


def train(model: Adder, images: Tensor, digits: Tensor, epochs: int) -> None:
    """Show the network every image once an epoch, each time with another number."""
    steps = epochs * len(images.split(BATCH_SIZE))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
    # The learning rate rises first, as random weights need small steps, then falls to 0 to settle down.
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, MAX_LEARNING_RATE, total_steps=steps)
    model.train()
    for epoch in range(1, epochs + 1):
        total_loss, right = 0.0, 0
        for batch in torch.randperm(len(images)).split(BATCH_SIZE):  # in a new order each epoch
            numbers = torch.randint(NUMBERS, batch.shape)  # drawn anew: an image meets many
            sums = digits[batch] + numbers
            digit_log_probs, sum_log_probs = model(augment(images[batch]), numbers)
            # Two outputs, two losses. They are equal here, as P(sum) is P(digit), moved.
            loss = F.nll_loss(digit_log_probs, digits[batch]) + F.nll_loss(sum_log_probs, sums)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total_loss += loss.item() * len(batch)
            right += int((sum_log_probs.argmax(dim=1) == sums).sum())
        mean_loss, accuracy = total_loss / len(images), right / len(images)
        print(f"epoch {epoch:>2}/{epochs}   loss {mean_loss:.4f}   pairs right {accuracy:.2%}", flush=True)


@torch.no_grad()
def count_right(model: Adder, images: Tensor, digits: Tensor) -> int:
    """Ask about each image with each of the ten numbers; count where digit and sum are both right."""
    model.eval()  # batch normalisation now uses what it averaged while training
    right = 0
    for number in range(NUMBERS):
        digit_log_probs, sum_log_probs = model(images, torch.full_like(digits, number))
        digit_right = digit_log_probs.argmax(dim=1) == digits
        sum_right = sum_log_probs.argmax(dim=1) == digits + number
        right += int((digit_right & sum_right).sum())
    return right


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train a network that adds a number to a picture's digit.")
    parser.add_argument("folder", nargs="?", type=Path, default=default_folder(), help="of the MNIST files")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_default_device("cuda" if torch.cuda.is_available() else "cpu")  # tensors are made there
    train_images, train_digits = load_mnist(options.folder, "train")
    test_images, test_digits = load_mnist(options.folder, "t10k")
    model = Adder()
    train(model, train_images, train_digits, options.epochs)
    right, pairs = count_right(model, test_images, test_digits), len(test_images) * NUMBERS
    print(f"{len(test_images):,} unseen images, each with the numbers 0 to 9, make {pairs:,} questions.")
    print(f"Digit and sum are both right in {right:,} answers: {right / pairs:.2%}.")
    numbers = torch.tensor([5, 8])
    digit_log_probs, sum_log_probs = model(test_images[:2], numbers)
    answers = digit_log_probs.argmax(dim=1), sum_log_probs.argmax(dim=1)
    for digit, number, read, total in zip(test_digits[:2], numbers, *answers, strict=True):
        print(f"An image of a {digit} and the number {number}: it reads a {read} and answers {total}.")
