"""The first sheet: what the others hold, the colours, what to try, and the numbers that move."""

from __future__ import annotations

from mnist_adder.worksheet.book import Cell, Sheet
from mnist_adder.worksheet.look import TINY
from mnist_adder.worksheet.small_network import INPUTS, Row

TITLE = "Start"
HEADING = "Backpropagation one can touch"
EXPLANATION = "Every number that can be a formula is one. Change a yellow cell and see what follows."
SHEETS = (
    ("Small network", "a 2-2-2 network learns two targets, one row an update"),
    ("Derivation", "each formula of one update, step by step, with a drawing"),
    ("Learning rates", "the same network with six learning rates"),
    ("Adder head", "2-5-5-1 linear layers learn to add a digit and a number"),
    ("Exact sum", "the sum computed from probabilities, and the gradient back to the digit"),
    ("Check", "how far all this is from PyTorch's autograd"),
    ("Autograd", "PyTorch's numbers, for the sheet Check"),
)
TRY = (
    f"Small network: the learning rate {INPUTS['rate']:g} becomes 5. What is the error after 100 updates?",
    "Small network: w5 becomes 4. Why is its first slope half of what it was? See o1 in Derivation.",
    "Small network: b1 = 0.35 and b2 = 0.60, the variant with biases.",
    "Learning rates: 2 becomes 1000. Why does the error stand still at 0.0001?",
    "Adder head: the table before update 0, 5, 20, 199. When can it add?",
    "Adder head: the rate becomes 0.004, then 0.006. Why can a linear network explode?",
    "Exact sum: another number. Why does no gradient change?",
    "Exact sum: 0.1 in each of the ten P(number). Why does L_sum teach so little now?",
)


def fill_start(sheet: Sheet, small: list[Row], difference: Cell) -> None:
    """Write the sheet."""
    sheet.write(3, 0, "Sheets", "heading")
    for line, (title, content) in enumerate(SHEETS, 4):
        sheet.worksheet.write_url(line, 0, f"internal:'{title}'!A1", string=title)
        sheet.write(line, 1, content, "note")
    sheet.explain_colours(12, 0)
    sheet.write(19, 0, "Try", "heading")
    for line, sentence in enumerate(TRY, 20):
        sheet.write(line, 0, f"{line - 19}.")
        sheet.write(line, 1, sentence, "note")
    sheet.write(29, 0, "Now", "heading")
    for line, (update, label) in enumerate(
        ((0, "error at the start"), (1, "after 1 update"), (-1, f"after {len(small) - 1} updates")), 30
    ):
        sheet.put(line, 0, small[update]["E_total"], "answer", number_format="0.000000000")
        sheet.write(line, 1, f"Small network: {label}", "note")
    sheet.put(33, 0, difference, "check", number_format=TINY)
    remark = "largest difference from PyTorch; large once an input is changed, as PyTorch did not see that"
    sheet.write(33, 1, remark, "note")
    sheet.lay_out(frozen=(1, 0), widths={"A:A": 18, "B:B": 92})
