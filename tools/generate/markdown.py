"""The Markdown that generated pages need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def page(*parts: str, source: str) -> str:
    """Return a page of paragraphs, with a comment that names its source."""
    note = f"<!-- Generated from {source}: change it there, then run `python -m tools.generate`. -->"
    return "\n\n".join([note, *(part.strip("\n") for part in parts)]) + "\n"
