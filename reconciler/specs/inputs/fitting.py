"""Find the endpoints for which the bodies of a file have no plain mistakes, from a sample of its lines."""

from __future__ import annotations

from typing import Final

from reconciler.catalogue.bodies import BODIES
from reconciler.catalogue.mistakes import fit
from reconciler.specs.inputs.blocks import Text, split

ALL_ENDPOINTS: Final = frozenset(BODIES)
ALL_LINES_UP_TO: Final = 1_000
"""So many lines at the beginning of a file are all checked."""
EVERY: Final = 8
"""Of the later lines, about one in so many is checked: to check all would make reading a third slower."""


def narrow(fitting: frozenset[str], text: Text, number: int) -> frozenset[str]:
    """Return those of the endpoints that lines fit.

    Args:
        fitting: the endpoints that the lines before fit.
        text: the lines.
        number: how many lines there are up to and with these.
    """
    if not fitting:
        return fitting
    return fit(fitting, split(text if number <= ALL_LINES_UP_TO else _beginning(text)))


def _beginning(text: Text) -> Text:
    """Return the first lines of several, about one in `EVERY` of them and at least one."""
    end = text.rfind(b"\n", 0, len(text) // EVERY)
    end = end if end >= 0 else text.find(b"\n")
    return text if end < 0 else text[:end]
