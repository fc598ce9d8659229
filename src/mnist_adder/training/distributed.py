"""The processes that train together: who started them, which of them is this one, and what they share.

The environment variables of torchrun, of SLURM's srun or of Lightning's own launcher come in; the launcher,
as Lightning's Trainer takes it, goes out. Next: ``fit``, where the first process writes for all of them.
"""

from __future__ import annotations

import os

from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from mnist_adder.errors import RunError


def launcher() -> ClusterEnvironment:
    """What started this process: torchrun, also within a SLURM job, else srun, else the user.

    What the user starts is the first process of a node, which starts the others of its node.

    Raises:
        RunError: SLURM was not told how many tasks a node has.
    """
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    try:
        # without a number it is a shell within a job, not one of srun's tasks
        if SLURMEnvironment.detect() and "SLURM_PROCID" in os.environ:
            return SLURMEnvironment(auto_requeue=False)  # a run carries on by ``train --resume`` alone
    except RuntimeError as error:
        raise RunError(f"These SLURM settings cannot be used: {error}") from None
    return LightningEnvironment()


def is_rank_zero() -> bool:
    """Whether this is the one that writes and prints, of the processes that train together.

    Raises:
        RunError: as :func:`launcher`.
    """
    started_by = launcher()
    if isinstance(started_by, LightningEnvironment):  # knows no global rank before there is a Trainer
        return started_by.node_rank() == 0 and started_by.local_rank() == 0
    return started_by.global_rank() == 0


def check_processes(devices: int, nodes: int, batch_size: int) -> None:
    """Refuse ``devices`` processes on each of ``nodes`` machines that cannot train together.

    Args:
        devices: processes of a node, one a device.
        nodes: machines.
        batch_size: images a step, over all processes.

    Raises:
        RunError: they cannot share a batch evenly, other processes were started, or none on other nodes.
    """
    if devices < 1 or nodes < 1:
        raise RunError(f"{devices} devices on {nodes} nodes: there must be at least one of each.")
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
