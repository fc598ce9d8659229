"""Draws the pictures of docs/worksheet.md, and the network that the worksheet shows: make worksheet-pictures.

LibreOffice prints the sheets, a page each; Chromium shows the pages, since LibreOffice Calc alone cannot
write pictures.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image, ImageChops, ImageOps
from playwright.sync_api import ViewportSize, sync_playwright

from mnist_adder.worksheet.adder_head import add_adder_head
from mnist_adder.worksheet.book import Book
from mnist_adder.worksheet.derivation import DRAWING, add_derivation
from mnist_adder.worksheet.exact_sum import add_exact_sum
from mnist_adder.worksheet.look import COLOURS
from mnist_adder.worksheet.small_network import add_small_network

PICTURES = Path(__file__).parent / "pictures"
SHOWN = {"Small network": "A1:S31", "Derivation": "A1:J49", "Adder head": "A1:W41", "Exact sum": "A1:T42"}
"""The part of each sheet that its picture shows."""
VIEWPORT: ViewportSize = {"width": 1800, "height": 1260}  # too low for a second page

NODES = {
    "i1": (0, 1), "i2": (0, 0), "h1": (1, 1), "h2": (1, 0), "o1": (2, 1), "o2": (2, 0),
    "b1": (0.5, -0.75), "b2": (1.5, -0.75),
}  # fmt: skip
EDGES = (
    ("i1", "h1", "w1"), ("i2", "h1", "w2"), ("i1", "h2", "w3"), ("i2", "h2", "w4"),
    ("h1", "o1", "w5"), ("h2", "o1", "w6"), ("h1", "o2", "w7"), ("h2", "o2", "w8"),
    ("b1", "h1", ""), ("b1", "h2", ""), ("b2", "o1", ""), ("b2", "o2", ""),
)  # fmt: skip
"""From, to, weight."""
KINDS = {"i": "input", "b": "input", "h": "computed", "o": "answer"}


def draw_network(path: Path) -> None:
    """Which weight of the small network joins which nodes, 1404 x 720 pixels."""
    figure = plt.figure(figsize=(7.8, 4), dpi=180)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.3, 3.25), ylim=(-1.05, 1.35))
    axes.set_axis_off()
    for start, end, weight in EDGES:
        (x0, y0), (x1, y1) = NODES[start], NODES[end]
        line = {"color": "#7B8794", "linestyle": "-" if weight else ":"}
        arrow = {"arrowstyle": "-|>", "shrinkA": 18, "shrinkB": 20, **line}
        axes.annotate("", (x1, y1), (x0, y0), zorder=1, arrowprops=arrow)
        if weight:  # nearer to where it ends, where no two meet
            x, y = x0 + 0.68 * (x1 - x0), y0 + 0.68 * (y1 - y0)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            axes.text(
                x, y, weight, ha="center", va="center", fontsize=11, color="#0B4F9E", zorder=3, bbox=box
            )
    for name, (x, y) in NODES.items():
        colour = COLOURS[KINDS[name[0]]]
        axes.plot(x, y, "o", markersize=36, color=colour, markeredgecolor="#1F2933", zorder=2)
        text = f"{name}\na_{name}" if name[0] in "ho" else name
        axes.text(x, y, text, ha="center", va="center", fontsize=10, zorder=4)
    for place, y in (("1", 1), ("2", 0)):
        axes.text(2.28, y, f"→ E{place} = ½ (t{place} − a_o{place})²", va="center", fontsize=9)
    figure.savefig(path, metadata={"Software": None})


def print_sheets(pdf: Path) -> None:
    """The shown parts as a PDF, a page each, in the order of ``SHOWN``."""
    book = Book()
    _, rows = add_small_network(book)
    add_derivation(book, rows)
    add_adder_head(book)
    add_exact_sum(book)
    for sheet in book.workbook.worksheets():
        sheet.print_area(SHOWN[sheet.name])
        sheet.fit_to_pages(1, 1)
        sheet.set_footer("")
    workbook = pdf.with_suffix(".xlsx")
    workbook.write_bytes(book.to_bytes())
    profile = f"-env:UserInstallation={(pdf.parent / 'profile').as_uri()}"
    command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir"]
    subprocess.run([*command, pdf.parent, workbook], check=True, capture_output=True, timeout=240)


def photograph(pdf: Path) -> None:
    """Show each page in Chromium and keep what is on it."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--headless=new", "--no-sandbox"],  # the other headless mode shows no PDF
            ignore_default_args=["--headless"],
        )
        for number, title in enumerate(SHOWN, 1):
            page = browser.new_page(viewport=VIEWPORT)
            page.goto(f"{pdf.as_uri()}#toolbar=0&view=Fit&page={number}")
            page.wait_for_timeout(4000)  # the viewer does not say when it has drawn
            seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            page.close()
            path = PICTURES / f"worksheet-{title.lower().replace(' ', '-')}.png"
            cut_out(seen).quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
            print(path)
        browser.close()


def cut_out(seen: Image.Image) -> Image.Image:
    """What is on the white page in the middle of the viewer, with a little room around it."""
    page = ImageOps.crop(seen, 40)
    content = ImageChops.difference(page, Image.new("RGB", page.size, "white")).getbbox()
    return ImageOps.expand(page.crop(content), 10, "white")


def main() -> None:
    """Draw all of them."""
    if not shutil.which("soffice"):
        sys.exit("worksheet_pictures: LibreOffice is not installed: apt-get install libreoffice-calc")
    draw_network(DRAWING)
    with tempfile.TemporaryDirectory() as folder:
        print_sheets(Path(folder) / "sheets.pdf")
        photograph(Path(folder) / "sheets.pdf")


if __name__ == "__main__":
    main()
