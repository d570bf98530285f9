"""Units, and counts for a reader: `1 job`, `1,200 jobs`."""

from __future__ import annotations

from typing import Final

DAY: Final = 86_400
"""Seconds."""


def count(number: int, noun: str, plural: str = "") -> str:
    """Return `1 job`, `1,200 jobs`; the plural is the noun with an s where none is given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
