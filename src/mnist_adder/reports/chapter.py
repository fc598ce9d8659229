"""The chapter of one run: its figures in order, with what they say and how to read them.

Contents come in, a Chapter goes out.
"""

from __future__ import annotations

from mnist_adder.reports import confusion, curves, drawing, measures, pictures, tables
from mnist_adder.reports.contents import Contents, parts
from mnist_adder.reports.page import Chapter, Section, picture
from mnist_adder.reports.style import percent

_NAMES = {"train": "training", "validation": "validation"}
"""Of the images that something was counted on."""

STRETCHED = (
    "The axis is stretched towards 100 %: from 90 to 99 % is as far as from 99 to 99.9 %, as both mean a "
    "tenth of the mistakes."
)
"""How to read accuracy curves."""


def make_chapter(contents: Contents, label: str, prefix: str) -> Chapter:
    """Draw a run's figures.

    Args:
        contents: of the run.
        label: what the run is called in this report.
        prefix: of the names of its figures; empty if it is the only run.
    """
    config = contents.run.config
    versions = [*config.versions.items(), ("commit", config.commit or "not from a git checkout")]
    versions += [("data", f"{config.dataset}, sha256 {config.data_sha256}"), ("device", config.device)]
    versions += [("precision", config.precision), ("threads", str(config.threads))]
    makers = [_training, _samples, _mistakes, _confusion, _by_number, _reliability, _network]
    return Chapter(
        name=f"{prefix}run",
        title=label,
        sentence=reached(contents, label),
        circumstances=_circumstances(contents),
        facts=tables.facts(contents),
        sections=[make(contents, prefix) for make in makers],
        recipe=tables.recipe(contents),
        command=contents.results["command"],
        versions=versions,
    )


def reached(contents: Contents, label: str) -> str:
    """In plain words what a run reached: the sentence that follows its name."""
    accuracy, pairs = contents.results["joint_accuracy"], int(contents.results["pairs"])
    return f"{label} answered {percent(accuracy)} of all {pairs:,} test pairs right, digit and sum both."


def _circumstances(contents: Contents) -> str:
    results, config = contents.results, contents.run.config
    epochs = int(results["epochs"])
    images = "" if config.recipe.train_on == "train" else "all training images of "
    return (
        f"It was trained on {images}{config.dataset} for {epochs} epoch{'s' if epochs != 1 else ''}, which "
        f"took {results['train_seconds']:,.0f} seconds on {config.device}, with seed {config.seed}. "
        "A pair is a test image with one of the ten numbers; every image was asked about with all ten."
    )


def _training(contents: Contents, prefix: str) -> Section:
    metrics = {"": contents.metrics}
    last, counted = contents.metrics[-1], parts(contents.metrics)
    part = counted[-1]  # validation, where there is any
    said = ", ".join(
        f"{name} {percent(last[f'{part}_{column}_accuracy'])}"
        for name, column in [("digit", "digit"), ("sum", "sum"), ("both", "joint")]
    )
    words = "All training images were trained on and none were held out, so there are no validation figures."
    return Section(
        name=f"{prefix}training",
        title="Training",
        words="" if part == "validation" else words,
        pictures=[
            picture(
                curves.accuracy_curves(metrics),
                f"{prefix}accuracy",
                label=f"Accuracy by epoch. On the {_NAMES[part]} images, after the last epoch: {said}.",
                caption=f"Accuracy by epoch. {STRETCHED} Training is counted while the weights change, on "
                "images that may be distorted, so it may lie below validation.",
            ),
            picture(
                curves.loss_curves(metrics),
                f"{prefix}loss",
                label="Loss by epoch. After the last one, "
                + ", ".join(f"{_NAMES[part]} {last[f'{part}_loss']:.4f}" for part in counted)
                + ".",
                caption="Losses by epoch, on a logarithmic scale. The first is the weighted sum of the "
                "others. Where validation rises while training falls, the model overfits.",
            ),
            picture(
                curves.learning_rate_curve(metrics),
                f"{prefix}learning-rate",
                label="Learning rate by epoch.",
                caption="The learning rate, as the recipe's schedule sets it.",
            ),
        ],
        tables=[tables.epochs(contents.metrics)],
    )


def _samples(contents: Contents, prefix: str) -> Section:
    shown = pictures.pairs(contents.samples)
    right = sum(pair.digit_right and pair.sum_right for pair in shown)
    return Section(
        name=f"{prefix}samples-section",
        title="Sample answers",
        words="",
        pictures=[
            picture(
                pictures.samples(contents.samples),
                f"{prefix}samples",
                label=f"{len(shown)} test pairs with the digit and the sum answered and their probabilities. "
                f"{right} are right.",
                caption="Image + number → digit, sum; below each answer its probability. These are the first "
                "test images, not chosen ones. A cross marks a wrong answer.",
            )
        ],
    )


def _mistakes(contents: Contents, prefix: str) -> Section:
    shown = pictures.pairs(contents.mistakes)
    inconsistencies = sum(pair.contradicts for pair in shown)
    words = "" if shown else "There were none: every test pair was answered right."
    return Section(
        name=f"{prefix}mistakes-section",
        title="The most confident mistakes",
        words=words,
        pictures=[
            picture(
                pictures.mistakes(contents.mistakes),
                f"{prefix}mistakes",
                label=f"The {len(shown)} test pairs that were answered wrong with the highest probability, "
                f"with the truth. In {inconsistencies} of them digit and sum contradict each other.",
                caption="The wrong answers that were given with the highest probability, each image once, "
                "the surest first. Below: the true digit and sum and, where the answers contradict each "
                "other, how. An image that a person would misread as well is no fault of the network's.",
            )
        ]
        if shown
        else [],
    )


def _confusion(contents: Contents, prefix: str) -> Section:
    results = contents.results
    worst = tables.confusions(contents)
    said = "; ".join(f"{row[0]} answered as {row[1]}: {row[2]}" for row in worst.rows) or "none"
    return Section(
        name=f"{prefix}confusion",
        title="What is mistaken for what",
        words="",
        pictures=[
            picture(
                confusion.digit_confusion(results["digit_confusion"]),
                f"{prefix}digit-confusion",
                label=f"Confusion matrix of the digit, 10 x 10 counts of pairs. Most frequent: {said}.",
                caption="Pairs with each true digit (row) by the digit answered (column). Each image is "
                "asked about ten times, so one image read wrong counts up to ten pairs.",
            ),
            picture(
                confusion.sum_confusion(results["sum_confusion"]),
                f"{prefix}sum-confusion",
                label="Confusion matrix of the sum, 19 x 19 counts of pairs; "
                f"{percent(results['sum_accuracy'])} lie on its diagonal.",
                caption="The same for the sum. A digit that is mistaken for another one shows as a line "
                "beside the diagonal, as the sum is wrong by the same amount for all ten numbers.",
            ),
        ],
        tables=[worst] if worst.rows else [],
    )


def _by_number(contents: Contents, prefix: str) -> Section:
    accuracies = contents.results["joint_accuracy_by_number"]
    return Section(
        name=f"{prefix}number",
        title="Accuracy by number",
        words="",
        pictures=[
            picture(
                measures.accuracy_by_number(accuracies, int(contents.results["pairs"])),
                f"{prefix}accuracy-by-number",
                label=f"Both right, by number: {percent(min(accuracies))} to {percent(max(accuracies))}.",
                caption="Whether some numbers are harder to add than others. Bars are 95 % intervals: "
                "differences that are small against them say nothing. The axis begins where its label says.",
            )
        ],
        tables=[tables.by_number(contents)],
    )


def _reliability(contents: Contents, prefix: str) -> Section:
    results = contents.results
    errors = results["digit_calibration_error"], results["sum_calibration_error"]
    return Section(
        name=f"{prefix}reliability-section",
        title="Can its confidence be trusted?",
        words=fixed_spread(contents),
        pictures=[
            picture(
                measures.reliability(results["digit_reliability"], results["sum_reliability"], *errors),
                f"{prefix}reliability",
                label=f"Reliability diagrams. Expected calibration error of the digit {percent(errors[0])}, "
                f"of the sum {percent(errors[1])}.",
                caption="Of the answers given with some confidence, how many are right? On the dashed line, "
                "as many as promised. Below, how many answers there are of each confidence, on a logarithmic "
                "scale: few answers make a point that means little (bars: 95 % intervals). The expected "
                "calibration error is the mean distance from the line over all answers.",
            )
        ],
    )


def fixed_spread(contents: Contents) -> str:
    """Why a sum that is read from one number has confidences of its own kind; empty for all others."""
    if contents.sum_scores > 1:
        return ""
    return (
        f"The sum is read from a single number (its losses: {contents.objective}), which says what the sum "
        "is but not how surely. How widely the probabilities spread around it is an assumption of the loss "
        "and was not learned, so the sum's confidence stays nearly the same however often it is right, and "
        "its calibration error tells of that assumption alone."
    )


def _network(contents: Contents, prefix: str) -> Section:
    dependence = contents.dependence
    digit = "needs the image alone" if dependence.digit == "image" else "depends on both inputs"
    members = contents.run.config.ensemble_size
    return Section(
        name=f"{prefix}network-section",
        title="The network",
        words=f"{members} networks answer together; drawn and counted here is one." if members > 1 else "",
        pictures=[
            picture(
                drawing.network(contents.summary, dependence, contents.fusion),
                f"{prefix}network",
                label="The network, from its two inputs to its two answers. The inputs meet: "
                f"{contents.fusion}. The digit {digit}.",
                caption="From the two inputs to the two answers. Blue depends on the image, orange on the "
                "number, green on both. Beside the arrows: what is passed on, for one pair. Layers that only "
                "shape or normalise are drawn with the one they follow.",
            )
        ],
        tables=[tables.layers(contents)],
    )
