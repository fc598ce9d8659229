"""Recipes refuse what makes no sense, and read settings given as text."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mnist_adder.errors import ModelError
from mnist_adder.models import Recipe

PLAIN = Recipe(epochs=3, learning_rate=0.01)


def test_settings_are_read_by_their_kind() -> None:
    changed = PLAIN.replaced({"epochs": "5", "learning_rate": "1e-3", "optimizer": "sgd"})
    assert changed == Recipe(epochs=5, learning_rate=0.001, optimizer="sgd")
    assert PLAIN.replaced({}) == PLAIN


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("epoch", "5", "Did you mean epochs"),
        ("colour", "blue", "There are: epochs"),
        ("epochs", "2.5", "valid integer"),
        ("epochs", "0", "greater than or equal to 1"),
        ("batch_size", "1", "greater than or equal to 2"),
        ("numbers_per_image", "11", "less than or equal to 10"),
        ("learning_rate", "fast", "valid number"),
        ("learning_rate", "0", "greater than 0"),
        ("learning_rate", "nan", "finite"),
        ("learning_rate", "inf", "finite"),
        ("optimizer", "magic", "'adamw', 'sgd' or 'muon'"),
        ("schedule", "", "'onecycle' or 'constant'"),
        ("weight_averaging", "both", "'none', 'ema' or 'swa'"),
        ("momentum", "1", "less than 1"),
        ("warmup_fraction", "0", "greater than 0"),
        ("weight_decay", "-1", "greater than or equal to 0"),
        ("rotation_degrees", "181", "less than or equal to 180"),
        ("translation_pixels", "15", "less than or equal to 14"),
        ("rotation_degrees", "-1", "greater than or equal to 0"),
        ("scale", "1", "less than 1"),
        ("scale", "-0.1", "greater than or equal to 0"),
        ("shear_degrees", "61", "less than or equal to 60"),
        ("elastic_sigma", "-0.1", "greater than or equal to 0"),
        ("stroke_jitter", "1.1", "less than or equal to 1"),
        ("stroke_jitter", "nan", "finite"),
    ],
)
def test_what_makes_no_sense_is_explained(name: str, text: str, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        PLAIN.replaced({name: text})


def test_at_least_one_loss_counts() -> None:
    with pytest.raises(ModelError, match="above 0 if digit_weight is 0"):
        PLAIN.replaced({"digit_weight": "0", "sum_weight": "0"})


def test_a_recipe_with_the_wrong_kind_of_value_is_refused() -> None:
    with pytest.raises(ValidationError, match="valid integer"):
        Recipe(epochs="many", learning_rate=0.1)  # type: ignore[arg-type]


def test_fewer_images_make_smaller_batches_and_steps() -> None:
    recipe = Recipe(epochs=3, batch_size=512, learning_rate=0.02)
    assert recipe.scaled_to(55_000) is recipe
    scaled = recipe.scaled_to(1_437)
    assert scaled.batch_size == 32
    assert scaled.learning_rate == pytest.approx(0.02 / 4)
    assert Recipe(epochs=3, batch_size=16, learning_rate=0.02).scaled_to(1).batch_size == 16


@given(st.sampled_from(list(Recipe.__dataclass_fields__)), st.text(max_size=12))
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    with contextlib.suppress(ModelError):  # the one kind of error allowed
        read = PLAIN.replaced({name: text})
        assert {**vars(read), name: None} == {**vars(PLAIN), name: None}  # the others stay
        assert str(getattr(read, name)) == text or float(getattr(read, name)) == float(text)
