"""The page: its values are those of the run's files, it needs nothing but itself, and it is safe to open."""

from __future__ import annotations

import base64
import dataclasses
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
from mnist_adder.models import names
from mnist_adder.reports import report
from mnist_adder.reports.page import render_html, run_labels, run_sections
from mnist_adder.reports.run_files import RunFiles, load_run_files
from mnist_adder.reproduce import train_command
from mnist_adder.runs import Run, load_run

CURVES = {"accuracy", "loss", "learning-rate"}
FIGURES = {*CURVES, "samples", "mistakes", "reliability", "network"}


class Parsed(HTMLParser):
    """What a test wants to know of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []  # tag, name, value
        self.rows: list[list[str]] = []  # of all tables
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("meta", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} is closed, but something within it is not"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    def values(self, tag: str, name: str) -> list[str]:
        """What an attribute says wherever it is."""
        return [value for one, attribute, value in self.attributes if (one, attribute) == (tag, name)]


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


@pytest.fixture
def copied(trained_run: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_run.folder, tmp_path / "run"))


def edit(folder: Path, file: str, **changed: Any) -> Run:
    values = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**values, **changed}))
    return load_run(folder)


def test_the_values_are_those_of_the_files(parsed: Parsed, page: Path, trained_run: Run) -> None:
    results = trained_run.results
    (value,) = [cells[1] for cells in parsed.rows if cells[0] == "both right" and len(cells) == 3]
    assert value == f"{100 * results['joint_accuracy']:.2f}\u00a0%"
    assert results["command"] in page.read_text()
    matrix = [cells[1:-1] for cells in parsed.rows if len(cells) == 12 and cells[-1] != "right"]
    counts = results["digit_confusion"]
    assert [[int(cell or 0) for cell in row] for row in matrix[:10]] == counts


def test_every_figure_stands_there_once_with_a_label_and_a_caption(parsed: Parsed, page: Path) -> None:
    assert len(parsed.values("img", "src")) == len(set(parsed.values("img", "src"))) == len(FIGURES)
    labels = parsed.values("img", "alt")
    assert len(set(labels)) == len(labels)
    assert all(len(label) > 10 for label in labels)
    assert parsed.tags["figure"] == parsed.tags["figcaption"] == len(FIGURES)
    assert set(parsed.values("figure", "id")) == FIGURES
    assert {path.stem for path in (page.parent / "figures").iterdir()} == FIGURES
    for path in (page.parent / "figures").iterdir():
        pixels = np.asarray(Image.open(path).convert("L"))
        assert pixels.std() > 5, path.name
        assert 0.001 < (pixels < 200).mean() < 0.9, path.name


def test_it_needs_nothing_but_itself(page: Path, parsed: Parsed) -> None:
    html = page.read_text()
    assert len(html) < 1_500_000
    assert "http:" not in html
    assert "https:" not in html
    assert not {"script", "link", "iframe", "object", "svg"} & set(parsed.tags)
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on")]
    assert all(value.startswith("data:image/svg+xml;base64,") for value in parsed.values("img", "src"))
    assert any(value.startswith("default-src 'none'") for value in parsed.values("meta", "content"))


def test_ids_are_unique_and_every_link_leads_somewhere(parsed: Parsed) -> None:
    assert len(set(parsed.ids)) == len(parsed.ids)
    links = parsed.values("a", "href")
    assert len(links) >= 7
    assert {link.removeprefix("#") for link in links} <= set(parsed.ids)


def test_a_dark_screen_has_every_colour_and_the_figures_turned_round(page: Path) -> None:
    html = page.read_text()
    light, dark = re.findall(r":root \{[^}]*(--ink[^}]*)\}", html)
    assert re.findall(r"--[a-z]+", light) == re.findall(r"--[a-z]+", dark)
    (_, queried) = html.split("@media screen and (prefers-color-scheme: dark)")
    assert "img { filter: invert(" in queried.partition("@media")[0]


def test_two_builds_are_the_same_to_the_byte(page: Path, tmp_path: Path) -> None:
    again = report([load_run(page.parent.parent)], tmp_path / "again")
    assert again.read_bytes() == page.read_bytes()
    for path in (page.parent / "figures").iterdir():
        assert (tmp_path / "again" / "figures" / path.name).read_bytes() == path.read_bytes()


def test_the_run_folder_is_all_it_takes(copied: Path, tmp_path: Path) -> None:
    # A fresh process without the dataset's folder, without weights, with a home that has nothing.
    (copied / "model.safetensors").unlink()
    code = (
        "import sys; from mnist_adder import load_run; from mnist_adder.reports import report; "
        f"report([load_run({str(copied)!r})]); "
        "print([name for name in ('lightning', 'matplotlib.pyplot', 'sklearn') if name in sys.modules])"
    )
    environment = {"HOME": str(tmp_path), "PATH": "", "MPLCONFIGDIR": str(tmp_path / "matplotlib")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_whatever_comes_from_a_file_is_escaped(files: RunFiles) -> None:
    evil = "<script>alert(1)</script>\"'&"
    said: dict[str, Any] = {"device": evil, "commit": evil, "versions": {evil: evil}}
    run = Run(Path(evil), dataclasses.replace(files.run.config, **said))
    results = files.results.model_copy(update={"command": evil})
    html = render_html(evil, run_sections(dataclasses.replace(files, run=run, results=results)))
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)") >= 5
    parsed = Parsed(html)  # all that was opened is closed
    assert len(set(parsed.ids)) == len(parsed.ids)


def notes(files: RunFiles) -> dict[str, str]:
    return {section.title: section.note for section in run_sections(files)}


@pytest.mark.parametrize("name", names())
def test_every_model_is_reported_and_a_sum_that_is_one_number_explains_its_calibration(
    copied: Path, name: str
) -> None:
    files = load_run_files(edit(copied, "config.json", model=name))
    Parsed(render_html(name, run_sections(files)))
    assert ("read from one number" in notes(files)["Calibration"]) == (name == "argmax-regression")


def test_of_several_networks_that_answer_together_one_is_shown(copied: Path, files: RunFiles) -> None:
    several = load_run_files(edit(copied, "config.json", preset="fast", ensemble_size=5))
    assert "Several such networks" in notes(several)["Network"]
    assert notes(files)["Network"] == ""


def test_a_run_without_mistakes_says_so(files: RunFiles) -> None:
    none = {
        field.name: getattr(files.mistakes, field.name)[:0] for field in dataclasses.fields(files.mistakes)
    }
    (section,) = [
        section
        for section in run_sections(dataclasses.replace(files, mistakes=type(files.mistakes)(**none)))
        if "mistakes" in section.title
    ]
    assert (section.note, section.pictures) == ("There are none.", ())


def test_a_run_that_was_trained_on_all_images_is_reported_in_full(copied: Path, trained_run: Run) -> None:
    recipe = {**trained_run.config.to_json()["recipe"], "train_on": "all"}
    run = edit(copied, "config.json", recipe=recipe)
    rows = [{name: row[name] for name in row if "validation" not in name} for row in run.metrics]
    run.save_metrics(rows)
    run.save_results({**run.results, "command": train_command(run.config)})
    html = report([run]).read_text()
    assert "--set train_on=all" in html
    curves = [base64.b64decode(one.partition(",")[2]) for one in Parsed(html).values("img", "src")]
    assert sum(b"no images were held out" in one for one in curves) == 2


def test_several_runs_are_compared(copied: Path, trained_run: Run, tmp_path: Path) -> None:
    edit(copied, "results.json", joint_accuracy=0.5)
    runs = [edit(copied, "config.json", seed=7), trained_run]
    parsed = Parsed(report(runs, tmp_path / "out").read_text())
    rows = [cells for cells in parsed.rows if cells[0].startswith("exact-sum, seed")]
    assert [cells[0] for cells in rows] == ["exact-sum, seed 0", "exact-sum, seed 7"]  # the best first
    assert rows[1][-2] == "50.00\u00a0%"
    assert ["seed", "7", "0"] in parsed.rows
    assert {path.stem for path in (tmp_path / "out" / "figures").iterdir()} == CURVES
    assert len(set(parsed.ids)) == len(parsed.ids)


def test_labels_are_never_the_same(files: RunFiles) -> None:
    tiny = dataclasses.replace(files.run, config=dataclasses.replace(files.run.config, preset="tiny"))
    runs = [files, dataclasses.replace(files, run=tiny), files]
    assert run_labels(runs) == ["exact-sum, seed 0 (1)", "exact-sum (tiny), seed 0", "exact-sum, seed 0 (3)"]


def test_what_cannot_be_reported_is_said(trained_run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="at least one run"):
        report([])
    with pytest.raises(RunError, match="Name one with --out"):
        report([trained_run, trained_run])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot be written"):
        report([trained_run], tmp_path / "file" / "report")
