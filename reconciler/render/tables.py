"""Rows of cells as a table for a terminal, as Markdown, and as CSV. Text from outside is escaped in all of them."""

from __future__ import annotations

import csv
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from reconciler.text.sanitize import clean, without_formula

USUAL_WIDTH: Final = 100
"""Columns that a fitted table takes at most if the terminal's are not known."""


_ACTIVE: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~@$&-])")
_REFERENCE: Final = re.compile(r"\\[@#]|\bGH\\-")
"""GitHub turns names and numbers after these into links even if they are escaped."""


def escape(text: str) -> str:
    """Escape text so that Markdown and its tables show it unchanged: no markup, no mention, no link."""
    shown = _ACTIVE.sub(r"\\\1", clean(text)).replace("://", ":\u200b//").replace("www.", "www\u200b.")
    return _REFERENCE.sub("\\g<0>\u200b", shown)


def table_text(head: Sequence[str], rows: Iterable[Sequence[str]], *, width: int | None = None) -> str:
    """Return a table with aligned columns; the last column is not padded, and with `width` it is wrapped."""
    columns = [_cleaned(column) for column in zip(head, *rows, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    form = "".join(f"%-{width}s  " for width in widths[:-1]) + "%s"
    lines = [(form % row).rstrip() for row in zip(*columns, strict=True)]
    if width is not None and max(map(len, lines)) > width:
        lines = [_wrapped(line, width, sum(widths[:-1]) + 2 * len(widths[:-1])) for line in lines]
    return "".join([f"{line}\n" for line in lines])


def _wrapped(line: str, width: int, start: int) -> str:
    """Wrap what is in a line from `start`."""
    text = textwrap.wrap(line[start:], max(width - start, width // 4), break_on_hyphens=False) or [""]
    return (line[:start] + f"\n{' ' * start}".join(text)).rstrip()


def fitting(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    least: int,
    empty: frozenset[str],
    most: int = USUAL_WIDTH,
) -> tuple[str, int]:
    """Return a table that is at most `most` wide, and the number of columns with values that are left out.

    Columns without a value (all cells are in `empty`) are left out, and the last ones if they do not fit. The first
    `least` columns are kept, although the last of them must then be wrapped.
    """
    valued = [
        column
        for at, column in enumerate(zip(head, *rows, strict=True))
        if at < least or not empty.issuperset(column[1:])
    ]
    kept = valued[:least]
    width = sum(max(map(len, column)) + 2 for column in kept) - 2
    for column in valued[least:]:
        width += max(map(len, column)) + 2
        if width > most:
            break
        kept.append(column)
    shown, *cells = zip(*kept, strict=True)
    return table_text(shown, cells, width=most), len(valued) - len(kept)


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
    return without_formula(clean(cell))


class _Lines:
    """A file for the csv module that collects the lines written."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append
