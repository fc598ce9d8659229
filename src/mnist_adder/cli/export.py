"""``mnist-adder export``: write a run as ONNX, or as a model repository for Triton."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mnist_adder.cli.app import DataDir, RunFolder, app
from mnist_adder.errors import MnistAdderError

if TYPE_CHECKING:
    from mnist_adder.runs import Run


@app.command(epilog="Example: mnist-adder export default --to triton --out models")
def export(
    run: RunFolder,
    to: Annotated[
        Literal["onnx", "triton"],
        typer.Option(help="onnx: one file; triton: a model repository with its config."),
    ] = "onnx",
    int8: Annotated[
        bool, typer.Option("--int8", help="With 8-bit multiplications, calibrated on training images.")
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
    """Write a run as ONNX, after checking that it answers as PyTorch does.

    Inputs: image float32 (N, 1, 28, 28) in [0, 1], number int64 (N,). Outputs: digit, sum,
    digit_probabilities (N, 10), sum_probabilities (N, 19), and is_digit_probability (N,) if the run was
    taught to tell digits from other characters.
    """
    from mnist_adder.inference import write_repository
    from mnist_adder.pretrained import folder_of, is_packaged
    from mnist_adder.runs import load_run

    opened = load_run(folder_of(run))
    name = opened.folder.resolve().name
    if to == "onnx":
        file = "model.int8.onnx" if int8 else "model.onnx"
        if out is None:
            out = Path(file.replace("model", name, 1)) if is_packaged(opened.folder) else opened.folder / file
        if not out.parent.is_dir():
            raise MnistAdderError(f"There is no folder {out.parent}. Make it, or name another with --out.")
        _write(opened, out, int8=int8, data_dir=data_dir)
        print(f"Model: {out}, {out.stat().st_size:,} bytes")
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        _write(opened, path, int8=int8, data_dir=data_dir)
        model = write_repository(path.read_bytes(), name, out or Path("model-repository"))
    print(f"Model folder: {model}")
    print(f"Next:         tritonserver --model-repository {model.parent.resolve()}")


def _write(run: Run, path: Path, *, int8: bool, data_dir: Path | None) -> None:
    """Write the ONNX file of a run."""
    from mnist_adder.inference import export_int8, export_run

    if not int8:
        export_run(run, path)
        return
    from mnist_adder.data.dataset import MNISTAdder
    from mnist_adder.inference.int8 import CALIBRATION_IMAGES

    if not (run.folder / "model.onnx").exists():
        export_run(run)
    dataset: Literal["mnist", "digits"] = "digits" if run.config.dataset == "digits" else "mnist"
    pairs = MNISTAdder(data_dir, split="train", dataset=dataset)
    images = pairs.images[:CALIBRATION_IMAGES, 0].float() / 255
    export_int8(run, images.numpy(), path)
