"""What a name wants, request by request, and what the coverage says about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from reconciler.model import WorkCounts
from reconciler.model.requests import OF_ANSWERS
from reconciler.planning.coverage import WORTH, Coverage, State
from reconciler.planning.next_part import NextPart
from reconciler.planning.overlap import Overlap


class Work(Struct, frozen=True, kw_only=True):
    """What a name wants, request by request."""

    coverage: Coverage
    part: NextPart
    late_until: float | None = None
    """Unix seconds: when the last late donor is believed; None if none is late."""
    lost: str = ""
    """Which job had answers that no result shows, because its record is gone; "" if there is none."""
    overlaps: Mapping[str, Overlap] = {}
    """What live jobs of other work were asked, by job id, if that is known."""
    unreadable: str = ""
    """Why the place of results cannot be read; "" if it can. Then nothing that it may answer is submitted."""
    models: tuple[str, ...] = ()
    """The models that the answers of the jobs name which answered some of it, as far as results were read."""

    @property
    def decides(self) -> bool:
        """Whether the coverage decides: results that were not read may not, if nothing of them could be submitted."""
        return self.verdict is not Verdict.UNREAD or bool(self.part.places)

    @property
    def verdict(self) -> Verdict:
        """What the coverage says."""
        found = verdict(self.coverage, self.part)
        if self.unreadable and self.part.at_most and found is Verdict.SUBMIT:
            return Verdict.UNREAD
        return Verdict.GONE if self.lost and found not in _BEFORE_LOST else found

    @property
    def settled(self) -> bool:
        """Whether results show all: no job is live or has just ended, and nothing is unread or lost."""
        count = self.coverage.count()
        return not self.lost and not any(
            count[it] for it in (State.LIVE, State.LATE, State.UNREAD, State.GONE)
        )

    @property
    def counts(self) -> WorkCounts:
        """Its requests in numbers."""
        part, worth = self.part, self.coverage.worth
        kinds = {kind: worth.count(WORTH[kind]) for kind in OF_ANSWERS} | self.coverage.failures()
        return WorkCounts(
            of=part.of,
            answered=part.reused,
            kinds={kind: number for kind, number in sorted(kinds.items()) if number},
            left=len(part.places) + part.held,
            stopped=self.coverage.count()[State.STOPPED],
        )


class Verdict(StrEnum):
    """What the coverage says about a work that is at rest. The first that holds applies."""

    COMPLETE = "complete"
    """Every request is answered."""
    LIVE = "live"
    """A live job was asked some of the requests, so nothing is submitted before it has ended."""
    LATE = "late"
    """Some results may not be complete yet."""
    GONE = "gone"
    """Some answers are lost."""
    SUBMIT = "submit"
    """There is something to submit."""
    CANARY_FAILED = "canary_failed"
    """There is something to submit, and the checks of the canary do not hold."""
    UNREAD = "unread"
    """Results were not read that may have answers to all that is left."""
    STOPPED = "stopped"
    """A person stopped what has no answer."""
    INCOMPLETE = "incomplete"
    """Some requests have no answer, and none of them may be submitted again."""


_BEFORE_LOST: Final = (Verdict.COMPLETE, Verdict.LIVE, Verdict.LATE)


def verdict(coverage: Coverage, part: NextPart) -> Verdict:
    """Return what the coverage says.

    Args:
        coverage: the state of every request.
        part: the requests that the next job submits.
    """
    count = coverage.count()
    table = (
        (count[State.ANSWERED] == len(coverage.states), Verdict.COMPLETE),
        (count[State.LIVE], Verdict.LIVE),
        (count[State.LATE], Verdict.LATE),
        (count[State.GONE], Verdict.GONE),
        (part.places, Verdict.SUBMIT),
        (part.failed_check, Verdict.CANARY_FAILED),
        (count[State.UNREAD], Verdict.UNREAD),
        (count[State.STOPPED] or part.stopped, Verdict.STOPPED),
    )
    return next((word for holds, word in table if holds), Verdict.INCOMPLETE)
