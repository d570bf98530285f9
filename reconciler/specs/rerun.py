"""Submit the same work again: change `rerun` in the YAML file, so that the change is in git.

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
from reconciler.model import JobSpec
from reconciler.settings import Limits
from reconciler.specs import to_yaml
from reconciler.specs.environments import name_of
from reconciler.specs.period import hint_for_text
from reconciler.specs.project import Project
from reconciler.specs.selection import unknown
from reconciler.specs.yaml import reader
from reconciler.specs.yaml.source import SourceFile, decode
from reconciler.specs.yaml.tree import Document, Fields, place_of
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean

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
    """Return the edited file of the spec of a job. Writes nothing.

    `later` has the names whose first period has not begun; `to` is None for the old number plus one.

    Raises:
        UsageError: no declared job has this name, or it is in a family, or its `rerun` is a period, or there is no
            next value.
        ReconcilerError: the file's syntax is not supported.
    """
    spec = _find(specs, later, name)
    if spec.family:
        alike = sum(other.declared_at == spec.declared_at for other in specs)
        raise UsageError(
            f"{name} is in a family ({spec.declared_at} makes {pluralize(alike, 'job')}); a change of `rerun` "
            "there would submit all of them again",
            hint=f"if this is intended, {_BY_HAND}; for this job alone, write a separate spec",
        )
    documents, data = _read(project, spec.declared_at.path)
    document = next((it for it in documents if name_of(it) == name), None)
    if document is None:
        raise ReconcilerError(f"{spec.declared_at.path} changed while it was read", hint="run again")
    given = spec.defaults.get("rerun")
    if given and given.path == project.config_path.name:
        hint = f"change it there, or {_BY_HAND}"
        raise UsageError(f"the `rerun` of {name} is set by its environment ({given})", hint=hint)
    sources = [document, *(_read(project, given.path)[0] if given else ())]
    if any(isinstance(it.value, dict) and isinstance(it.value.get("rerun"), dict) for it in sources):
        raise UsageError(
            f"the `rerun` of {name} is a period ({given or spec.declared_at})",
            hint=f"wait for the next period, or {_BY_HAND}: write a plain value instead of the mapping",
        )
    after = _next(spec, to)
    edited = _changed(document, after)
    mark = BOM_UTF8 if data.startswith(BOM_UTF8) else b""
    line = _verified(document.source, edited, name, after, project.settings.limits)
    return Edit(
        path=spec.declared_at.path,
        line=line,
        before=spec.rerun,
        after=after,
        data=mark + edited.encode(),
        overrides=str(given or ""),
    )


def _find(specs: Sequence[JobSpec], later: Collection[str], name: str) -> JobSpec:
    found = next((spec for spec in specs if name in (spec.name, spec.family)), None)
    if found is not None and found.name == name:
        return found
    if name in later:
        hint = f"wait until it begins, or {_BY_HAND}: change `start`"
        raise UsageError(f"the `rerun` of {name} is a period, and the first one has not begun", hint=hint)
    if found is not None:
        raise UsageError(
            f"{name} is a family of jobs ({found.declared_at})",
            hint=f"to submit all of them again, {_BY_HAND}",
        )
    raise unknown(name, [spec.name for spec in specs])


def _read(project: Project, path: str) -> tuple[list[Document], bytes]:
    """Read a file again, and return its documents and its bytes."""
    limits = project.settings.limits
    data = file_access.read(project.root / path, limits.spec_bytes, root=project.root)
    source = decode(path, data, project.quote)
    return reader.read(source, limits)[0] if isinstance(source, SourceFile) else [], data


def _next(spec: JobSpec, to: str | None) -> str:
    at = spec.declared_at
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
    if hint := hint_for_text(to):
        raise UsageError(f"--to {to}: this is text, which never changes by itself", hint=hint)
    if to == spec.rerun:
        raise UsageError(f"{spec.name} already has `rerun: {to}` ({at})", hint="use another value")
    return to


def _changed(document: Document, after: str) -> str:
    """Return the file's text with `after` as the value of `rerun`, adding the field if it is missing.

    Returns "" if the value is written in an unusual way.
    """
    text = document.source.text
    if not isinstance(document.node, Fields):
        return ""
    if "rerun" not in document.node.parts:
        return _inserted(text, document.node, after)
    key, value = document.node.parts["rerun"]
    if not isinstance(value, yaml.ScalarEvent) or value.style in ("|", ">"):
        return ""
    start, end = _offset(value.start_mark), _offset(value.end_mark)
    if start == end:  # `rerun:` without a value
        start = text.index(":", _offset(key.end_mark)) + 1
        return f"{text[:start]} {_written(after, None)}{text[start:]}"
    return text[:start] + _written(after, text[start]) + text[end:]


def _inserted(text: str, node: Fields, after: str) -> str:
    """Insert the field after `name`, which every spec has."""
    key, value = node.parts["name"]
    behind = _offset((value if isinstance(value, yaml.ScalarEvent) else key).end_mark)
    field = ('"rerun"' if text[_offset(key.start_mark)] == '"' else "rerun") + f": {_written(after, None)}"
    if getattr(node.event, "flow_style", False):
        return f"{text[:behind]}, {field}{text[behind:]}"
    field = " " * place_of(key).column + field
    found = _BREAK.search(text, behind)
    if found is None:
        return f"{text}\n{field}\n"
    return f"{text[: found.end()]}{field}{found[0]}{text[found.end() :]}"


def _written(value: str, quote: str | None) -> str:
    """Return a value as YAML, in the same quotes as the old one."""
    if quote == "'":
        return "'" + value.replace("'", "''") + "'"
    if quote == '"':
        return to_yaml.quoted(value)
    return value if _NUMBER.fullmatch(value) and str(int(value)) == value else to_yaml.scalar(value)


def _offset(mark: Any) -> int:  # noqa: ANN401 - a mark of either parser
    return int(mark.index)


def _verified(source: SourceFile, text: str, name: str, after: str, limits: Limits) -> int:
    """Return the line of `rerun` in the edited text, after checking that nothing else has changed.

    Raises:
        ReconcilerError: something else has changed: an alias, a block of text, unsupported YAML.
    """
    (was, _), (now, wrong) = (reader.read(SourceFile(source.path, it), limits) for it in (source.text, text))
    document = next((it for it in now if name_of(it) == name), None)
    same = not wrong and _apart_from(name, was) == _apart_from(name, now)
    if document is None or document.text(("rerun",)) != after or not same:
        raise ReconcilerError(f"{source.path}: cannot edit `rerun` in this YAML syntax", hint=_BY_HAND)
    return document.key_place(("rerun",)).line + 1


def _apart_from(name: str, documents: Iterable[Document]) -> list[object]:
    """Return the values of documents, without the `rerun` of the one that is called `name`."""
    return [{**it.value, "rerun": None} if name_of(it) == name else it.value for it in documents]


def write(project: Project, change: Edit) -> None:
    """Replace the file with the edited one, atomically.

    Raises:
        OSError: it cannot be written.
    """
    file_access.replace(os.path.realpath(project.root / change.path), change.data)
