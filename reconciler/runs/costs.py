"""What the jobs of each name have cost so far, by the usage in the ledger and in pulled results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from reconciler.context import ApiT, RunContext
from reconciler.cost.actual import Cost, total_cost
from reconciler.documents.costs import job_cost
from reconciler.documents.result_summary import ResultSummary
from reconciler.model import OwnedJob, RunKey
from reconciler.outputs.paths import job_folder
from reconciler.outputs.place import local_folder
from reconciler.outputs.store import FolderStore
from reconciler.outputs.summaries import read_summary
from reconciler.plans.planned_run import PlannedRun


def costs_so_far(run: RunContext[ApiT], found: PlannedRun) -> Mapping[str, Cost]:
    """Return the cost of the wanted work of each name, if that of one of its jobs is known."""
    seen, folder = found.memory.usage, local_folder(run.project, run.env.environ)
    jobs = defaultdict[RunKey, list[OwnedJob]](list)
    for owned in found.observed.owned:
        if owned.job.succeeded_requests or not owned.phase.ended:
            jobs[owned.tags.run_key].append(owned)

    def cost(owned: OwnedJob) -> Cost | None:
        line, summary = seen.get(owned.job.id), None
        if line is None and folder is not None and owned.phase.ended:
            place = job_folder(owned.tags.name, owned.job.id)
            summary = read_summary(FolderStore(folder), place, ResultSummary)
        return job_cost(
            run.shown_prices,
            line,
            summary,
            model=owned.job.model,
            created_at=owned.job.created_at,
            succeeded=owned.job.succeeded_requests,
        )

    sums = {
        spec.name: total_cost([cost(owned) for key in spec.run_keys for owned in jobs[key]])
        for spec in found.declared.specs
        if not jobs.keys().isdisjoint(spec.run_keys)
    }
    return {name: it for name, it in sums.items() if it is not None}
