"""What the encoder runs in: the quicker of float32 and bfloat16, or what the user says."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from typing import get_args

import pytest

from mnist_adder import environment
from mnist_adder.data.images import load_images
from mnist_adder.environment import Precision
from mnist_adder.reproduce import train_command
from mnist_adder.runs import Run
from mnist_adder.training.config import TrainConfig

SHOW = """
import torch
from mnist_adder import environment
print(environment.best_precision(torch.device("cpu")))
"""


@pytest.mark.parametrize("precision", get_args(Precision))
def test_a_named_precision_is_what_the_run_uses(precision: Precision) -> None:
    config = TrainConfig(precision=precision).to_run_config(load_images("digits"))
    assert config.precision == precision


def test_without_a_name_it_is_the_quicker_one() -> None:
    best = environment.best_precision(environment.best_device())
    assert TrainConfig().to_run_config(load_images("digits")).precision == best


@pytest.mark.parametrize("limit", [{"ONEDNN_MAX_CPU_ISA": "AVX2"}, {"ATEN_CPU_CAPABILITY": "avx2"}])
def test_bfloat16_is_not_emulated(limit: dict[str, str]) -> None:
    command = [sys.executable, "-c", SHOW]
    done = subprocess.run(command, env=os.environ | limit, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "32-true"


def test_the_command_that_repeats_a_run_names_a_precision_that_was_chosen(trained_run: Run) -> None:
    best = environment.best_precision(environment.best_device())
    (other,) = set(get_args(Precision)) - {best}
    usual, chosen = (dataclasses.replace(trained_run.config, precision=each) for each in (best, other))
    assert "--precision" not in train_command(usual)
    assert f"--precision {other}" in train_command(chosen)
