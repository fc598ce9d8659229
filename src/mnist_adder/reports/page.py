"""What a report's page consists of: chapters, sections, pictures.

``chapter`` and ``compose`` fill these in, the template turns them into HTML, ``report`` into files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure

from mnist_adder.reports.render import svg
from mnist_adder.reports.tables import Fact, Table


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure, as it stands on the page, and how to read it."""

    name: str  # of its file, and of its place on the page
    caption: str
    label: str  # what it shows, for those who cannot see it
    svg: Markup
    figure: Figure  # the same, for its own file


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading with the pictures and tables below it."""

    name: str
    title: str
    words: str
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One run."""

    name: str
    title: str
    sentence: str
    circumstances: str
    facts: Sequence[Fact]
    sections: Sequence[Section]
    recipe: Table
    command: str
    versions: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole report; with several runs, what compares them stands before the chapters."""

    title: str
    sentence: str
    summary: Table | None
    comparison: Section | None
    chapters: Sequence[Chapter]
    light: str  # the colours as CSS
    dark: str

    @property
    def all_pictures(self) -> list[Picture]:
        """Every picture of the page."""
        sections = [section for chapter in self.chapters for section in chapter.sections]
        if self.comparison:
            sections.insert(0, self.comparison)
        return [picture for section in sections for picture in section.pictures]


def picture(figure: Figure, name: str, *, label: str, caption: str) -> Picture:
    """Draw a figure for the page; ``name`` must be its own there."""
    return Picture(
        name=name,
        caption=caption,
        label=label,
        svg=Markup(svg(figure, name, label)),  # matplotlib escapes what is written in it
        figure=figure,
    )
