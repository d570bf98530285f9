"""Write jobs as YAML: plain specs, with families, matrices, periods and defaults resolved.

Loading the output gives the same run keys and settings. Text is quoted if a YAML reader could read it as another type,
and invisible characters are escaped.
"""

from __future__ import annotations

import glob
import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import structs

from reconciler.model import (
    Checks,
    InlineRequests,
    Input,
    InputFile,
    JobSpec,
    Retry,
    TableRows,
    UploadedFile,
)
from reconciler.model.digests import MAX_SAFE_INTEGER
from reconciler.specs.inputs.paths import uploaded_id
from reconciler.specs.yaml.scalars import may_be_other_than_text

_BARE: Final = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")


def dump_documents(specs: Iterable[JobSpec], folder: str) -> str:
    """Return specs as YAML documents in one text, with paths of inputs relative to the folder of the new file."""
    return "---\n".join(f"# {quoted(str(spec.declared_at))[1:-1]}\n{body(spec, folder)}" for spec in specs)


def body(spec: JobSpec, folder: str) -> str:
    """Return the fields of one spec, one per line."""
    return "".join(f"{name}: {scalar(value)}\n" for name, value in _fields(spec, folder))


def _fields(spec: JobSpec, folder: str) -> Iterator[tuple[str, Any]]:
    """Yield the fields that differ from their default."""
    yield from (("name", spec.name), ("endpoint", spec.endpoint))
    yield ("agent_id", spec.agent_id) if spec.model is None else ("model", spec.model)
    yield from _inputs(spec.inputs, folder)
    blank = JobSpec(name="", endpoint="", inputs=(), declared_at=spec.declared_at)
    for name in ("metadata", "timeout_hours", "rerun", "suspend", "on_change", "on_remove", "reuse"):
        value = getattr(spec, name)
        if value != getattr(blank, name):
            yield name, list(value) if isinstance(value, tuple) else value
    if spec.adopt:
        yield "adopt", {"job": spec.adopt.job, "work": spec.adopt.work}
    if spec.canary:
        yield "canary", {"requests": spec.canary}
    if spec.checks != Checks():
        yield "checks", structs.asdict(spec.checks)
    if spec.retry != Retry():
        yield "retry", {"max_attempts": spec.retry.max_attempts, "on": list(spec.retry.words)}


def _inputs(inputs: Iterable[Input], folder: str) -> Iterator[tuple[str, Any]]:
    named: list[str] = []
    elsewhere: list[dict[str, Any]] = []
    for part in inputs:
        match part:
            case InlineRequests():
                yield "requests", json.loads(part.written or part.body)
            case UploadedFile():
                named.append(part.id)
            case InputFile(rows=TableRows() as rows):
                yield from _rows(rows, folder)
            case TableRows():
                yield from _rows(part, folder)
            case InputFile() if part.uri:
                elsewhere.append(_reference(part) | ({"requests": part.requests} if part.requests else {}))
            case InputFile():
                named.append(_path(posixpath.relpath(part.path, folder)))
    if named or elsewhere:
        yield "input_files", [*sorted(named), *elsewhere]


def _rows(rows: TableRows, folder: str) -> Iterator[tuple[str, Any]]:
    paths: dict[str, Any] = {
        file.path: _reference(file) if file.uri else _path(posixpath.relpath(file.path, folder))
        for file in rows.files
    }
    named: Any = [*paths.values()]
    if rows.kind == "sql":
        tables = {name: [paths[path] for path in each] for name, each in rows.views.items()}
        named = {"sql": rows.sql, "files": tables["files"] if [*tables] == ["files"] else tables}
    elif len(rows.files) == 1 and rows.files[0].uri:
        named = named[0]
    yield "rows", {"files": named} if rows.kind == "files" else named
    if rows.columns:
        yield "columns", dict(rows.columns)
    yield "custom_id", rows.custom_id
    yield "body", json.loads(rows.body)


def _reference(it: InputFile) -> dict[str, Any]:
    return {"uri": it.uri, "sha256": it.sha256} | ({"bytes": it.size} if it.size else {})


def _path(path: str) -> str:
    """Return a path, escaped so that it is not read as a glob or as an uploaded file's id."""
    return glob.escape(f"./{path}" if uploaded_id(path) else path)


def scalar(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a value as YAML on one line."""
    match value:
        case str():
            plain = _BARE.fullmatch(value) and not may_be_other_than_text(value)
            return value if plain else quoted(value)
        case Mapping():
            return "{" + ", ".join(f"{scalar(key)}: {scalar(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(scalar, value)) + "]"
        case bool() | None:
            return json.dumps(value)
        case int() if abs(value) > MAX_SAFE_INTEGER:  # canonical JSON writes 1e20 as a whole number
            return repr(float(value))
        case _:
            return repr(value)


def quoted(text: str) -> str:
    """Return text in double quotes."""
    return '"' + "".join(map(_character, text)) + '"'


def _character(it: str) -> str:
    if it in '"\\':
        return f"\\{it}"
    if it.isprintable():
        return it
    number = f"{ord(it):x}"
    return f"\\u{number:0>4}" if len(number) <= 4 else f"\\U{number:0>8}"  # noqa: PLR2004 - digits of \\u
