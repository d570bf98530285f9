"""Rows of cells as a table for a terminal, as Markdown, and as CSV. Text from outside is escaped in all of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Final

from reconciler.render.markdown import escape
from reconciler.text.sanitize import clean

_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Spreadsheets read a cell that begins with one of these as a formula (OWASP, CSV injection)."""


def table_text(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with aligned columns; the last column is not padded."""
    columns = [_cleaned(column) for column in zip(head, *rows, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    form = "".join(f"%-{width}s  " for width in widths[:-1]) + "%s"
    return "".join([(form % row).rstrip() + "\n" for row in zip(*columns, strict=True)])


def _cleaned(column: Sequence[str]) -> Sequence[str]:
    """Clean every cell; one check of the whole column is faster if none needs it."""
    return column if "".join(column).isprintable() else [clean(cell) for cell in column]


def table_markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as Markdown; a cell cannot become markup."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(escape, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def table_csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as CSV (RFC 4180, with line feeds). A cell cannot become a formula or a row.

    A cell that would be a formula gets an apostrophe in front, which marks it as text in spreadsheets.
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
    """A file for the csv module that collects the lines written."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append
