"""The page: its numbers are those of the run's files, it needs nothing but itself, and it is safe to open."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_adder.errors import RunError
from mnist_adder.reports import report
from mnist_adder.reports.compose import make_page
from mnist_adder.reports.contents import Contents, load_contents
from mnist_adder.reports.report import render_html
from mnist_adder.runs import Run, load_run

FIGURES = {
    *("accuracy", "loss", "learning-rate", "samples", "mistakes", "digit-confusion", "sum-confusion"),
    *("accuracy-by-number", "reliability", "network"),
}


class Parsed(HTMLParser):
    """What a test wants to know of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []  # tag, name, value
        self.fields: dict[str, str] = {}  # of cells with data-field
        self.rows: list[list[str]] = []  # of all tables
        self.texts: dict[str, list[str]] = {}  # of each figure's <text>
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        self.ids += [values["id"]] if "id" in values else []
        self.attributes += [(tag, name, value) for name, value in values.items()]
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")
        if tag not in ("meta", "link"):
            self._open.append((tag, values))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag, f"{tag} is closed, but something within it is not"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not self._open:
            return
        tag, values = self._open[-1]
        if tag == "td":
            self.rows[-1][-1] += data
        if "data-field" in values:
            self.fields[values["data-field"]] = data
        if tag == "text":
            figure = next(within["id"] for name, within in reversed(self._open) if name == "figure")
            self.texts.setdefault(figure, []).append(data)


def number(text: str) -> float:
    return float(text.replace(",", "").replace("\u00a0%", "").lstrip(">"))


@pytest.fixture(scope="module")
def page(trained_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a copy of the run, made in its usual place."""
    folder = shutil.copytree(trained_run.folder, tmp_path_factory.mktemp("copy") / "run")
    path = report([load_run(folder)])
    assert path == folder / "report" / "report.html"
    return path


@pytest.fixture(scope="module")
def parsed(page: Path) -> Parsed:
    return Parsed(page.read_text())


def test_the_numbers_are_those_of_results_json(parsed: Parsed, trained_run: Run) -> None:
    results = trained_run.results
    assert len(parsed.fields) >= 16
    for field, text in parsed.fields.items():
        value = results[field]
        if text.endswith("%"):
            assert number(text) == pytest.approx(100 * value, abs=0.0051), field
        else:
            assert number(text) == pytest.approx(value, abs=0.051 if field == "train_seconds" else 1e-4), (
                field
            )


def test_the_first_sentence_says_what_was_reached(page: Path, trained_run: Run) -> None:
    results = trained_run.results
    found = re.search(r'<p class="lead">([^<]*)</p>', page.read_text())
    assert found is not None
    accuracy = f"{100 * results['joint_accuracy']:.2f}\u00a0%"
    assert found[1] == f"exact-sum answered {accuracy} of all 3,600 test pairs right, digit and sum both."


@pytest.mark.parametrize("what", ["digit", "sum"])
def test_the_confusion_on_the_page_is_that_of_results_json(
    parsed: Parsed, trained_run: Run, what: str
) -> None:
    counts = trained_run.results[f"{what}_confusion"]
    written = Counter(parsed.texts[f"{what}-confusion"])
    expected = Counter(
        f"{count:,}"
        for truth, row in enumerate(counts)
        for answer, count in enumerate(row)
        if count or truth == answer
    )
    labels = Counter(str(place) for place in range(len(counts)) for _ in "xy")
    assert written & (expected + labels) == expected + labels


def test_tables_have_every_epoch_number_and_layer(
    parsed: Parsed, trained_run: Run, contents: Contents
) -> None:
    for row in trained_run.metrics:
        cells = next(cells for cells in parsed.rows if len(cells) == 11 and cells[0] == f"{row['epoch']:.0f}")
        assert number(cells[8]) == pytest.approx(100 * row["validation_joint_accuracy"], abs=0.0051)
        assert number(cells[1]) == pytest.approx(row["train_loss"], abs=1e-4)
    (by_number,) = [cells for cells in parsed.rows if len(cells) == 11 and cells[0] == "both right"]
    accuracies = trained_run.results["joint_accuracy_by_number"]
    assert [number(cell) for cell in by_number[1:]] == pytest.approx(
        [100 * accuracy for accuracy in accuracies], abs=0.0051
    )
    for layer in contents.summary.layers:
        (cells,) = [cells for cells in parsed.rows if cells and cells[0] == layer.name]
        assert [number(cell) for cell in cells[-2:]] == [layer.parameters, layer.multiply_adds]


def test_every_figure_is_there_has_a_label_and_a_caption(parsed: Parsed) -> None:
    labels = [value for tag, name, value in parsed.attributes if (tag, name) == ("svg", "aria-label")]
    assert (
        parsed.tags["figure"]
        == parsed.tags["svg"]
        == parsed.tags["figcaption"]
        == len(labels)
        == len(FIGURES)
    )
    assert all(len(label) > 10 for label in labels)
    assert set(parsed.ids) >= FIGURES


def test_pngs_have_real_content(page: Path) -> None:
    assert {path.stem for path in (page.parent / "figures").iterdir()} == FIGURES
    for path in (page.parent / "figures").iterdir():
        pixels = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("L"))
        assert pixels.std() > 5, path.name
        assert 0.001 < (pixels < 200).mean() < 0.9, path.name


def test_it_needs_nothing_but_itself(page: Path, parsed: Parsed) -> None:
    html = page.read_text()
    assert len(html) < 1_500_000
    assert "http:" not in html
    assert "https:" not in html
    assert not {"script", "link", "iframe", "object", "img"} & set(parsed.tags)
    for tag, name, value in parsed.attributes:
        assert not name.startswith("on"), f"{tag} has {name}"
        if name in ("src", "href"):
            assert value.startswith(("#", "data:image/png;base64,")), value
    policy = {value for tag, name, value in parsed.attributes if (tag, name) == ("meta", "content")}
    assert any(value.startswith("default-src 'none'") for value in policy)


def test_ids_are_unique_and_every_link_leads_somewhere(parsed: Parsed) -> None:
    assert len(set(parsed.ids)) == len(parsed.ids)
    links = [value for tag, name, value in parsed.attributes if (tag, name) == ("a", "href")]
    assert len(links) >= 9
    assert {link.removeprefix("#") for link in links} <= set(parsed.ids)


def test_every_colour_is_set_for_light_and_dark(page: Path) -> None:
    html = page.read_text()
    for name in set(re.findall(r"var\(--([a-z0-9-]+)\)", html)):
        assert html.count(f"--{name}: #") == 2, name


def test_two_builds_are_the_same_to_the_byte(page: Path, tmp_path: Path) -> None:
    again = report([load_run(page.parent.parent)], tmp_path / "again")
    assert again.read_bytes() == page.read_bytes()
    for path in (page.parent / "figures").iterdir():
        assert (tmp_path / "again" / "figures" / path.name).read_bytes() == path.read_bytes()


def test_the_run_folder_is_all_it_takes(trained_run: Run, tmp_path: Path) -> None:
    # A fresh process without the dataset's folder, without weights, with a home that has nothing.
    folder = shutil.copytree(trained_run.folder, tmp_path / "run")
    (folder / "model.safetensors").unlink()
    code = (
        "import sys; from mnist_adder import load_run; from mnist_adder.reports import report; "
        f"report([load_run({str(folder)!r})]); "
        "print([name for name in ('lightning', 'matplotlib.pyplot', 'sklearn') if name in sys.modules])"
    )
    environment = {"HOME": str(tmp_path), "PATH": "", "MPLCONFIGDIR": str(tmp_path / "matplotlib")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_whatever_comes_from_a_file_is_escaped(contents: Contents) -> None:
    evil = "<script>alert(1)</script>\"'&"
    said: dict[str, Any] = {"device": evil, "commit": evil, "versions": {evil: evil}}
    config = dataclasses.replace(contents.run.config, **said)
    run = Run(Path(evil), config)
    changed = dataclasses.replace(contents, run=run, fusion=evil)
    html = render_html(make_page([changed]))
    assert "<script" not in html
    assert "alert(1)" in html
    parsed = Parsed(html)  # all that was opened is closed
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert parsed.tags["article"] == 1


def test_several_runs_are_compared(trained_run: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(trained_run.folder, tmp_path / "other")
    edits: dict[str, dict[str, Any]] = {"config.json": {"seed": 7}, "results.json": {"joint_accuracy": 0.5}}
    for name, edit in edits.items():
        values = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**values, **edit}))
    runs = [load_run(folder), trained_run]
    parsed = Parsed(report(runs, tmp_path / "out").read_text())
    summary = [cells for cells in parsed.rows if cells and cells[0].startswith("exact-sum, seed")]
    assert [cells[0] for cells in summary] == ["exact-sum, seed 0", "exact-sum, seed 7"]  # the best first
    assert number(summary[0][-2]) == pytest.approx(100 * trained_run.results["joint_accuracy"], abs=0.0051)
    assert summary[1][-2] == "50.00"
    assert {"all-accuracy", "all-loss", "1-exact-sum-seed-7-network"} <= set(parsed.ids)
    assert {"exact-sum, seed 0", "exact-sum, seed 7"} <= set(parsed.texts["all-accuracy"])
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert len(list((tmp_path / "out" / "figures").iterdir())) == 3 + 2 * len(FIGURES)


def test_what_cannot_be_reported_is_said(trained_run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="at least one run"):
        report([])
    with pytest.raises(RunError, match="Name one with --out"):
        report([trained_run, trained_run])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot be written"):
        report([trained_run], tmp_path / "file" / "report")
    assert load_contents(trained_run).run is trained_run
