"""Bars on a terminal. rich is imported late: its 80 ms are spent only if a bar is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from reconciler.environment import Environment


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


def table(rows: Iterable[Sequence[str]]) -> Table:
    """Return aligned cells, for `Live.update`."""
    from rich.table import Table
    from rich.text import Text

    lines = list(rows)
    shown = Table.grid(padding=(0, 2))
    for _ in lines[0] if lines else ():
        shown.add_column(no_wrap=True)
    for line in lines:
        shown.add_row(*map(Text, line))
    return shown


def bar(share: float, width: int) -> str:
    """Return a bar that is filled to a share, 0 to 1."""
    full = round(share * width)
    return "━" * full + "─" * (width - full)
