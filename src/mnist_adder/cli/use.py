"""The commands that put a run to use elsewhere: export, serve."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mnist_adder.cli.app import DataDir, app
from mnist_adder.errors import MnistAdderError

if TYPE_CHECKING:
    from mnist_adder.runs import Run


@app.command(epilog="Example: mnist-adder export default --to triton --out models")
def export(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|PRETRAINED",
            help="A run folder, or the name of weights that come with the package.",
            show_default=False,
        ),
    ],
    to: Annotated[
        Literal["onnx", "triton"],
        typer.Option(help="onnx: one file; triton: a model repository with its config."),
    ] = "onnx",
    int8: Annotated[
        bool, typer.Option("--int8", help="With 8-bit multiplications; reads training images.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The file, or the repository's folder. Default: model.onnx in the run folder, "
            "NAME.onnx for weights of the package; model-repository.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write a run as ONNX, once its answers are found to be those of torch.

    Inputs: image float32 (N, 1, 28, 28) in [0, 1], number int64 (N,). Outputs: digit, sum,
    digit_probabilities (N, 10), sum_probabilities (N, 19).
    """
    from mnist_adder.inference import write_repository
    from mnist_adder.pretrained import folder_of
    from mnist_adder.runs import load_run

    folder = folder_of(run)
    opened, shipped = load_run(folder), folder != Path(run)
    name = folder.resolve().name
    if to == "onnx":
        file = "model.int8.onnx" if int8 else "model.onnx"
        if out is None:
            out = Path(file.replace("model", name, 1)) if shipped else opened.folder / file
        if not out.parent.is_dir():
            raise MnistAdderError(f"There is no folder {out.parent}. Make it, or name another with --out.")
        _write(opened, out, int8=int8, data_dir=data_dir)
        print(f"The model is {out}, {out.stat().st_size:,} bytes")
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        _write(opened, path, int8=int8, data_dir=data_dir)
        model = write_repository(path.read_bytes(), name, out or Path("model-repository"))
    print(f"The model lies in {model}")
    print(f"Next:  tritonserver --model-repository {model.parent.resolve()}")


def _write(run: Run, path: Path, *, int8: bool, data_dir: Path | None) -> None:
    """Write the one file."""
    from mnist_adder.inference import export_int8, export_run

    if not int8:
        export_run(run, path)
        return
    from mnist_adder.data import MNISTAdder
    from mnist_adder.inference.int8 import CALIBRATION_IMAGES

    if not (run.folder / "model.onnx").exists():
        export_run(run)
    pairs = MNISTAdder(data_dir, split="train", dataset=run.config.dataset)
    images = pairs.images[:CALIBRATION_IMAGES, 0].float() / 255
    export_int8(run, images.numpy(), path)


@app.command(epilog="Example: mnist-adder serve --run runs/exact-sum --port 8000")
def serve(
    run: Annotated[
        Path | None,
        typer.Option(
            help="A run folder that answers first. Default: the weights that come with us.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="0.0.0.0 lets other machines ask: there are no passwords.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 1,
    log_level: Annotated[
        Literal["info", "warning", "error"], typer.Option(help="info: a line for each request.")
    ] = "info",
) -> None:
    """Answer over HTTP: a page for the browser, JSON, forms, and the Open Inference Protocol.

    What it understands is described at /docs. SIGTERM and Ctrl-C finish what is in flight.
    """
    from mnist_adder.serving.server import serve as serve_http

    serve_http(
        run,
        host=host,
        port=port,
        workers=workers,
        log_level=log_level,
        notify=lambda sentence: print(sentence, file=sys.stderr, flush=True),
    )
