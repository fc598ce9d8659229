"""``logit-mlp`` trained the way its source describes: an image at a time, through Dataset and DataLoader.

Described: MNIST's images as tensors (torchvision's ``MNIST`` with ``ToTensor``: each item a PIL image, then
float32 in [0, 1]); a Dataset around it that draws a number from 0 to 9 and one-hot codes it anew for every
item; a DataLoader of batches of 256; seven convolutions to ten logits, joined with the number through
20-128-19; the mean of two cross-entropies; five epochs, float32. The description names neither optimizer nor
learning rate: Adam at 1e-3 here; nor where ReLUs stand: after each layer but the last two outputs.
"""

from __future__ import annotations

import gzip
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

EPOCHS, BATCH_SIZE, LEARNING_RATE = 5, 256, 1e-3

Item = tuple[Tensor, int, Tensor, int]


class Images:
    """What torchvision's MNIST with ToTensor does for an item: array, PIL image, array, tensor."""

    def __init__(self, files: dict[str, bytes], part: str) -> None:
        images = gzip.decompress(files[f"{part}-images-idx3-ubyte.gz"])
        digits = gzip.decompress(files[f"{part}-labels-idx1-ubyte.gz"])
        self.data = torch.frombuffer(bytearray(images), dtype=torch.uint8, offset=16).view(-1, 28, 28)
        self.targets = torch.frombuffer(bytearray(digits), dtype=torch.uint8, offset=8).long()

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.data[index].numpy())
        pixels = torch.from_numpy(np.array(image, np.uint8, copy=True)).view(28, 28, 1)
        return pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255), int(self.targets[index])


class Pairs(Dataset[Item]):
    """Image, digit, one-hot number, sum."""

    def __init__(self, images: Images) -> None:
        self.images = images

    def __getitem__(self, index: int) -> Item:
        image, digit = self.images[index]
        number = random.randint(0, 9)
        one_hot = F.one_hot(torch.arange(0, 10))  # all ten codes for every item, as published
        return image, digit, one_hot[number], digit + number

    def __len__(self) -> int:
        return len(self.images.targets)


class Network(nn.Module):
    """220,125 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.max_pool1 = nn.MaxPool2d(2)
        self.conv3 = nn.Conv2d(64, 64, 3, padding=1)
        self.conv4 = nn.Conv2d(64, 64, 3, padding=1)
        self.max_pool2 = nn.MaxPool2d(2)
        self.conv5 = nn.Conv2d(64, 64, 3)
        self.conv6 = nn.Conv2d(64, 128, 3)
        self.conv7 = nn.Conv2d(128, 10, 3)
        self.fc1 = nn.Linear(20, 128)
        self.fc2 = nn.Linear(128, 19)

    def forward(self, images: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 1, 28, 28) in [0, 1], one-hot numbers (B, 10): digit (B, 10), sum (B, 19) logits."""
        x = self.max_pool1(F.relu(self.conv2(F.relu(self.conv1(images)))))
        x = self.max_pool2(F.relu(self.conv4(F.relu(self.conv3(x)))))
        digits = self.conv7(F.relu(self.conv6(F.relu(self.conv5(x))))).flatten(1)
        return digits, self.fc2(F.relu(self.fc1(torch.cat([digits, numbers.float()], 1))))


def train(files: dict[str, bytes], seed: int, *, epochs: int = EPOCHS) -> tuple[Network, dict[str, float]]:
    """Train for the five published epochs, or fewer, to be timed.

    Returns:
        The network, and seconds: of the preparation, from the files' bytes on, and of all the epochs.
    """
    started = time.perf_counter()
    torch.manual_seed(seed)
    random.seed(seed)
    loader = DataLoader(Pairs(Images(files, "train")), batch_size=BATCH_SIZE, shuffle=True)
    model = Network()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    prepared = time.perf_counter()
    for _ in range(epochs):
        for images, digits, numbers, sums in loader:
            optimizer.zero_grad()
            digit_logits, sum_logits = model(images, numbers)
            loss = (F.cross_entropy(digit_logits, digits) + F.cross_entropy(sum_logits, sums)) / 2
            loss.backward()
            optimizer.step()
    return model.eval(), {"preparation": prepared - started, "epochs": time.perf_counter() - prepared}
