r"""Turn the body of an error answer into one line.

The API, and the proxies and gateways before it, use many shapes. Each of these has been seen in practice:

| shape | shown as |
|---|---|
| `{"message": "Invalid model", "code": "unknown_model", …}` | Invalid model |
| `{"detail": "Unauthorized"}` | Unauthorized |
| `{"detail": [{"loc": ["body", "endpoint"], "msg": "Field required", "input": …}]}` | body.endpoint: Field required |
| `{"message": {"detail": […]}}`, `{"message": […]}` | the same, from the nested value |
| `{"message": "{\"detail\": …}"}` | the same, from the JSON inside the string |
| an HTML page | an HTML page, "502 Bad Gateway" |
| other text | its beginning |
| nothing, or none of the above | the status's own name |

`input` and all other keys are left out: they may repeat a prompt.
"""

from __future__ import annotations

import html
import re
from http import HTTPStatus
from typing import Final

import msgspec

from reconciler.text.sanitize import clean

_MESSAGE_KEYS: Final = ("detail", "message", "error", "errors", "title")
"""Keys whose text is for people, the most precise first."""

_PHRASES: Final = {int(status): status.phrase for status in HTTPStatus}
_MAX_LISTED_ERRORS: Final = 5
"""Errors of one request that are shown; the rest is counted."""

MAX_LENGTH: Final = 300
"""Characters shown of a message that is not ours."""

_MAX_DEPTH: Final = 6
"""How deep messages may be nested."""

_HEAD: Final = 8192
"""Bytes of a page that are searched for its title: the search is quadratic for a malicious page."""
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


def describe_error_body(body: bytes, *, status: int, content_type: str = "") -> str:
    """Return the body's message on one line of any length, or the name of `status` if it has none."""
    if is_html(body, content_type):
        title = _TITLE.search(body[:_HEAD].decode(errors="replace"))
        named = _line(html.unescape(title[1])) if title else ""
        return f'an HTML page, "{named}"' if named else "an HTML page"
    try:
        message = _extract_message(msgspec.json.decode(body))
    except (ValueError, RecursionError):  # ValueError: JSON and UTF-8 errors alike
        message = "" if body.lstrip()[:1] in {b"{", b"["} else body.decode(errors="replace")
    return _line(message) or _PHRASES.get(status, "no reason given")


def cut(text: str, longest: int = MAX_LENGTH) -> str:
    """Return at most `longest` characters of `text`, with an ellipsis if it was cut."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def is_html(body: bytes, content_type: str = "") -> bool:
    """Return whether an answer is a web page, which the API itself never sends."""
    start = body[:256].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html")) or (
        content_type.lower().startswith("text/html") and start.startswith(b"<")
    )


def _line(text: str) -> str:
    return " ".join(clean(text).split())


def _extract_message(value: object, depth: int = 0) -> str:
    if depth > _MAX_DEPTH:
        return ""
    match value:
        case str():
            return _unwrapped(value, depth)
        case list():
            messages = [text for text in (_extract_message(item, depth + 1) for item in value) if text]
            left = len(messages) - _MAX_LISTED_ERRORS
            more = [f"and {left:,} more"] if left > 0 else []
            return "; ".join(messages[:_MAX_LISTED_ERRORS] + more)
        case {"msg": str(message), **rest}:
            where = _where(rest.get("loc"))
            return f"{where}: {message}" if where else message
        case dict():
            return next(
                filter(None, (_extract_message(value.get(key), depth + 1) for key in _MESSAGE_KEYS)), ""
            )
        case _:
            return ""


def _unwrapped(text: str, depth: int) -> str:
    """Return the text of a message that may itself be JSON."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return _extract_message(msgspec.json.decode(text), depth + 1)
    except (ValueError, RecursionError):
        return text


def _where(location: object) -> str:
    """Return a path such as `body.requests.3.custom_id` for the list that FastAPI sends."""
    if not isinstance(location, list):
        return ""
    return ".".join(cut(str(part), 60) for part in location if isinstance(part, str | int))
