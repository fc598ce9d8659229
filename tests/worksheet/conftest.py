"""LibreOffice, which calculates every formula again, and the worksheet for it."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import openpyxl
import pytest

from mnist_adder.worksheet import Worksheet, build_worksheet
from mnist_adder.worksheet.book import Cell

Values = dict[str, list[tuple[object, ...]]]
"""By sheet: rows of what cells hold."""
Recalculate = Callable[[Mapping[str, bytes]], dict[str, Values]]

# Without this LibreOffice believes the values stored in the file.
ALWAYS_RECALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop>
</item></oor:items>
"""


@pytest.fixture(scope="session")
def worksheet() -> Worksheet:
    """As a learner gets it."""
    return build_worksheet()


@pytest.fixture(scope="session")
def uncalculated() -> Worksheet:
    """The same, but every formula reads 0 until something calculates it."""
    return build_worksheet(cached=False)


@pytest.fixture(scope="session")
def recalculate(tmp_path_factory: pytest.TempPathFactory) -> Recalculate:
    """Calculate workbooks in headless LibreOffice."""
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("LibreOffice is not installed: apt-get install libreoffice-calc")
    profile = tmp_path_factory.mktemp("profile")
    (profile / "user").mkdir()
    (profile / "user" / "registrymodifications.xcu").write_text(ALWAYS_RECALCULATE)

    def run(workbooks: Mapping[str, bytes]) -> dict[str, Values]:
        folder = tmp_path_factory.mktemp("office")
        paths = [folder / f"{name}.xlsx" for name in workbooks]
        for path, content in zip(paths, workbooks.values(), strict=True):
            path.write_bytes(content)
        out = folder / "out"
        command = [office, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--convert-to", "xlsx"]
        subprocess.run([*command, "--outdir", out, *paths], check=True, capture_output=True, timeout=240)
        return {name: values_of(out / f"{name}.xlsx") for name in workbooks}

    return run


def values_of(workbook: Path | bytes) -> Values:
    """What a viewer that does not calculate shows."""
    source = io.BytesIO(workbook) if isinstance(workbook, bytes) else workbook
    opened = openpyxl.load_workbook(source, data_only=True, read_only=True)
    try:
        return {
            sheet.title: list(sheet.iter_rows(min_row=1, min_col=1, values_only=True)) for sheet in opened
        }
    finally:
        opened.close()


def change_cells(workbook: bytes, numbers: Mapping[Cell, float]) -> bytes:
    """The workbook with numbers in some cells, in the place of what was there; nothing else is touched."""
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook)) as old,
        zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        titles = re.findall(r'<sheet name="([^"]+)"', old.read("xl/workbook.xml").decode())
        for entry in old.namelist():
            content = old.read(entry).decode("latin-1")
            for cell, number in numbers.items():
                if entry == f"xl/worksheets/sheet{titles.index(cell.sheet) + 1}.xml":
                    old_content = rf'(<c r="{cell.place}"[^>]*>)(?:<f>[^<]*</f>)?<v>[^<]*'
                    content, found = re.subn(old_content, rf"\g<1><v>{number!r}", content)
                    assert found == 1, cell.address
            new.writestr(entry, content.encode("latin-1"))
    return changed.getvalue()
