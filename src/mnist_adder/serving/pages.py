"""The page for the browser, the documentation and the OpenAPI document, read once at start.

Nothing on a page comes from another host, and the browser is told to refuse what would.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import orjson
from starlette.responses import Response

from mnist_adder import __version__
from mnist_adder.errors import AddressError

FOLDER = Path(__file__).parent / "page"
OPENAPI = Path(__file__).parent / "openapi.json"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def check_root_path(root_path: str) -> str:
    """The path of the service behind a proxy, without a slash at its end; empty for nowhere else.

    Raises:
        AddressError: it is no path, or begins like one of the service's own, so that requests to the one
            could not be told from requests to the other.
    """
    path = root_path.rstrip("/")
    if not re.fullmatch(r"(/[\w.~-]+)*", path, re.ASCII):
        raise AddressError(f"The root path is {root_path!r}, but must be a path such as /digits.")
    own = {"/" + route.split("/")[1] for route in json.loads(OPENAPI.read_bytes())["paths"]} - {"/"}
    if "/" + path[1:].partition("/")[0] in own:
        raise AddressError(
            f"The root path is {root_path!r}, but must not begin like one of the service's own paths: "
            f"{', '.join(sorted(own))}."
        )
    return path


def load_page(root_path: str = "", folder: Path = FOLDER) -> dict[str, Response]:
    """The files of the page by name: a request can name nothing else.

    Their links are relative, so that they work behind any proxy. With a ``root_path`` they are relative to
    that, so that they also work where the address of the page itself has no slash at its end.
    """
    base = f'<head>\n    <base href="{root_path}/">'.encode()
    files = {}
    for path in folder.iterdir():
        if path.suffix in _TYPES:
            content = path.read_bytes()
            if root_path:
                content = content.replace(b"<head>", base, 1)
            files[path.name] = Response(content, media_type=_TYPES[path.suffix], headers=HEADERS)
    return files


def load_openapi(root_path: str = "") -> Response:
    """The OpenAPI document, for this version and this address."""
    document = json.loads(OPENAPI.read_bytes())
    document["info"]["version"] = __version__
    document["servers"] = [{"url": root_path or "/"}]
    return Response(orjson.dumps(document), media_type="application/json")
