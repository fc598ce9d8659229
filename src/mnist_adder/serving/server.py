"""Running the service: processes, signals, log lines.

A run and an address come in; uvicorn serves until it is told to end. SIGTERM and SIGINT stop it from taking
anything new, and what is in flight is finished first.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from mnist_adder.errors import AddressError
from mnist_adder.serving import logs
from mnist_adder.serving.answers import load_models
from mnist_adder.serving.app import RUN_VARIABLE
from mnist_adder.serving.connections import Connection, allow_files
from mnist_adder.serving.metrics import FOLDER_VARIABLE

GRACE_SECONDS = 30
"""For what is in flight, once the service is told to end."""
ACCEPTED_AT_ONCE = 16
"""New connections that are taken in each turn of the loop: one for each time it listens to the same socket.
With one alone, many that come at once, while others are answered, would wait for seconds."""
WAITING = 2048
"""Connections that wait to be taken, at most; more are refused by the system."""
SILENT_SECONDS = 10
"""A worker that does not say for so long that it lives, as when it hangs, is replaced."""


def serve(
    run: Path | None,
    *,
    host: str,
    port: int,
    workers: int,
    log_level: str,
    notify: Callable[[str], None],
) -> None:
    """Serve until a signal.

    Args:
        run: a run folder that answers first; None: the weights that come with the package.
        host: where to listen.
        port: 0 is any that is free.
        workers: processes that answer.
        log_level: as in ``logging``.
        notify: takes a sentence for the user, which names the address, once it is listened on.

    Raises:
        RunError: there is no such run, or it has no model.onnx.
        AddressError: the address is taken or does not exist, or the host is empty.
    """
    load_models(run)  # what is wrong is said here, before any process is started
    allow_files()  # before there are other processes: they inherit it
    listening = _listen(host, port)
    address = f"[{host}]" if ":" in host else host
    notify(f"mnist-adder serves on http://{address}:{listening[0].getsockname()[1]} - stop it with Ctrl-C")
    if run is not None:
        os.environ[RUN_VARIABLE] = str(run.resolve())
    shared = tempfile.mkdtemp(prefix="mnist-adder-metrics-") if workers > 1 else None
    if shared:
        os.environ[FOLDER_VARIABLE] = shared
    try:
        config = uvicorn.Config(
            "mnist_adder.serving.app:from_environment",
            factory=True,
            http=Connection,
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
        if workers > 1:
            Multiprocess(config, sockets=listening).run()
        else:
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run(sockets=listening)
    finally:
        if shared:
            shutil.rmtree(shared, ignore_errors=True)


def _listen(host: str, port: int) -> list[socket.socket]:
    """The socket of an address, as often as it is listened to; who asks before all is ready waits."""
    if not host:
        raise AddressError(
            "The host is empty, which means every address. Write --host 0.0.0.0 if that is meant."
        )
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(WAITING)
    except (OSError, TypeError) as error:  # the latter: no name can be written so
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "no name is written so"
        raise AddressError(
            f"{host}:{port} cannot be used: {reason}. Name another --port or --host."
        ) from None
    return [listener, *(listener.dup() for _ in range(ACCEPTED_AT_ONCE - 1))]
