"""`_defaults.yaml`: fields for every spec in its folder and below. What is written nearest to a spec wins."""

from __future__ import annotations

import os
from typing import Any, Final

from msgspec.structs import replace

from reconciler.errors import Problem
from reconciler.specs.schema.convert import accept
from reconciler.specs.schema.job_fields import JobFields, defaults_model
from reconciler.specs.schema.json_schema import defaults_schema
from reconciler.specs.schema.vocabulary import MISPLACED
from reconciler.specs.yaml.tree import Document, Fields, Path

NAME: Final = "_defaults.yaml"

_MISPLACED: Final = {
    **MISPLACED,
    "name": "each spec has its own",
    **dict.fromkeys(
        ("input_files", "requests", "for_each", "matrix", "adopt"),
        "write it into the spec: it says which jobs there are",
    ),
}
_MODEL: Final = defaults_model()


def check(document: Document) -> list[Problem]:
    """Return what is wrong with a `_defaults.yaml`."""
    accepted = accept(document, _MODEL, defaults_schema, _MISPLACED)
    return [*document.problems, *(accepted if isinstance(accepted, list) else ())]


def over(near: Document, far: Document) -> Document:
    """Return a document with the fields that it does not write itself taken from another, metadata by key."""
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
    elif "metadata" in taken:  # it came whole, and may be made of several files
        sources |= {path: source for path, source in far.sources.items() if path[:1] == inner}
    return replace(
        near,
        node=node,
        value=node.value,
        sources=sources,
        incomplete=near.incomplete or far.incomplete or bool(far.problems),
    )


def _hidden(value: dict[str, Any]) -> set[str]:
    """Return the fields that a spec decides about under another name: a model hides an agent, a matrix its fields."""
    matrix = value.get("matrix")
    varied = set(matrix) if isinstance(matrix, dict) else set()
    written = set(value) | {f"matrix.{name}" for name in varied}
    groups = [group for group in JobFields.EXACTLY_ONE if written.intersection(group)]
    return varied | {name for group in groups for name in group}


class Folders:
    """The defaults of folders, and what they give to the specs beneath them.

    Args:
        root: the folder of all specs, absolute.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._found: dict[str, Document] = {}
        """By folder, absolute."""

    def add(self, path: str, document: Document) -> None:
        """Take what a `_defaults.yaml` says."""
        self._found[os.path.dirname(path)] = document  # noqa: PTH120 - as the paths of specs

    def fill(self, document: Document, path: str) -> Document:
        """Lay a spec over the defaults of its folder, and that over those of the folders around it."""
        while self._found and path != self._root:
            path = os.path.dirname(path)  # noqa: PTH120 - of every spec's path
            if path in self._found:
                document = over(document, self._found[path])
        return document
