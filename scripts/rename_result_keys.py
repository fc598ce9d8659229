"""Rename the keys of published results and of the packaged weights' files; no value changes.

Run once, from the repository's root: python scripts/rename_result_keys.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
from safetensors.torch import load, save

from mnist_adder.inference.session import append_checksum, check_checksum
from mnist_adder.safe_io import write_bytes, write_json

KEYS = {
    "design": "model",
    "designs": "models",
    "members": "ensemble_size",
    "kept_epoch": "best_epoch",
    "contradiction": "inconsistency",
    "contradiction_mean": "inconsistency_mean",
    "contradiction_std": "inconsistency_std",
    "contradiction_by_number": "inconsistency_by_number",
    "average": "weight_averaging",
    "average_decay": "ema_decay",
    "average_start": "swa_start",
    "warmup": "warmup_fraction",
    "warp_pixels": "elastic_sigma",
    "stroke_pixels": "stroke_jitter",
}


def renamed(value: Any) -> Any:
    """The same JSON value with its keys renamed, at every depth."""
    if isinstance(value, dict):
        return {KEYS.get(key, key): renamed(item) for key, item in value.items()}
    return [renamed(item) for item in value] if isinstance(value, list) else value


def main() -> None:
    """Rename in results/, in config.json and results.json, and in the weights' own metadata."""
    pretrained = Path("src/mnist_adder/pretrained")
    for path in [*Path("results").rglob("*.json"), *pretrained.glob("*/*.json")]:
        before = json.loads(path.read_text())
        if (after := renamed(before)) != before:
            write_json(path, after)
    for path in pretrained.glob("*/model.safetensors"):
        name = json.loads((path.parent / "config.json").read_text())["model"]
        write_bytes(path, save(load(path.read_bytes()), {"model": name}))
    for path in pretrained.glob("*/model.onnx"):
        check_checksum(path.read_bytes(), str(path))
        model = onnx.load(path)
        about = {entry.key: entry.value for entry in model.metadata_props if entry.key != "sha256"}
        about["results"] = json.dumps(renamed(json.loads(about["results"])))
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, {KEYS.get(key, key): value for key, value in about.items()})
        write_bytes(path, append_checksum(model.SerializeToString(deterministic=True)))


if __name__ == "__main__":
    main()
