"""Behind a proxy at a path of its own, the pages and what they ask still find each other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.serving.conftest import Service, start_service

PREFIX = "/digits"


@contextmanager
def proxy(service: Service, strip: bool) -> Iterator[str]:
    """The origin of a proxy that has the service at a path, and nothing elsewhere."""
    client = httpx.Client(base_url=service.url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if f"{self.path}/".startswith(f"{PREFIX}/"):
                path = (self.path.removeprefix(PREFIX) or "/") if strip else self.path
                kept = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                response = client.request(self.command, path, headers=kept, content=body)
            else:
                response = httpx.Response(404, headers={"x-from": "proxy"}, content=b"")
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if "content-length" not in response.headers:
                self.send_header("content-length", "0")
            self.end_headers()
            self.wfile.write(response.content)

        do_GET = do_HEAD = do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        client.close()


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with start_service(tmp_path_factory.mktemp("behind"), "--root-path", f"{PREFIX}/") as running:
        yield running


@pytest.mark.parametrize("strip", [True, False], ids=["stripped", "kept"])
def test_a_digit_is_read_and_every_link_works(
    behind: Service, browser: Browser, draw: Callable[[Page, int], None], strip: bool
) -> None:
    with proxy(behind, strip) as origin, httpx.Client() as client:
        context = browser.new_context()
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("response", lambda got: None if got.ok else wrong.append(f"{got.status} {got.url}"))
        page.goto(f"{origin}{PREFIX}")  # without a slash at its end
        expect(page.locator("#model option")).not_to_have_count(0)
        draw(page, 5)
        expect(page.locator("#equation")).to_have_text("5 + 7 = 12")
        page.get_by_role("button", name="Random picture").click()
        expect(page.locator("#note")).to_contain_text("label")
        page.get_by_role("link", name="The same for programs").click()
        expect(page.locator("main")).to_have_attribute("aria-busy", "false")
        assert page.url == f"{origin}{PREFIX}/docs"
        for link in page.locator("a").all():
            target = link.evaluate("link => link.href")
            assert target.startswith(f"{origin}{PREFIX}/")
            assert client.get(target).status_code == 200, target
        page.get_by_role("navigation").get_by_role("link", name="/metrics").click()
        expect(page.locator("#metrics")).to_be_in_viewport()
        page.get_by_role("link", name="The page to draw on").click()
        assert page.url == f"{origin}{PREFIX}/"
        expect(page.locator("#model option")).not_to_have_count(0)
        context.close()
        assert not wrong


@pytest.mark.parametrize("strip", [True, False], ids=["stripped", "kept"])
def test_the_document_names_the_path(behind: Service, strip: bool) -> None:
    with proxy(behind, strip) as origin:
        document = httpx.get(f"{origin}{PREFIX}/openapi.json").json()
        [server] = document["servers"]
        assert server == {"url": PREFIX}
        five = Path(__file__).parents[3] / "examples" / "five.png"
        answer = httpx.post(
            f"{origin}{server['url']}/predict", files={"image": five.read_bytes()}, data={"number": "2"}
        )
        assert answer.json()["sum"] == 7
        assert httpx.get(f"{origin}{PREFIX}/nothing").json() == {"detail": "Not Found"}
        assert httpx.get(f"{origin}/models").headers["x-from"] == "proxy"
    text = httpx.get(f"{behind.url}/metrics").text
    assert 'route="/predict"' in text
    assert "digits/" not in text


def test_without_it_links_work_where_a_proxy_strips_the_path(
    service: Service, browser: Browser, draw: Callable[[Page, int], None]
) -> None:
    with proxy(service, strip=True) as origin:
        page = browser.new_page()
        page.goto(f"{origin}{PREFIX}/")
        draw(page, 5)
        expect(page.locator("#equation")).to_have_text("5 + 7 = 12")
        page.get_by_role("link", name="The same for programs").click()
        expect(page.locator("main")).to_have_attribute("aria-busy", "false")
        page.close()
