"""What is known about the requests of a work, and how they differ from those of the job before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from reconciler.model.jobs import Count

OF_ANSWERS: Final = ("invalid", "truncated")
"""Kinds of answers that do not pass a check."""


class WorkCounts(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the results of all jobs of a work show, in numbers."""

    of: Count
    """How many requests the work has."""
    answered: Count
    kinds: Mapping[str, Count] = {}
    """The failed ones by kind, and the answers that are `invalid` or `truncated`."""
    left: Count = 0
    """How many the next jobs may be asked."""
    stopped: Count = 0
    """How many were last asked in a job that a person cancelled."""

    @property
    def complete(self) -> bool:
        """Whether every request is answered."""
        return self.answered >= self.of

    @property
    def unanswered(self) -> str:
        """How many requests have no answer, and why: `25 of 1,000 requests have no answer: 20 http_400, 5 missing`."""
        failed = sorted((-number, kind) for kind, number in self.kinds.items() if kind not in OF_ANSWERS)
        words = f"{self.of - self.answered:,} of {self.of:,} requests have no answer"
        return f"{words}: {', '.join(f'{-number:,} {kind}' for number, kind in failed)}" if failed else words

    @property
    def for_checks(self) -> Mapping[str, tuple[int, int]]:
        """What `checks` are asked about: the number of each kind, and of how many."""
        of_answers = {kind: (self.kinds.get(kind, 0), self.answered) for kind in OF_ANSWERS}
        return {"failed": (self.of - self.answered, self.of)} | of_answers


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
