"""Colours for a terminal, and small pictures made of text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

COLOURS: Final = {"+": "32", "~": "33", "-": "31", "!": "35", "?": "35", "=": "36"}
_LIVE: Final = ("QUEUED", "RUNNING", "CANCELLATION_REQUESTED", "to create", "to replace")
_BLOCKS: Final = "▁▂▃▄▅▆▇█"


class Screen(NamedTuple):
    """The terminal that a table is for."""

    width: int | None = None
    """Its columns; None if there is none."""
    colour: bool = False


NO_SCREEN: Final = Screen()


def paint(text: str, sign: str, *, colour: bool) -> str:
    """Return `text` in a sign's colour."""
    code = COLOURS.get(sign, "")
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text


def coloured(table: str, column: str, *, colour: bool) -> str:
    """Return a table with the statuses in one of its columns in colour; `column` is its head."""
    lines = table.splitlines(keepends=True)
    found = re.search(rf"(?:^|(?<=  )){column}(?:  +|\n)", lines[0]) if colour and lines else None
    if found is None:
        return table
    start, end = found.span()

    def painted(line: str) -> str:
        cell = line[start:end].rstrip()
        return (
            f"{line[:start]}{paint(cell, sign_of(cell), colour=True)}{line[start + len(cell) :]}"
            if cell
            else line
        )

    return "".join([lines[0], *map(painted, lines[1:])])


def sign_of(state: str) -> str:
    """Return the sign whose colour a status has."""
    if state.startswith("! "):
        return "!"
    if state.rstrip("!") == "SUCCESS":
        return "+"
    return "=" if state in _LIVE else "-" if state.isupper() else ""


def sparkline(shares: Iterable[float | None]) -> str:
    """Return a block for each share, from 0 to 1, and a dot for each that is not known yet."""
    top = len(_BLOCKS) - 1
    return "".join("·" if it is None else _BLOCKS[min(top, max(0, int(it * top + 0.5)))] for it in shares)
