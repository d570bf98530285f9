"""A commit of the repository, as a value."""

from __future__ import annotations

from msgspec import Struct


class Commit(Struct, frozen=True, kw_only=True):
    """A commit that changed a spec's file."""

    id: str
    at: int
    """Unix seconds, the author's clock."""
    author: str
    subject: str
    path: str
    """The path of the file at that commit, relative to the repository."""
