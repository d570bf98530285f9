"""The terminal that bars are drawn on. rich is imported late: its 80 ms are spent only if a bar is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

    from reconciler.environment import Environment


def supports_cursor(env: Environment) -> bool:
    """Whether stderr is a terminal that can move its cursor."""
    return env.terminal("stderr") and env.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def console(stream: TextIO, *, colour: bool) -> Console:
    """Return a rich console for a terminal."""
    from rich.console import Console

    class Visible(Console):
        """Never hide the cursor: a run that is killed could not show it again."""

        def show_cursor(self, show: bool = True) -> bool:  # noqa: FBT001, FBT002  rich's
            return show

    return Visible(file=stream, force_terminal=True, no_color=not colour, highlight=False)
