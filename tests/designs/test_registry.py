"""Designs are found by looking: one file, one class, one name."""

from __future__ import annotations

import pytest

from mnist_adder import designs
from mnist_adder.errors import DesignError


def test_the_six_designs_are_there() -> None:
    assert designs.names() == [
        "argmax-regression",
        "binary-sum",
        "exact-sum",
        "learned-sum",
        "logit-mlp",
        "shared-trunk",
    ]
    assert designs.DEFAULT in designs.names()


@pytest.mark.parametrize("name", designs.names())
def test_a_name_leads_to_its_class_and_back(name: str) -> None:
    design = designs.get(name)
    assert design.name() == name
    assert design.__doc__
    assert design.meeting
    assert design.objective


@pytest.mark.parametrize("name", [n for n in designs.names() if designs.get(n).source])
def test_a_published_design_says_what_was_mended(name: str) -> None:
    assert "Mended:" in (designs.get(name).__doc__ or "")


def test_an_unknown_name_is_explained() -> None:
    with pytest.raises(DesignError, match=r"no design 'exactsum'. Did you mean exact-sum\?"):
        designs.get("exactsum")
    for hidden in ("base", "blocks", "recipe", "../runs", ""):
        with pytest.raises(DesignError, match="There are: argmax-regression"):
            designs.get(hidden)


def test_learned_and_exact_sum_differ_in_the_head_alone() -> None:
    exact, learned = designs.get("exact-sum"), designs.get("learned-sum")
    assert exact.recipe == learned.recipe
    shared = {name: value.shape for name, value in exact().state_dict().items()}
    assert shared == {
        name: value.shape for name, value in learned().state_dict().items() if not name.startswith("head.")
    }
