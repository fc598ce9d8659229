"""What README and docs say: their commands and their Python run, their tables come from results/."""

from __future__ import annotations

import importlib
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer

from mnist_adder import cli, models

ROOT = Path(__file__).parent.parent


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with the examples and nothing else."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)


def blocks(page: str) -> list[tuple[str, str, str]]:
    """The blocks that run: the language, the code and, where a text block follows at once, its output."""
    text = (ROOT / page).read_text()
    return re.findall(r"```(console|python)\n(.*?)```\n(?:\n```text\n(.*?)```)?", text, flags=re.S)


@pytest.mark.usefixtures("newcomer")
@pytest.mark.parametrize(
    "pages",
    [["README.md", "docs/guide.md", "docs/reference.md"], ["docs/tutorial.md"]],
    ids=lambda pages: pages[-1],
)
def test_commands_and_python_run(
    pages: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for page in pages:
        names: dict[str, object] = {}
        found = blocks(page)
        assert found, page
        for language, code, output in found:
            if language == "python":
                exec(code, names)
            else:
                for line in code.splitlines():
                    assert line.startswith("$ mnist-adder "), line
                    monkeypatch.setattr(sys, "argv", shlex.split(line[2:]))
                    with pytest.raises(SystemExit) as ended:
                        cli.main()
                    assert not ended.value.code, f"{page}: {line}\n{capsys.readouterr().err}"
            printed = capsys.readouterr().out
            assert printed, f"{page} runs code that prints nothing:\n{code}"
            assert output in ("", printed), f"{page} shows another output of:\n{code}"


def test_the_make_targets_they_name_exist() -> None:
    pages = "".join(path.read_text() for path in load_tables().PAGES)
    named = set(re.findall(r"(?:^|`)make ([\w-]+)", pages, flags=re.M))
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert {"train", "test"} <= named <= targets


def test_every_command_and_option_they_name_exists() -> None:
    commands = typer.main.get_command(cli.app.app).commands  # type: ignore[attr-defined]
    for path in load_tables().PAGES:
        for name, rest in re.findall(r"mnist-adder ([a-z][a-z-]*)([^`\n|]*)", path.read_text()):
            assert name in commands, f"{path.name}: mnist-adder {name}"
            known = {option for parameter in commands[name].params for option in parameter.opts}
            assert set(re.findall(r"(?<= )--[a-z][a-z0-9-]*", rest)) <= known, (
                f"{path.name}: mnist-adder {name}{rest}"
            )


def load_tables() -> ModuleType:
    return importlib.import_module("tables")  # docs/ is on the tests' path


def test_every_table_is_made_from_results() -> None:
    tables = load_tables()
    found = set()
    for path in tables.PAGES:
        page = path.read_text()
        assert tables.rebuilt(page) == page, f"{path.name}: run make tables"
        found |= set(re.findall(r"<!-- (\w+): made by docs/tables.py -->", page))
    assert found == set(tables.BLOCKS)


def test_what_is_published_was_trained_on_mnist_from_committed_source() -> None:
    comparison = load_tables().load_comparison()
    assert {row.model for row in comparison.rows} == set(models.names())
    assert {tuple(row.seeds) for row in comparison.rows} == {(0, 1, 2)}
    assert comparison.protocol["dataset"] == "mnist"
    assert comparison.protocol["pairs"] == 100_000
    assert not [commit for commit in comparison.commits if "+changes" in commit]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made where Markdown is shown."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.M)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_link_and_picture_exists() -> None:
    for page in load_tables().PAGES:
        links = re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", page.read_text())
        for link in ("".join(groups) for groups in links):
            path, _, anchor = link.partition("#")
            if "://" in link:
                continue
            target = page.parent / path if path else page
            assert target.exists(), f"{page.name} links to {link}"
            assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"


def test_every_page_that_source_names_exists() -> None:
    for folder in ("src", "tests", "benchmarks", "examples", "docs"):
        for path in (ROOT / folder).rglob("*.py"):
            for page in re.findall(r"\bdocs/[\w/-]+\.md", path.read_text()):
                assert (ROOT / page).exists(), f"{path} names {page}"


def test_readme_and_docs_stay_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160
    assert sum(len(path.read_text().split()) for path in (ROOT / "docs").rglob("*.md")) <= 10_000


def test_the_core_can_be_read_in_an_evening() -> None:
    code_map = importlib.import_module("code_map")
    assert sum(part.lines for part in code_map.core()) <= code_map.MOST_LINES == 3_800
