"""Record in the ledger what jobs used, so that a budget does not depend on the place of results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.context import ApiT, RunContext
from reconciler.documents.reports import PulledJob
from reconciler.documents.result_summary import usage
from reconciler.errors import LedgerError
from reconciler.ledger.lines import UsageSeen
from reconciler.ledger.memory import Memory
from reconciler.model import OwnedJob
from reconciler.outputs.pull import Puller
from reconciler.outputs.work_states import ended_at
from reconciler.planning.work_facts import may_still_answer


def record_usage(
    run: RunContext[ApiT],
    memory: Memory,
    pulling: Puller,
    jobs: Sequence[OwnedJob],
    pulled: Sequence[PulledJob],
) -> Mapping[str, UsageSeen]:
    """Record what results say that their jobs used, if the ledger does not know it. Return that of all jobs.

    `pulled` has an entry for each of the `jobs`. A failure to record is logged. Raises `OSError` if the place of
    results cannot be read.
    """
    found = [*_usage_seen(run, memory, pulling, jobs, pulled)]
    try:
        run.env.ledger.append(*found)
    except LedgerError as error:  # the next pull records it
        run.env.log("ledger.degraded", error=str(error))
    return {**memory.usage, **{it.job_id: it for it in found}}


def _usage_seen(
    run: RunContext[ApiT],
    memory: Memory,
    pulling: Puller,
    jobs: Sequence[OwnedJob],
    pulled: Sequence[PulledJob],
) -> Iterator[UsageSeen]:
    late_since = run.env.now() - run.limits.late_seconds
    for it, end in zip(jobs, pulled, strict=True):
        if may_still_answer(it) and ended_at(it) > late_since:
            continue  # until then it counts as what it may cost at most
        known = memory.usage.get(it.job.id)
        summary = pulling.present(it) if end.state == "present" and known is None else end.summary
        found = usage(summary, it.job.succeeded_requests) if summary else None
        if summary and found is not None and (known is None or found != known.usage):
            yield UsageSeen(
                at=run.env.now(),
                run_id=run.env.run_id,
                job_id=it.job.id,
                name=summary.name,
                model=summary.model or "",
                recipe=summary.recipe,
                requests=it.requests,
                usage=found,
            )
