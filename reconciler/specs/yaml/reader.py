"""YAML text to values with their positions, strictly.

A spec decides about money, so what is read must be what was meant: YAML 1.2's core schema (`no` is text), and
nothing that means different things to different readers. Duplicate keys, keys that are not text, tags and merge
keys are problems; so are a file that nests too deep and aliases that multiply beyond a limit.

The parser (libyaml, where PyYAML was built with it) gives events, and the tree is built from them here, with a
stack of its own. PyYAML's composer in C recurses instead, and 60 KB of `[` end the process with a segmentation
fault; events do not recurse, and the depth is counted as they come.
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
from reconciler.specs.yaml.parser import FASTEST, EventParser
from reconciler.specs.yaml.source import Source
from reconciler.specs.yaml.tree import Document, Fields, Items, Node, place_of

RAISE: Final = "raise `limits.{}` in reconciler.yaml if this is meant"


def read(
    source: Source, limits: Limits, *, parser: Callable[[str], EventParser] = FASTEST
) -> tuple[list[Document], list[Problem]]:
    """Return the documents of a file that hold anything, and what ended the reading early, if anything did."""
    if not source.text.isascii() and (unseen := messages.UNSEEN.search(source.text)):
        place, message, hint = messages.unseen_at(source, unseen)
        return [], [source.problem(place, message, hint=hint)]
    tree = _Tree(source, limits)
    try:
        tree.read(parser(source.text))
    except _StopError as stop:
        return tree.found, [*tree.problems, stop.problem]
    except yaml.YAMLError as error:
        if end := messages.too_deep_at(source, error):
            found, stopped = read(Source(source.path, source.text[:end]), limits, parser=parser)
            if stopped:
                return found, stopped
        place, message, hint = messages.told(source, error)
        return tree.found, [*tree.problems, source.problem(place, message, hint=hint)]
    return tree.found, []


class _StopError(Exception):
    """Reading cannot go on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


_REFUSED: Final = ScalarEvent(None, None, (True, False), "")
"""Stands for a key that is left out, together with its value."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _Tree:
    """Builds documents from events."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._count = 0
        """Values so far, aliases expanded; collections that are still open are not counted."""
        self._anchors: dict[str, tuple[Node, Any]] = {}
        self._incomplete = False
        self.found: list[Document] = []
        """Each document that holds anything."""
        self.problems: list[Problem] = []
        """What was found in the document that is being read."""

    def read(self, parser: EventParser) -> None:  # noqa: C901, PLR0912 - see below
        """Find the documents.

        One loop, and calls only in the rarer cases: a call for every event would cost as much as the parser.
        """
        outer: list[tuple[Fields | Items, ScalarEvent | None]] = []
        root: Fields | Items = Items(DocumentStartEvent())
        inside = root
        key: ScalarEvent | None = None
        node: Node
        most = 3 * self._limits.spec_nodes + 2  # no value gives more events, and the file two
        text = self._source.text
        plain = (
            text.isascii() and "\\" not in text and "&" not in text and "!" not in text
        )  # so is every value
        words, first = scalars.WORDS, scalars.FIRST
        events = iter(parser.get_event, None)
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
                inside, key = self._started(event, len(outer)), None
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                node, value = inside, inside.value
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
                event, "a directive (`%…`) is not taken", "leave it out: a spec is YAML 1.2 without tags"
            )
        return Items(event)

    def _finish(self, root: Fields | Items) -> None:
        problems, self.problems = tuple(self.problems), []
        for node, value in zip(root.children(), root.value, strict=True):
            if value is not None or problems:
                self.found.append(Document(self._source, node, value, problems, self._incomplete))

    def _plain(self, event: ScalarEvent) -> scalars.Scalar:
        try:
            return scalars.resolve(event.value)
        except scalars.NotAValueError as error:
            self._problem(event, str(error), "put it in quotes if it is meant as text")
            return event.value

    def _unusual(self, event: ScalarEvent) -> scalars.Scalar:
        if event.tag is not None:
            self._tagged(event)
        if _SURROGATE.search(event.value):
            self._stop(event, "an escape that is not a character", messages.WRITE_CHARACTER)
        value = self._plain(event) if event.tag is None and event.implicit[0] else event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = (event, value)
        return value

    def _started(self, event: CollectionStartEvent, depth: int) -> Fields | Items:
        if depth > self._limits.spec_depth:
            self._too_deep(event)
        if event.tag is not None:
            self._tagged(event)
        return Fields(event) if type(event) is MappingStartEvent else Items(event)

    def _ended(self, node: Fields | Items) -> None:
        self._grow(node.event, 1 + len(node.parts))
        if isinstance(node.event, NodeEvent) and node.event.anchor is not None:
            self._anchors[node.event.anchor] = (node, node.value)

    def _alias(self, event: AliasEvent, depth: int) -> tuple[Node, Any]:
        target = self._anchors.get(event.anchor or "")
        if target is None:
            message = f"nothing before this is called `&{event.anchor}`"
            self._problem(event, message, "name the value first, or put the text in quotes")
            return ScalarEvent(None, None, (True, False), "", event.start_mark), None
        waiting = [(target[0], depth)]
        while waiting:
            node, level = waiting.pop()
            self._grow(event, 1)
            if isinstance(node, ScalarEvent):
                continue
            if level >= self._limits.spec_depth:
                self._too_deep(event)
            waiting.extend((child, level + 1) for child in node.children())
        return target

    def _key(self, parent: Fields, event: NodeEvent | Node, value: object) -> ScalarEvent:
        if type(event) is ScalarEvent and type(value) is str:
            if value in parent.parts:
                first = place_of(parent.parts[value][0]).line + 1
                self._problem(
                    event, f"`{value}` stands here twice, first in line {first}", "leave one of them"
                )
                return _REFUSED
            if value != "<<" or not event.implicit[0]:
                return event
            message, hint = "the merge key `<<` is not taken", "write the fields out"
        else:
            message, hint = "a field's name must be text", "put it in quotes"
        self._incomplete = True
        self._problem(event if isinstance(event, Event) else event.event, message, hint)
        return _REFUSED

    def _tagged(self, event: NodeEvent) -> None:
        self._problem(event, "a tag (`!…`) is not taken", "leave it out: a spec holds plain values only")

    def _grow(self, event: Event, size: int) -> None:
        self._count += size
        if self._count > self._limits.spec_nodes:
            message = f"more than {self._limits.spec_nodes:,} values in one file, aliases expanded"
            self._stop(event, message, RAISE.format("spec_nodes"))

    def _too_deep(self, event: Event) -> NoReturn:
        self._stop(event, f"more than {self._limits.spec_depth} levels deep", RAISE.format("spec_depth"))

    def _problem(self, event: Event, message: str, hint: str) -> None:
        self.problems.append(self._source.problem(place_of(event), message, hint=hint))

    def _stop(self, event: Event, message: str, hint: str) -> NoReturn:
        raise _StopError(self._source.problem(place_of(event), message, hint=hint))
