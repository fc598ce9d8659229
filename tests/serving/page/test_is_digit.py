"""The page says that a drawing may show no digit, or several."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect
from tests.telling import APART, DASH, NEAR, SEVEN, export_telling

if TYPE_CHECKING:
    from tests.serving.conftest import Start

Visit = Callable[..., AbstractContextManager[Page]]
SAID = {
    "seven": "7 + 7 = 14",
    "dash": "This may be no digit, or several",
    "near": "These seem to be several digits",
    "apart": "These seem to be several digits",
}


@pytest.fixture
def address(start: Start, tmp_path: Path) -> Iterator[str]:
    """Of the page, at a service of a model that tells."""
    with start(tmp_path, "--run", str(export_telling(tmp_path / "telling"))) as running:
        yield f"{running.url}/"


@pytest.mark.parametrize("width", [320, 1280])
def test_it_is_said_beside_the_answer(visit: Visit, tmp_path: Path, width: int) -> None:
    with visit(viewport={"width": width, "height": 800}) as page:
        message, spoken = page.locator("#message"), page.get_by_role("status")
        height = message.evaluate("message => message.offsetHeight")
        for name, picture in {"dash": DASH, "near": NEAR, "apart": APART}.items():
            picture.save(tmp_path / f"{name}.png")
            page.get_by_label("Picture file").set_input_files(tmp_path / f"{name}.png")
            expect(message).to_have_text(SAID[name])
            expect(message).to_have_attribute("data-kind", "doubt")
            expect(spoken).to_have_text(re.compile(rf"^\d plus 7 is \d+\. {SAID[name]}$"))
            assert message.evaluate("message => message.scrollWidth <= message.clientWidth")
            assert message.evaluate("message => message.offsetHeight") == height  # so that nothing moves
        SEVEN.save(tmp_path / "seven.png")
        page.get_by_label("Picture file").set_input_files(tmp_path / "seven.png")
        expect(page.locator("#equation")).to_have_text(SAID["seven"])
        expect(message).to_contain_text("sure")
        expect(message).to_have_attribute("data-kind", "sure")
