"""What the service counts, in Prometheus' text format.

With several processes each writes its own counts to a folder, and whichever is asked adds them up.
"""

from __future__ import annotations

import functools
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own: the folder that processes share."""
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads
        self._registry = CollectorRegistry()
        self._shared = FOLDER_VARIABLE in os.environ
        if not self._shared:
            ProcessCollector(registry=self._registry)  # memory, processor time, open files
        self._requests = Counter(
            "mnist_adder_requests",
            "Requests that were answered or refused.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "mnist_adder_request_seconds",
            "From a request's head to the end of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._answers = Counter(
            "mnist_adder_answers",
            "Pairs answered, by model and by the digit answered.",
            ["model", "digit"],
            registry=self._registry,
        )
        # Finding the counter of some labels takes longer than counting: 1 us, three times a request.
        self._requests_of = functools.cache(self._requests.labels)
        self._seconds_of = functools.cache(self._seconds.labels)
        self._answers_of = functools.cache(self._answers.labels)
        self.in_flight = Gauge(
            "mnist_adder_in_flight",
            "Requests that have come in and are not yet answered.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; ``route`` is the pattern of its path, never the path itself, which has no end."""
        self._requests_of(method, route, status).inc()
        self._seconds_of(route).observe(seconds)

    def count_answers(self, model: str, digits: Iterable[int]) -> None:
        """Count the digits that a model answered."""
        for digit in digits:
            self._answers_of(model, digit).inc()

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(_Processes() if self._shared else self._registry)


class _Processes(Collector):
    """What all processes have counted, those that ended among them."""

    def collect(self) -> Iterable[Metric]:
        """The sums."""
        files = []
        for path in Path(os.environ[FOLDER_VARIABLE]).glob("*.db"):
            if path.name.startswith("gauge_live") and not _is_running(int(path.stem.rpartition("_")[2])):
                path.unlink(missing_ok=True)  # what it had in flight is no longer
                continue
            with suppress(FileNotFoundError):  # another has just taken it away
                if path.stat().st_size:  # else it is just being made
                    files.append(str(path))
        return MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call, no-any-return]


def _is_running(process: int) -> bool:
    """Whether there is a process of this number; True where asking would end it."""
    if sys.platform != "win32":
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
    return True
