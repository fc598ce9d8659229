"""Running the service: an address, processes, log lines.

uvicorn serves until SIGTERM or SIGINT; then nothing new is taken, and what is in flight is finished first.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from mnist_adder.inference import Predictor
from mnist_adder.serving import hardening, logs, pages
from mnist_adder.serving.limits import Limits
from mnist_adder.serving.metrics import FOLDER_VARIABLE

if TYPE_CHECKING:
    from starlette.types import ASGIApp

GRACE_SECONDS = 30
"""For what is in flight, once the service is told to end."""
SILENT_SECONDS = 10
"""A worker that does not say for so long that it is alive, as when it hangs, is replaced."""


def serve(
    run: Path | None,
    *,
    host: str,
    port: int,
    workers: int,
    log_level: str,
    notify: Callable[[str], None],
    root_path: str = "",
    allow_origins: Collection[str] = (),
    limits: Limits | None = None,
) -> None:
    """Serve until a signal.

    Args:
        run: a run folder that answers first; None: the weights that come with the package.
        host: where to listen.
        port: 0 is any that is free.
        workers: processes that answer.
        log_level: as in ``logging``.
        notify: takes a sentence for the user, which names the address, once it is listened on.
        root_path: see :func:`~mnist_adder.serving.app.create_app`, as for the two that follow.
        allow_origins: whose pages may call the service from a browser.
        limits: how much each process takes on.

    Raises:
        RunError: there is no such run, or it has no model.onnx.
        AddressError: the address is taken or does not exist, the host is empty, or the root path is none.
    """
    Predictor(run)  # what is wrong is said here, before any process is started
    pages.check_root_path(root_path)
    limits = limits or Limits()
    hardening.raise_file_limit(limits)  # before there are other processes: they inherit it
    sockets = hardening.listen(host, port)
    address = f"[{host}]" if ":" in host else host
    notify(f"mnist-adder serves on http://{address}:{sockets[0].getsockname()[1]} - stop it with Ctrl-C")
    shared = tempfile.mkdtemp(prefix="mnist-adder-metrics-") if workers > 1 else None
    if shared:
        os.environ[FOLDER_VARIABLE] = shared
    try:
        config = uvicorn.Config(
            functools.partial(_create_app, run, limits, root_path, allow_origins),
            factory=True,
            http=functools.partial(hardening.Connection, limits=limits),  # type: ignore[arg-type]
            ws="none",
            proxy_headers=False,  # nothing here asks where a request comes from
            workers=workers,
            log_config=logs.configuration(log_level),
            access_log=False,  # our own has the time taken
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_worker_healthcheck=SILENT_SECONDS,
        )
        hardening.run(config, sockets)
    finally:
        if shared:
            shutil.rmtree(shared, ignore_errors=True)


def _create_app(run: Path | None, limits: Limits, root_path: str, allow_origins: Collection[str]) -> ASGIApp:
    from mnist_adder.serving.app import create_app  # here: a new worker says that it is alive before

    return create_app(run, limits, root_path=root_path, allow_origins=allow_origins)
