"""A YAML document: plain values, and the position of each.

A scalar's node is the parser's own event, which has its text as written and its mark. Only collections need an extra
node, so keeping every position costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, final

import yaml
from msgspec import Struct

from reconciler.errors import Problem, SpecError
from reconciler.specs.yaml.source import START, Place, SourceFile

Step: TypeAlias = "str | int"
Path: TypeAlias = tuple[Step, ...]
"""The path of a value in a document: `("input_files", 0)`."""


SHARED_FIELDS: Final = (
    "put fields that specs share into a `_defaults.yaml`: it is for all specs of its folder"
)


def dotted(path: Path) -> str:
    """Return `requests[0].custom_id` for ("requests", 0, "custom_id")."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


@final
class Fields(Struct):
    """A mapping."""

    event: yaml.Event
    value: dict[str, Any] = {}
    parts: dict[str, tuple[yaml.NodeEvent, Node]] = {}
    """The event of each key and the node of its value."""


@final
class Items(Struct):
    """A list."""

    event: yaml.Event
    value: list[Any] = []
    parts: list[Node] = []


Node: TypeAlias = "Fields | Items | yaml.ScalarEvent"


def children(node: Fields | Items) -> list[Node]:
    """Return the nodes of the values of a mapping or list."""
    return [value for _, value in node.parts.values()] if isinstance(node, Fields) else node.parts


_PROMPTS: Final = frozenset({"body", "requests"})
"""Fields that hold prompts."""


class Document(Struct, frozen=True):
    """One document of a file."""

    source: SourceFile
    node: Node
    value: Any
    """dict, list, str, int, float, bool or None, nested."""
    problems: tuple[Problem, ...]
    """The problems found while reading; the value can still be checked further."""
    incomplete: bool
    """True if a key was rejected and omitted from the value: then no field can be reported as missing."""
    sources: Mapping[Path, SourceFile] = {}
    """The files of the values that come from another file."""

    def find(self, path: Path) -> Node | None:
        """Return the node at `path`, None if there is none."""
        node: Node | None = self.node
        for step in path:
            if isinstance(node, Fields) and isinstance(step, str):
                node = node.parts[step][1] if step in node.parts else None
            elif isinstance(node, Items) and isinstance(step, int):
                node = node.parts[step]
            else:
                return None
        return node

    def at(self, path: Path) -> Any:  # noqa: ANN401 - JSON
        """Return the value at `path`, None if there is none."""
        value = self.value
        for step in path:
            if isinstance(value, dict):
                value = value.get(str(step))
            else:
                value = value[step] if isinstance(value, list) and isinstance(step, int) else None
        return value

    def place(self, path: Path) -> Place:
        """Return the place of the value at `path`, or else of the nearest value around it."""
        node = self.find(path)
        return place_of(node) if node is not None else self.place(path[:-1]) if path else START

    def key_place(self, path: Path) -> Place:
        """Return the place of the key at `path`, or else of the value."""
        parent = self.find(path[:-1])
        if isinstance(parent, Fields) and path[-1] in parent.parts:
            return place_of(parent.parts[str(path[-1])][0])
        return self.place(path)

    def source_of(self, path: Path) -> SourceFile:
        """Return the file of the value at `path`."""
        while path and path not in self.sources:
            path = path[:-1]
        return self.sources.get(path, self.source)

    def problem(
        self, path: Path, message: str, hint: str = "", *, at_key: bool = False, warning: bool = False
    ) -> Problem:
        """Return a problem with the value at `path`, or its key. A line that may be a prompt is not shown."""
        place = self.key_place(path) if at_key else self.place(path)
        show = _PROMPTS.isdisjoint(path)
        return self.source_of(path).problem(place, message, hint=hint, show=show, warning=warning)

    def error(self, path: Path, message: str, hint: str, *, at_key: bool = False) -> SpecError:
        """Return the error for the only problem of a file: see `problem`."""
        return SpecError((self.problem(path, message, hint, at_key=at_key),))

    def texts(self, path: Path) -> dict[str, str]:
        """Return the scalars of the mapping at `path` as written; empty if there is none."""
        node = self.find(path)
        parts = node.parts.items() if isinstance(node, Fields) else ()
        return {key: part.value for key, (_, part) in parts if isinstance(part, yaml.ScalarEvent)}

    def text(self, path: Path) -> str:
        """Return the scalar at `path` as written, "" if there is none."""
        node = self.find(path)
        return node.value if isinstance(node, yaml.ScalarEvent) else ""


def place_of(node: Node | yaml.Event) -> Place:
    """Return the place where the text of a node or an event begins."""
    mark = (node.event if isinstance(node, Fields | Items) else node).start_mark
    return Place(mark.line, mark.column) if mark else START
