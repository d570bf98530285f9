"""Some requests of a changed template, before and now, for the readers of a plan."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import unified_diff
from itertools import islice
from typing import Any, Final

from reconciler import file_access
from reconciler.context import ApiT, RunContext
from reconciler.errors import ReconcilerError
from reconciler.model import Example, InputFile, JobSpec, OwnedJob, TableRows
from reconciler.rows.requests import template_of
from reconciler.rows.template import Slot, cells_in
from reconciler.text.suggest import KINDS, kind

EXAMPLES: Final = 3
MAX_EXAMPLE_BYTES: Final = 1_000_000
MAX_LOOKED_AT: Final = 10_000
"""Requests among which examples are looked for."""
MAX_COMPARED: Final = 500
"""Lines of a body."""
MAX_LINES: Final = 8
"""Lines of an example."""
MAX_SHOWN: Final = 160
"""Characters of a line."""
_NUMBERS: Final = ("a whole number", "a number with a point")
_FORMS: Final = {
    r"-?\d{1,40}": _NUMBERS[0],
    r"-?\d{1,40}\.\d{1,40}": _NUMBERS[1],
    r"(?i:true|false)": KINDS["boolean"],
    r"\d{4}-\d\d-\d\d": "a date",
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d.{0,30}": "a time",
}
"""What the text of a cell shows of the type of its column."""


def examples(run: RunContext[ApiT], spec: JobSpec, before: OwnedJob) -> tuple[Example, ...]:
    """Return the first requests of a job beside those of a template with the same ids, if all of them differ."""
    part = next((part for part in spec.inputs if isinstance(part, InputFile) and part.rows), None)
    if part is None or part.rows is None or not (spec.show_requests and before.job.input_files):
        return ()
    found: list[Example] = []
    with suppress(ReconcilerError, OSError, ValueError, KeyError, RecursionError):  # examples decide nothing
        old = dict(map(_request, _first_lines(run, before.job.input_files[0])))
        with file_access.open_to_read(run.project.root / part.path) as stream:
            for custom_id, body in map(_request, islice(stream, MAX_LOOKED_AT)):
                if custom_id in old:
                    earlier = old.pop(custom_id)
                    lines = (*_types(part.rows, earlier, body), *_differences(_lines(earlier), _lines(body)))
                    if not lines:
                        return ()
                    found.append(Example(custom_id=custom_id, lines=lines))
                if not old:
                    break
    return tuple(found)


def _first_lines(run: RunContext[ApiT], file_id: str) -> list[bytes]:
    """Return the first lines of an upload. Raises `ApiError`."""
    text = b""
    with run.api.file_content(file_id) as content:
        for piece in content.pieces:
            text += piece
            if text.count(b"\n") >= EXAMPLES or len(text) > MAX_EXAMPLE_BYTES:
                break
    return text.splitlines()[: min(EXAMPLES, text.count(b"\n"))]


def _request(line: bytes) -> tuple[str, Any]:
    """Return the id and the body of a request. Raises `ValueError`."""
    request = json.loads(line)
    return str(request["custom_id"]), request["body"]


def _lines(body: object) -> list[str]:
    return json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False).split("\n")[:MAX_COMPARED]


def _types(rows: TableRows, before: object, now: object) -> Iterator[str]:
    """Yield the columns whose type has changed, and those whose numbers are written in another way."""
    body = json.loads(rows.body)
    for slot in template_of(rows).slots:
        old, new = _at(before, slot), _at(now, slot)
        if slot.whole:
            forms = kind(old), kind(new)
        else:
            old, new = (cells_in(str(_at(body, slot)), str(it)).get(slot.column, "") for it in (old, new))
            forms = _form(old), _form(new)
        if forms[0] != forms[1] and "" not in (old, new):
            yield f"! the type of the column `{slot.column}` changed: {forms[0]} -> {forms[1]}"
        elif old != new and forms[0] in _NUMBERS and float(str(old)) == float(str(new)):
            yield f"! the numbers of the column `{slot.column}` are written in another way: {old} -> {new}"


def _form(cell: str) -> str:
    return next((form for pattern, form in _FORMS.items() if re.fullmatch(pattern, cell)), KINDS["string"])


def _at(body: Any, slot: Slot) -> object:  # noqa: ANN401 - any JSON
    for step in slot.steps:
        known = (isinstance(body, dict) and step in body) or (
            isinstance(body, list) and step in range(len(body))
        )
        body = body[step] if known else None
    return body


def _differences(before: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    lines = (line for line in islice(unified_diff(before, now, n=0), 2, None) if not line.startswith("@@"))
    for line in islice(lines, MAX_LINES):
        shown = f"{line[0]} {line[1:]}"
        yield shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}…"
