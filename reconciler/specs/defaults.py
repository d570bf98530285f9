"""`_defaults.yaml`: fields for every spec in its folder and below. The value nearest to a spec wins."""

from __future__ import annotations

import os
from typing import Any, Final

from msgspec.structs import replace

from reconciler.errors import Problem
from reconciler.specs.schema.convert import convert_or_explain
from reconciler.specs.schema.job_fields import JobFields, defaults_model
from reconciler.specs.schema.json_schema import defaults_schema
from reconciler.specs.schema.vocabulary import MISPLACED_FIELD_HINTS
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
_MODEL: Final = defaults_model()


def check(document: Document) -> list[Problem]:
    """Return the problems of a `_defaults.yaml`."""
    accepted = convert_or_explain(document, _MODEL, defaults_schema, _MISPLACED)
    return [*document.problems, *(accepted if isinstance(accepted, list) else ())]


def merge_defaults(near: Document, far: Document) -> Document:
    """Return `near` with its missing fields taken from `far`; metadata is merged by key."""
    if not isinstance(near.node, Fields) or not isinstance(far.node, Fields):
        return near
    hidden = _hidden(near.value)
    taken = {
        name: part
        for name, part in far.node.parts.items()
        if name not in near.node.parts and name not in hidden
    }
    node = Fields(near.node.event, {}, {**taken, **near.node.parts})
    node.value = {name: far.value[name] for name in taken} | near.value
    sources = dict(near.sources)
    sources |= {(name,): far.source_of((name,)) for name in taken}
    inner: Path = ("metadata",)
    mine, theirs = near.find(inner), far.find(inner)
    if isinstance(mine, Fields) and isinstance(theirs, Fields):
        merged = Fields(mine.event, theirs.value | mine.value, {**theirs.parts, **mine.parts})
        node.parts["metadata"] = (near.node.parts["metadata"][0], merged)
        node.value["metadata"] = merged.value
        sources |= {
            (*inner, name): far.source_of((*inner, name)) for name in theirs.parts if name not in mine.parts
        }
    elif "metadata" in taken:  # taken as a whole, and possibly merged from several files
        sources |= {path: source for path, source in far.sources.items() if path[:1] == inner}
    return replace(
        near,
        node=node,
        value=node.value,
        sources=sources,
        incomplete=near.incomplete or far.incomplete or bool(far.problems),
    )


def _hidden(value: dict[str, Any]) -> set[str]:
    """Return the fields that other fields of a spec exclude: `model` excludes `agent_id`, a matrix its fields."""
    matrix = value.get("matrix")
    varied = set(matrix) if isinstance(matrix, dict) else set()
    written = set(value) | {f"matrix.{name}" for name in varied}
    groups = [group for group in JobFields.EXACTLY_ONE if written.intersection(group)]
    return varied | {name for group in groups for name in group}


class DefaultsTree:
    """The defaults of folders, and their effect on the specs below.

    Args:
        root: the folder of all specs, absolute.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._found: dict[str, Document] = {}
        """By folder, absolute."""

    def add(self, path: str, document: Document) -> None:
        """Register a `_defaults.yaml`."""
        self._found[os.path.dirname(path)] = document  # noqa: PTH120 - as the paths of specs

    def apply(self, document: Document, path: str) -> Document:
        """Merge a spec with the defaults of its folder and of the folders above, the nearest first."""
        while self._found and path != self._root:
            path = os.path.dirname(path)  # noqa: PTH120 - of every spec's path
            if path in self._found:
                document = merge_defaults(document, self._found[path])
        return document
