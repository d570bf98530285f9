"""Long work as it goes: bars on a terminal, and elsewhere an event now and then, so that no log falls silent.

What takes less than half a second shows nothing, and imports nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO, cast

from reconciler.cli.output.terminal import console, drawable
from reconciler.telemetry.progress import UNWATCHED, Progress, Work
from reconciler.text.plural import count
from reconciler.text.units import size, span

if TYPE_CHECKING:
    from rich.progress import Progress as Screen

    from reconciler.environment import Log, World

PATIENCE_SECONDS: Final = 0.5
"""What is over by then is not worth a bar."""
FRAME_SECONDS: Final = 0.1
BEAT_SECONDS: Final = 10.0
"""Between two events about the same work."""
TITLES: Final[dict[Work, str]] = {"checking": "Checking", "uploading": "Uploading", "writing": "Writing"}


@dataclass(slots=True)
class Tally:
    """One kind of work."""

    began: float
    """On the monotonic clock."""
    done: int = 0
    expected: int = 0

    @property
    def total(self) -> int:
        """How much there is of it, as far as it is known."""
        return max(self.done, self.expected)


def words(work: Work, tally: Tally, now: float) -> str:
    """Return how much of it is done, how fast it goes, and how long it will take at that rate."""
    rate = tally.done / (now - tally.began) if now > tally.began else 0.0
    if work == "writing":
        parts = [f"{tally.done:,} of {count(tally.total, 'write')}", f"{rate:.1f}/s"]
    else:
        parts = [f"{size(tally.done)} of {size(tally.total)}", f"{size(round(rate))}/s"]
    left = tally.total - tally.done
    if left and rate:
        parts.append(f"{span(left / rate)} left")
    return " · ".join(parts)


class _Tallies:
    """Counts, from any thread, and shows what it has counted where it is time for it."""

    watched: Final = True

    def __init__(self, monotonic: Callable[[], float], pause: float) -> None:
        self._monotonic = monotonic
        self._pause = pause
        self._next: float | None = None
        self._lock = threading.RLock()
        self._tallies: dict[Work, Tally] = {}

    def expect(self, work: Work, amount: int) -> None:
        """Count what is to be done."""
        with self._lock:
            self._of(work).expected += amount

    def advance(self, work: Work, amount: int) -> None:
        """Count what is done."""
        with self._lock:
            self._of(work).done += amount
            now = self._monotonic()
            if self._next is not None and now >= self._next:
                self._show(now)
                self._next = self._monotonic() + self._pause

    def _of(self, work: Work) -> Tally:
        if work not in self._tallies:
            self._tallies[work] = Tally(began=self._monotonic())
            if self._next is None:
                self._next = self._monotonic() + self._first()
        return self._tallies[work]

    def _first(self) -> float:
        return self._pause

    def _show(self, now: float) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """Forget all of it."""
        with self._lock:
            self._tallies.clear()
            self._next = None


class Beats(_Tallies):
    """Tells an event now and then."""

    def __init__(self, log: Log, monotonic: Callable[[], float]) -> None:
        super().__init__(monotonic, BEAT_SECONDS)
        self.log = log

    def _show(self, now: float) -> None:
        for work, tally in self._tallies.items():
            if tally.done < tally.total:
                elapsed = round((now - tally.began) * 1000)
                self.log("work.progressed", work=work, done=tally.done, total=tally.total, elapsed_ms=elapsed)


class Bars(_Tallies):
    """Draws a bar for each kind of work at the bottom of the terminal, and wipes it off before anything else is said.

    Args:
        stream: the terminal.
        monotonic: seconds on a clock that never goes back.
        colour: whether it takes colours.
    """

    def __init__(self, stream: TextIO, monotonic: Callable[[], float], *, colour: bool = True) -> None:
        super().__init__(monotonic, FRAME_SECONDS)
        self._stream = stream
        self._colour = colour
        self._screen: Screen | None = None

    def _first(self) -> float:
        return PATIENCE_SECONDS

    def _show(self, now: float) -> None:
        if self._screen is None:
            self._screen = _screen(self._stream, colour=self._colour)
            self._screen.start()
        for work, tally in self._tallies.items():
            known = next((task.id for task in self._screen.tasks if task.description == TITLES[work]), None)
            told = words(work, tally, now)
            if known is None:
                self._screen.add_task(TITLES[work], completed=tally.done, total=tally.total, words=told)
            else:
                self._screen.update(known, completed=tally.done, total=tally.total, words=told)
        self._screen.refresh()

    def wipe(self) -> None:
        """Leave the terminal as if there had been no bars; the next ones are drawn anew."""
        with self._lock:
            screen, self._screen = self._screen, None
            if screen is not None:
                screen.stop()

    def end(self) -> None:
        """Wipe the bars off."""
        with self._lock:
            self.wipe()
            super().end()

    def beside(self) -> TextIO:
        """Return the terminal, for others to write to."""
        return cast("TextIO", _Beside(self._stream, self))


class _Beside:
    """A stream that wipes the bars off before it is written to."""

    def __init__(self, stream: TextIO, bars: Bars) -> None:
        self._stream = stream
        self._bars = bars

    def write(self, text: str) -> int:
        self._bars.wipe()
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def _screen(stream: TextIO, *, colour: bool) -> Screen:
    """Import what draws."""
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


def work_bars(world: World) -> Bars | None:
    """Return what draws on the terminal, None where stderr is none, or one that cannot move its cursor."""
    if not drawable(world):
        return None
    return Bars(sys.stderr, world.monotonic, colour=world.colour("stderr"))


def on_terminal(world: World) -> Progress:
    """Return bars where there is a terminal, and nothing elsewhere: for commands that keep no log."""
    return work_bars(world) or UNWATCHED
