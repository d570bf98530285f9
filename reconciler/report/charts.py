"""Charts of stacked bars as static SVG, drawn by the page's template.

No library draws them: what one adds (pygal 3.1.3: scripts, styles, comments with the date, and a hook for imports that
warns on Python 3.11) took more code to remove than these bars take.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

WIDTH: Final = 720
HEIGHT: Final = 260
_TOP: Final = 10
_BOTTOM: Final = 26
"""Units below the bars, for the labels."""
_CHARACTER: Final = 7.5
"""Units that a character of a label takes at most."""
_TICKS: Final = 5
_LABELS: Final = 12
"""Labels below the bars at most; with more bars, some have none."""
_FILLED: Final = 0.8
"""Share of its room that a bar fills."""


class Series(Struct, frozen=True):
    """One colour of a chart: its name, and a value for each label."""

    name: str
    values: Sequence[float]


class Box(Struct, frozen=True, kw_only=True):
    """One value, drawn."""

    series: int
    x: float
    y: float
    width: float
    height: float
    title: str


class Mark(Struct, frozen=True):
    """A label of an axis, with its place on it."""

    at: float
    text: str


class Chart(Struct, frozen=True, kw_only=True):
    """A chart with the numbers behind it."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    show: Callable[[float], str]
    """Returns a value as readers see it."""
    short: Callable[[float], str]
    """Returns a value of the axis."""
    look: str = ""
    """A class of the page's style; "" for the usual colours."""

    @property
    def ticks(self) -> Sequence[Mark]:
        """The values of the axis, from 0 to at least the highest bar, and how far down they are."""
        step = self._step
        return [Mark(self._y(step * at), self.short(step * at)) for at in range(round(self._top / step) + 1)]

    @property
    def left(self) -> float:
        """The left edge of the bars, right of the values."""
        return round(max(len(it.text) for it in self.ticks) * _CHARACTER + _CHARACTER, 1)

    @property
    def marks(self) -> Iterable[Mark]:
        """The labels below the bars."""
        every = max(1, math.ceil(len(self.labels) / _LABELS))
        return [Mark(round(self._x(at + 0.5), 1), it) for at, it in enumerate(self.labels) if at % every == 0]

    @property
    def boxes(self) -> Iterable[Box]:
        """The values, drawn one on the other."""
        for at, label in enumerate(self.labels):
            below = 0.0
            for number, series in enumerate(self.series):
                if (value := series.values[at]) <= 0:
                    continue
                yield Box(
                    series=number,
                    x=round(self._x(at + (1 - _FILLED) / 2), 1),
                    y=self._y(below + value),
                    width=round(self._x(_FILLED) - self.left, 1),
                    height=round(self._y(below) - self._y(below + value), 1),
                    title=f"{label} · {series.name} · {self.show(value)}",
                )
                below += value

    @property
    def head(self) -> Sequence[str]:
        """The heads of the columns of the numbers."""
        return ("Period", *(series.name for series in self.series))

    @property
    def rows(self) -> Iterable[Sequence[str]]:
        """The numbers: for each label, the value of each series."""
        for at, label in enumerate(self.labels):
            yield (label, *(self.show(series.values[at]) for series in self.series))

    def _x(self, at: float) -> float:
        """Return where the room of the bar number `at` begins."""
        return self.left + (WIDTH - self.left) * at / max(1, len(self.labels))

    def _y(self, value: float) -> float:
        """Return how far down a value is."""
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / self._top, 1)

    @property
    def _highest(self) -> float:
        return max(map(sum, zip(*(it.values for it in self.series), strict=True)), default=0.0)

    @property
    def _step(self) -> float:
        """The distance of two values of the axis: 1, 2 or 5 with zeros."""
        wanted = self._highest / _TICKS
        if wanted <= 0:
            return 1.0
        power = 10.0 ** math.floor(math.log10(wanted))
        return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= wanted)

    @property
    def _top(self) -> float:
        """The last value of the axis."""
        return max(1, math.ceil(self._highest / self._step)) * self._step
