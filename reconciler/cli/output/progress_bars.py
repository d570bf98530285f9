"""Progress of long operations: bars on a terminal, and elsewhere an event every few seconds.

An operation that takes less than half a second shows nothing, and imports nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO, cast

from reconciler.cli.output.terminal import console, supports_cursor
from reconciler.telemetry.progress import UNWATCHED, Progress, ProgressKind
from reconciler.text.plural import pluralize
from reconciler.text.units import size, span

if TYPE_CHECKING:
    from rich.progress import Progress as Screen

    from reconciler.environment import Environment, Log

DELAY_SECONDS: Final = 0.5
"""Time before the first bar is drawn."""
FRAME_SECONDS: Final = 0.1
EVENT_SECONDS: Final = 10.0
"""Time between two events about the same operation."""
TITLES: Final[dict[ProgressKind, str]] = {
    "checking": "Checking",
    "uploading": "Uploading",
    "writing": "Writing",
}


@dataclass(slots=True)
class ProgressCount:
    """The progress of one kind of operation."""

    began: float
    """Seconds on the monotonic clock."""
    done: int = 0
    expected: int = 0

    @property
    def total(self) -> int:
        """The amount of work, as far as it is known."""
        return max(self.done, self.expected)


def words(kind: ProgressKind, counted: ProgressCount, now: float) -> str:
    """Return the amount done, the rate, and the time left at that rate."""
    rate = counted.done / (now - counted.began) if now > counted.began else 0.0
    if kind == "writing":
        parts = [f"{counted.done:,} of {pluralize(counted.total, 'write')}", f"{rate:.1f}/s"]
    else:
        parts = [f"{size(counted.done)} of {size(counted.total)}", f"{size(round(rate))}/s"]
    left = counted.total - counted.done
    if left and rate:
        parts.append(f"{span(left / rate)} left")
    return " · ".join(parts)


class _ProgressCounts:
    """Count progress from any thread, and show it at intervals."""

    watched: Final = True

    def __init__(self, monotonic: Callable[[], float], pause: float) -> None:
        self._monotonic = monotonic
        self._pause = pause
        self._next: float | None = None
        self._lock = threading.RLock()
        self._tallies: dict[ProgressKind, ProgressCount] = {}

    def expect(self, kind: ProgressKind, amount: int) -> None:
        """Add to the expected amount."""
        with self._lock:
            self._of(kind).expected += amount

    def advance(self, kind: ProgressKind, amount: int) -> None:
        """Add to the amount done."""
        with self._lock:
            self._of(kind).done += amount
            now = self._monotonic()
            if self._next is not None and now >= self._next:
                self._show(now)
                self._next = self._monotonic() + self._pause

    def _of(self, kind: ProgressKind) -> ProgressCount:
        if kind not in self._tallies:
            self._tallies[kind] = ProgressCount(began=self._monotonic())
            if self._next is None:
                self._next = self._monotonic() + self._first()
        return self._tallies[kind]

    def _first(self) -> float:
        return self._pause

    def _show(self, now: float) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """Reset all counts."""
        with self._lock:
            self._tallies.clear()
            self._next = None


class ProgressEvents(_ProgressCounts):
    """Log a progress event at intervals."""

    def __init__(self, log: Log, monotonic: Callable[[], float]) -> None:
        super().__init__(monotonic, EVENT_SECONDS)
        self.log = log

    def _show(self, now: float) -> None:
        for kind, counted in self._tallies.items():
            if counted.done < counted.total:
                elapsed = round((now - counted.began) * 1000)
                self.log(
                    "progress.reported", kind=kind, done=counted.done, total=counted.total, elapsed_ms=elapsed
                )


class ProgressBars(_ProgressCounts):
    """Draw a bar for each kind of operation at the bottom of the terminal, and clear it before other output.

    Args:
        stream: the terminal.
        monotonic: seconds on a clock that never goes back.
        colour: whether to use colours.
    """

    def __init__(self, stream: TextIO, monotonic: Callable[[], float], *, colour: bool = True) -> None:
        super().__init__(monotonic, FRAME_SECONDS)
        self._stream = stream
        self._colour = colour
        self._screen: Screen | None = None

    def _first(self) -> float:
        return DELAY_SECONDS

    def _show(self, now: float) -> None:
        if self._screen is None:
            self._screen = _screen(self._stream, colour=self._colour)
            self._screen.start()
        for kind, counted in self._tallies.items():
            known = next((task.id for task in self._screen.tasks if task.description == TITLES[kind]), None)
            text = words(kind, counted, now)
            if known is None:
                self._screen.add_task(TITLES[kind], completed=counted.done, total=counted.total, words=text)
            else:
                self._screen.update(known, completed=counted.done, total=counted.total, words=text)
        self._screen.refresh()

    def clear(self) -> None:
        """Remove the bars from the terminal; the next update draws them again."""
        with self._lock:
            screen, self._screen = self._screen, None
            if screen is not None:
                screen.stop()

    def end(self) -> None:
        """Remove the bars and reset all counts."""
        with self._lock:
            self.clear()
            super().end()

    def stream(self) -> TextIO:
        """Return the terminal as a stream for other output."""
        return cast("TextIO", _ClearingStream(self._stream, self))


class _ClearingStream:
    """A stream that clears the bars before each write."""

    def __init__(self, stream: TextIO, bars: ProgressBars) -> None:
        self._stream = stream
        self._bars = bars

    def write(self, text: str) -> int:
        self._bars.clear()
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def _screen(stream: TextIO, *, colour: bool) -> Screen:
    """Import rich and build the bars."""
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Drawn
    from rich.table import Column

    return Drawn(
        TextColumn("{task.description:<9}"),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[words]}", table_column=Column(no_wrap=True)),
        console=console(stream, colour=colour),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def work_bars(env: Environment) -> ProgressBars | None:
    """Return progress bars, None if stderr is not a terminal that can move its cursor."""
    if not supports_cursor(env):
        return None
    return ProgressBars(sys.stderr, env.monotonic, colour=env.colour("stderr"))


def on_terminal(env: Environment) -> Progress:
    """Return progress bars on a terminal, and no progress elsewhere: for commands without a log."""
    return work_bars(env) or UNWATCHED
