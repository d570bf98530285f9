"""Read YAML text strictly, as values with positions.

A spec decides what is submitted and paid for, so its YAML must be unambiguous: YAML 1.2's core schema (`no` is text),
and nothing that YAML readers interpret differently. Duplicate keys, keys that are not text, tags and merge keys are
problems; so are a file that is nested too deeply and aliases that expand beyond a limit.

The parser returns events, and this module builds the tree from them with its own stack. PyYAML's composer in C
recurses, so 60 KB of `[` would end the process with a segmentation fault. Events need no recursion, and the depth is
counted on the way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import Any, Final, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.errors import Problem
from reconciler.settings import Limits
from reconciler.specs.yaml import messages, scalars
from reconciler.specs.yaml.source import SourceFile
from reconciler.specs.yaml.tree import SHARED_FIELDS, Document, Fields, Items, Node, children, place_of

RAISE: Final = "raise `limits.{}` in reconciler.yaml if this is intended"
FASTEST: Final = getattr(yaml.cyaml, "CParser") if yaml.__with_libyaml__ else messages.PureParser  # noqa: B009 - untyped


def read(
    source: SourceFile, limits: Limits, *, parser: Callable[[str], Any] = FASTEST
) -> tuple[list[Document], list[Problem]]:
    """Return the documents of a file that are not empty, and the problem that stopped reading, if any."""
    if not source.text.isascii() and (unseen := messages.unseen(source)):
        return [], [unseen]
    tree = _Tree(source, limits)
    try:
        tree.read(parser(source.text).get_event)
    except _StopError as stop:
        return tree.found, [*tree.problems, stop.args[0]]
    except yaml.YAMLError as error:
        if end := messages.too_deep_at(source, error):
            found, stopped = read(
                SourceFile(source.path, source.text[:end], source.quote), limits, parser=parser
            )
            if stopped:
                return found, stopped
        return tree.found, [*tree.problems, messages.parser_problem(source, error)]
    return tree.found, []


class _StopError(Exception):
    """Reading cannot go on. The argument is the problem."""


_REFUSED: Final = ScalarEvent(None, None, (True, False), "")
"""Sentinel for a key that was rejected; its value is skipped too."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _Tree:
    """Builds documents from events."""

    def __init__(self, source: SourceFile, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._count = 0
        """Values so far, aliases expanded; open collections are not counted."""
        self._anchors: dict[str, tuple[Node, Any]] = {}
        self._incomplete = False
        self.found: list[Document] = []
        """The documents that are not empty."""
        self.problems: list[Problem] = []
        """The problems of the current document."""

    def read(self, get_event: Callable[[], Any]) -> None:  # noqa: C901, PLR0912, PLR0915 - see below
        """Read the documents.

        One loop with calls only in rare cases: a call for every event would take as long as the parser.
        """
        outer: list[tuple[Fields | Items, ScalarEvent | None]] = []
        root: Fields | Items = Items(DocumentStartEvent())
        inside = root
        key: ScalarEvent | None = None
        node: Node
        deepest, largest = self._limits.spec_depth, self._limits.spec_nodes
        most = 3 * largest + 2  # at most three events per value, and two for the file
        text = self._source.text
        plain = (
            text.isascii() and "\\" not in text and "&" not in text and "!" not in text
        )  # then every value is plain, too
        words, first = scalars.WORDS, scalars.FIRST
        events = iter(get_event, None)
        for event in islice(events, most):
            kind = type(event)
            if kind is ScalarEvent:
                node, value = event, event.value
                if not (plain or (event.tag is None and event.anchor is None and value.isascii())):
                    value = self._unusual(event)
                elif (value in words or value[0] in first) and event.implicit[0]:
                    value = self._plain(event)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                outer.append((inside, key))
                if not plain or len(outer) > deepest:
                    self._started(event, len(outer))
                inside, key = Fields(event) if kind is MappingStartEvent else Items(event), None
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                node, value = inside, inside.value
                self._count += 1 + len(inside.parts)
                if not plain or self._count > largest:
                    self._ended(inside)
                inside, key = outer.pop()
            elif kind is AliasEvent:
                node, value = self._alias(event, len(outer))
            else:
                if kind is DocumentStartEvent:
                    root = inside = self._begin(event)
                elif kind is DocumentEndEvent:
                    self._finish(root)
                continue

            if type(inside) is Items:
                inside.value.append(value)
                inside.parts.append(node)
            elif key is None:
                if kind is ScalarEvent and type(value) is str and value not in inside.parts and value != "<<":
                    key = event
                else:
                    key = self._key(inside, event if kind is AliasEvent else node, value)
            else:
                if key is not _REFUSED:
                    inside.value[key.value] = value
                    inside.parts[key.value] = (key, node)
                key = None
        for event in events:
            self._grow(event, most)

    def _begin(self, event: DocumentStartEvent) -> Items:
        self._anchors, self._incomplete = {}, False
        if event.version not in {None, (1, 2)} or event.tags:
            self._problem(
                event, "directives (`%…`) are not supported", "remove it: a spec is YAML 1.2 without tags"
            )
        return Items(event)

    def _finish(self, root: Fields | Items) -> None:
        problems, self.problems = tuple(self.problems), []
        for node, value in zip(children(root), root.value, strict=True):
            if value is not None or problems:
                self.found.append(Document(self._source, node, value, problems, self._incomplete))

    def _plain(self, event: ScalarEvent) -> scalars.Scalar:
        try:
            return scalars.resolve(event.value)
        except scalars.NotAValueError as error:
            self._problem(event, str(error), "put it in quotes if it is text")
            return event.value

    def _unusual(self, event: ScalarEvent) -> scalars.Scalar:
        if event.tag is not None:
            self._problem(event, messages.NO_TAGS, messages.REMOVE_TAG)
        if _SURROGATE.search(event.value):
            self._stop(event, messages.NOT_A_CHARACTER, messages.WRITE_CHARACTER)
        value = self._plain(event) if event.tag is None and event.implicit[0] else event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = (event, value)
        return value

    def _started(self, event: CollectionStartEvent, depth: int) -> None:
        if depth > self._limits.spec_depth:
            self._too_deep(event)
        if event.tag is not None:
            self._problem(event, messages.NO_TAGS, messages.REMOVE_TAG)

    def _ended(self, node: Fields | Items) -> None:
        self._grow(node.event, 0)
        if isinstance(node.event, NodeEvent) and node.event.anchor is not None:
            self._anchors[node.event.anchor] = (node, node.value)

    def _alias(self, event: AliasEvent, depth: int) -> tuple[Node, Any]:
        target = self._anchors.get(event.anchor or "")
        if target is None:
            message = f"unknown anchor `{event.anchor}`"
            self._problem(event, message, f"define `&{event.anchor}` above, or put the text in quotes")
            return ScalarEvent(None, None, (True, False), "", event.start_mark), None
        waiting = [(target[0], depth)]
        while waiting:
            node, level = waiting.pop()
            self._grow(event, 1)
            if isinstance(node, ScalarEvent):
                continue
            if level >= self._limits.spec_depth:
                self._too_deep(event)
            waiting.extend((child, level + 1) for child in children(node))
        return target

    def _key(self, parent: Fields, event: NodeEvent | Node, value: object) -> ScalarEvent:
        if type(event) is ScalarEvent and type(value) is str:
            if value in parent.parts:
                first = place_of(parent.parts[value][0]).line + 1
                self._problem(event, f"duplicate key `{value}`, first on line {first}", "remove one of them")
                return _REFUSED
            if value != "<<" or not event.implicit[0]:
                return event
            message, hint = "the merge key `<<` is not supported", f"write the fields out, or {SHARED_FIELDS}"
        else:
            message, hint = "a field's name must be text", "put it in quotes"
        self._incomplete = True
        self._problem(event, message, hint)
        return _REFUSED

    def _grow(self, event: Event, size: int) -> None:
        self._count += size
        if self._count > self._limits.spec_nodes:
            message = f"more than {self._limits.spec_nodes:,} values in one file, aliases expanded"
            self._stop(event, message, RAISE.format("spec_nodes"))

    def _too_deep(self, event: Event) -> NoReturn:
        self._stop(
            event, f"more than {self._limits.spec_depth} levels of nesting", RAISE.format("spec_depth")
        )

    def _problem(self, at: Event | Node, message: str, hint: str) -> None:
        self.problems.append(self._source.problem(place_of(at), message, hint=hint))

    def _stop(self, event: Event, message: str, hint: str) -> NoReturn:
        raise _StopError(self._source.problem(place_of(event), message, hint=hint))
