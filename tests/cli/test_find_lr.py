"""``mnist-adder find-lr``."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image
from tests.cli.conftest import RunCLI


def test_find_lr_suggests_a_rate_and_keeps_the_curve(run_cli: RunCLI, tmp_path: Path) -> None:
    code, out, _ = run_cli("find-lr", "exact-sum", "--dataset", "digits", "--out", str(tmp_path / "lr"))
    assert code == 0
    rate = out.splitlines()[0].rpartition(" ")[2]
    assert f"train exact-sum --set learning_rate={rate}" in out
    with (tmp_path / "lr" / "exact-sum.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["learning_rate", "loss", "smoothed_loss"]
    assert rows[0]["loss"] == rows[0]["smoothed_loss"]  # the first
    assert float(rows[0]["learning_rate"]) < float(rate) < float(rows[-1]["learning_rate"])
    with Image.open(tmp_path / "lr" / "exact-sum.png") as picture:
        assert picture.width > 800
