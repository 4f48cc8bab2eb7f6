"""The page that shows the OpenAPI document to people: HTML alone, no scripts and no other hosts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy that is enough for the page."""

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h3 { margin-top: 2.5rem; overflow-wrap: anywhere }
code, pre { font: 14px/1.4 ui-monospace, monospace }
pre { background: #8881; padding: .7rem; overflow-x: auto }
.about { white-space: pre-wrap; background: none; padding: 0; font: inherit }
.method { display: inline-block; min-width: 4.5rem; font-weight: bold }
td, th { text-align: left; vertical-align: top; padding: .1rem 1rem .1rem 0 }
:root { color-scheme: light dark }
"""


def write_page(document: Mapping[str, Any]) -> str:
    """Write an OpenAPI document as a page of HTML.

    Args:
        document: The document.

    Returns:
        The page, which needs nothing else: it works without a network.
    """
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{title}</h1>",
            f'<pre class="about">{_words(document["info"]["description"])}</pre>',
            '<p>The same for programs: <a href="/openapi.json">openapi.json</a></p>',
            *_operations(document["paths"]),
            "</body></html>\n",
        ]
    )


def _operations(paths: Mapping[str, Any]) -> Iterator[str]:
    """Write all operations, in the order of the document, under the words that group them."""
    group = None
    for path, methods in paths.items():
        for method, operation in methods.items():
            if operation["tags"] != group:
                group = operation["tags"]
                yield f"<h2>{escape(', '.join(group))}</h2>"
            yield from _operation(path, method, operation)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    anchor = escape(operation["operationId"])
    yield f'<h3 id="{anchor}"><code class="method">{method.upper()}</code>'
    yield f"<code>{escape(path)}</code></h3>"
    yield f"<p>{_words(operation['description'])}</p>"
    if operation["parameters"]:
        yield "<table><tr><th>Parameter</th><th>in</th><th></th><th>for example</th></tr>"
        yield from map(_parameter, operation["parameters"])
        yield "</table>"
    if "requestBody" in operation:
        yield from _content("The body", operation["requestBody"])
    for status, answer in operation["responses"].items():
        yield from _content(f"<b>{escape(status)}</b> {_words(answer['description'])}", answer)


def _parameter(parameter: Mapping[str, Any]) -> str:
    cells = (
        f"<code>{escape(parameter['name'])}</code>",
        parameter["in"],
        _words(parameter["description"]),
        f"<code>{escape(str(parameter['example']))}</code>",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _content(title: str, part: Mapping[str, Any]) -> Iterator[str]:
    """Write what is sent or answered, with its example where there is one."""
    for content in part.get("content", {}).values():
        example = json.dumps(content["example"], ensure_ascii=False, indent=2)
        yield f"<details><summary>{title}</summary><pre>{escape(example)}</pre></details>"
    if not part.get("content"):
        yield f"<p>{title}</p>"


def _words(text: str) -> str:
    """Write words, in which backticks stand around code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
