"""The page of a report: its template, style and script as one file of HTML that allows no other script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

import jinja2
import msgspec
from markupsafe import Markup

from reconciler.report.contents import COST, PER_PAGE, Contents
from reconciler.text.money import SYMBOLS

_ESCAPED: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""Characters that could end a script in HTML, as JSON may write them."""


def page(report: Contents) -> str:
    """Return the page. Everything from outside is escaped, and a Content-Security-Policy allows only our own script."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    style, script = (_resource(name) for name in ("page.css", "page.js"))
    return environment.from_string(_resource("page.html")).render(
        report=report,
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - likewise
        data=Markup(_json(_data(report))),  # noqa: S704 - escaped for a script
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what a Content-Security-Policy calls a script or a style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _data(report: Contents) -> dict[str, Any]:
    """Return the rows of the table for the script; equal texts are written once."""
    strings: dict[str, int] = {}
    numeric = [0, *report.numeric]
    textual = [at for at in range(len(report.columns)) if at not in numeric]

    def cells(row: Sequence[Any]) -> list[Any]:
        return [strings.setdefault(it, len(strings)) if at in textual else it for at, it in enumerate(row)]

    rows = [cells(row) for row in report.rows]
    sign = SYMBOLS.get(report.currency, f"{report.currency} ")
    firsts = [sign if name == COST else "" for name in report.columns]
    return {
        "strings": list(strings),
        "rows": rows,
        "textual": textual,
        "numeric": list(report.numeric),
        "firsts": firsts,
        "perPage": PER_PAGE,
    }


def _json(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return "".join(_ESCAPED.get(each, each) for each in text) if any(it in text for it in _ESCAPED) else text
