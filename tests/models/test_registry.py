"""Models are found by looking: one file, one class, one name."""

from __future__ import annotations

import pytest

from mnist_adder import models
from mnist_adder.errors import ModelError


def test_the_six_models_are_there() -> None:
    assert models.names() == [
        "argmax-regression",
        "binary-sum",
        "exact-sum",
        "learned-sum",
        "logit-mlp",
        "shared-trunk",
    ]
    assert models.DEFAULT in models.names()


@pytest.mark.parametrize("name", models.names())
def test_a_name_leads_to_its_class_and_back(name: str) -> None:
    model = models.get(name)
    assert model.name() == name
    assert model.__doc__
    assert model.fusion
    assert model.objective


@pytest.mark.parametrize("name", [n for n in models.names() if models.get(n).source])
def test_a_published_model_says_what_was_fixed(name: str) -> None:
    assert "Fixed:" in (models.get(name).__doc__ or "")


def test_an_unknown_name_is_explained() -> None:
    with pytest.raises(ModelError, match=r"no model 'exactsum'. Did you mean exact-sum\?"):
        models.get("exactsum")
    for hidden in ("base", "blocks", "recipe", "../runs", ""):
        with pytest.raises(ModelError, match="There are: argmax-regression"):
            models.get(hidden)


def test_learned_and_exact_sum_differ_in_the_head_alone() -> None:
    exact, learned = models.get("exact-sum"), models.get("learned-sum")
    assert exact.recipe == learned.recipe
    shared = {name: value.shape for name, value in exact().state_dict().items()}
    assert shared == {
        name: value.shape for name, value in learned().state_dict().items() if not name.startswith("head.")
    }
