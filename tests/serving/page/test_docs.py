"""The documentation in a real browser: each request is there, and nothing is loaded from elsewhere."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect


@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}],
    ids=["desk", "dark", "phone"],
)
def test_every_request_is_described(browser: Browser, address: str, options: dict[str, Any]) -> None:
    document = httpx.get(f"{address}openapi.json").json()
    context = browser.new_context(**options)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text))
    page.on("request", lambda asked: None if asked.url.startswith(address) else wrong.append(asked.url))
    page.goto(f"{address}docs")
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert page.locator("main .operation").count() == len(operations)
    for path, method, operation in operations:
        section = page.locator(f"#{operation['operationId']}")
        assert section.locator("h3").inner_text().split() == [method.upper(), path]
        assert section.locator(".answer > b, .answer > p > b").all_inner_texts() == list(
            operation["responses"]
        )
    link = page.get_by_role("navigation").get_by_role("link", name="/predict")
    link.click()
    expect(page.locator("#predict")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the window"
    context.close()
    assert not wrong
