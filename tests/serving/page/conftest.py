"""A browser, the real service, and a hand that draws: what the tests of the page share.

The browser is the system's Chromium, which `make test` installs. Every visit is watched: what the console
complains about and what is asked of another host fails the test, whatever else it looks at.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import cos, radians, sin
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

if TYPE_CHECKING:
    from tests.serving.conftest import Service

Points: TypeAlias = "list[tuple[float, float]]"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 20_000  # milliseconds: on a busy machine a browser is slow
expect.set_options(timeout=PATIENCE)


def _arc(x: float, y: float, width: float, height: float, start: int, end: int) -> Points:
    angles = [radians(start + (end - start) * step / 20) for step in range(21)]
    return [(x + width * cos(angle), y + height * sin(angle)) for angle in angles]


STROKES: dict[int, list[Points]] = {
    0: [_arc(0.5, 0.5, 0.2, 0.3, -90, 270)],
    1: [[(0.4, 0.3), (0.52, 0.2), (0.52, 0.8)]],
    2: [[*_arc(0.5, 0.36, 0.18, 0.17, -160, 40), (0.32, 0.8), (0.7, 0.8)]],
    3: [_arc(0.47, 0.35, 0.18, 0.15, -150, 90) + _arc(0.47, 0.65, 0.2, 0.16, -90, 150)],
    4: [[(0.4, 0.2), (0.3, 0.55), (0.7, 0.55)], [(0.62, 0.2), (0.6, 0.82)]],
    5: [[(0.66, 0.2), (0.4, 0.2), (0.37, 0.47), *_arc(0.48, 0.62, 0.19, 0.18, -120, 140)]],
    6: [[(0.58, 0.18), (0.42, 0.38)], _arc(0.5, 0.63, 0.17, 0.18, -180, 180)],
    7: [[(0.3, 0.22), (0.7, 0.22), (0.45, 0.82)]],
    8: [_arc(0.5, 0.35, 0.14, 0.15, 90, -270), _arc(0.5, 0.66, 0.17, 0.16, -90, 270)],
    9: [_arc(0.5, 0.36, 0.16, 0.16, 0, -360), [(0.66, 0.36), (0.62, 0.82)]],
}
"""The ten digits as one draws them, in sides of the paper."""


@pytest.fixture(scope="session")
def address(service: Service) -> str:
    """Of the page, at the service that all tests ask."""
    return f"{service.url}/"


# No longer than a module: while Playwright is there an event loop runs in this thread, and tests elsewhere
# that start one of their own would fail.
@pytest.fixture(scope="module")
def browser() -> Generator[Browser, None, None]:
    """The system's Chromium."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; apt-get install chromium, or make test as root")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM)
        yield running
        running.close()


class Visit(Protocol):
    """Opens the page in a window of its own. At its end nothing may have gone wrong but ``complaints``."""

    def __call__(self, *, complaints: Sequence[str] = (), **options: Any) -> AbstractContextManager[Page]: ...


@pytest.fixture
def visit(browser: Browser, address: str) -> Visit:
    @contextmanager
    def open_page(*, complaints: Sequence[str] = (), **options: Any) -> Generator[Page, None, None]:
        context = browser.new_context(**options)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console", lambda line: wrong.append(line.text) if line.type in ("error", "warning") else None
        )
        page.on("request", lambda asked: None if asked.url.startswith(address) else wrong.append(asked.url))
        page.goto(address)
        expect(page.locator("#model option")).not_to_have_count(0)
        yield page
        context.close()
        assert not [text for text in wrong if not any(part in text for part in complaints)]

    return open_page


@pytest.fixture
def page(visit: Visit) -> Generator[Page, None, None]:
    """The page on a desk."""
    with visit(viewport={"width": 1280, "height": 800}) as opened:
        yield opened


@pytest.fixture
def places() -> Callable[[Page, int], list[Points]]:
    """Where in the window the strokes of a digit go."""

    def find(page: Page, digit: int) -> list[Points]:
        box = page.get_by_label("Drawing area").bounding_box()
        assert box
        left, top, side = box["x"], box["y"], box["width"]
        return [[(left + x * side, top + y * side) for x, y in stroke] for stroke in STROKES[digit]]

    return find


@pytest.fixture
def draw(places: Callable[[Page, int], list[Points]]) -> Callable[[Page, int], None]:
    """Draws a digit with the mouse."""

    def with_mouse(page: Page, digit: int) -> None:
        for (x, y), *others in places(page, digit):
            page.mouse.move(x, y)
            page.mouse.down()
            for x, y in others:
                page.mouse.move(x, y)
            page.mouse.up()

    return with_mouse
