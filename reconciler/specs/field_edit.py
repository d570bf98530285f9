"""Change one field of a spec in its YAML file, so that the change is in git.

Only this text of the file is edited: comments, quoting, line breaks and the other documents stay byte for byte. The
edited text is parsed before it is written, and must differ from the old one in this value only.
"""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF8
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from reconciler import file_access
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model import JobSpec, Position
from reconciler.settings import Limits
from reconciler.specs import to_yaml
from reconciler.specs.environments import name_of
from reconciler.specs.project import Project
from reconciler.specs.selection import unknown
from reconciler.specs.yaml import reader
from reconciler.specs.yaml.source import SourceFile, decode
from reconciler.specs.yaml.tree import Document, Fields, Path, dotted, place_of

BY_HAND: Final = "edit the file by hand"
NUMBER: Final = re.compile(r"[0-9]{1,15}")
_BREAK: Final = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A file with a changed field."""

    path: str
    """Relative to the project root, with forward slashes."""
    field: str
    """As people write it: `retry.max_attempts`."""
    line: int
    """The line of the field after the edit, 1-based."""
    before: str
    """"" if there was none."""
    after: str
    data: bytes
    """The whole file."""
    overrides: str = ""
    """`file:line` of the defaults that set the old value; "" if the spec did."""


def find(specs: Sequence[JobSpec], later: Collection[str], name: str) -> JobSpec | None:
    """Return the spec of a job or of a family of that name; None if its first period has not begun.

    Raises `UsageError` if no declared job has this name.
    """
    found = next((spec for spec in specs if name in (spec.name, spec.family)), None)
    if found is None and name not in later:
        raise unknown(name, [spec.name for spec in specs])
    return found


def given_by(project: Project, spec: JobSpec, field: str) -> Position | None:
    """Return where the defaults set a field; None if the spec has it, or nothing sets it.

    Raises `UsageError` if the environment sets it.
    """
    given = spec.defaults.get(field)
    if given and given.path == project.config_path.name:
        hint = f"change it there, or {BY_HAND}"
        raise UsageError(f"the `{field}` of {spec.name} is set by its environment ({given})", hint=hint)
    return given


def edited(project: Project, spec: JobSpec, field: Path, *, before: str, after: str, missing: str) -> Edit:
    """Return the file of a spec with a new value of a field. Writes nothing.

    `before` is the old value, for readers. `missing` is the value of the first field of the path, if the spec does not
    have it: a scalar, or JSON. Raises `UsageError` if the environment sets the field; `ReconcilerError` if the file has
    changed meanwhile, or its syntax is not supported.
    """
    at, limits = spec.declared_at, project.settings.limits
    data = file_access.read(project.root / at.path, limits.spec_bytes, root=project.root)
    source = decode(at.path, data, project.quote)
    documents = reader.read(source, limits)[0] if isinstance(source, SourceFile) else []
    document = next((it for it in documents if it.place(()).line + 1 == at.line), None)
    if document is None:
        raise ReconcilerError(f"{at.path} changed while it was read", hint="run again")
    text = changed(document, field, after, missing)
    mark = BOM_UTF8 if data.startswith(BOM_UTF8) else b""
    return Edit(
        path=at.path,
        field=dotted(field),
        line=verified(document, text, field, after, limits),
        before=before,
        after=after,
        data=mark + text.encode(),
        overrides=str(given_by(project, spec, str(field[0])) or ""),
    )


def changed(document: Document, field: Path, after: str, missing: str) -> str:
    """Return the file's text with `after` as the value of a field, adding the field if it is missing.

    Returns "" if the value is written in an unusual way.
    """
    text, node = document.source.text, document.node
    if not isinstance(node, Fields):
        return ""
    if field[0] not in node.parts:
        return _below_name(text, node, str(field[0]), missing)
    parent, name = document.find(field[:-1]), str(field[-1])
    if not isinstance(parent, Fields) or not parent.parts:
        return ""
    if name not in parent.parts:
        return _first(text, parent, name, after)
    key, value = parent.parts[name]
    if not isinstance(value, yaml.ScalarEvent) or value.style in ("|", ">"):
        return ""
    start, end = _offset(value.start_mark), _offset(value.end_mark)
    new = written(after, text[start]) if start < end else f" {written(after)}"
    if start == end:  # `rerun:` without a value
        start = end = text.index(":", _offset(key.end_mark)) + 1
    return text[:start] + new + text[end:]


def _below_name(text: str, node: Fields, name: str, value: str) -> str:
    """Insert a field after `name`, which every spec has."""
    key, part = node.parts["name"]
    behind = _offset((part if isinstance(part, yaml.ScalarEvent) else key).end_mark)
    name = _like(text, key, name)
    value = value.replace('"', "") if value[0] == "{" and name[0] != '"' else value
    field = f"{name}: {value}"
    if getattr(node.event, "flow_style", False):
        return f"{text[:behind]}, {field}{text[behind:]}"
    field = " " * place_of(key).column + field
    found = _BREAK.search(text, behind)
    if found is None:
        return f"{text}\n{field}\n"
    return f"{text[: found.end()]}{field}{found[0]}{text[found.end() :]}"


def _first(text: str, node: Fields, name: str, value: str) -> str:
    """Insert a field before the first one of a mapping."""
    key, _ = next(iter(node.parts.values()))
    at, ending = _offset(key.start_mark), _BREAK.search(text)
    flow = getattr(node.event, "flow_style", False) or ending is None
    between = ", " if flow or ending is None else ending[0] + " " * place_of(key).column
    return f"{text[:at]}{_like(text, key, name)}: {value}{between}{text[at:]}"


def _like(text: str, key: yaml.NodeEvent, name: str) -> str:
    """Return a key, in the quotes of another."""
    return f'"{name}"' if text[_offset(key.start_mark)] == '"' else name


def written(value: str, quote: str | None = None) -> str:
    """Return a value as YAML, in the same quotes as the old one."""
    if quote == "'":
        return "'" + value.replace("'", "''") + "'"
    if quote == '"':
        return to_yaml.quoted(value)
    return value if NUMBER.fullmatch(value) and str(int(value)) == value else to_yaml.scalar(value)


def _offset(mark: Any) -> int:  # noqa: ANN401 - a mark of either parser
    return int(mark.index)


def verified(document: Document, text: str, field: Path, after: str, limits: Limits) -> int:
    """Return the line of a field in the edited text, after checking that nothing else has changed.

    Raises `ReconcilerError` if something else has changed: an alias, a block of text, unsupported YAML.
    """
    source, name = document.source, name_of(document)
    (was, _), (now, wrong) = (reader.read(SourceFile(source.path, it), limits) for it in (source.text, text))
    new = next((it for it in now if name_of(it) == name), None)
    cut = field if field[0] in document.value else field[:1]
    same = not wrong and _apart_from(name, cut, was) == _apart_from(name, cut, now)
    if new is None or new.text(field) != after or not same:
        message = f"{source.path}: cannot edit `{dotted(field)}` in this YAML syntax"
        raise ReconcilerError(message, hint=BY_HAND)
    return new.key_place(field).line + 1


def _apart_from(name: str, field: Path, documents: Iterable[Document]) -> list[object]:
    """Return the values of documents, without a field of the one that is called `name`."""
    return [_without(it.value, field) if name_of(it) == name else it.value for it in documents]


def _without(value: Any, field: Path) -> object:  # noqa: ANN401 - JSON
    if not field or not isinstance(value, dict):
        return None
    step, *rest = field
    return value | {step: _without(value.get(step), tuple(rest))}


def write(project: Project, change: Edit) -> None:
    """Replace the file with the edited one, atomically. Raises `OSError` if it cannot be written."""
    file_access.replace(os.path.realpath(project.root / change.path), change.data)
