"""Submit the same work again: change `rerun` in the YAML file, so that the change is in git.

Only this text of the file is edited: comments, quoting, line breaks and the other documents stay byte for byte. The
edited text is parsed before it is written, and must differ from the old one in this value only.
"""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF8
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from reconciler.errors import ReconcilerError, UsageError
from reconciler.model import JobSpec
from reconciler.settings import Limits
from reconciler.specs import files, to_yaml
from reconciler.specs.project import Project
from reconciler.specs.yaml import reader
from reconciler.specs.yaml.source import Place, SourceFile, decode
from reconciler.specs.yaml.tree import Document, Fields, place_of
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean
from reconciler.text.suggest import nearest

_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_FITS: Final = re.compile(r"[ -~]{1,64}")
_BREAK: Final = re.compile(r"\r\n|\r|\n")
_BY_HAND: Final = "edit the file by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A file with a changed `rerun`."""

    path: str
    """Relative to the project root, with forward slashes."""
    line: int
    """The line of `rerun` after the edit, 1-based."""
    before: str
    """"" if there was none."""
    after: str
    data: bytes
    """The whole file."""
    overrides: str = ""
    """`file:line` of the defaults that set the old value; "" if the spec did."""


def edit(
    project: Project, specs: Sequence[JobSpec], later: Collection[str], name: str, to: str | None
) -> Edit:
    """Return the edited file of a spec. Writes nothing.

    Args:
        project: the project of the spec.
        specs: all declared specs.
        later: names whose first period has not begun.
        name: the job to submit again.
        to: the new value; None for the old number plus one.

    Raises:
        UsageError: no declared job has this name, or it is in a family, or its `rerun` is a period, or there is no
            next value.
        ReconcilerError: the file's syntax is not supported.
    """
    spec = _find(specs, later, name)
    at = f"{spec.declared_at.path}:{spec.declared_at.line}"
    if spec.family:
        alike = sum(other.declared_at == spec.declared_at for other in specs)
        raise UsageError(
            f"{name} is in a family ({at} makes {pluralize(alike, 'job')}); a change of `rerun` there would "
            "submit all of them again",
            hint=f"if this is intended, {_BY_HAND}; for this job alone, write a separate spec",
        )
    document, data = _document(project, spec)
    given = spec.defaults.get("rerun")
    if isinstance(document.value.get("rerun"), dict) or (given and _period_at(project, given.path)):
        where = f"{given.path}:{given.line}" if given else at
        raise UsageError(
            f"the `rerun` of {name} is a period ({where})",
            hint=f"wait for the next period, or {_BY_HAND}: write a plain value instead of the mapping",
        )
    after = _next(spec, at, to)
    edited = _changed(document, after)
    mark = BOM_UTF8 if data.startswith(BOM_UTF8) else b""
    line = _verified(document.source, edited, name, after, project.settings.limits)
    return Edit(
        path=spec.declared_at.path,
        line=line,
        before=spec.rerun,
        after=after,
        data=mark + edited.encode(),
        overrides=f"{given.path}:{given.line}" if given else "",
    )


def _find(specs: Sequence[JobSpec], later: Collection[str], name: str) -> JobSpec:
    found = next((spec for spec in specs if spec.name == name), None)
    if found is not None:
        return found
    if name in later:
        raise UsageError(f"the `rerun` of {name} is a period, and the first one has not begun")
    family = next((spec for spec in specs if spec.family == name), None)
    if family is not None:
        at = f"{family.declared_at.path}:{family.declared_at.line}"
        raise UsageError(
            f"{name} is a family of jobs ({at})", hint=f"to submit all of them again, {_BY_HAND}"
        )
    near = nearest(name, [spec.name for spec in specs])
    raise UsageError(
        f"no declared job has the name {clean(name)}", hint=f"did you mean {near}?" if near else ""
    )


def _document(project: Project, spec: JobSpec) -> tuple[Document, bytes]:
    """Read the file of a spec again, and return its document."""
    path, limits = spec.declared_at.path, project.settings.limits
    data = files.read(project.root / path, limits.spec_bytes)
    source = decode(path, data)
    documents = reader.read(source, limits)[0] if isinstance(source, SourceFile) else []
    for document in documents:
        if isinstance(document.value, dict) and document.value.get("name") == spec.name:
            return document, data
    raise ReconcilerError(f"{path} changed while it was read", hint="run again")


def _period_at(project: Project, path: str) -> bool:
    """Return whether a `_defaults.yaml` sets a period, not a value."""
    limits = project.settings.limits
    source = decode(path, files.read(project.root / path, limits.spec_bytes))
    documents = reader.read(source, limits)[0] if isinstance(source, SourceFile) else []
    return any(isinstance(it.value, dict) and isinstance(it.value.get("rerun"), dict) for it in documents)


def _next(spec: JobSpec, at: str, to: str | None) -> str:
    if to is None:
        if not _NUMBER.fullmatch(spec.rerun or "0"):
            raise UsageError(
                f"{spec.name} has `rerun: {spec.rerun}` ({at}), which is not a number to increase",
                hint=f"give the next value: reconciler rerun {spec.name} --to VALUE",
            )
        return str(int(spec.rerun or "0") + 1)
    if not _FITS.fullmatch(to):
        raise UsageError(
            f"--to {clean(to)!r} is not valid for `rerun`",
            hint="use 1 to 64 ASCII letters, digits, spaces and punctuation",
        )
    if to == spec.rerun:
        raise UsageError(f"{spec.name} already has `rerun: {to}` ({at})", hint="use another value")
    return to


def _changed(document: Document, after: str) -> str:
    """Return the file's text with `after` as the value of `rerun`, adding the field if it is missing."""
    text, node = document.source.text, document.node
    if not isinstance(node, Fields):
        raise _not_edited(document.source)
    if "rerun" not in node.parts:
        return _inserted(text, node, after)
    key, value = node.parts["rerun"]
    if not isinstance(value, yaml.ScalarEvent) or value.style in ("|", ">"):
        raise _not_edited(document.source)
    start, end = _offset(text, value.start_mark), _offset(text, value.end_mark)
    if start == end:  # `rerun:` without a value
        start = end = text.index(":", _offset(text, key.end_mark)) + 1
        return f"{text[:start]} {_written(after, None)}{text[end:]}"
    return text[:start] + _written(after, text[start]) + text[end:]


def _inserted(text: str, node: Fields, after: str) -> str:
    """Insert the field after `name`, which every spec has."""
    key, value = node.parts["name"]
    behind = _offset(text, value.end_mark if isinstance(value, yaml.ScalarEvent) else key.end_mark)
    start = _offset(text, key.start_mark)
    field = '"rerun"' if text[start] == '"' else "rerun"
    if getattr(node.event, "flow_style", False):
        return f"{text[:behind]}, {field}: {_written(after, None)}{text[behind:]}"
    found = _BREAK.search(text, behind)
    indent = " " * place_of(key).column
    if found is None:
        return f"{text}\n{indent}{field}: {_written(after, None)}\n"
    return f"{text[: found.end()]}{indent}{field}: {_written(after, None)}{found[0]}{text[found.end() :]}"


def _written(value: str, quote: str | None) -> str:
    """Return a value as YAML, in the same quotes as the old one."""
    if quote == "'":
        return "'" + value.replace("'", "''") + "'"
    if quote == '"':
        return to_yaml.quoted(value)
    return value if _NUMBER.fullmatch(value) and str(int(value)) == value else to_yaml.scalar(value)


def _offset(text: str, mark: Any) -> int:  # noqa: ANN401 - a mark of either parser
    """Return the offset of a mark, from its line and column: the parsers count offsets differently."""
    if mark is None:
        return 0
    at = 0
    for _ in range(mark.line):
        found = _BREAK.search(text, at)
        if found is None:
            return len(text)
        at = found.end()
    return at + int(mark.column)


def _verified(source: SourceFile, text: str, name: str, after: str, limits: Limits) -> int:
    """Return the line of `rerun` in the edited text, after checking that nothing else has changed.

    Raises:
        ReconcilerError: something else has changed: an alias, a block of text, unsupported YAML.
    """
    was, now = (reader.read(SourceFile(source.path, it), limits) for it in (source.text, text))
    place: Place | None = None
    same = len(was[0]) == len(now[0]) and not now[1]
    for old, new in zip(*(found[0] for found in (was, now)), strict=False):
        if isinstance(new.value, dict) and new.value.get("name") == name:
            place = new.key_place(("rerun",))
            same = same and new.text(("rerun",)) == after and _rest(old) == _rest(new)
        else:
            same = same and old.value == new.value and old.problems == new.problems
    if place is None or not same:
        raise _not_edited(source)
    return place.line + 1


def _not_edited(source: SourceFile) -> ReconcilerError:
    return ReconcilerError(f"{source.path}: cannot edit `rerun` in this YAML syntax", hint=_BY_HAND)


def _rest(document: Document) -> dict[str, object]:
    value = document.value if isinstance(document.value, dict) else {}
    return {key: item for key, item in value.items() if key != "rerun"}


def write(project: Project, change: Edit) -> None:
    """Replace the file with the edited one, atomically.

    Raises:
        OSError: it cannot be written.
    """
    files.replace(os.path.realpath(project.root / change.path), change.data)
