"""Several processes train as one does: the same images, figures counted once, one run folder.

They are real, two on this machine's processor, started by torchrun as if they were two machines, by
Lightning's own launcher, and with the variables that SLURM's srun sets.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from mnist_adder.errors import RunError
from mnist_adder.runs import Run, load_run
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.distributed import check_processes, is_rank_zero
from mnist_adder.training.lit_module import AdderModule
from mnist_adder.training.train import train
from mnist_adder.types import Batch

UNCHANGED = {"rotation_degrees": 0, "translation_pixels": 0, "scale": 0, "shear_degrees": 0}  # the images
SETTINGS: dict[str, str | float] = {"epochs": 2, "batch_size": 64, "weight_averaging": "none", **UNCHANGED}
IMAGES_AN_EPOCH = 20 * 64  # of 1,297: full batches only
Alone = tuple[Run, list[dict[str, Any]]]

# What each process runs, as a user's own script would: train, then write down what it was given.
SCRIPT = """
import sys
from pathlib import Path
from tests.training.test_distributed import train_and_watch

train_and_watch(Path(sys.argv[1]), devices=int(sys.argv[2]), nodes=int(sys.argv[3]))
"""


class Watch(L.Callback):
    """Keeps each step's pairs as [sum of the pixels, digit, number], and how many it got right, by epoch."""

    def __init__(self) -> None:
        self.epochs: list[list[list[list[float]]]] = []
        self.right: list[float] = []

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if batch_idx == 0:
            self.epochs.append([])
        ink = batch.images.double().flatten(1).sum(1)
        self.epochs[-1].append(torch.stack([ink, batch.digits, batch.numbers], 1).tolist())

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, AdderModule)
        if trainer.is_last_batch:
            assert pl_module.totals is not None
            self.right.append(pl_module.totals[-1].item())


def train_and_watch(folder: Path, *, devices: int, nodes: int) -> None:
    """Train in ``folder/runs``, in a folder of the default name; write ``folder/PID.json``."""
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    watch = Watch()
    run = train(
        TrainConfig(recipe=SETTINGS, dataset="digits", devices=devices, nodes=nodes),
        callbacks=lambda: [watch],
    )
    seen = {"first": is_rank_zero(), "run": str(run.folder), "epochs": watch.epochs}
    seen["right"] = watch.right
    (folder / f"{os.getpid()}.json").write_text(json.dumps(seen))


def environment(**variables: str | int) -> dict[str, str]:
    """This process's, where the tests can be imported, with more variables."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **{name: str(value) for name, value in variables.items()}}


def run_together(*commands: tuple[list[str], dict[str, str]]) -> list[tuple[int, str, str]]:
    """Start all at once and wait for them: exit code, standard output and standard error of each."""
    started = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command, env in commands
    ]
    try:
        outputs = [process.communicate(timeout=120) for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, *texts) for process, texts in zip(started, outputs, strict=True)]


def free_port() -> int:
    """A port that nobody uses, below those that clients get: other tests connect by thousands."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def torchrun(nodes: int, node: int, processes: int, port: int, *words: str) -> list[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nnodes", str(nodes)]
    launcher += ["--node-rank", str(node), "--nproc-per-node", str(processes)]
    return [*launcher, "--master-addr", "127.0.0.1", "--master-port", str(port), *words]


def slurm(process: int, port: int, processes: int = 2) -> dict[str, str]:
    """What srun tells a task of a job with so many tasks on one node."""
    return environment(
        SLURM_JOB_ID=1,
        SLURM_JOB_NAME="train",
        SLURM_NTASKS=processes,
        SLURM_NTASKS_PER_NODE=processes,
        SLURM_NNODES=1,
        SLURM_NODEID=0,
        SLURM_PROCID=process,
        SLURM_LOCALID=process,
        SLURM_NODELIST="127.0.0.1",
        MASTER_PORT=port,
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """One process's run, and what it was given."""
    folder, before = tmp_path_factory.mktemp("alone"), Path.cwd()
    try:
        train_and_watch(folder, devices=1, nodes=1)
    finally:
        os.chdir(before)
    return what_came(folder)


def what_came(folder: Path) -> Alone:
    """The one run of ``train_and_watch``, and what each process wrote down."""
    (run_folder,) = (folder / "runs").iterdir()
    seen = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    assert {entry["run"] for entry in seen} == {f"runs/{run_folder.name}"}
    return load_run(run_folder), seen


def check_as_with_one(folder: Path, alone: Alone) -> Run:
    run, seen = what_came(folder)
    expected, (single,) = alone
    assert sorted(entry["first"] for entry in seen) == [False, True]
    for epoch, row in enumerate(run.metrics):
        steps = [entry["epochs"][epoch] for entry in seen]
        assert sum(len(pairs) for step in steps for pairs in step) == IMAGES_AN_EPOCH
        # Step by step the two have the pairs of one process between them, half each.
        for one, other, whole in zip(*steps, single["epochs"][epoch], strict=True):
            assert len(one) == len(other) == 32
            assert sorted(one + other) == sorted(whole)
        right = sum(entry["right"][epoch] for entry in seen)
        assert row["train_joint_accuracy"] == pytest.approx(right / IMAGES_AN_EPOCH, abs=1e-6)
    check_figures(run, expected)
    return run


def check_figures(run: Run, expected: Run) -> None:
    assert len(run.metrics) == len(expected.metrics) == 2
    for part in ("train", "validation"):  # batch normalisation and rounding differ
        accuracies = (r.metrics[-1][f"{part}_joint_accuracy"] for r in (run, expected))
        assert next(accuracies) == pytest.approx(next(accuracies), abs=0.03)
    assert run.results["pairs"] == expected.results["pairs"] == 3_600
    assert expected.results["joint_accuracy"] > 0.9
    assert run.results["joint_accuracy"] == pytest.approx(expected.results["joint_accuracy"], abs=0.03)


def test_two_nodes_started_by_torchrun(tmp_path: Path, alone: Alone) -> None:
    script, folder, port = tmp_path / "script.py", tmp_path / "out", free_port()
    script.write_text(SCRIPT)
    words = str(script), str(folder), "1", "2"
    done = run_together(*((torchrun(2, node, 1, port, *words), environment()) for node in range(2)))
    assert [code for code, _, _ in done] == [0, 0], done
    run = check_as_with_one(folder, alone)
    assert (run.config.devices, run.config.nodes) == (1, 2)


def test_two_processes_started_by_lightning_train_one_run_and_one_speaks(
    tmp_path: Path, alone: Alone
) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "mnist_adder", "train", "--dataset", "digits", "--devices", "2"]
    command += [f"--set={name}={value}" for name, value in SETTINGS.items()]
    ((code, out, err),) = run_together(([*command, "--run-dir", str(folder)], environment()))
    assert code == 0, err
    assert out.count("Run folder:") == 1
    run = load_run(folder)
    assert (run.config.devices, run.config.nodes) == (2, 1)
    check_figures(run, alone[0])


def test_two_tasks_started_by_slurm_write_one_run_and_one_speaks(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mnist_adder", "train", "--dataset", "digits", "--epochs", "1"]
    command += ["--devices", "2", "--run-dir", str(tmp_path / "run")]
    port = free_port()
    (code, out, err), (other_code, other_out, other_err) = run_together(
        *((command, slurm(task, port)) for task in range(2))
    )
    assert (code, other_code) == (0, 0), err + other_err
    assert "Run folder:" in out
    assert "1/1" in err
    assert "sync_dist" not in err
    assert other_out == ""
    assert "1/1" not in other_err
    assert load_run(tmp_path / "run").results["pairs"] == 3_600


@pytest.mark.parametrize(
    ("variables", "first"),
    [
        ({}, True),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, True),  # Lightning's own, and the user's, one a node
        ({"LOCAL_RANK": "1", "NODE_RANK": "0"}, False),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, False),
        ({"TORCHELASTIC_RUN_ID": "a", "RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0"}, True),
        ({"TORCHELASTIC_RUN_ID": "a", "RANK": "2", "LOCAL_RANK": "0", "GROUP_RANK": "1"}, False),
        ({"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1", "SLURM_PROCID": "0"}, True),
        ({"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1", "SLURM_PROCID": "1"}, False),
        ({"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "interactive", "SLURM_PROCID": "1"}, True),  # no srun
        ({"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2"}, True),  # the same, by another name
    ],
)
def test_one_process_of_all_is_the_first(
    variables: dict[str, str], first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_rank_zero() == first


@pytest.mark.parametrize(
    ("variables", "devices", "nodes", "message"),
    [
        ({}, 3, 1, "3 devices cannot share batches of 64 evenly"),
        ({"MASTER_ADDR": "node0"}, 2, 3, "6 devices cannot share batches of 64 evenly"),
        ({}, 1, 2, "Nothing has started processes on 2 nodes: use torchrun"),
        (
            {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "4"},
            1,
            1,
            "--devices 1 --nodes 1 is not what was started",
        ),
        (
            {"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_NTASKS_PER_NODE": "4", "SLURM_NNODES": "1"},
            2,
            1,
            "--devices 2 --nodes 1 is not what was started",
        ),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, 2, 2, "Use `--ntasks-per-node=4`"),
    ],
)
def test_processes_that_cannot_train_together_are_refused(
    variables: dict[str, str], devices: int, nodes: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RunError, match=message):
        check_processes(devices, nodes, 64)
