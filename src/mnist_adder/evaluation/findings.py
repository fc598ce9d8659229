"""What a comparison says, in words: every figure in them is taken from the results.

A Comparison comes in, short paragraphs go out, for reports to print below the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mnist_adder.evaluation.compare import Comparison, Row, mean_std, paired_difference
from mnist_adder.types import NUMBERS, SUMS

COMPUTED, LEARNED = "exact-sum", "learned-sum"
"""The two models that differ in nothing but whether the sum is computed or learned."""

_T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
"""Student's t for 95 % of the cases, two-sided, with 1, 2, ... 9 degrees of freedom."""


@dataclass(frozen=True)
class Finding:
    """A question and what the results answer."""

    question: str
    answer: str


def findings(comparison: Comparison) -> list[Finding]:
    """What the results answer to three questions; those they cannot answer are left out."""
    asked = [
        Finding("Which fusion works?", _which_works(comparison)),
        Finding("Where does a learned sum lose against a computed one?", _where_learned_loses(comparison)),
        Finding("How often does a sum contradict the digit?", _inconsistencies(comparison)),
    ]
    return [finding for finding in asked if finding.answer]


def differ(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether chance alone would seldom (in 5 % of the cases) make two models this different.

    Paired by seed, Student's t test. A single seed never says so.
    """
    mean, error = paired_difference(first, second)
    if len(first) < 2:
        return False
    return abs(mean) > _T95[min(len(first) - 1, len(_T95)) - 1] * error


def _which_works(comparison: Comparison) -> str:
    best, *others = comparison.rows
    said = f"`{best.model}` answers the most pairs right, {best.percent('joint_accuracy')} %. "
    if not others:
        return said.strip()
    leading = _values(comparison, best.model, "joint_accuracy")
    behind: list[Row] = []
    level: list[Row] = []
    for row in others:
        values = _values(comparison, row.model, "joint_accuracy")
        (behind if differ(leading, values) else level).append(row)
    if level:
        seeds = f"{len(best.seeds)} seed{'s' * (len(best.seeds) > 1)}"
        said += f"{_names(level)} cannot be told from it with {seeds} (Student's t, 5 %). "
    if behind:
        said += "Behind it by more than chance explains: " + ", ".join(
            f"`{row.model}` by {100 * (best.joint_accuracy_mean - row.joint_accuracy_mean):.2f} points"
            for row in behind
        )
        said += ". "
    least = {row.model: min(_values(comparison, row.model, "digit_consistency")) for row in comparison.rows}
    steady = [row for row in comparison.rows if least[row.model] == 1]
    moved = [row for row in comparison.rows if least[row.model] < 1]
    if steady and moved:
        most = 100 * (1 - min(least.values()))
        said += (
            f"In {_names(steady)} the digit is answered before the number comes in, joint accuracy "
            f"{_range(steady)} %; where digit and sum are both read from the joined features "
            f"{_range(moved)} %, and the digit's answer changes with the number on up to {most:.2f} % of the "
            "images."
        )
    return said.strip()


def _where_learned_loses(comparison: Comparison) -> str:
    said = ""
    models = {row.model: row for row in comparison.rows}
    if COMPUTED in models and LEARNED in models:
        pair = [_values(comparison, name, "joint_accuracy") for name in (LEARNED, COMPUTED)]
        mean, _ = paired_difference(*pair)
        verdict = "more than chance explains" if differ(*pair) else "no more than chance explains"
        said += (
            f"Same backbone, same recipe: `{LEARNED}` is {abs(100 * mean):.2f} points "
            f"{'above' if mean > 0 else 'below'} `{COMPUTED}`, {verdict}. "
        )
    price = {
        row.model: mean_std(
            [
                result["digit_accuracy"] - result["joint_accuracy"]
                for result in _results(comparison, row.model)
            ]
        )[0]
        for row in comparison.rows
    }
    paying = sorted((name for name in price if round(price[name], 6)), key=lambda name: -price[name])
    if paying:
        said += "The digit was right and the sum wrong on " + ", ".join(
            f"{100 * price[name]:.3f} % of pairs with `{name}`" for name in paying
        )
        free = [row for row in comparison.rows if row.model not in paying]
        said += f"; never with {_names(free)}. " if free else ". "
        said += _worst_sums(comparison, paying[0])
    return said.strip()


def _worst_sums(comparison: Comparison, model: str) -> str:
    """The three sums that a model gets wrong most often."""
    wrong, asked = [0] * SUMS, [0] * SUMS
    for result in _results(comparison, model):
        for value, row in enumerate(result["sum_confusion"]):
            asked[value] += sum(row)
            wrong[value] += sum(row) - row[value]
    rates = {value: wrong[value] / asked[value] for value in range(SUMS) if asked[value]}
    worst = sorted(rates, key=lambda value: -rates[value])[:3]
    listed = ", ".join(f"{value} ({100 * rates[value]:.2f} %)" for value in worst)
    return f"`{model}` errs most on the sums {listed}, and on {100 * sum(wrong) / sum(asked):.2f} % of all."


def _inconsistencies(comparison: Comparison) -> str:
    never = [row for row in comparison.rows if row.inconsistency_mean == 0]
    often = sorted((row for row in comparison.rows if row not in never), key=lambda r: -r.inconsistency_mean)
    said = f"Never in {_names(never)}. " if never else ""
    if often:
        said += "Elsewhere the sum answered is not the digit answered plus the number on " + ", ".join(
            f"{row.percent('inconsistency', 3)} % (`{row.model}`)" for row in often
        )
        by_number = [
            mean_std([r["inconsistency_by_number"][number] for r in _results(comparison, often[0].model)])[0]
            for number in range(NUMBERS)
        ]
        worst = max(range(NUMBERS), key=lambda number: by_number[number])
        said += (
            f" of the pairs. `{often[0].model}` does so most with the number {worst} "
            f"({100 * by_number[worst]:.2f} %)."
        )
    return said.strip()


def _results(comparison: Comparison, model: str) -> list[dict[str, Any]]:
    return [result for result in comparison.runs if result["model"] == model]


def _values(comparison: Comparison, model: str, name: str) -> list[float]:
    """One figure of a model's runs, by seed."""
    chosen = sorted(_results(comparison, model), key=lambda result: int(result["seed"]))
    return [result[name] for result in chosen]


def _range(rows: list[Row]) -> str:
    values = [100 * row.joint_accuracy_mean for row in rows]
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _names(rows: list[Row]) -> str:
    names = [f"`{row.model}`" for row in rows]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
