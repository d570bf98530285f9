"""The terminal as bars are drawn on it. rich is imported late: 80 ms that only waiting and long work pay."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

    from reconciler.environment import World


def drawable(world: World) -> bool:
    """Whether stderr is a terminal that can move its cursor."""
    return world.terminal("stderr") and world.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def console(stream: TextIO, *, colour: bool) -> Console:
    """Return what draws on a terminal."""
    from rich.console import Console

    class Visible(Console):
        """Leaves the cursor alone: a run that is killed could not bring it back."""

        def show_cursor(self, show: bool = True) -> bool:  # noqa: FBT001, FBT002  rich's
            return show

    return Visible(file=stream, force_terminal=True, no_color=not colour, highlight=False)
