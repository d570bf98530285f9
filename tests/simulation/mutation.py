"""One safeguard of the package, taken out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One safeguard taken out."""

    name: str
    module: str
    old: str
    """Occurs exactly once in the module."""
    new: str
    option: str = ""
    """Chooses the family of schedules on the command line; "" for that in which whole jobs decide."""
    start: int = 0
    """The seed with which the search for a schedule that misses it begins."""
