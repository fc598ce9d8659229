"""The table of routes: described as it is, HEAD wherever GET is, other origins only where they are named."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import httpx
import pytest
from starlette.routing import Route

from mnist_adder.serving.app import Service, create_app, routes
from mnist_adder.serving.limits import Limits
from mnist_adder.serving.models import load_models
from mnist_adder.serving.pages import check_root_path, load_page


@pytest.fixture(scope="module")
def table() -> list[Route]:
    return routes(Service(load_models(None), load_page(), Limits()))


def methods_of(route: Route) -> set[str]:
    assert route.methods is not None
    return route.methods - {"HEAD"}  # which comes with GET


def test_the_document_lists_exactly_the_routes_that_exist(client: httpx.Client, table: list[Route]) -> None:
    document = client.get("/openapi.json").json()
    described = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.path, method) for route in table for method in methods_of(route)}
    names = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert len(names) == len(set(names))


def test_predict_is_found_first(table: list[Route]) -> None:
    assert table[0].path == "/predict"


def test_head_is_answered_wherever_get_is(client: httpx.Client, table: list[Route]) -> None:
    tried = 0
    for route in table:
        if methods_of(route) == {"GET"}:
            name = "index.html" if route.path.startswith("/page/") else "default"
            path = route.path.format(name=name, version="1")
            get, head = client.get(path), client.head(path)
            assert (get.status_code, head.status_code) == (200, 200), path
            assert head.content == b""
            assert get.content
            changing = {"content-length"} if path in ("/metrics", "/samples/random") else set()
            assert without(head.headers, changing) == without(get.headers, changing), path
            tried += 1
    assert tried == len(table) - 3


def without(headers: httpx.Headers, names: Collection[str]) -> dict[str, str]:
    assert "content-length" in headers
    return {name: value for name, value in headers.items() if name not in names}


def ask(allow_origins: Collection[str], method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(allow_origins=allow_origins))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(request())


OURS, OTHER = "https://ours.example", "https://other.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}


def allowed(response: httpx.Response) -> str | None:
    found: str | None = response.headers.get("access-control-allow-origin")
    return found


def test_without_origins_no_header_of_cors_is_ever_sent() -> None:
    for method, path in (
        ("GET", "/models"),
        ("POST", "/predict"),
        ("GET", "/nothing"),
        ("OPTIONS", "/predict"),
    ):
        response = ask((), method, path, {"origin": OURS, **PREFLIGHT})
        assert not [name for name in response.headers if name.startswith("access-control") or name == "vary"]
    assert response.status_code == 405


@pytest.mark.parametrize(
    ("origins", "origin", "expected"),
    [((OURS,), OURS, OURS), ((OURS, OTHER), OTHER, OTHER), ((OURS,), OTHER, None), (("*",), OTHER, "*")],
)
def test_named_origins_may_call_and_others_may_not(
    origins: Collection[str], origin: str, expected: str | None
) -> None:
    preflight = ask(origins, "OPTIONS", "/predict", {"origin": origin, **PREFLIGHT})
    assert (preflight.status_code, allowed(preflight)) == (200 if expected else 400, expected)
    answer = ask(origins, "GET", "/models", {"origin": origin})
    assert (answer.status_code, allowed(answer)) == (200, expected)
    refused = ask(origins, "POST", "/predict", {"origin": origin})
    assert (refused.status_code, allowed(refused)) == (415, expected)
    assert "access-control-allow-credentials" not in preflight.headers


def test_binary_tensors_and_retry_after_cross_origins_too() -> None:
    asked = {**PREFLIGHT, "access-control-request-headers": "inference-header-content-length"}
    assert ask((OURS,), "OPTIONS", "/v2/models/default/infer", {"origin": OURS, **asked}).status_code == 200
    shown = ask((OURS,), "GET", "/v2", {"origin": OURS}).headers["access-control-expose-headers"].lower()
    assert "retry-after" in shown
    assert "inference-header-content-length" in shown
    for method in ("PUT", "DELETE"):
        asked = {"origin": OURS, "access-control-request-method": method}
        assert ask((OURS,), "OPTIONS", "/predict", asked).status_code == 400


def test_a_root_path_is_taken_without_its_last_slash() -> None:
    assert [check_root_path(path) for path in ("", "/", "/a/b-c/", "/predictions")] == [
        "",
        "",
        "/a/b-c",
        "/predictions",
    ]
