"""The promise about twins (several live jobs of one run key) after an apply whose list showed them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.model import RunKey
from tests.simulation.accepted import in_view
from tests.simulation.history import PROJECT, CreatedJob, History, RunRecord
from tests.simulation.server import LIVE, Server


@dataclass(frozen=True)
class Applied:
    """An apply of a whole checkout that was agreed to and that nothing disturbed."""

    history: History
    server: Server
    by: RunRecord


def at_most_one_live_after_the_next_apply(after: Applied) -> Iterator[str]:
    """Of several live jobs of one run key at most one lives after an apply whose list showed them.

    That holds for every run key, whether or not a spec declares its work.

    Not promised: for a name that is on hold as a whole, because some of its tags are unreadable or of a newer tool;
    and for jobs that were created from a later commit than the checkout's.
    """
    for twins in _families(after).values():
        still = [job for job in twins if after.server.status(job.id) in LIVE]
        if len(still) > 1 and not any(_on_hold(after, job) for job in still):
            yield f"{', '.join(job.id[:8] for job in still)} live, of {still[0].name}"


def _families(after: Applied) -> dict[RunKey, list[CreatedJob]]:
    """Return the jobs of each run key that surely were in the list as live ones."""
    found: dict[RunKey, list[CreatedJob]] = defaultdict(list)
    for job in after.history.jobs.values():
        seen = in_view(after.by, job) and after.server.was_live_at(job.id, after.by.planned_on)
        if job.key and job.project == PROJECT and not job.root and not job.altered and seen:
            found[job.key].append(job)
    return found


def _on_hold(after: Applied, job: CreatedJob) -> bool:
    """Whether a job is newer than the checkout, or a job of which the tags were altered may be of its name."""
    newer = job.by is not None and 0 <= after.by.commit < job.by.commit
    specs = after.by.declared.specs
    names = {job.name, *(spec.name for spec in specs if job.key in spec.run_keys)}
    keys = {job.key, *(key for spec in specs if spec.name in names for key in spec.run_keys)}
    works = {key.work for key in keys if key}
    altered = (other for other in after.history.jobs.values() if other.altered)
    return newer or any(other.name in names or (other.key and other.key.work in works) for other in altered)
