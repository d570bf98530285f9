"""Rows of cells as a table for a terminal, as Markdown, and as CSV. What came from outside acts in none of them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from reconciler.render.clean import clean
from reconciler.render.markdown import escape

_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Spreadsheets take a cell that begins so, or with the full-width forms, for a formula (OWASP, CSV injection)."""

_BLOCK: Final = 1000
_Item = TypeVar("_Item")


def table_text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with aligned columns; the last column is not padded."""
    return long_table_text(head, rows, lambda some: list(zip(*some, strict=True)))


def long_table_text(
    head: Sequence[str], items: Sequence[_Item], cells: Callable[[Sequence[_Item]], Sequence[Sequence[str]]]
) -> str:
    """Return a table with a row an item.

    Cells are made, measured and written some rows at a time, while they are in the processor's cache; what was written
    before a wider cell came is written again.

    Args:
        head: the name of each column.
        items: what the rows are about.
        cells: returns the columns of some items.
    """
    widths = list(map(len, head))

    def written(begin: int) -> tuple[list[int], str]:
        columns = [_cleaned(column) for column in cells(items[begin : begin + _BLOCK])]
        for number, column in enumerate(columns):
            widths[number] = max(widths[number], *map(len, column))
        form = _form(widths)
        return widths.copy(), "".join([(form % row).rstrip() + "\n" for row in zip(*columns, strict=True)])

    blocks = {begin: written(begin) for begin in range(0, len(items), _BLOCK)}
    rows = [text if by == widths else written(begin)[1] for begin, (by, text) in blocks.items()]
    return "".join([(_form(widths) % tuple(head)).rstrip() + "\n", *rows])


def _form(widths: Sequence[int]) -> str:
    return "".join(f"%-{width}s  " for width in widths[:-1]) + "%s"


def _cleaned(column: Sequence[str]) -> Sequence[str]:
    """Clean every cell; one look at all of them is enough where none needs it."""
    return column if "".join(column).isprintable() else [clean(cell) for cell in column]


def table_markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as Markdown; a cell cannot become markup."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(escape, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def table_csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as CSV (RFC 4180, with line feeds); a cell cannot become a formula, nor a row.

    What would be a formula has an apostrophe in front, by which spreadsheets know text.
    """
    lines: list[str] = []
    writer = csv.writer(_Lines(lines), lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_plain(cell) for cell in row] for row in rows)
    return "".join(lines)


def _plain(cell: str) -> str:
    shown = clean(cell)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


class _Lines:
    """Looks like a file to the csv module, and gathers what is written."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append
