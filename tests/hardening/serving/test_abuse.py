"""Many requests that nobody would write: the service keeps to its OpenAPI document and stands."""

from __future__ import annotations

import asyncio
import io
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mnist_adder.serving.app import create_app

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from tests.serving.conftest import Service

FIVE = Path(__file__).parents[3] / "examples" / "five.png"

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
FORMATS = ["PNG", "JPEG", "GIF", "BMP", "WebP", "TIFF"]


def test_the_service_is_as_it_describes_itself(service: Service) -> None:
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    tested = []
    session = requests.Session()
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]

        @settings(max_examples=30, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def keeps_to_it(case: Any) -> None:
            response = case.call(session=session, timeout=10)
            case.validate_response(response, checks=CHECKS)

        keeps_to_it()
        tested.append(operation.label)
    document = httpx.get(f"{service.url}/openapi.json").json()
    described = {
        f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods
    }
    assert set(tested) == described - {"GET /openapi.json"}  # schemathesis leaves out what it has read
    session.close()


def files() -> Iterator[bytes]:
    with Image.open(FIVE) as picture:
        for kind in FORMATS:
            content = io.BytesIO()
            picture.convert("RGB").resize((40, 40)).save(content, kind)
            yield content.getvalue()


SEEDS = list(files())


def damaged(seed: int) -> bytes:
    """A picture file with bytes changed, cut, doubled, or joined with another's."""
    chance = random.Random(seed)
    content = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(content)) if content else 0
        match chance.randrange(4):
            case 0 if content:
                content[place] = chance.randrange(256)
            case 1:
                del content[place : place + chance.randint(1, 40)]
            case 2:
                content[place:place] = chance.randbytes(chance.randint(1, 8))
            case _:
                content[place:] = chance.choice(SEEDS)[place:]
    return bytes(content)


@pytest.fixture(scope="module")
def app() -> ASGIApp:
    return create_app()


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_damaged_pictures_are_answered_or_refused(app: ASGIApp, seed: int) -> None:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            return await client.post("/predict", files={"image": damaged(seed)}, data={"number": "3"})

    started = time.monotonic()
    response = asyncio.run(ask())
    assert time.monotonic() - started < 5
    assert response.status_code in (200, 413, 415, 422), response.text
    assert ("digit" in response.json()) == (response.status_code == 200)
