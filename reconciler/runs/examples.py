"""Some requests of a changed template, before and now, for the readers of a plan."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import unified_diff
from itertools import islice
from typing import Any, Final

from reconciler import file_access
from reconciler.context import ApiT, RunContext
from reconciler.errors import ReconcilerError
from reconciler.model import Example, InputFile, JobSpec, OwnedJob
from reconciler.rows.requests import template_of
from reconciler.rows.template import Slot
from reconciler.text.suggest import kind

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


def examples(run: RunContext[ApiT], spec: JobSpec, before: OwnedJob) -> tuple[Example, ...]:
    """Return the first requests of a job beside those of a template with the same ids, if all of them differ."""
    part = next((part for part in spec.inputs if isinstance(part, InputFile) and part.rows), None)
    if part is None or part.rows is None or not (spec.show_requests and before.job.input_files):
        return ()
    whole = [slot for slot in template_of(part.rows).slots if slot.whole]
    found: list[Example] = []
    with suppress(ReconcilerError, OSError, ValueError, KeyError, RecursionError):  # examples decide nothing
        old = dict(map(_request, _first_lines(run, before.job.input_files[0])))
        with file_access.open_to_read(run.project.root / part.path) as stream:
            for custom_id, body in map(_request, islice(stream, MAX_LOOKED_AT)):
                if custom_id in old:
                    earlier = old.pop(custom_id)
                    lines = (*_types(whole, earlier, body), *_differences(_lines(earlier), _lines(body)))
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


def _types(whole: Sequence[Slot], before: object, now: object) -> Iterator[str]:
    """Yield the columns whose type has changed, as far as a placeholder takes their values with their types."""
    for slot in whole:
        old, new = kind(_at(before, slot)), kind(_at(now, slot))
        if old != new:
            yield f"! the type of the column `{slot.column}` changed: {old} -> {new}"


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
