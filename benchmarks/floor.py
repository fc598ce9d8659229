"""The least time that a speedrun could take here, from what it must multiply, move and unpack.

``speedrun.py`` beside this file reports it. Multiply-adds and bytes are counted from the network's layers;
what the cores can do is measured: matrix products in the training's precision, a thread on each core, and a
copy that does not fit into a core's cache.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn

from mnist_adder.models.backbones import fast
from mnist_adder.speedrun.loop import ORTHOGONAL_STEPS, RECIPE, count_steps
from mnist_adder.speedrun.stream import IMAGES
from mnist_adder.speedrun.unrolled import best_dtype

TRAIN_IMAGES = 60_000
TOUCHES = 5  # a value is written, read, read again backward; its gradient is written and read


def per_image(network: nn.Module) -> tuple[int, int]:
    """Multiply-adds and values of an image: forward, gradients of weights and of all inputs but one."""
    layers: list[tuple[nn.Module, Tensor]] = []
    hooks = [
        layer.register_forward_hook(lambda layer, _, output: layers.append((layer, output)))
        for layer in network.children()
    ]
    network.eval()(torch.zeros(1, 1, 28, 28))
    for hook in hooks:
        hook.remove()
    forward = []
    for layer, output in layers:
        if isinstance(layer, nn.Conv2d):
            forward.append(layer.weight.numel() * output[0, 0].numel())
        elif isinstance(layer, nn.Linear):
            forward.append(layer.weight.numel())
    return 3 * sum(forward) - forward[0], sum(output.numel() for _, output in layers[1:])


def of_updates(network: nn.Module) -> int:
    """Multiply-adds of one step's orthogonalisations: two products with R R C each and one with R R R."""
    total = 0
    for weight in network.parameters():
        rows, columns = sorted(weight.flatten(1).shape)
        total += ORTHOGONAL_STEPS * (2 * rows**2 * columns + rows**3)
    return total


def rate(work: Callable[[], Any], amount: float, threads: int) -> float:
    """How much of ``amount`` a second, on so many threads at once: the best of twenty."""
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(20):
            started = time.perf_counter()
            for running in [pool.submit(work) for _ in range(threads)]:
                running.result()
            best = max(best, threads * amount / (time.perf_counter() - started))
    return best


def floor(files: dict[str, bytes], threads: int, seconds: float) -> dict[str, Any]:
    """The floor, what it is made of, and how far above it a training of so many ``seconds`` is."""
    torch.set_num_threads(1)
    dtype, network, side = best_dtype(), fast(), 1024
    matrix = torch.randn(side, side).to(dtype)
    peak = rate(lambda: matrix @ matrix, side**3, threads)
    large = torch.empty(2**24, dtype=torch.uint8)
    bandwidth = rate(lambda: large.clone(), 2.0 * large.numel(), threads)
    started = time.perf_counter()
    zlib.decompress(files[IMAGES], wbits=31)
    unpacking = time.perf_counter() - started
    steps = count_steps(TRAIN_IMAGES, RECIPE.batch_size)
    each, values = per_image(network)
    multiply_adds = steps * (RECIPE.batch_size * each + of_updates(network))
    moved = steps * RECIPE.batch_size * values * TOUCHES * dtype.itemsize
    arithmetic = multiply_adds / peak + unpacking / threads
    lowest = max(arithmetic, moved / bandwidth)
    return {
        "multiply_adds_per_image": each,
        "multiply_adds_per_update": of_updates(network),
        "multiply_adds": multiply_adds,
        "multiply_adds_per_second": peak,
        "unpacking_core_seconds": unpacking,
        "arithmetic_and_unpacking_seconds": arithmetic,
        "bytes_moved": moved,
        "bytes_per_second": bandwidth,
        "moving_seconds": moved / bandwidth,
        "seconds": lowest,
        "times_above": seconds / lowest,
    }
