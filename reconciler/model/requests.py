"""What is known about the requests of a work, and how they differ from those of the job before."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class RequestChange(Struct, frozen=True, kw_only=True):
    """How the requests of a work differ from those of the job before."""

    before: int
    """Requests of the job before."""
    after: int
    """Requests of the new work."""
    added: int
    """Requests with a new custom_id."""
    removed: int
    """Requests whose custom_id is gone."""
    changed: int
    """Requests with the same custom_id and another body."""


class Example(Struct, frozen=True, kw_only=True):
    """A request of a changed template, before and now."""

    custom_id: str
    lines: tuple[str, ...]
    """The lines of its body, as indented JSON, that differ: `- ` before, `+ ` now."""


class Wanted(Struct, frozen=True, kw_only=True):
    """The requests of a work, in the order of its inputs."""

    keys: bytes = b""
    """16 bytes for each; empty if only the sizes are known."""
    sizes: Sequence[int]
    """Bytes of each line, with its line feed."""
    files: Sequence[int]
    """How many requests each input has."""


class KnownRequests(Struct, frozen=True, kw_only=True):
    """What is known about the requests of a work."""

    digest: str = ""
    """Digest of the sorted request keys; "" if an input is not on this machine, or was not read."""
    job_id: str = ""
    """The job before that the requests were compared with."""
    change: RequestChange | None = None
    """None if they could not be compared."""
    examples: tuple[Example, ...] = ()
    """Requests before and now, if every one that was looked at has changed, as after an edit of the template."""
    wanted: Wanted | None = None
    """None if they were not read."""
