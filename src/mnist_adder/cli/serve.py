"""``mnist-adder serve``: answer over HTTP."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from mnist_adder.cli.app import WHICH_RUN, app


def _origins(values: list[str] | None) -> list[str]:
    """Origins as browsers write them."""
    for value in values or ():
        if value != "*" and not re.fullmatch(r"https?://[^\s/?#]+", value):
            raise typer.BadParameter(f"{value!r} is neither * nor an origin such as https://example.com.")
    return values or []


@app.command(epilog="Example: mnist-adder serve --run runs/exact-sum --port 8000")
def serve(
    run: Annotated[
        Path | None,
        typer.Option(
            help=f"Answers where a request names no model. {WHICH_RUN} Default: default.", show_default=False
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="0.0.0.0 lets other machines in; there are no passwords.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    root_path: Annotated[
        str,
        typer.Option(
            show_default=False,
            help="The path of the service behind a proxy, such as /digits; the proxy may remove it or not.",
        ),
    ] = "",
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            callback=_origins,
            metavar="ORIGIN",
            help="Pages of this origin, such as https://example.com, may call the service in a browser "
            "(CORS); * is any. May be repeated. Without it, none may.",
        ),
    ] = None,
    log_level: Annotated[
        Literal["info", "warning", "error"], typer.Option(help="info: a line for each request.")
    ] = "info",
) -> None:
    """Answer over HTTP: a page for the browser, JSON, forms, and the Open Inference Protocol.

    The API is described at /docs. SIGTERM and Ctrl-C finish the requests in flight, then stop.
    """
    from mnist_adder.pretrained import folder_of
    from mnist_adder.serving.server import serve as serve_http

    serve_http(
        None if run is None else folder_of(run),
        host=host,
        port=port,
        workers=workers,
        log_level=log_level,
        root_path=root_path,
        allow_origins=allow_origin or [],
        notify=lambda sentence: print(sentence, file=sys.stderr, flush=True),
    )
