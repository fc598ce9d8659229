"""The palette can be swapped on the page, percentages never round up to all, settings are put back."""

from __future__ import annotations

import re

import matplotlib
import pytest

from mnist_adder.reports.style import COLOURS, SERIES, legend_height, percent, probability, styled


def test_each_colour_has_its_own_value_so_that_the_page_can_tell_them_apart() -> None:
    on_paper = [paper for paper, _ in COLOURS.values()]
    assert len(set(on_paper)) == len(on_paper)
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for pair in COLOURS.values() for colour in pair)


def luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("screen", [0, 1], ids=["light", "dark"])
def test_everything_that_is_written_can_be_read(screen: int) -> None:
    colour = {name: pair[screen] for name, pair in COLOURS.items()}
    grounds = {"ink": ["paper", "blue-tint", "orange-tint", "green-tint"], "muted": ["paper", "blue-tint"]}
    grounds |= {f"on-mistake-{shade}": [f"mistake-{shade}"] for shade in range(1, 7)}
    for ink, papers in grounds.items():
        for paper in papers:
            assert contrast(colour[ink], colour[paper]) >= 4.5, f"{ink} on {paper}"


@pytest.mark.parametrize("screen", [0, 1], ids=["light", "dark"])
def test_more_mistakes_are_always_a_stronger_shade(screen: int) -> None:
    # Lightness alone tells the shades apart, so every colour vision does.
    steps = [luminance(COLOURS[f"mistake-{shade}"][screen]) for shade in range(1, 7)]
    assert steps == sorted(steps, reverse=screen == 0)


def test_lines_of_different_runs_are_different() -> None:
    assert len(set(SERIES)) == len(SERIES) >= 6


@pytest.mark.parametrize(
    ("fraction", "places", "text"),
    [
        (0.9956, 2, "99.56 %"),
        (1, 2, "100.00 %"),
        (0.99999, 2, ">99.99 %"),
        (0.99951, 1, ">99.9 %"),
        (0.9994, 1, "99.9 %"),
        (0, 2, "0.00 %"),
    ],
)
def test_percent(fraction: float, places: int, text: str) -> None:
    assert percent(fraction, places).replace("\u00a0", " ") == text


def test_no_probability_is_shown_as_certain() -> None:
    shown = [probability(value).replace("\u00a0", " ") for value in (1.0, 0.99999997, 0.9991, 0.75, 0.0)]
    assert shown == [">99.9 %", ">99.9 %", "99.9 %", "75.0 %", "0.0 %"]


def test_the_users_own_settings_come_back() -> None:
    with matplotlib.rc_context({"font.size": 30.0}):
        inside = styled(lambda: matplotlib.rcParams["font.size"])()
        assert inside == 9
        assert matplotlib.rcParams["font.size"] == 30


def test_a_legend_with_long_names_is_higher() -> None:
    assert legend_height(["a"] * 4) < legend_height(["a name that is quite long, seed 0 on mnist"] * 4)
