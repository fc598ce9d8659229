"""Rebuild what the README and the pages beside this file say in figures: ``python docs/tables.py``.

Every block between ``<!-- NAME: made by docs/tables.py -->`` and ``<!-- end of NAME -->`` is made from files
in ``results/`` that runs have written, or from the source; nothing in it is typed by hand.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from code_map import packages
from records import faults, presets, speedrun

from mnist_adder import models
from mnist_adder.cli.progress import HEADER, epoch_line
from mnist_adder.evaluation.compare import Comparison, compare
from mnist_adder.models.summary import summarize
from mnist_adder.reports.comparison import comparison_table
from mnist_adder.safe_io import write_text

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def load_comparison() -> Comparison:
    """All models on MNIST, from the results of each run."""
    return compare(
        [json.loads(path.read_text()) for path in sorted((RESULTS / "comparison" / "runs").glob("*"))]
    )


def comparison() -> str:
    """The table of all models."""
    return comparison_table(load_comparison())


def example() -> str:
    """What the one-file example prints, and how accurate and how quick it is."""
    results = json.loads((RESULTS / "example.json").read_text())
    accuracy, output = results["joint_accuracy"], results["runs"][0]["output"]
    mean, std, least = (f"{100 * accuracy[name]:.2f}" for name in ("mean", "std", "min"))
    threads = f"{results['threads']} thread{'s' * (results['threads'] > 1)}"
    return (
        f"```\n$ python examples/adder.py\n{output}```\n\n"
        f"Over {accuracy['n']} seeds: {mean} ± {std} %, at least {least} %; "
        f"{results['seconds']['mean']:.0f} s from start to end ({results['user_seconds']['mean']:.0f} s of "
        f"processor time), with {threads} of {results['device']} and PyTorch {results['versions']['torch']}."
    )


def log() -> str:
    """What a training prints, and where it got to."""
    results = json.loads((RESULTS / "exact-sum.json").read_text())
    rows = csv.DictReader((RESULTS / "exact-sum.csv").read_text().splitlines())
    lines = [epoch_line({k: float(v) for k, v in row.items()}, results["epochs"]) for row in rows]
    threads = f"{results['threads']} thread{'s' * (results['threads'] > 1)}"
    printed = "\n".join(["```", "$ mnist-adder train", HEADER, *lines, "```"])
    return (
        f"{printed}\n\n`exact-sum` on {results['dataset']}, seed {results['seed']}: "
        f"{100 * results['joint_accuracy']:.2f} % of {results['pairs']:,} test pairs right, digit and sum "
        f"both; {results['train_seconds']:.0f} s with {threads} of {results['device']}."
    )


def assignment() -> str:
    """What all six models answer to the questions that can be answered in a table."""
    lines = [
        "| model | the image becomes | the two meet | losses | digit | sum | both |",
        "|---|---|---|---|--:|--:|--:|",
    ]
    for row in load_comparison().rows:
        model = models.get(row.model)
        features = summarize(model()).features
        accuracies = (row.digit_accuracy_mean, row.sum_accuracy_mean, row.joint_accuracy_mean)
        lines.append(
            f"| `{row.model}` | {features} {'logits' if features == 10 else 'features'} | {model.fusion} "
            f"| {model.objective} | " + " | ".join(f"{100 * value:.2f}" for value in accuracies) + " |"
        )
    return "\n".join(lines)


def fusions() -> str:
    """How the inputs meet in each model, in the models' own words."""
    lines = ["| model | how the two inputs meet | losses |", "|---|---|---|"]
    for name in models.names():
        model = models.get(name)
        lines.append(f"| `{name}` | {model.fusion} | {model.objective} |")
    return "\n".join(lines)


def speed() -> str:
    """How quickly answers come, in ONNX Runtime and in torch, and how often they are right."""
    measured = json.loads((RESULTS / "inference.json").read_text())
    single, cold = measured["single"], measured["cold"]
    right = measured["joint_accuracy"]
    sides = ("onnx", "onnx_int8", "torch")
    latencies = (f"{single[side]['median_ms']:.2f} ms ({single[side]['p99_ms']:.2f})" for side in sides)
    lines = [
        f"| `{measured['model']}` | ONNX Runtime, float32 | ONNX Runtime, int8 | torch, eager |",
        "|---|--:|--:|--:|",
        f"| one image, median (99th percentile) | {' | '.join(latencies)} |",
    ]
    for threads, label in (("1_threads", "one thread"), ("2_threads", "two threads")):
        batch = measured["batch"][threads]
        rates = (f"{batch[side]['images_per_second']:,}" for side in sides)
        lines.append(f"| images a second, {label} | {' | '.join(rates)} |")
        ratios = (f"{batch[f'torch_over_{side}']:.1f}" for side in sides[:2])
        lines.append(f"| times as quick as torch, {label} | {' | '.join(ratios)} | 1 |")
    accuracies = (f"{100 * right[side]:.2f} %" for side in sides[:2])
    lines.append(f"| both right, of {measured['pairs']:,} test pairs | {' | '.join(accuracies)} | |")
    versions = measured["versions"]
    return "\n".join(lines) + (
        f"\n\nOn {measured['device']}, {measured['cores']} cores, with onnxruntime {versions['onnxruntime']} "
        f"and torch {versions['torch']}; medians of {measured['batch']['1_threads']['n']} for the batches. "
        f"From a cold start `mnist-adder predict` takes {cold['predict']['median_seconds']:.2f} s and "
        f"`mnist-adder --help` {cold['help']['median_seconds']:.2f} s (medians of {cold['n']}).\n\n"
        f"{where_the_time_goes(measured)}"
    )


def where_the_time_goes(measured: dict[str, Any]) -> str:
    """What an image costs by operator, and what float32 could reach at most."""
    spent = {
        side: ", ".join(f"{kind} {microseconds:.1f}" for kind, microseconds in list(kinds.items())[:4])
        for side, kinds in measured["operators_us"].items()
    }
    floor = measured["float32_floor_1_thread"]
    return (
        "Microseconds an image on one thread, by operator, the four largest. "
        f"float32: {spent['onnx']}. int8: {spent['onnx_int8']}. "
        f"An image costs {floor['multiply_adds_an_image'] / 1e6:.1f} million multiply-adds. One core does "
        f"{floor['multiply_adds_per_second'] / 1e9:.0f} billion a second in a well-shaped float32 matrix "
        f"product, so that float32 ends at {floor['images_per_second']:,} images a second on one thread, "
        "were there nothing else to do."
    )


def growth() -> str:
    """What an epoch costs as the data grow, with one thread and with more."""
    measured = json.loads((RESULTS / "growth.json").read_text())
    lines = [
        "| threads | images | seconds an epoch | CPU seconds | µs an image | peak memory, MiB | runs |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in measured["rows"]:
        each = 1e6 * row["seconds"] / row["images"]
        lines.append(
            f"| {row['threads']} | {row['images']:,} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} "
            f"| {each:.0f} | {row['peak_mib']:.0f} | {row['n']} |"
        )
    libraries = max(row["libraries_mib"] for row in measured["rows"])
    loads = [run["load"] for run in measured["runs"]]
    return "\n".join(lines) + (
        f"\n\n`{measured['model']}` on MNIST's training images, repeated; medians of the runs, each in a "
        f"process of its own, with {measured['cores']} core{'s' * (measured['cores'] > 1)} of "
        f"{measured['device']}, {measured['precision']}, PyTorch {measured['versions']['torch']}. Of the "
        f"memory up to {libraries:.0f} MiB are libraries, before there are images. The machine's load was "
        f"{min(loads):.1f} to {max(loads):.1f} when the runs began: what else ran adds to seconds, "
        "and a little to CPU seconds, too."
    )


def serving() -> str:
    """How many requests the HTTP service answers."""
    results = json.loads((RESULTS / "serving.json").read_text())
    kinds = {"json": "28 x 28 arrays as JSON", "png": "PNG files in forms"}
    lines = [
        "| requests | connections | answers a second | median, ms | 99 %, ms | errors |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for kind, words in kinds.items():
        for connections, load in results["connections"][kind].items():
            lines.append(
                f"| {words} | {connections} | {load['answered_per_second']:,} | {load['p50_ms']:.1f} "
                f"| {load['p99_ms']:.1f} | {load['refused'] + load['failed']} |"
            )
    soak, over = results["soak"], results["overload"]
    memory = f"{soak['memory_mb'][1]:.0f} to {soak['memory_mb'][-1]:.0f} MB"
    lines.append(
        f"\nOne worker and the load generator together on {results['cores']} cores of {results['device']}. "
        f"Over {over['connections']:,} connections {over['answered_per_second']:,} PNG files a second are "
        f"answered and {over['refused'] / over['seconds']:,.0f} refused with 503; {over['failed']} requests "
        f"of {over['requests']:,} had no answer within 10 seconds. In {soak['seconds']:.0f} "
        f"seconds at 16 connections, {soak['requests']:,} requests had {soak['errors']} errors, and memory "
        f"went from {memory}."
    )
    turns = json.loads((RESULTS / "log" / "serving.json").read_text())
    times = {kind: f"{turns['kinds'][kind]['ratio']['median']:.2f}" for kind in kinds}
    lines.append(
        f"\nThe machine's speed changes by a third from one hour to the next. In turn with the service of "
        f"commit {turns['commits']['before'][:7]}, a second each, over {turns['connections']} connections, "
        f"{times['json']} times as many arrays are answered and {times['png']} times as many PNG files "
        f"(medians of {turns['turns']} ratios, [`results/log/serving.json`](../results/log/serving.json))."
    )
    return "\n".join(lines)


BLOCKS: dict[str, Callable[[], str]] = {
    block.__name__: block
    for block in (
        *(example, comparison, log, assignment, fusions, speed, growth),
        *(presets, speedrun, serving, faults, packages),
    )
}


def rebuilt(page: str) -> str:
    """A page with its blocks made again."""
    for name in re.findall(r"<!-- (\w+): made by docs/tables.py -->", page):
        begin, end = f"<!-- {name}: made by docs/tables.py -->", f"<!-- end of {name} -->"
        before, rest = page.split(begin)
        _, after = rest.split(end)
        page = f"{before}{begin}\n{BLOCKS[name]()}\n{end}{after}"
    return page


def main() -> None:
    """Rewrite the pages in place."""
    for path in PAGES:
        write_text(path, rebuilt(path.read_text()))


if __name__ == "__main__":
    main()
