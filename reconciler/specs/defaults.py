"""`_defaults.yaml`: fields for every spec in its folder and below. The value nearest to a spec wins."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any, Final

from msgspec.structs import replace

from reconciler.errors import Problem
from reconciler.specs.schema.convert import convert_or_explain
from reconciler.specs.schema.hints import MISPLACED_FIELD_HINTS
from reconciler.specs.schema.job_fields import JobFields, defaults_model
from reconciler.specs.yaml.source import SourceFile
from reconciler.specs.yaml.tree import Document, Fields, Path

NAME: Final = "_defaults.yaml"

_MISPLACED: Final = {
    **MISPLACED_FIELD_HINTS,
    "name": "each spec has its own",
    **dict.fromkeys(
        ("input_files", "requests", "for_each", "matrix", "adopt"),
        "write it in the spec: it determines the jobs",
    ),
}


def check(document: Document) -> list[Problem]:
    """Return the problems of a `_defaults.yaml`."""
    return convert_or_explain(document, defaults_model(), "defaults", _MISPLACED)[1]


def merge_defaults(near: Document, far: Document) -> Document:
    """Return `near` with its missing fields taken from `far`; metadata is merged by key."""
    if not isinstance(near.node, Fields) or not isinstance(far.node, Fields):
        return near
    node = _over(near.node, far.node, _hidden(near.value))
    sources: dict[Path, SourceFile] = {
        (name,): far.source_of((name,)) for name in node.parts if name not in near.node.parts
    }
    inner: Path = ("metadata",)
    mine, theirs = near.find(inner), far.find(inner)
    if isinstance(mine, Fields) and isinstance(theirs, Fields):
        merged = _over(mine, theirs)
        node.parts["metadata"] = (near.node.parts["metadata"][0], merged)
        node.value["metadata"] = merged.value
        taken = [(*inner, name) for name in merged.parts if name not in mine.parts]
        sources |= {path: far.source_of(path) for path in taken}
    elif inner in sources:  # taken as a whole, and possibly merged from several files
        sources |= {path: source for path, source in far.sources.items() if path[:1] == inner}
    return replace(
        near,
        node=node,
        value=node.value,
        sources={**near.sources, **sources},
        incomplete=near.incomplete or far.incomplete or bool(far.problems),
    )


def _over(near: Fields, far: Fields, hidden: Collection[str] = ()) -> Fields:
    """Return the fields of `near`, and those of `far` that it does not have and that are not hidden."""
    taken = {name: far.parts[name] for name in far.parts if name not in near.parts and name not in hidden}
    value = {name: far.value[name] for name in taken} | near.value
    return Fields(near.event, value, {**taken, **near.parts})


def _hidden(value: dict[str, Any]) -> set[str]:
    """Return the fields that other fields of a spec exclude: `model` excludes `agent_id`, a matrix its fields."""
    matrix = value.get("matrix")
    varied = set(matrix) if isinstance(matrix, dict) else set()
    written = set(value) | {f"matrix.{name}" for name in varied}
    groups = [group for group in JobFields.EXACTLY_ONE if written.intersection(group)]
    return varied | {name for group in groups for name in group}


def apply(found: Mapping[str, Document], document: Document, path: str, root: str) -> Document:
    """Merge a spec with the defaults of its folder and of the folders above, the nearest first.

    `found` has each folder's defaults. `path` is that of the spec, `root` the folder of all specs: all absolute.
    """
    while found and path != root:
        path = os.path.dirname(path)  # noqa: PTH120 - of every spec's path
        if path in found:
            document = merge_defaults(document, found[path])
    return document
