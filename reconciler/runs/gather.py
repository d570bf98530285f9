"""Reads ledger and workspace, and plans. Writes nothing.

The input is a `RunContext`: the API, the environment, the target and the settings. Nothing here depends on the command
line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from reconciler.context import ApiT, RunContext
from reconciler.ledger.lines import encode
from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Observed, OwnedJob, Phase, RunKey
from reconciler.planning import adoption
from reconciler.planning.actions import Create, Plan
from reconciler.planning.guards import GuardInput, guard_readings, refusals
from reconciler.planning.planner import plan
from reconciler.planning.quota import Quota, apply_quota
from reconciler.plans import plan_file
from reconciler.plans.planned_run import PlannedRun
from reconciler.results.received import with_received
from reconciler.workspace import observe
from reconciler.workspace.listing import Listed, whole
from reconciler.workspace.recall import log_problems, recall, recall_lines
from reconciler.workspace.snapshot import Snapshot


def read_workspace(
    run: RunContext[ApiT], declared: Declared, memory: Memory, listed: Callable[[], Listed] | None = None
) -> Observed:
    """Read the whole workspace.

    Args:
        run: what to work with.
        declared: what git says.
        memory: what the ledger remembers.
        listed: returns the list, if it is being read already.

    Raises:
        ListingError: the list of jobs could not be read whole.
        ApiError: the API could not be read.
    """
    found = listed() if listed else whole(run)
    return observe.with_remembered(run, watched_by(run, declared), memory, found)


def watched_by(run: RunContext[ApiT], declared: Declared) -> observe.Watched:
    """Return which jobs a run looks for."""
    wanted = frozenset(key for spec in declared.specs for key in spec.run_keys)
    return observe.Watched(
        project=run.target.project, wanted=wanted, adopted=adoption.adopted_ids(declared.specs)
    )


def gather(
    run: RunContext[ApiT],
    declared: Declared,
    *,
    listed: Callable[[], Listed] | None = None,
    to_create: bool = False,
) -> PlannedRun:
    """Read ledger and workspace, decide, and log the plan in numbers.

    Args:
        run: what to work with.
        declared: what git says.
        listed: returns the list, if it is being read already.
        to_create: whether this plan will be applied. Then a list of several pages is read twice before a create is
            planned, because a job may have moved from one page to another; and the plan is not logged yet, because
            it may still be reduced to the approved part.

    Raises:
        LedgerError: the ledger cannot be read.
        ListingError: the list of jobs could not be read whole.
        ApiError: the API could not be read.
    """
    memory = log_problems(run, recall(run))
    observed = read_workspace(run, declared, memory, listed)
    if to_create and observed.pages > 1 and decide(run, declared, observed, memory).plan.of(Create):
        observed = read_workspace(run, declared, memory).merge_earlier(observed)
    received = with_received(observed, run.project.root, watched_by(run, declared).wanted)
    planned = decide(run, declared, received, memory)
    return planned if to_create else log_plan(run, planned)


def from_snapshot(run: RunContext[ApiT], declared: Declared, taken: Snapshot) -> PlannedRun:
    """Plan from a snapshot, without the API."""
    lines = enumerate(taken.ledger, start=1)
    places = {encode(line): f"line {number} of the snapshot's ledger" for number, line in lines}
    memory = log_problems(run, recall_lines(run, taken.ledger, lambda _: places))
    observed = taken.observed(watched_by(run, declared), memory)
    return log_plan(run, decide(run, declared, observed, memory))


def decide(run: RunContext[ApiT], declared: Declared, observed: Observed, memory: Memory) -> PlannedRun:
    """Plan, apply the quota, and check the guards.

    The time of the plan is when reading began: reading may take minutes, and a snapshot may be of yesterday. A create
    that has settled only since then may be missing from the list.
    """
    memory = memory.reopened(observed.missing_ids, now=observed.read_started_at)
    declared = replace(declared, ancestry=run.ancestry(commits_in_question(declared, observed)))
    quota = Quota(workspace=run.limits.max_workspace_pending, project=run.limits.max_pending)
    decided = apply_quota(
        plan(declared, observed, memory, now=observed.read_started_at), observed.pending, quota
    )
    return planned_run(run, declared, observed, memory, decided)


def commits_in_question(declared: Declared, observed: Observed) -> frozenset[str]:
    """Return the commits from which live jobs were created, and the last job that belongs to each name."""
    wanting: dict[RunKey, list[str]] = defaultdict(list)
    for spec in declared.specs:
        for key in spec.run_keys:
            wanting[key].append(spec.name)
    last: dict[str, OwnedJob] = {}
    for owned in sorted(observed.owned, key=lambda owned: owned.job.age_key):
        last |= dict.fromkeys(wanting.get(owned.tags.run_key, [owned.tags.name]), owned)
    live = (owned for owned in observed.owned if owned.phase is Phase.ACTIVE)
    return frozenset(owned.tags.source.commit for owned in (*last.values(), *live)) - {""}


def log_plan(run: RunContext[ApiT], it: PlannedRun) -> PlannedRun:
    """Log a plan in numbers, and the guards' refusals."""
    run.env.log("plan.computed", **msgspec.structs.asdict(it.document.summary))
    for refusal in it.refusals:
        run.env.log("guard.refused", guard=refusal.guard, message=refusal.message)
    return it


def planned_run(
    run: RunContext[ApiT],
    declared: Declared,
    observed: Observed,
    memory: Memory,
    decided: Plan,
    *,
    remarks: tuple[str, ...] = (),
) -> PlannedRun:
    """Check the guards for a plan, and return it with its document."""
    guard_input = GuardInput(
        plan=decided,
        declared=declared,
        observed=observed,
        memory=memory,
        settings=run.guards,
        now=run.env.now(),
    )
    found = refusals(guard_input)
    document = plan_file.plan_document(
        decided,
        target=run.target,
        checkout=run.checkout,
        declared=declared,
        observed=observed,
        refusals=found,
        guard_readings=guard_readings(guard_input),
        now=run.env.now(),
    )
    return PlannedRun(
        declared=declared,
        observed=observed,
        memory=memory,
        plan=decided,
        refusals=found,
        document=document,
        remarks=remarks,
    )
