"""The tables of presets, speed, sizes and attempts, for ``tables.py``: each from a file in results/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from formatting import percent, read, table, threads

from mnist_adder import models
from mnist_adder.comparison.compare import mean_std
from mnist_adder.models.summary import summarize
from mnist_adder.reports.comparison import plus_minus

REQUESTS = {
    "json": "28 × 28 arrays as JSON",
    "png": "small PNG files in forms",
    "page": "the page's drawings, 320 × 320 PNG files",
}
"""The kinds of requests that benchmarks/serving.py sends."""


def presets() -> str:
    """All presets, the quickest first, and how they were measured."""
    best = read("accuracy.json")
    rows = [*_fast(), *_tiny(), *_best(best)]
    return table("preset | >parameters | >multiply-adds | >seconds | >both right | >runs", rows) + (
        "\n\nPercent of all 100,000 test pairs, mean ± standard deviation, after training on all 60,000 "
        "training images (`fast`: on nine tenths of them). Seconds of training: the median for `fast`, with "
        f"2 threads; else the mean, with 1 thread (`best`: {best['threads']})."
    )


def _fast() -> Iterator[tuple[object, ...]]:
    measured = read("speedrun.json")["fast"]
    seconds, right = f"{measured['seconds']['median']:.2f}", measured["joint_accuracy"]
    yield "fast", *_cost("fast"), seconds, percent(right), right["n"]


def _tiny() -> Iterator[tuple[object, ...]]:
    rows = [row for row in read("size.json")["rows"] if "tiny" in row["model"]]
    for row in sorted(rows, key=lambda row: -row["parameters"]):
        name = row["model"].partition("(")[2].rstrip(")")
        right = {"mean": row["joint_accuracy_mean"], "std": row["joint_accuracy_std"], "n": len(row["seeds"])}
        seconds = plus_minus(row["train_seconds_mean"], row["train_seconds_std"], 0)
        yield name, *_cost(name), seconds, percent(right), right["n"]


def _best(measured: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    every = measured["train_seconds"]
    for what, right in measured["rows"].items():
        kind, _, augmented = what.partition(", ")
        size = 1 if kind == "single" else len(every)
        seconds = plus_minus(*mean_std(every), 0) if size == 1 else f"{sum(every):.0f}"
        name = ", ".join(["best", *[f"ensemble of {size}"][: size - 1], *filter(None, [augmented])])
        yield name, *_cost("best", size), seconds, percent(right), right["n"]


def _cost(preset: str, ensemble_size: int = 1) -> tuple[str, str]:
    """Parameters and multiply-adds."""
    model = models.build(models.DEFAULT, preset)
    cost = ensemble_size * summarize(model).multiply_adds
    return f"{ensemble_size * model.parameter_count():,}", f"{cost / 1e6:.1f} M"


def speedrun() -> str:
    """The speedrun beside other trainings, each timed from the files' bytes to the weights."""
    measured = read("speedrun.json")
    slow, floor, versions = measured["logit_mlp_as_published"], measured["floor"], measured["versions"]
    sides = {
        "fast": "`mnist-adder speedrun`",
        "public": "the fastest public PyTorch recipe we know",
        "public, channels last": "the same with channels-last memory",
    }
    rows: list[tuple[object, ...]] = []
    for side, label in sides.items():
        seconds, right = measured[side]["seconds"], measured[side]["joint_accuracy"]
        ratio = measured["ratio_of_seconds"].get(side, {"median": 1})
        spread = f"{seconds['median']:.2f} ({seconds['min']:.2f} to {seconds['max']:.2f})"
        rows.append((label, spread, f"{ratio['median']:.1f}", percent(right), right["n"]))
    rows.append(
        ("`logit-mlp` as published", f"{slow['seconds']:.0f}", f"{slow['ratio_of_seconds']:.0f}", "", 1)
    )
    return table("training | >seconds | >ratio | >both right | >runs", rows) + (
        "\n\nMedian seconds, and the range in brackets; percent of all 100,000 test pairs. Each run is a "
        "fresh process. The trainings took turns, seed by seed; the ratio is the median over runs with the "
        f"same seed. {measured['cores']} cores of {measured['device']}, PyTorch {versions['torch']}. Of "
        f"`logit-mlp`, {slow['epochs_measured']} of {slow['epochs_published']} epochs was measured and "
        f"scaled. Unpacking and multiply-adds alone would take {floor['seconds']:.2f} s here."
    )


def inference() -> str:
    """How quickly answers come, in ONNX Runtime and in torch, and how often they are right."""
    measured = read("inference.json")
    single, batch, cold = measured["single"], measured["batch"], measured["cold"]
    sides = ("onnx", "onnx_int8", "torch")
    right = [f"{100 * measured['joint_accuracy'][side]:.2f} %" for side in sides[:2]]
    rows = [
        ("one image, median", *(f"{single[side]['median_ms']:.2f} ms" for side in sides)),
        ("one image, 99th percentile", *(f"{single[side]['p99_ms']:.2f} ms" for side in sides)),
        *(
            (f"images per second, {threads(n)}", *(_rate(batch[f"{n}_threads"][side]) for side in sides))
            for n in (1, 2)
        ),
        ("both right", *right, ""),
    ]
    versions = measured["versions"]
    starts = {name: cold[name]["median_seconds"] for name in ("predict", "help")}
    return table("| >ONNX Runtime, float32 | >ONNX Runtime, int8 | >torch", rows) + (
        f"\n\n`{measured['model']}` on {measured['device']}, {measured['cores']} cores, "
        f"onnxruntime {versions['onnxruntime']}, torch {versions['torch']}. From a cold start "
        "`mnist-adder predict` takes "
        f"{starts['predict']:.2f} s, `mnist-adder --help` {starts['help']:.2f} s."
    )


def _rate(measured: dict[str, Any]) -> str:
    return f"{measured['images_per_second']:,}"


def serving() -> str:
    """How many requests the HTTP service answers, and how that compares with the service before."""
    measured, turns = read("serving.json"), read("log/serving.json")
    rows = (
        (
            REQUESTS[kind],
            connections,
            f"{load['answered_per_second']:,}",
            f"{load['p50_ms']:.1f}",
            f"{load['p99_ms']:.1f}",
            load["refused"] + load["failed"],
        )
        for kind, loads in measured["connections"].items()
        for connections, load in loads.items()
    )
    soak, over = measured["soak"], measured["overload"]
    kinds = {REQUESTS[kind]: turn["ratio"]["median"] for kind, turn in turns["kinds"].items()}
    ratios = "; ".join(f"{label}: {ratio:.2f}" for label, ratio in kinds.items())
    columns = "requests | >connections | >answers per second | >median, ms | >99 %, ms | >errors"
    return table(columns, rows) + (
        f"\n\nOne worker and the load generator together on {measured['cores']} cores of "
        f"{measured['device']}, at commit {measured['commit'][:7]}. Over {over['connections']:,} connections "
        f"{over['answered_per_second']:,} PNG files per second are answered and "
        f"{over['refused'] / over['seconds']:,.0f} refused with 503; "
        f"{over['failed']} of {over['requests']:,} requests got no answer within 10 seconds. In "
        f"{soak['seconds']:.0f} seconds at 16 connections {soak['requests']:,} requests had "
        f"{soak['errors']} errors, and memory went from {soak['memory_mb'][0]:.0f} to "
        f"{soak['memory_mb'][-1]:.0f} MB.\n\nAnswers per second as a multiple of those of commit "
        f"{turns['commits']['before'][:7]}, in turn (median of {turns['turns']} ratios): {ratios}."
    )


def faults() -> str:
    """How many attempts to break the product the tests of each package make, and of how many kinds."""
    measured = read("faults.json")
    counts: dict[str, list[int]] = {}
    for file, kinds in sorted(measured["faults"].items()):
        package = Path(file).parent.name.replace("hardening", "") or "run folders"
        counts.setdefault(package, []).extend(kinds.values())
    rows = ((package, len(tried), f"{sum(tried):,}") for package, tried in counts.items())
    return table("package | >kinds | >attempts", rows) + (
        f"\n\n{sum(map(sum, counts.values())):,} attempts of {sum(map(len, counts.values()))} kinds, on "
        f"{measured['device']}."
    )


READ = {
    "mnist": "MNIST's {count} test images, each with all ten numbers",
    "pen": "pen-written digits by writers held out, {count} drawings",
    "digits": "scikit-learn's {count} digits, not trained on",
}
"""What benchmarks/hands.py counts, for README."""
CLEAN = (
    *("MNIST test image", "fine liner", "ballpen", "felt marker", "pencil", "faint pencil", "chalk", "scan"),
    *("drawn with a mouse", "drawn with a mouse, white on black", "black and white scan", "strong JPEG"),
    *("blur", "noise", "far away", "uneven light", "glare", "crumpled", "one pixel around the ink"),
)
"""The conditions of benchmarks/paper.py without lines, shadows or desks."""
NO_SINGLE_DIGIT = ("two digits apart", "two digits touching", "letters and signs")
"""Those in which every digit is a wrong answer; blank paper is refused."""
SHOWN_ON_PAPER = (
    *("hard shadow", "cut to the ink", "printed box", "ring", "underlined"),
    *("ruled, 35 to 50 %", "squared, 35 to 50 %"),
)
"""The conditions of benchmarks/paper.py in README; docs/dev/measurements.md has all."""


def hands() -> str:
    """How well the weights of the package, and those before, read people's digits, and tell what is none."""
    before, now = (read(name)["rows"] for name in ("log/hands-before.json", "hands.json"))
    measured = [before["default"], *(now[name] for name in ("default", "best", "tiny"))]
    rows: list[tuple[object, ...]] = []
    for on, what in READ.items():
        figures = [weights[on] for weights in measured]
        count = f"{figures[0]['pairs'] // 10:,}"
        rows.append((what.format(count=count), *(f"{100 * each['joint_accuracy']:.2f}" for each in figures)))
    rows += _on_paper()
    telling = [weights["no_digit"] for weights in measured]
    sure = (f"{100 * each['others_surely_digits']:.1f}" for each in telling)
    rows.append(("letters and signs that are surely a digit (p > 0.9)", *sure))
    passing = (f"{100 * each['passing_at_98']:.1f}" for each in telling[1:])
    rows.append(("letters and signs taken for a digit where 98 % of the digits are", "", *passing))
    return table("what is read | >before | >default | >best | >tiny", rows)


def _on_paper() -> Iterator[tuple[object, ...]]:
    before, after = (read(name)["conditions"] for name in ("log/paper-before.json", "paper.json"))
    for name in SHOWN_ON_PAPER:
        shares = (100 * side[name]["right"] / side[name]["pictures"] for side in (before, after))
        yield f"on paper: {name}", *(f"{share:.1f}" for share in shares), "", ""


def paper() -> str:
    """How often digits on real paper are read, with the weights and preprocessing before beside it."""
    after, before = read("paper.json"), read("log/paper-before.json")
    conditions = dict(after["conditions"])
    del conditions["blank paper"]
    none = [conditions.pop(name) for name in NO_SINGLE_DIGIT]
    flagged = ", ".join(f"{100 * row['flagged'] / row['pictures']:.0f}" for row in none)
    clean = {name: conditions.pop(name) for name in CLEAN}
    count = clean["ballpen"]["pictures"]
    worst = min(clean, key=lambda name: clean[name]["right"])
    rows = [
        (f"the worst of {len(clean)} clean kinds: {worst}", *_shares(before, worst), *_shares(after, worst))
    ]
    for name in conditions:
        rows.append((name, *_shares(before, name), *_shares(after, name)))
    return table("picture | >right | >wrong, sure | >now right | >wrong, sure", rows) + (
        f"\n\nPercent of {count} pictures each, seed {after['seed']}, by the default weights; before: commit "
        f"{before['commit'][:7]}. Wrong, sure: a wrong digit with p > 0.9 that is not said to be no digit. "
        f"Said to be no digit: of {', '.join(NO_SINGLE_DIGIT)} {flagged} %."
    )


def _shares(measured: dict[str, Any], name: str) -> tuple[str, ...]:
    row = measured["conditions"][name]
    return tuple(f"{100 * row[kind] / row['pictures']:.1f}" for kind in ("right", "wrong_sure_is_digit"))
