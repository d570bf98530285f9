"""Which ends are due to be told, and what is said of one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from reconciler.documents.reports import CountsDoc, EndDoc
from reconciler.ledger.notifications import End, Told
from reconciler.model import Job, Ours, Target
from reconciler.text.sanitize import clean

MOST_FAILURES: Final = 20
"""So often a hook may fail for one end before it is given up."""


def ended_at(job: Job) -> int:
    """Return when a job ended, as well as the API says it; Unix seconds."""
    return job.completed_at or job.started_at or job.created_at


def due(jobs: Iterable[Ours], told: Told, *, since: float, now: float) -> list[Ours]:
    """Return the jobs whose ends are to be told now: those that failed least often first, then the oldest.

    Args:
        jobs: ours.
        told: what the ledger says.
        since: Unix seconds; what ended before is not told. What the ledger says of it goes first.
        now: Unix seconds.
    """
    since = int(since if told.since is None else told.since)  # the API's times are whole seconds
    found = [
        (told.ends.get(ours.job.id, End()), ours)
        for ours in jobs
        if ours.phase.ended and ended_at(ours.job) >= since
    ]
    waiting = [
        (end.failures, ended_at(ours.job), ours.job.id, ours)
        for end, ours in found
        if not end.told and end.failures < MOST_FAILURES and end.claimed_until <= now
    ]
    return [ours for *_, ours in sorted(waiting, key=lambda row: row[:3])]


def document(ours: Ours, target: Target, *, run_id: str) -> EndDoc:
    """Return what is said of a job's end."""
    job, tags = ours.job, ours.tags
    counted = [f"{job.succeeded_requests:,} ok"]
    counted += [f"{job.failed_requests:,} failed"] if job.failed_requests else []
    counted += [f"{ours.missing:,} without an answer"] if ours.missing else []
    why = f": {job.errors[0]}" if job.errors else ""
    requests = CountsDoc(
        total=ours.requests, ok=job.succeeded_requests, failed=job.failed_requests, missing=ours.missing
    )
    return msgspec.convert(
        ours.facts()
        | {
            "id": f"{job.id}:{job.status}",
            "text": clean(f"{tags.project}: {tags.name} ended, {job.status} ({', '.join(counted)}){why}"),
            "base_url": target.base_url,
            "sandbox": target.sandbox,
            "requests": requests,
            "commit": tags.source.commit,
            "actor": tags.source.actor,
            "run_url": tags.source.run_url,
            "told_by": run_id,
        },
        EndDoc,
    )
