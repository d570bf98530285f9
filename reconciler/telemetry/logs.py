"""Write events to stderr (formatted on a terminal, JSON lines otherwise) and, if requested, to a file.

The catalogue, `events.json`, has every event: its name, which is dotted, in the past tense and constant, its level, its
meaning, and the fields, which have everything that varies. `schemas/event.schema.json` and `docs/events.md` are
generated from it, and tests check every logged event against it. `run_id`, `project` and `commit` are bound to every
line, from any thread. The log never stops a run: an event that does not match the catalogue is written as it is, and an
output that cannot be written is dropped, which the other outputs record.

structlog renders the lines. It is imported for the first line, so that a run without events does not pay for it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, TypeAlias, get_args

import msgspec
from msgspec import Struct

from reconciler import file_access
from reconciler.errors import explaining
from reconciler.text.sanitize import clean
from reconciler.text.timestamps import rfc3339

if TYPE_CHECKING:
    from structlog.typing import Processor

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""From the least important to the most important."""


class Field(Struct, frozen=True, forbid_unknown_fields=True):
    """One field of an event."""

    type: Literal["string", "integer", "strings"]
    meaning: str
    optional: bool = False
    """True if the value may be unknown. The field is then omitted."""


class Event(Struct, frozen=True):
    """One kind of event."""

    level: Level
    meaning: str
    fields: Mapping[str, Field]


class _Entry(Struct, frozen=True, forbid_unknown_fields=True):
    level: Level
    meaning: str
    fields: dict[str, Field | None]
    """None for a field that many events share."""


class _Catalogue(Struct, frozen=True, forbid_unknown_fields=True):
    head: dict[str, Field]
    bound: dict[str, Field]
    shared: dict[str, Field]
    events: dict[str, _Entry]


_CATALOGUE: Final = msgspec.json.decode(Path(__file__).with_name("events.json").read_bytes(), type=_Catalogue)
HEAD: Final[Mapping[str, Field]] = _CATALOGUE.head
"""The first fields of every line."""
BOUND: Final[Mapping[str, Field]] = _CATALOGUE.bound
"""The last fields of every line: the same for all lines of a run, from any thread."""
EVENTS: Final[Mapping[str, Event]] = {
    name: Event(
        it.level, it.meaning, {key: field or _CATALOGUE.shared[key] for key, field in it.fields.items()}
    )
    for name, it in _CATALOGUE.events.items()
}
"""Every event, in the order of a run."""


Style: TypeAlias = Literal["auto", "console", "json"]
EventCheck: TypeAlias = Callable[[str, Mapping[str, object]], None]
EventTrace: TypeAlias = Callable[[str, Mapping[str, object]], Mapping[str, str]]


class LogSink:
    """The log of a run, for any thread.

    Events from `level` on are written to the stream, stderr if it is None. The style `auto` is `console` if that is a
    terminal, perhaps with `colour`, and `json` otherwise. JSON lines of every level are appended to the file. `now` is
    in Unix seconds, `bound` has the fields of `BOUND`, and `check` is called with each event: tests compare it with the
    catalogue. Raises `ReconcilerError` if the file cannot be opened.
    """

    def __init__(
        self,
        *,
        style: Style,
        level: str,
        file: Path | None,
        now: Callable[[], float],
        bound: Mapping[str, str],
        colour: bool = False,
        stream: TextIO | None = None,
        check: EventCheck = lambda *_: None,
    ) -> None:
        self._now = now
        self._bound = bound
        self._check = check
        self.trace: EventTrace = lambda *_: {}
        """Called with each event; returns the ids of its trace and span, if it has any."""
        self._lock = threading.RLock()
        self._outputs: list[_Output] = []
        shown: TextIO | None = stream or sys.stderr  # None in a process without a stderr, which Python allows
        if shown is not None:
            pretty = style == "console" or (style == "auto" and shown.isatty())
            self._outputs += [_Output("stderr", shown, LEVELS.index(level), pretty=pretty, colour=colour)]
        if file is not None:
            self._outputs += [_Output(str(file), _opened(file), ours=True)]

    def __call__(self, event: str, /, **facts: object) -> None:
        """Write `event`. Not from a signal handler, which may interrupt the writing of a line."""
        self._check(event, facts)
        ids = self.trace(event, facts)
        level = EVENTS[event].level if event in EVENTS else "warning"
        rank = LEVELS.index(level)
        with self._lock:
            wanted = [output for output in self._outputs if output.least <= rank]
            if not wanted:
                return
            head = {"at": rfc3339(self._now(), "milliseconds"), "level": level, "event": event}
            line = _arranged(event, {**facts, **head, **self._bound, **ids})
            for output in wanted:
                try:
                    if output in self._outputs:  # else an earlier failure dropped it
                        output.write(line)
                except (OSError, ValueError) as error:  # full, gone, or closed
                    self._drop(output)
                    self("log.degraded", output=output.name, error=str(error))

    def _drop(self, output: _Output) -> None:
        self._outputs.remove(output)
        if output.ours:
            with suppress(OSError, ValueError):
                output.stream.close()

    def close(self) -> None:
        """Close the file; later events are lost."""
        with self._lock:
            for output in tuple(self._outputs):
                self._drop(output)


@dataclass(eq=False)
class _Output:
    """One stream or file that lines are written to."""

    name: str
    stream: TextIO
    least: int = 0
    pretty: bool = False
    colour: bool = False
    ours: bool = False

    def write(self, line: Mapping[str, Any]) -> None:
        shown = {key: _shown(value) for key, value in line.items() if key not in BOUND}
        text = self._render(None, line["level"], shown if self.pretty else dict(line))
        self.stream.write(f"{text!s}".rstrip() + "\n")
        self.stream.flush()

    @cached_property
    def _render(self) -> Processor:
        import structlog  # noqa: PLC0415  50 ms that a run without events does not pay

        if not self.pretty:  # ASCII only, so that no character of a line can act on a terminal
            return structlog.processors.JSONRenderer(default=str)
        colours = self.colour and os.name != "nt"  # on Windows, structlog would wrap stdout in colorama
        return structlog.dev.ConsoleRenderer(colors=colours, sort_keys=False, timestamp_key="at")


def _arranged(event: str, line: Mapping[str, object]) -> dict[str, object]:
    """Return the fields in their order, as plain values, without those that have no value."""
    known = EVENTS[event].fields if event in EVENTS else {}
    order = dict.fromkeys([*HEAD, *known, *(key for key in line if key not in BOUND), *BOUND])
    values = ((key, line.get(key)) for key in order)
    return {key: it.value if isinstance(it, Enum) else it for key, it in values if it is not None}


def _shown(value: object) -> str:
    """Return a value without terminal control characters."""
    return ",".join(map(_shown, value)) if isinstance(value, list | tuple) else clean(str(value))


def _opened(path: Path) -> TextIO:
    hint = "pass another file with --log-file; its folder must exist"
    with explaining(f"the log file {path} cannot be written", hint):
        return os.fdopen(file_access.append(path), "a", encoding="utf-8", newline="\n")
