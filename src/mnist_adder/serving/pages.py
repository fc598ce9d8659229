"""The page for the browser and the page of the documentation, as answers that are ready at start.

The files beside this one in ``page/`` and the OpenAPI document come in; responses go out, for ``app``.
Nothing on either page comes from another host, and the browser is told to refuse what would.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.responses import Response

FOLDER = Path(__file__).parent / "page"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}


def load_page(folder: Path = FOLDER) -> dict[str, Response]:
    """The files of the page by name, read once: a request can name nothing else."""
    files = sorted(folder.glob("*")) if folder.is_dir() else []
    return {
        path.name: Response(path.read_bytes(), media_type=_TYPES[path.suffix], headers=HEADERS)
        for path in files
        if path.suffix in _TYPES
    }


def documentation(document: Mapping[str, Any]) -> Response:
    """The OpenAPI document for a reader: one section a request, with its examples."""
    about = document["info"]
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(about['title'])}</title>",
        "<meta name='viewport' content='width=device-width'><link rel='stylesheet' href='/docs/style.css'>",
        f"<h1>{html.escape(about['title'])} {html.escape(about['version'])}</h1>",
        f"<p>{html.escape(about['description'])} The same for programs: "
        "<a href='/openapi.json'>openapi.json</a>.</p>",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts.append(f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>")
            parts.append(f"<p>{html.escape(operation.get('description') or operation['summary'])}</p>")
            parts += _examples("Example", operation.get("requestBody", {}).get("content", {}))
            for status, response in operation["responses"].items():
                parts.append(f"<p><b>{status}</b> {html.escape(response['description'])}</p>")
                parts += _examples("Answer", response.get("content", {}))
    return Response("\n".join(parts), media_type="text/html; charset=utf-8", headers=HEADERS)


STYLE = Response(
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#8882;padding:.7rem;overflow:auto;white-space:pre-wrap;max-height:20rem}"
    ":root{color-scheme:light dark}",
    media_type="text/css",
    headers=HEADERS,
)
"""How the documentation looks."""


def _examples(title: str, content: Mapping[str, Any]) -> list[str]:
    shown = []
    for kind, body in content.items():
        examples = {"": {"value": body["example"]}} if "example" in body else body.get("examples", {})
        for name, example in examples.items():
            value = example["value"]
            text = value if isinstance(value, str) else _short(json.dumps(value))
            label = html.escape(f"{title}{' ' + name if name else ''}, {kind}:")
            shown.append(f"<p>{label}</p><pre>{html.escape(text)}</pre>")
    return shown


def _short(text: str) -> str:
    return text if len(text) < 4000 else text[:4000] + " ..."
