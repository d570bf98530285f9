"""The most that an apply may submit of a work whose results were not read: by tags, counts and the ledger. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from reconciler.model import JobSpec, Phase, digests
from reconciler.model.completeness import fetchable_answers
from reconciler.planning.case import Case
from reconciler.planning.coverage import Coverage, State
from reconciler.planning.next_part import NextPart
from reconciler.planning.work import Work

RULES_LENGTH: Final = 8


def rules_digest(spec: JobSpec) -> str:
    """Return a digest of the settings that decide how many requests of a work may be submitted."""
    return digests.sha256(msgspec.json.encode(spec.terms))[:RULES_LENGTH]


def bound(case: Case, *, most: int) -> Work | None:
    """Return the most that results may show to be left; None if whole jobs decide, or nothing is left.

    Args:
        case: of a name whose results were not read.
        most: how many requests one job may be asked.
    """
    spec = case.spec
    if spec is None or spec.requests is None or not case.decided_by_request or case.stopped_by_a_person:
        return None
    if not (case.donors or spec.in_parts):
        return None
    left = _left(case, spec.requests)
    if not left:
        return None
    now = min(left, most, left if case.donors else spec.canary or left)
    failed = case.newest is not None and case.newest.phase is not Phase.CANCELLED
    part = NextPart(
        kind="retry" if failed else "canary" if now < left else "new",
        places=range(now),
        of=spec.requests,
        reused=spec.requests - left,
        at_most=bool(case.donors),
        held=left - now,
        fresh=min(left, case.newest.not_asked) if case.newest else left,
    )
    unknown = State.UNREAD if case.donors else State.NEW
    states = bytes([State.ANSWERED]) * part.reused + bytes([unknown]) * left
    return Work(coverage=Coverage(states=states), part=part)


def _left(case: Case, wanted: int) -> int:
    """Return how many requests may be left.

    Of work that no join has seen, everything that its tags and counts do not say to be answered, unless every request
    has failed as often as the spec allows.
    """
    spec, seen = case.spec, case.seen
    if spec is not None and seen is not None and seen.rules == rules_digest(spec):
        return min(wanted, seen.counts.left)
    ended = [it for it in case.of_run_key if it.phase.ended]
    whole = not any(it.is_part or it.phase is Phase.CANCELLED for it in ended)
    if spec is not None and ended and whole and len(ended) >= spec.retry.max_attempts:
        return 0
    counted = max((it.tags.reused + fetchable_answers(it.job) for it in ended), default=0)
    return max(0, wanted - (seen.counts.answered if seen else counted))
