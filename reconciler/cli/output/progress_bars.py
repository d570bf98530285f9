"""Progress of long operations: bars on a terminal, and elsewhere an event every few seconds.

An operation that takes less than half a second shows nothing. rich is imported late: its 80 ms are spent only if a bar
is drawn.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TextIO, cast

from msgspec import Struct

from reconciler.cli.output.streams import WrappedStream
from reconciler.render.tables import table_text
from reconciler.telemetry.progress import UNWATCHED, Progress, ProgressKind
from reconciler.text.plural import age, pluralize, size

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from reconciler.environment import Environment, Log

DELAY_SECONDS: Final = 0.5
"""Time before the first bar is drawn."""
FRAME_SECONDS: Final = 0.1
WIDTH: Final = 16
EVENT_SECONDS: Final = 10.0
"""Time between two events about the same operation."""
TITLES: Final[dict[ProgressKind, str]] = {
    "checking": "Checking",
    "fetching": "Fetching",
    "uploading": "Uploading",
    "writing": "Writing",
}


class ProgressCount(Struct):
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
        parts.append(f"{age(left / rate)} left")
    return " · ".join(parts)


class _ProgressCounts(Progress):
    """Count progress from any thread, and show it after `delay` seconds, then every `pause` seconds."""

    watched = True

    def __init__(self, monotonic: Callable[[], float], delay: float, pause: float) -> None:
        self._monotonic = monotonic
        self._delay = delay
        self._pause = pause
        self._next = 0.0
        self._lock = threading.RLock()
        self._tallies: dict[ProgressKind, ProgressCount] = {}

    def expect(self, work: ProgressKind, amount: int) -> None:
        with self._lock:
            self._of(work).expected += amount

    def advance(self, work: ProgressKind, amount: int) -> None:
        with self._lock:
            self._of(work).done += amount
            now = self._monotonic()
            if now >= self._next:
                self._show(now)
                self._next = self._monotonic() + self._pause

    def _of(self, kind: ProgressKind) -> ProgressCount:
        if not self._tallies:
            self._next = self._monotonic() + self._delay
        return self._tallies.setdefault(kind, ProgressCount(began=self._monotonic()))

    def _show(self, now: float) -> None:
        raise NotImplementedError

    def end(self) -> None:
        with self._lock:
            self._tallies.clear()


class ProgressEvents(_ProgressCounts):
    """Log a progress event at intervals."""

    def __init__(self, log: Log, monotonic: Callable[[], float]) -> None:
        super().__init__(monotonic, EVENT_SECONDS, EVENT_SECONDS)
        self.log = log

    def _show(self, now: float) -> None:
        for kind, counted in self._tallies.items():
            if counted.done < counted.total:
                elapsed = round((now - counted.began) * 1000)
                self.log(
                    "progress.reported", kind=kind, done=counted.done, total=counted.total, elapsed_ms=elapsed
                )


class ProgressBars(_ProgressCounts):
    """Draw a bar for each kind of operation at the bottom of the terminal, and clear it before other output."""

    def __init__(self, stream: TextIO, monotonic: Callable[[], float], *, colour: bool = True) -> None:
        super().__init__(monotonic, DELAY_SECONDS, FRAME_SECONDS)
        self._stream = stream
        self._colour = colour
        self._screen: Live | None = None

    def _show(self, now: float) -> None:
        if self._screen is None:
            self._screen = live_display(self._stream, colour=self._colour)
            self._screen.start()
        rows = [
            (TITLES[kind], bar(it.done / it.total if it.total else 0.0, WIDTH), words(kind, it, now))
            for kind, it in self._tallies.items()
        ]
        self._screen.update(table(rows), refresh=True)

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
        return cast("TextIO", WrappedStream(self._stream, self._write))

    def _write(self, text: str) -> int:
        self.clear()
        return self._stream.write(text)


def work_bars(env: Environment) -> ProgressBars | None:
    """Return progress bars, None if stderr is not a terminal that can move its cursor."""
    if not supports_cursor(env):
        return None
    return ProgressBars(sys.stderr, env.monotonic, colour=env.colour("stderr"))


def on_terminal(env: Environment) -> Progress:
    """Return progress bars on a terminal, and no progress elsewhere: for commands without a log."""
    return work_bars(env) or UNWATCHED


def supports_cursor(env: Environment) -> bool:
    """Whether stderr is a terminal that can move its cursor."""
    return env.terminal("stderr") and env.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def live_display(stream: TextIO, *, colour: bool) -> Live:
    """Return a part of a terminal that is drawn again and again, and erased when it stops."""
    from rich.console import Console
    from rich.live import Live

    class Visible(Console):
        """Never hide the cursor: a run that is killed could not show it again."""

        def show_cursor(self, show: bool = True) -> bool:  # noqa: FBT001, FBT002  rich's
            return show

    console = Visible(file=stream, force_terminal=True, no_color=not colour, highlight=False)
    return Live(
        console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    )


def table(rows: Sequence[Sequence[str]]) -> Text:
    """Return aligned cells, for `Live.update`."""
    from rich.text import Text

    lines = table_text(rows[0], rows[1:]).rstrip("\n") if rows else ""
    return Text(lines, no_wrap=True, overflow="ellipsis")


def bar(share: float, width: int) -> str:
    """Return a bar that is filled to a share, 0 to 1."""
    full = round(share * width)
    return "━" * full + "─" * (width - full)
