"""What docs/serving.md shows is what the service does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

from mnist_adder.serving.limits import Limits

if TYPE_CHECKING:
    from tests.serving.conftest import Service

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.S)


def test_its_curl_commands_are_answered(service: Service) -> None:
    commands = [block for block in blocks("sh") if block.startswith("curl")]
    assert len(commands) == 2
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    for command in commands:
        here = command.replace("127.0.0.1:8000", f"127.0.0.1:{service.port}")
        done = subprocess.run(["bash", "-c", here], cwd=ROOT, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["sum"] == 12


def test_its_python_is_answered(service: Service) -> None:
    images = np.zeros((3, 1, 28, 28), np.float32)
    images[:, :, 4:24, 13:16] = 1
    names: dict[str, Any] = {"httpx": httpx, "images": images, "numbers": np.arange(3)}
    names["pixels"] = (255 * images[0, 0]).astype(int)
    values = []
    for block in blocks("python"):
        here = block.strip().replace("127.0.0.1:8000", f"127.0.0.1:{service.port}")
        *statements, last = here.splitlines()
        exec("\n".join(statements), names)
        values.append(eval(last, names))
    names["client"].close()
    assert values[0] == 8
    assert values[1].tolist() == [1, 2, 3]


def test_its_paths_and_limits_are_the_services(client: httpx.Client) -> None:
    for path in set(re.findall(r"`(?:GET )?(/[\w/.]+)`", PAGE)) - {"/predict"}:
        if "..." in path:
            continue
        assert client.get(path.replace("NAME", "default")).status_code == 200, path
    limits = Limits()
    rows = dict(re.findall(r"^\| (4\d\d|503) \| (.*) \|$", PAGE, flags=re.M))
    assert f"{limits.body_seconds:g} seconds" in rows["408"]
    assert f"{limits.body_bytes / 1e6:g} MB" in rows["413"]
    assert f"{limits.pairs} pairs" in rows["413"]
    assert f"{limits.in_flight} requests" in rows["503"]
    assert f"{limits.held_bytes / 1e6:g} MB" in rows["503"]
