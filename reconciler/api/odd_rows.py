"""Rows of a list of jobs that do not match the API's description: reads of each what can be read.

A page with such a row is read row by row, so that one odd row, perhaps of a foreign job, does not hide all others. What
an odd row means is decided in `workspace.observe`.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec import Struct

from reconciler.api import wire
from reconciler.api.error_text import cut
from reconciler.api.errors import MalformedAnswerError
from reconciler.api.values import JobPage, OddRow
from reconciler.model import TAG_PREFIX, Job
from reconciler.text.sanitize import clean

UNREADABLE: Final = "unreadable"
"""The status of a job whose status cannot be read."""


class _Rows(Struct, gc=False):
    total: Any
    data: list[msgspec.Raw] | None = None


_read_rows: Final = wire.reads(_Rows, lambda page: page)
_FIELDS: Final = {field.name: field.type for field in msgspec.structs.fields(wire.BatchJob)}
_NAMED: Final = {"id": UNREADABLE, "input_files": [], "endpoint": "", "errors": [], "status": UNREADABLE}
_BLANK: Final = msgspec.convert(dict.fromkeys(_FIELDS.keys() - wire.OPTIONAL, 0) | _NAMED, wire.BatchJob)
"""A job whose every number is 0."""


def read_job_page(body: bytes) -> JobPage:
    """Read a page of jobs; one without `data` is empty.

    Raises `MalformedAnswerError` if the body is not a page, or has no total.
    """
    try:
        return wire.read_job_page(body)
    except MalformedAnswerError:
        page = _read_rows(body)
    jobs, odd = [], []
    for number, raw in enumerate(page.data or (), start=1):
        try:
            jobs.append(wire.read_job(bytes(raw)))
        except MalformedAnswerError as error:
            odd.append(odd_row(bytes(raw), number, error))
    counted = type(page.total) is int and page.total >= 0
    odd_total = "" if counted else cut(clean(json.dumps(page.total)))
    total = page.total if counted else 0
    return JobPage(jobs=tuple(jobs), total=total, odd_total=odd_total, odd=tuple(odd))


def odd_row(raw: bytes, number: int, error: MalformedAnswerError) -> OddRow:
    """Return what can be read of a row, given as JSON; `number` is its place in the page, from 1."""
    value: Any = None
    with suppress(ValueError, RecursionError):
        value = json.loads(raw)
    row: dict[str, Any] = value if isinstance(value, dict) else {}
    readable = {name: found for name in _FIELDS if (found := _field(row, name)) is not None}
    read = msgspec.structs.replace(_BLANK, **{name: it[0] for name, it in readable.items()})
    job: Job = msgspec.structs.replace(read.fold(), id=read.id if "id" in readable else "")
    ours = TAG_PREFIX.encode() in raw
    return OddRow(
        number=number,
        job=job,
        problem=_problem(error),
        unreadable=frozenset(_FIELDS.keys() - readable.keys()),
        has_lost_tags=ours and "metadata" not in readable,
    )


def _field(row: dict[str, Any], name: str) -> tuple[object] | None:
    """Return a field of a row if it is what the API describes, None otherwise."""
    with suppress(msgspec.ValidationError, RecursionError, KeyError):
        return (msgspec.convert(row[name], _FIELDS[name]),)
    optional = name in wire.OPTIONAL and name not in row
    return (None,) if optional else None


def unreadable_job(job_id: str, error: MalformedAnswerError) -> OddRow:
    """Return the row of a job of which only the id is known."""
    job = msgspec.structs.replace(_BLANK, id=job_id).fold()
    return OddRow(
        number=1, job=job, problem=_problem(error), unreadable=frozenset(_FIELDS) - {"id"}, has_lost_tags=True
    )


def _problem(error: MalformedAnswerError) -> str:
    return clean(error.text.removeprefix(f"{wire.NO_MATCH}: "))
