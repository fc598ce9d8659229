"""Several processes that train one run: who started them, and which of them writes and prints."""

from __future__ import annotations

import os

from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from mnist_adder.errors import RunError


def launcher() -> ClusterEnvironment:
    """What started this process: torchrun (within a SLURM job, too), else srun, else the user.

    A process that the user started is the first of its node, and starts the others of that node.
    """
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    try:
        # without a process id it is a shell within a job, not one of srun's tasks
        if SLURMEnvironment.detect() and "SLURM_PROCID" in os.environ:
            return SLURMEnvironment(auto_requeue=False)  # only ``train --resume`` resumes a run
    except RuntimeError as error:  # it was not told how many tasks a node has
        raise RunError(f"These SLURM settings cannot be used: {error}") from None
    return LightningEnvironment()


def is_rank_zero() -> bool:
    """Whether this process writes and prints for all that train together."""
    started_by = launcher()
    if isinstance(started_by, LightningEnvironment):  # knows no global rank before there is a Trainer
        return started_by.node_rank() == 0 and started_by.local_rank() == 0
    return started_by.global_rank() == 0


def check_processes(devices: int, nodes: int, batch_size: int) -> None:
    """Raise RunError if ``devices`` processes on each of ``nodes`` machines cannot share batches.

    Or if other processes were started than these, or none on the other nodes.
    """
    processes = devices * nodes
    if batch_size % processes:
        raise RunError(f"{processes} devices cannot share batches of {batch_size} evenly.")
    started_by = launcher()
    if nodes > 1 and isinstance(started_by, LightningEnvironment) and "MASTER_ADDR" not in os.environ:
        raise RunError(f"Nothing has started processes on {nodes} nodes: use torchrun, or srun within SLURM.")
    try:
        started_by.validate_settings(num_devices=devices, num_nodes=nodes)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise RunError(f"--devices {devices} --nodes {nodes} is not what was started: {reason}") from None
