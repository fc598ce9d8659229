"""TensorBoard's event file, written as the training goes, by the thread that trains.

Figures of an epoch come in; TensorBoard reads the file. Next: ``callbacks``. TensorBoard's own writer has a
thread of its own, which prints a traceback where a disk is full.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[import-untyped]
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]


class EventFile:
    """A new event file in a folder; points later than epoch ``after``, of a stopped run, disappear.

    Raises:
        OSError: here and in the methods: the folder cannot be written to.
    """

    def __init__(self, folder: Path, *, after: int) -> None:
        folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns() // 10**9}.{socket.gethostname()}.{os.getpid()}"
        self._path = folder / name
        self._write(Event(file_version="brain.Event:2"))
        if after:
            self._write(Event(step=after + 1, session_log=SessionLog(status=SessionLog.START)))

    def add(self, figures: Mapping[str, float], epoch: int) -> None:
        """Append a point to each curve."""
        values = [Summary.Value(tag=_tag(name), simple_value=value) for name, value in figures.items()]
        self._write(Event(step=epoch, summary=Summary(value=values)))

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        with self._path.open("ab") as file:  # opened anew each time, so that none is left open by an error
            RecordWriter(file).write(event.SerializeToString())


def _tag(figure: str) -> str:
    """TensorBoard's name for a figure: train and validation stand side by side, ``sum_loss/train``."""
    part, _, rest = figure.partition("_")
    return f"{rest}/{part}" if part in ("train", "validation") else figure
