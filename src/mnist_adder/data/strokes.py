"""Pen-written digits and other characters as strokes, read from UNIPEN's files or from arrays."""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_adder.errors import DataError, RunError
from mnist_adder.safe_io import in_short, read_bytes
from mnist_adder.types import NO_DIGIT

STROKES_VARIABLE = "MNIST_ADDER_STROKES"
ATTRIBUTION = (
    "Pen-written characters: UNIPEN's first public training release, train_r01_v07, International Unipen "
    "Foundation, 1999, CC BY 4.0, doi 10.5281/zenodo.1195803; I. Guyon, L. Schomaker, R. Plamondon, "
    "M. Liberman, S. Janet, UNIPEN project of on-line data exchange and recognizer benchmarks, ICPR 1994"
)
"""What its licence asks for: it stands in the config of every run that has learned from it."""
ARRAY_FILES = ("unipen-digits.npz", "unipen-not-digits.npz")
NOT_DIGITS = "ERNLPMHKWF=X+$?%#&@"
"""Capitals and signs that nobody takes for a digit."""

Stroke = NDArray[np.float64]
"""(P, 2): x, y of the points that the pen passed, in this order; y grows downwards."""
_WHERE_FROM = (
    "Name the folder of UNIPEN's train_r01_v07 (https://doi.org/10.5281/zenodo.1195803, CC BY 4.0), "
    f"or of {ARRAY_FILES[0]} and {ARRAY_FILES[1]}, with {STROKES_VARIABLE}."
)


@dataclass(frozen=True, eq=False)
class Character:
    """What somebody wrote when asked for a digit or another character."""

    strokes: Sequence[Stroke]
    digit: int  # 0..9, or NO_DIGIT
    validation: bool  # by a writer who is held out for choices


def load_characters(folder: Path | str | None = None) -> list[Character]:
    """Read the characters in a folder, or in the one that ``MNIST_ADDER_STROKES`` names.

    It is UNIPEN's archive, unpacked, or has :data:`ARRAY_FILES`, which hold the same in arrays: ``points``
    (P, 2), ``stroke_starts`` (S + 1,), ``sample_starts`` (N + 1,), ``digits`` or ``characters`` (N,), and
    ``validation`` (N,).

    Raises:
        DataError: there is no such folder, or it has neither.
    """
    named = folder or os.environ.get(STROKES_VARIABLE)
    if not named:
        raise DataError(f"Pen-written characters are not here. {_WHERE_FROM}")
    path = Path(named).expanduser()
    try:
        if (path / ARRAY_FILES[0]).exists():
            return [character for name in ARRAY_FILES for character in _read_arrays(path / name)]
        characters = list(_read_unipen(path))
    except (OSError, KeyError, ValueError, IndexError, RunError, zipfile.BadZipFile) as error:
        raise DataError(
            f"The folder {path} holds damaged strokes ({in_short(error)}). {_WHERE_FROM}"
        ) from None
    if not characters:
        raise DataError(f"The folder {path} has no pen-written characters. {_WHERE_FROM}")
    return characters


def _read_arrays(path: Path) -> Iterator[Character]:
    with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    digits = content.get("digits", np.full(len(content["validation"]), NO_DIGIT)).astype(int)
    strokes = np.split(content["points"].astype(np.float64), content["stroke_starts"][1:-1])
    ends = zip(content["sample_starts"], content["sample_starts"][1:], strict=False)
    for digit, validation, (first, end) in zip(digits, content["validation"], ends, strict=True):
        yield Character(strokes[first:end], int(digit), bool(validation))


# Whole components alone, such as 0-2 or 4: where a part of one is named (1:3-2:9), it is shared with others.
_SEGMENT = re.compile(r'\.SEGMENT CHARACTER ([\d,-]+) \S+ "(.)"')
_INCLUDE = re.compile(r"\.INCLUDE (\S+)")


def _read_unipen(folder: Path) -> Iterator[Character]:
    """UNIPEN's own files: those below ``data`` name the components, strokes of files below ``include``."""
    for path in sorted(folder.rglob("*.dat")):
        text = path.read_text("latin-1")
        segments = [found for found in _SEGMENT.findall(text) if found[1] in "0123456789" + NOT_DIGITS]
        if not segments:
            continue
        components = [
            stroke
            for name in _INCLUDE.findall(text)
            for found in sorted(folder.rglob(f"include/{name}"))[:1]
            for stroke in _pen_downs(found.read_text("latin-1"))
        ]
        # A file is mostly one writer's: its name decides, so that a writer is on one side.
        validation = hashlib.sha256(path.stem.encode()).digest()[0] < 32
        for places, label in segments:
            strokes = [components[place] for place in _places(places) if place < len(components)]
            if strokes:
                yield Character(strokes, int(label) if label.isdigit() else NO_DIGIT, validation)


def _places(text: str) -> Iterator[int]:
    """The numbers of components in ``0-2``, ``4`` or ``0-2,4``."""
    for span in text.split(","):
        first, _, last = span.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _pen_downs(text: str) -> Iterator[Stroke]:
    """The strokes of a file: lines of x and y after each ``.PEN_DOWN``; y grows upwards there."""
    for block in re.findall(r"^\.PEN_DOWN\s*\n([^.]*)", text, re.MULTILINE):
        rows = [line.split()[:2] for line in block.splitlines()]
        points = np.array([row for row in rows if len(row) == 2], dtype=np.float64)
        if len(points):
            yield points * [1, -1]


def checksum(characters: Sequence[Character]) -> str:
    """SHA-256 of all strokes and labels, whatever file they came from."""
    digest = hashlib.sha256()
    for character in characters:
        digest.update(f"{character.digit} {character.validation} ".encode())
        for stroke in character.strokes:
            digest.update(stroke.tobytes())
    return digest.hexdigest()
