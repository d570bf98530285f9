r"""The body of an error answer, told in one sentence.

The API and what stands before it speak in many shapes; each has been met in the wild:

| shape | told as |
|---|---|
| `{"message": "Invalid model", "code": "unknown_model", …}` | Invalid model |
| `{"detail": "Unauthorized"}` | Unauthorized |
| `{"detail": [{"loc": ["body", "endpoint"], "msg": "Field required", "input": …}]}` | body.endpoint: Field required |
| `{"message": {"detail": […]}}`, `{"message": […]}` | the same, from further inside |
| `{"message": "{\"detail\": …}"}` | the same, from the JSON inside the string |
| an HTML page | an HTML page, "502 Bad Gateway" |
| other text | its beginning |
| nothing, or nothing of the above | the status's own name |

`input` and everything else not named here is left out: it may repeat a prompt.
"""

from __future__ import annotations

import html
import re
from http import HTTPStatus
from typing import Final

import msgspec

from reconciler.text.sanitize import clean

_SPEAKING: Final = ("detail", "message", "error", "errors", "title")
"""Keys that hold text for people, the most precise first."""

_MOST: Final = 5
"""Mistakes of one request that are told; the rest is counted."""

LONGEST: Final = 300
"""Characters of a foreign message that a reader is shown."""

_DEEPEST: Final = 6
"""How far into one another messages may be wrapped."""

_HEAD: Final = 8192
"""Bytes of a page in which its title is looked for: the search is quadratic for a page that means ill."""
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


def sentence(body: bytes, *, status: int, content_type: str = "") -> str:
    """Return what the body says, one line of any length; the name of `status` where it says nothing."""
    if is_html(body, content_type):
        title = _TITLE.search(body[:_HEAD].decode(errors="replace"))
        named = _line(html.unescape(title[1])) if title else ""
        return f'an HTML page, "{named}"' if named else "an HTML page"
    try:
        said = _said(msgspec.json.decode(body))
    except (ValueError, RecursionError):  # ValueError: JSON and UTF-8 errors alike
        said = "" if body.lstrip()[:1] in {b"{", b"["} else body.decode(errors="replace")
    return _line(said) or _name(status)


def cut(text: str, longest: int = LONGEST) -> str:
    """Return at most `longest` characters of `text`, with an ellipsis where something was left out."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def is_html(body: bytes, content_type: str = "") -> bool:
    """Tell whether an answer is a web page: nothing that the API itself would send."""
    start = body[:256].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html")) or (
        content_type.lower().startswith("text/html") and start.startswith(b"<")
    )


def _line(text: str) -> str:
    return " ".join(clean(text).split())


def _name(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"


def _said(value: object, depth: int = 0) -> str:
    if depth > _DEEPEST:
        return ""
    match value:
        case str():
            return _unwrapped(value, depth)
        case list():
            told = [text for text in (_said(item, depth + 1) for item in value) if text]
            more = [f"and {len(told) - _MOST:,} more"] if len(told) > _MOST else []
            return "; ".join(told[:_MOST] + more)
        case {"msg": str(message), **rest}:
            where = _where(rest.get("loc"))
            return f"{where}: {message}" if where else message
        case dict():
            return next(filter(None, (_said(value.get(key), depth + 1) for key in _SPEAKING)), "")
        case _:
            return ""


def _unwrapped(text: str, depth: int) -> str:
    """Return what a message says that may itself be JSON."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return _said(msgspec.json.decode(text), depth + 1)
    except (ValueError, RecursionError):
        return text


def _where(location: object) -> str:
    """Return `body.requests.3.custom_id` for the list that FastAPI sends."""
    if not isinstance(location, list):
        return ""
    return ".".join(cut(str(part), 60) for part in location if isinstance(part, str | int))
