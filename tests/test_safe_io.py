"""A file is written whole or not at all."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from mnist_adder.safe_io import read_json, unfinished, write_bytes, write_json, write_text


def test_content_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    with pytest.raises(TypeError):
        write_bytes(path, "text, which is not bytes")  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_names_the_file_not_its_temporary_name(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(FileNotFoundError) as failed:
        write_text(path, "")
    assert failed.value.filename == str(path)


def test_what_a_killed_write_has_left_is_found(tmp_path: Path) -> None:
    names = [".file.a1b2.unfinished", ".file", "file.unfinished", "file"]
    for name in names:
        (tmp_path / name).touch()
    assert unfinished(tmp_path) == [tmp_path / names[0]]
    assert unfinished(tmp_path / "none") == []


def test_others_may_read_it(tmp_path: Path) -> None:
    path, plain = tmp_path / "ours", tmp_path / "plain"
    write_text(path, "")
    plain.write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_json_keeps_its_values_and_puts_a_list_of_numbers_on_one_line(tmp_path: Path) -> None:
    content = {"table": [[1, 2], [3, 4]], "text": "a [ b,\n ] c", "empty": [], "flag": True}
    write_json(tmp_path / "file.json", content)
    text = (tmp_path / "file.json").read_text()
    assert json.loads(text) == content
    assert "[1, 2]" in text


def test_json_refuses_what_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_lists_of_plain_values_stand_on_one_line_and_keep_their_values(tmp_path: Path) -> None:
    content = {"table": [[1, 2.5], [3, 4e-7]], "texts": ["two  spaces", "a ] and a [", ""], "none": []}
    write_json(tmp_path / "file.json", content)
    text = (tmp_path / "file.json").read_text()
    assert json.loads(text) == content
    assert "[1, 2.5]" in text


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    """Windows' editors put one before what they save."""
    path = tmp_path / "results.json"
    path.write_text('{"digit": "fünf"}', encoding="utf-8-sig")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert read_json(path) == {"digit": "fünf"}
