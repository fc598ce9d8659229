"""``mnist-adder worksheet``."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.cli.conftest import RunCLI


def test_it_writes_a_workbook_and_says_what_to_try(run_cli: RunCLI, tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    path.write_text("an older one")
    code, out, err = run_cli("worksheet", "--out", str(path))
    assert (code, err) == (0, "")
    assert str(path) in out
    assert "learning rate, cell B4" in out
    assert "xl/workbook.xml" in zipfile.ZipFile(path).namelist()


def test_a_name_that_no_spreadsheet_program_opens(run_cli: RunCLI, tmp_path: Path) -> None:
    code, out, err = run_cli("worksheet", "--out", str(tmp_path / "lesson.csv"))
    assert (code, out) == (2, "")
    assert "must end in .xlsx" in err


def test_a_folder_that_is_not_there(run_cli: RunCLI, tmp_path: Path) -> None:
    code, _, err = run_cli("worksheet", "--out", str(tmp_path / "no" / "lesson.xlsx"))
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "There is no folder" in err
