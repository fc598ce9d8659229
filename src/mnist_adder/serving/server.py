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
        port: 0 is any that is free; the log says which.
        workers: processes that answer.
        log_level: as in ``logging``.
        notify: takes a sentence for the user, once nothing speaks against serving.

    Raises:
        RunError: there is no such run, or it has no model.onnx.
        AddressError: the address is taken or does not exist.
    """
    load_models(run)  # what is wrong is said here, before any process is started
    _check_address(host, port)
    allow_files()  # before there are other processes: they inherit it
    if port:
        address = f"[{host}]" if ":" in host else host
        notify(f"mnist-adder serves on http://{address}:{port} - stop it with Ctrl-C")
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
            host=host,
            port=port,
            workers=workers,
            log_config=logs.configuration(log_level),
            access_log=False,  # our own has the time taken
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_worker_healthcheck=SILENT_SECONDS,
        )
        listening = [config.bind_socket()]
        listening[0].listen(config.backlog)  # who asks before all is ready waits instead of being refused
        listening += [listening[0].dup() for _ in range(ACCEPTED_AT_ONCE - 1)]
        if workers > 1:
            Multiprocess(config, sockets=listening).run()
        else:
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run(sockets=listening)
    finally:
        if shared:
            shutil.rmtree(shared, ignore_errors=True)


def _check_address(host: str, port: int) -> None:
    """See that the address can be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise AddressError(
            f"{host}:{port} cannot be used: {error.strerror}. Name another --port or --host."
        ) from None
