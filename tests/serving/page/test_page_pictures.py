"""Pictures of all kinds on the page: test pictures, files, drawings, and what is wrong with some of them."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from mnist_adder.inference import Predictor
from mnist_adder.pretrained import pretrained_folder

FIVE = Path(__file__).parents[3] / "examples" / "five.png"
Draw = Callable[[Page, int], None]
Visit = Callable[..., AbstractContextManager[Page]]

RECORD_PICTURES = """() => {
    const append = FormData.prototype.append;
    FormData.prototype.append = function (name, value, ...rest) {
      if (name === "image") window.sent = value;
      append.call(this, name, value, ...rest);
    };
}"""  # the browser does not tell what is in a form that it sends
SENT = "async () => btoa(String.fromCharCode(...new Uint8Array(await window.sent.arrayBuffer())))"
HAND_OVER = """([text, name]) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type: "image/png" }));
    return data;
}"""


def reads(page: Page, equation: str) -> None:
    """Wait until the page says this."""
    expect(page.locator("#equation")).to_have_text(equation)


def answer_to(page: Page, number: int) -> dict[str, Any]:
    """What the service says when another number is chosen."""
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "false")
    with page.expect_response("**/predict") as response:
        page.keyboard.press(str(number))
    answer: dict[str, Any] = response.value.json()
    assert answer["number"] == number
    return answer


def test_a_random_test_picture_goes_to_the_network_as_it_is(page: Page) -> None:
    with page.expect_response("**/samples/random") as asked:
        page.get_by_role("button", name="Random picture").click()
    sample = asked.value.json()
    expect(page.locator("#note")).to_have_text(
        f"From {sample['source']}, where it is labelled {sample['digit']}."
    )
    answer = answer_to(page, 3)
    assert answer["seen"] == sample["pixels"]
    reads(page, f"{answer['digit']} + 3 = {answer['sum']}")
    with page.expect_response("**/samples/random"):
        page.keyboard.press("r")


def test_a_picture_file_opened_dropped_and_pasted(visit: Visit, draw: Draw) -> None:
    text = base64.b64encode(FIVE.read_bytes()).decode()
    with visit(permissions=["clipboard-read", "clipboard-write"]) as page:
        page.get_by_label("Picture file").set_input_files(FIVE)
        reads(page, "5 + 7 = 12")
        expect(page.locator("#note")).to_contain_text("five.png")
        page.keyboard.press("Escape")
        data = page.evaluate_handle(HAND_OVER, [text, "dropped.png"])
        page.locator("#paper").dispatch_event("drop", {"dataTransfer": data})
        reads(page, "5 + 7 = 12")
        expect(page.locator("#note")).to_contain_text("dropped.png")
        page.keyboard.press("Escape")
        page.evaluate(
            "async (text) => navigator.clipboard.write([new ClipboardItem({ 'image/png': new Blob("
            "[Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], { type: 'image/png' }) })])",
            text,
        )
        page.keyboard.press("Control+v")
        reads(page, "5 + 7 = 12")
        draw(page, 8)  # begins a new drawing
        reads(page, "8 + 7 = 15")
        page.keyboard.press("Control+z")  # its two strokes
        page.keyboard.press("Control+z")
        reads(page, "5 + 7 = 12")


def test_what_cannot_be_read_is_said_kindly(visit: Visit) -> None:
    blank = io.BytesIO()
    Image.new("L", (64, 64), 255).save(blank, "PNG")
    with visit(complaints=["Failed to load resource"]) as page:
        chooser = page.get_by_label("Picture file")
        chooser.set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"just words"})
        expect(page.locator("#message")).to_contain_text("is not a picture of a known kind")
        reads(page, "? + 7 = ?")
        chooser.set_input_files({"name": "blank.png", "mimeType": "image/png", "buffer": blank.getvalue()})
        expect(page.locator("#message")).to_contain_text("The picture is blank or too pale")
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        expect(page.locator("#message")).to_contain_text("draw a digit")


def test_a_service_that_is_gone_and_comes_back(visit: Visit, draw: Draw) -> None:
    with visit(complaints=["ERR_INTERNET_DISCONNECTED"]) as page:
        page.context.set_offline(True)
        draw(page, 7)
        expect(page.locator("#message")).to_have_text("The service does not answer. Is it still running?")
        page.context.set_offline(False)
        reads(page, "7 + 7 = 14")  # without doing anything


def test_every_model_can_be_chosen(page: Page, draw: Draw, address: str) -> None:
    known = json.load(urllib.request.urlopen(f"{address}models"))
    draw(page, 4)
    reads(page, "4 + 7 = 11")
    choice = page.get_by_label("Who answers")
    assert choice.locator("option").all_inner_texts() == [model["name"] for model in known["models"]]
    expect(choice).to_have_value(known["default"])
    for number, model in enumerate(known["models"]):
        choice.select_option(model["name"])
        expect(page.locator("#about")).to_contain_text(model["model"])
        page.get_by_label("Drawing area").focus()
        assert answer_to(page, number)["model"] == model["name"]
        reads(page, f"4 + {number} = {4 + number}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_same_drawing_gets_the_same_answer_everywhere(
    visit: Visit, draw: Draw, address: str, scheme: str, tmp_path: Path
) -> None:
    with visit(color_scheme=scheme, device_scale_factor=2) as page:
        page.evaluate(RECORD_PICTURES)
        draw(page, 6)
        shown = answer_to(page, 8)
        sent = page.evaluate(SENT)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", ground))) < 64) == (scheme == "dark")
    picture = tmp_path / "six.png"
    picture.write_bytes(base64.b64decode(sent))
    request = urllib.request.Request(
        f"{address}predict",
        json.dumps({"image": sent, "number": 8}).encode(),
        {"Content-Type": "application/json"},
    )
    assert json.load(urllib.request.urlopen(request)) == shown
    here = Predictor(pretrained_folder()).predict(picture, 8)
    assert (here.digit, here.sum) == (shown["digit"], shown["sum"]) == (6, 14)
    assert here.digit_probabilities == pytest.approx(shown["digit_probabilities"], abs=1e-6)
    assert here.sum_probabilities == pytest.approx(shown["sum_probabilities"], abs=1e-6)
    command = [sys.executable, "-m", "mnist_adder", "predict", str(picture), "8", "--json"]
    command += ["--run", str(pretrained_folder())]
    printed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (printed["digit"], printed["sum"]) == (6, 14)
