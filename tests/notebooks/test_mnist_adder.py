"""The notebook runs from top to bottom in a kernel of its own, and is stored with what it then shows."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "mnist_adder.ipynb"


def printed(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


@pytest.mark.mnist
def test_it_runs_and_what_it_shows_is_true(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=170, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = printed(notebook)
    assert "mnist: 55,000 pairs to train on, 10,000 test images" in said
    both = re.search(r"both right +([\d.]+) % +([\d.]+) %", said)
    assert both
    assert min(map(float, both.groups())) > 98.5
    inconsistency = re.search(r"sum contradicts digit +([\d.]+) % +([\d.]+) %", said)
    assert inconsistency
    assert float(inconsistency[1]) == 0
    pictures = dict(re.findall(r"([\w-]+): ([\d.]+)% of 10,000 sums of two pictures are right", said))
    assert float(pictures["exact-sum"]) > 97
    doubt = dict(re.findall(r"([\w-]+): ([\d.]+) of the probability is on wrong sums", said))
    assert float(doubt["exact-sum"]) == 0
    assert float(doubt["learned-sum"]) > 0.05
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert len([output for output in outputs if "image/png" in output.get("data", {})]) == 4
    assert not [output for output in outputs if output.get("name") == "stderr"]


def test_it_is_stored_with_its_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert "mnist: 55,000 pairs to train on, 10,000 test images" in printed(notebook)
    outputs = [output for cell in cells for output in cell.outputs]
    assert len([output for output in outputs if "image/png" in output.get("data", {})]) == 4
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert not re.search(r"/(?:home|root|tmp|work|Users|mnt|var)/|[A-Z]:\\", printed(notebook))
    assert NOTEBOOK.stat().st_size < 1e6


def test_it_uses_the_public_api_alone() -> None:
    import mnist_adder

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    (names,) = re.findall(r"from mnist_adder import (.*)", code)
    assert set(names.split(", ")) <= set(mnist_adder.__all__)
    others = set(re.findall(r"from (mnist_adder\.\w+) import", code))
    assert others <= {"mnist_adder.training"}
