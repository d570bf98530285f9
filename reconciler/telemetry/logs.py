"""Write events to stderr (formatted on a terminal, JSON lines otherwise) and, if requested, to a file.

The level of an event and the order of its fields come from the catalogue in `events`; `run_id`, `project` and
`commit` are bound to every line, from any thread. The log never stops a run: an event that does not match the
catalogue is written as it is (tests use `strict`), and an output that cannot be written is dropped, which the other
outputs record.

structlog renders the lines. It is imported for the first line, so that a run without events does not pay for it.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TextIO, TypeAlias

from reconciler.errors import ReconcilerError
from reconciler.telemetry.events import BOUND, EVENTS, HEAD, LEVELS, Level, validate_event
from reconciler.text.sanitize import clean
from reconciler.text.timestamps import rfc3339

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

Style: TypeAlias = Literal["auto", "console", "json"]


class UncataloguedEventError(Exception):
    """An event does not match the catalogue: a mistake in this program, raised only in tests."""


def open_log(
    *,
    style: Style,
    level: str,
    file: Path | None,
    now: Callable[[], float],
    bound: Mapping[str, str],
    colour: bool = False,
    stream: TextIO | None = None,
    strict: bool = False,
) -> LogSink:
    """Open the log of a run.

    Args:
        style: `auto` is `console` if the stream is a terminal, `json` otherwise.
        level: minimum level of the events on the stream.
        file: gets JSON lines of every level, appended.
        now: the wall clock, Unix seconds.
        bound: the fields of every line: those of `events.BOUND`.
        colour: whether the console style may use colours.
        stream: the stream to write to; None for stderr.
        strict: raise if an event does not match the catalogue.

    Raises:
        ReconcilerError: the file cannot be opened.
    """
    diary: TextIO | None = stream or sys.stderr  # None in a process without a stderr, which Python allows
    outputs = []
    if diary is not None:
        pretty = style == "console" or (style == "auto" and diary.isatty())
        outputs = [_Output("stderr", diary, least=LEVELS.index(level), pretty=pretty, colour=colour)]
    if file is not None:
        outputs.append(_Output(str(file), _opened(file), least=0, ours=True))
    return LogSink(outputs, now=now, bound=bound, strict=strict)


class LogSink:
    """A log, for any thread.

    Args:
        outputs: where lines are written.
        now: the wall clock, Unix seconds.
        bound: the fields of every line.
        strict: raise if an event does not match the catalogue.
    """

    def __init__(
        self, outputs: list[_Output], *, now: Callable[[], float], bound: Mapping[str, str], strict: bool
    ) -> None:
        self._outputs = outputs
        self._now = now
        self._bound = dict(bound)
        self._strict = strict
        self._lock = threading.RLock()

    def __call__(self, event: str, /, **facts: object) -> None:
        """Write `event`. Not from a signal handler, which may interrupt the writing of a line.

        Raises:
            UncataloguedEventError: it does not match the catalogue, and this log is strict.
        """
        if self._strict and (wrong := validate_event(event, facts)):
            raise UncataloguedEventError(wrong)
        level: Level = EVENTS[event].level if event in EVENTS else "warning"
        rank = LEVELS.index(level)
        if not any(output.least <= rank for output in self._outputs):
            return
        with self._lock:
            facts["at"] = rfc3339(self._now(), "milliseconds")
            for output in tuple(self._outputs):
                if output.least > rank or output not in self._outputs:
                    continue
                try:
                    output.write(level, event, facts, self._bound)
                except (OSError, ValueError) as error:  # full, gone, or closed
                    self._drop(output)
                    self("log.degraded", output=output.name, error=str(error))

    def _drop(self, output: _Output) -> None:
        self._outputs.remove(output)
        output.close()

    def close(self) -> None:
        """Close the file; later events are lost."""
        with self._lock:
            for output in tuple(self._outputs):
                self._drop(output)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Output:
    """One stream or file that lines are written to."""

    def __init__(
        self,
        name: str,
        stream: TextIO,
        *,
        least: int,
        pretty: bool = False,
        colour: bool = False,
        ours: bool = False,
    ) -> None:
        self.name = name
        self.least = least
        self._stream = stream
        self._pretty = pretty
        self._colour = colour
        self._ours = ours
        self._logger: FilteringBoundLogger | None = None

    def write(self, level: Level, event: str, facts: Mapping[str, object], bound: Mapping[str, str]) -> None:
        if self._logger is None:
            self._logger = self._made().bind(**bound)
        getattr(self._logger, level)(event, **facts)

    def _made(self) -> FilteringBoundLogger:
        import structlog  # noqa: PLC0415  50 ms that a run without events does not pay

        logger: FilteringBoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(self._stream),
            processors=[
                _arranged,
                # ASCII only, so that no character of a line can act on a terminal.
                _console(colour=self._colour)
                if self._pretty
                else structlog.processors.JSONRenderer(default=str),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(0),
            context_class=dict,
        )
        return logger

    def close(self) -> None:
        if self._ours:
            with suppress(OSError, ValueError):
                self._stream.close()


def _arranged(_: object, level: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the fields in their order, as plain values, and omit those without a value."""
    event = line["event"]
    known = EVENTS[event].fields if event in EVENTS else {}
    order = dict.fromkeys([*HEAD, *known, *(key for key in line if key not in BOUND), *BOUND])
    line["level"] = level
    return {key: _plain(line[key]) for key in order if line.get(key) is not None}


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


_DIM, _BOLD, _CYAN, _GREEN, _YELLOW, _RED, _RESET = (
    f"\x1b[{code}m" for code in ("2", "1", "36", "32", "33", "1;31", "0")
)
_COLOURS: Final[Mapping[str, str]] = {"debug": _DIM, "info": _GREEN, "warning": _YELLOW, "error": _RED}
_LEVEL_WIDTH: Final = max(map(len, LEVELS))
_EVENT_WIDTH: Final = 22


def _console(*, colour: bool) -> Callable[[object, str, MutableMapping[str, Any]], str]:
    """Return a renderer for terminals. structlog's own would wrap stdout in colorama on Windows."""

    def paint(code: str, text: str) -> str:
        return f"{code}{text}{_RESET}" if colour else text

    def render(_: object, level: str, line: MutableMapping[str, Any]) -> str:
        head = (
            paint(_DIM, str(line["at"])),
            paint(_COLOURS[level], f"{level:<{_LEVEL_WIDTH}}"),
            paint(_BOLD, f"{line['event']:<{_EVENT_WIDTH}}"),
        )
        facts = (
            f"{paint(_CYAN, key)}={_shown(value)}"
            for key, value in line.items()
            if key not in HEAD and key not in BOUND
        )
        return " ".join((*head, *facts)).rstrip()

    return render


def _shown(value: object) -> str:
    """Return a value without terminal control characters, quoted if it contains a space, a quote or `=`."""
    if isinstance(value, list | tuple):
        return ",".join(_shown(item) for item in value)
    text = clean(str(value))
    return text if text and not set(' "=') & set(text) else json.dumps(text, ensure_ascii=False)


def _opened(path: Path) -> TextIO:
    try:
        return path.open("a", encoding="utf-8", newline="\n")
    except OSError as error:
        raise ReconcilerError(
            f"the log file {path} cannot be written: {error.strerror}",
            hint="pass another file with --log-file; its folder must exist",
        ) from error
