"""``mnist-adder models``."""

from __future__ import annotations

import json

from tests.cli.conftest import RunCLI

from mnist_adder import models


def test_models_lists_all_of_them(run_cli: RunCLI) -> None:
    code, out, _ = run_cli("models")
    assert code == 0
    for name in models.names():
        assert name in out
    assert "exact-sum --preset tiny: 99.4 % with fewer than 10,000 parameters" in out
    rows = json.loads(run_cli("models", "--json")[1])["models"]
    assert {row["name"]: row["parameters"] for row in rows}["binary-sum"] == 6_772_272
