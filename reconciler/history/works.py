"""The requests of the newest work of each name, over all of its jobs: by the list and the ledger. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from reconciler.history.record import Record, WorkRow
from reconciler.history.sources import LedgerView, Sources
from reconciler.ledger.lines import WorkSeen
from reconciler.model import Job, OwnedJob, RunKey, Tags, tags
from reconciler.planning.actions import Reason
from reconciler.planning.tally import Tally, by_counts, by_ledger
from reconciler.planning.work_facts import OUR_CANCELS


def newest_works(found: Sources, names: Collection[str]) -> tuple[WorkRow, ...]:
    """Return the newest work of some names, sorted by them."""
    records: dict[tuple[str, RunKey], list[Record]] = defaultdict(list)
    newest: dict[str, RunKey] = {}
    for it in found.records:
        if it.name in names and it.job_id and it.work and it.project == found.target.project:
            newest[it.name] = RunKey(it.work, it.rerun or "")
            records[it.name, newest[it.name]].append(it)
    listed = {job.id: job for job in found.jobs or ()}
    seen = {RunKey(it.work, it.rerun): it for it in found.ledger.lines if isinstance(it, WorkSeen)}
    return tuple(
        WorkRow(
            name=name,
            work=key.work,
            rerun=key.rerun,
            jobs=len(records[name, key]),
            states=_states(records[name, key], listed, found.ledger, seen.get(key)),
        )
        for name, key in sorted(newest.items())
    )


def _states(
    records: Sequence[Record], listed: Mapping[str, Job], ledger: LedgerView, seen: WorkSeen | None
) -> Tally | None:
    wanted = [it for it in records if it.cancel_reason != Reason.DUPLICATE]
    jobs = [it for record in wanted if (it := _owned(record, listed, ledger)) is not None]
    if len(jobs) < len(wanted) or not jobs:
        return None
    if seen and all(it.phase.ended and it.job.id in seen.jobs for it in jobs):
        return by_ledger(seen.counts)
    of = jobs[-1].of_work if jobs[-1].is_part else jobs[-1].requests
    ours = {it.job_id for it in wanted if it.cancel_reason in OUR_CANCELS}
    return None if of is None else by_counts(of, jobs, lambda owned: owned.job.id in ours)


def _owned(record: Record, listed: Mapping[str, Job], ledger: LedgerView) -> OwnedJob | None:
    """Return a job as the list shows it, or the ledger after its end; None if its state is not known."""
    job_id = record.job_id or ""
    if (job := listed.get(job_id)) is not None:
        read = tags.read(job)
        return read if isinstance(read, OwnedJob) else None
    if (end := ledger.index.ended.get(job_id)) is None:
        return None
    return OwnedJob(
        end.job,
        Tags(
            project=record.project or "",
            name=end.name,
            run_key=RunKey(end.work, end.rerun),
            inputs="",
            requests=end.requests,
            settings="",
            attempt=end.attempt,
            op=record.op or "",
            on_remove="cancel",
            of=record.of,
            reused=record.reused or 0,
        ),
    )
