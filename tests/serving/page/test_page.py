"""Drawing, choosing numbers, reading sums: the page in a real browser, answered by the real service."""

from __future__ import annotations

import contextlib
import re
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from mnist_adder import serving

FILES = Path(serving.__file__).parent / "page"
Draw = Callable[[Page, int], None]
Places = Callable[[Page, int], list[list[tuple[float, float]]]]
Visit = Callable[..., AbstractContextManager[Page]]


def reads(page: Page, equation: str) -> None:
    """Wait until the page says this."""
    expect(page.locator("#equation")).to_have_text(equation)


@pytest.mark.parametrize("digits", [range(5), range(5, 10)], ids=["0-4", "5-9"])
def test_every_digit_drawn_with_the_mouse(page: Page, draw: Draw, digits: range) -> None:
    for digit in digits:
        draw(page, digit)
        page.get_by_role("radio", name=str(9 - digit), exact=True).check()
        reads(page, f"{digit} + {9 - digit} = 9")
        page.keyboard.press(str(digit))
        expect(page.get_by_role("radio", name=str(digit), exact=True)).to_be_checked()
        reads(page, f"{digit} + {digit} = {2 * digit}")
        expect(page.locator("#message")).to_contain_text("sure")
        page.get_by_role("button", name="Clear").click()
        reads(page, f"? + {digit} = ?")


def test_the_answer_is_there_before_the_mouse_is_let_go(page: Page, places: Places) -> None:
    ((first, *others),) = places(page, 0)
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place)
    reads(page, "0 + 7 = 7")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()  # it is still the same stroke
    page.mouse.up()
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()


def test_bars_and_what_the_network_sees(page: Page, draw: Draw) -> None:
    expect(page.get_by_label("No digit yet")).to_be_visible()
    draw(page, 5)
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "false")
    with page.expect_response("**/predict") as response:
        page.keyboard.press("4")
    answer = response.value.json()
    reads(page, "5 + 4 = 9")
    for chart, name, top, share in (
        ("#digit-bars", "Digit", 5, answer["digit_probabilities"]),
        ("#sum-bars", "Sum", 9, answer["sum_probabilities"]),
    ):
        columns = page.locator(f"{chart} > div")
        shown = columns.evaluate_all("all => all.map((one) => Number(one.style.getPropertyValue('--share')))")
        assert shown == pytest.approx(share)
        expect(page.locator(f"{chart} > .top")).to_have_text(str(top))
        expect(
            page.get_by_role("img", name=re.compile(f"^{name}, most likely first: {top}: "))
        ).to_be_visible()
    page.wait_for_function(  # the digit has slid to above its sum
        "() => { const [a, b] = ['digit', 'sum'].map((name) => document.querySelector(`#${name}-bars > .top`)"
        ".getBoundingClientRect().left); return Math.abs(a - b) < 1 }"
    )
    pixels = page.get_by_label("What the network sees").evaluate(
        "seen => [...seen.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0)"
    )
    assert pixels == np.ravel(answer["seen"]).tolist()


def tap(key: Locator) -> None:
    """Tap until it counts: on a busy machine a finger may rest so long that it is a long press."""
    for _ in range(4):
        key.tap()
        with contextlib.suppress(AssertionError):
            return expect(key).to_be_checked(timeout=3_000)
    return expect(key).to_be_checked()


def test_drawn_by_touch_on_a_phone_the_page_stays_where_it_is(visit: Visit, places: Places) -> None:
    phone = {"width": 320, "height": 560}
    with visit(viewport=phone, has_touch=True, is_mobile=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        assert page.evaluate("document.documentElement.scrollHeight") > 560  # so it could scroll
        before = page.get_by_label("Drawing area").bounding_box()
        finger = page.context.new_cdp_session(page)
        for stroke in places(page, 3):
            for place, (x, y) in enumerate(stroke):
                kind = "touchMove" if place else "touchStart"
                finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
            finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        reads(page, "3 + 7 = 10")
        assert page.evaluate("scrollY") == 0
        assert page.get_by_label("Drawing area").bounding_box() == before
        key = page.get_by_role("radio", name="2", exact=True)
        size = key.bounding_box()
        assert size
        assert min(size["width"], size["height"]) >= 44  # a fingertip
        tap(key)
        reads(page, "3 + 2 = 5")


def test_undo_redo_clear_by_button_and_key(page: Page, draw: Draw) -> None:
    empty = "Nothing drawn yet: draw a digit."
    expect(page.locator("#message")).to_have_text(empty)
    undo, redo, clear = (page.get_by_role("button", name=name) for name in ("Undo", "Redo", "Clear"))
    for button in (undo, redo, clear):
        expect(button).to_be_disabled()
    draw(page, 1)
    reads(page, "1 + 7 = 8")
    clear.click()
    reads(page, "? + 7 = ?")
    expect(page.locator("#message")).to_have_text(empty)
    undo.click()
    reads(page, "1 + 7 = 8")
    undo.click()
    reads(page, "? + 7 = ?")
    expect(undo).to_be_disabled()
    redo.click()
    reads(page, "1 + 7 = 8")
    page.keyboard.press("Control+z")
    reads(page, "? + 7 = ?")
    page.keyboard.press("Control+Shift+Z")
    reads(page, "1 + 7 = 8")
    page.keyboard.press("Delete")
    reads(page, "? + 7 = ?")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+y")
    reads(page, "1 + 7 = 8")
    page.keyboard.press("Escape")
    reads(page, "? + 7 = ?")


def test_everything_by_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_label("Drawing area")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_have_text("Pen down")
    for _ in range(18):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    reads(page, "1 + 7 = 8")
    page.keyboard.press("5")
    reads(page, "1 + 5 = 6")
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^1 plus 5 is 6\. .*sure$"))
    assert page.evaluate("scrollY") == 0
    for _ in range(4):
        page.keyboard.press("Tab")  # Undo, Clear, Random picture, Open; Redo is disabled
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="5", exact=True)).to_be_focused()
    page.keyboard.press("ArrowRight")
    reads(page, "1 + 6 = 7")


def test_everything_has_a_name_for_screen_readers(page: Page) -> None:
    named = page.get_by_role
    for name in ("Undo", "Redo", "Clear", "Random picture", "Open a file"):
        expect(named("button", name=name, exact=True)).to_be_visible()
    for number in range(10):
        expect(named("radio", name=str(number), exact=True)).to_have_count(1)
    expect(named("group", name="The number")).to_be_visible()
    expect(named("combobox", name="Who answers")).to_be_visible()
    expect(named("application", name="Drawing area")).to_be_visible()
    expect(named("img", name="What the network sees: nothing yet")).to_be_visible()
    expect(named("status")).to_have_text("Nothing drawn yet: draw a digit.")


def test_the_policy_is_strict_and_the_files_keep_to_it(address: str) -> None:
    reply = urllib.request.urlopen(address)
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    markup = reply.read().decode()
    assert not re.search(r"<style|<script(?![^>]+src=)|\son\w+=|\sstyle=", markup)
    for file in FILES.iterdir():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), (
            file.name
        )
        links = re.findall(r"(?:https?:)?//[\w.]+\.\w+[^\s\"')]*", re.sub(r"^\s*// .*", "", text, flags=re.M))
        assert set(links) <= {"http://www.w3.org/2000/svg"}, file.name
