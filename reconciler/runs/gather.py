"""Look at the world and decide: specs that were read, the ledger, the workspace, and what follows. Writes nothing.

What it works on is a `Run`: the API, the world, the target and the settings. Nothing here knows of the command line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from reconciler.context import ApiT, Run
from reconciler.ledger.memory import Memory, remember
from reconciler.model import Declared, Observed, Ours, Phase
from reconciler.planning import adoption
from reconciler.planning.actions import Create, Plan
from reconciler.planning.guards import Proposal, measures, refusals
from reconciler.planning.planner import plan
from reconciler.planning.quota import Room, fit
from reconciler.plans import plan_file
from reconciler.plans.planned_run import Situation
from reconciler.workspace import observe
from reconciler.workspace.listing import Listed, whole
from reconciler.workspace.snapshot import Snapshot


def look(
    run: Run[ApiT], declared: Declared, memory: Memory, listed: Callable[[], Listed] | None = None
) -> Observed:
    """Read the workspace whole.

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


def watched_by(run: Run[ApiT], declared: Declared) -> observe.Watched:
    """Return what makes a job interesting to a run."""
    wanted = frozenset(key for spec in declared.specs for key in spec.run_keys)
    return observe.Watched(project=run.target.project, wanted=wanted, adopted=adoption.named(declared.specs))


def gather(
    run: Run[ApiT],
    declared: Declared,
    *,
    listed: Callable[[], Listed] | None = None,
    to_create: bool = False,
) -> Situation:
    """Read ledger and workspace, decide, and log the plan in numbers.

    Args:
        run: what to work with.
        declared: what git says.
        listed: returns the list, if it is being read already.
        to_create: whether jobs are created by this plan. Then a list of several pages is read twice before a create
            is planned, since a job may have slipped from one page to another; and the plan is not logged yet, since
            it may still be cut down to what was agreed to.

    Raises:
        LedgerError: the ledger cannot be read.
        ListingError: the list of jobs could not be read whole.
        ApiError: the API could not be read.
    """
    memory = recall(run)
    observed = look(run, declared, memory, listed)
    situation = decide(run, declared, observed, memory)
    if to_create and observed.pages > 1 and situation.plan.of(Create):
        both = look(run, declared, memory).beside(observed)
        situation = decide(run, declared, both, memory)
    return situation if to_create else logged(run, situation)


def recall(run: Run[ApiT]) -> Memory:
    """Read the ledger, and tell of runs that were interrupted.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    memory = remember(run.world.ledger.read(), settle_seconds=run.limits.settle_seconds)
    earlier = Counter(intent.run_id for intent in memory.open_creates)
    for run_id, creates in sorted(earlier.items()):
        run.world.log("run.found_interrupted", earlier_run_id=run_id, creates=creates)
    return memory


def from_snapshot(run: Run[ApiT], declared: Declared, seen: Snapshot) -> Situation:
    """Decide on what a snapshot shows, and ask nobody. The arguments are those of `gather`."""
    memory = seen.memory(settle_seconds=run.limits.settle_seconds)
    observed = seen.observed(watched_by(run, declared), memory)
    return logged(run, decide(run, declared, observed, memory))


def decide(run: Run[ApiT], declared: Declared, observed: Observed, memory: Memory) -> Situation:
    """Plan, fit it into the quota, and ask the guards.

    What counts is when the workspace began to be read: reading may take minutes, and a snapshot be of yesterday, and
    what has settled only since then may have shown only since then.
    """
    memory = memory.reopened(observed.gone, now=observed.began)
    declared = with_ancestry(run, declared, observed)
    room = Room(workspace=run.limits.max_workspace_pending, project=run.limits.max_pending)
    decided = fit(plan(declared, observed, memory, now=observed.began), observed.pending, room)
    return situation_of(run, declared, observed, memory, decided)


def with_ancestry(run: Run[ApiT], declared: Declared, observed: Observed) -> Declared:
    """Add what git knows of the commits from which jobs were created."""
    found = run.ancestry(commits_in_question(declared, observed))
    return replace(declared, lineage=found.contained, newer=found.newer)


def commits_in_question(declared: Declared, observed: Observed) -> frozenset[str]:
    """Return the commits from which live jobs were created, and the last job that belongs to each name."""
    wanted = {key: spec.name for spec in declared.specs for key in spec.run_keys}
    last: dict[str, Ours] = {}
    for ours in sorted(observed.ours, key=lambda ours: ours.job.age_key):
        last[wanted.get(ours.tags.run_key, ours.tags.name)] = ours
    live = (ours for ours in observed.ours if ours.phase is Phase.ACTIVE)
    return frozenset(ours.tags.source.commit for ours in (*last.values(), *live)) - {""}


def logged(run: Run[ApiT], it: Situation) -> Situation:
    """Log a plan in numbers, and what the guards refuse of it."""
    run.world.log("plan.computed", **msgspec.structs.asdict(it.document.summary))
    for refusal in it.refusals:
        run.world.log("guard.refused", guard=refusal.guard, message=refusal.message)
    return it


def situation_of(
    run: Run[ApiT],
    declared: Declared,
    observed: Observed,
    memory: Memory,
    decided: Plan,
    *,
    told: tuple[str, ...] = (),
) -> Situation:
    """Ask the guards about a plan, and tell all of it as a document."""
    proposal = Proposal(
        plan=decided,
        declared=declared,
        observed=observed,
        memory=memory,
        settings=run.guards,
        allowed=run.allowed,
        now=run.world.now(),
    )
    found = refusals(proposal)
    document = plan_file.of(
        decided,
        target=run.target,
        checkout=run.checkout,
        declared=declared,
        observed=observed,
        refusals=found,
        measures=measures(proposal),
        now=run.world.now(),
    )
    return Situation(
        declared=declared,
        observed=observed,
        memory=memory,
        plan=decided,
        refusals=found,
        document=document,
        told=told,
    )
