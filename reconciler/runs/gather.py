"""Reads ledger and workspace, and plans. Writes nothing.

The input is a `RunContext`: the API, the environment, the target and the settings. Nothing here depends on the command
line.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from reconciler.context import ApiT, RunContext
from reconciler.ledger.line_format import encode
from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Observed, OwnedJob, Phase, RunKey
from reconciler.model.inputs import elsewhere
from reconciler.outputs.paths import naming
from reconciler.outputs.place import local_folder
from reconciler.outputs.summaries import with_received
from reconciler.planning import adoption
from reconciler.planning.actions import Create
from reconciler.planning.bound import bound
from reconciler.planning.case import Case
from reconciler.planning.group_by_name import group_by_name
from reconciler.planning.hold_back import hold_unfetched, hold_unread
from reconciler.planning.planner import plan_cases
from reconciler.planning.quota import apply_quota
from reconciler.planning.work_facts import may_still_answer
from reconciler.plans.agreement import hold_unagreed
from reconciler.plans.planned_run import PlannedRun, Proposal
from reconciler.runs.guarded import check, narrow, quota_of
from reconciler.runs.known_requests import with_requests
from reconciler.runs.rendering import fetch_contents, with_rendered
from reconciler.workspace import observe
from reconciler.workspace.listing import Listed, whole
from reconciler.workspace.recall import log_problems, recall, recall_lines
from reconciler.workspace.snapshot import Snapshot

MAX_BOUNDED: Final = 100_000_000
"""Requests that one plan keeps a state of, of those that are not on this machine."""


def read_workspace(
    run: RunContext[ApiT], declared: Declared, memory: Memory, listed: Callable[[], Listed] | None = None
) -> Observed:
    """Read the whole workspace; `listed` returns the list, if it is being read already. Raises what `whole` raises."""
    found = listed() if listed else whole(run)
    return observe.with_remembered(run, watched_by(run, declared), memory, found)


def add_received(run: RunContext[ApiT], declared: Declared, observed: Observed) -> Observed:
    """Add what the pulled results hold; of an object store, a plan reads none."""
    folder = local_folder(run.project, run.env.environ)
    if folder is None or not folder.is_dir():
        return observed
    return with_received(observed, folder, declared.run_keys, naming(declared.specs, observed.owned))


def watched_by(run: RunContext[ApiT], declared: Declared) -> observe.Watched:
    """Return which jobs a run looks for."""
    adopted = adoption.adopted_ids(declared.specs)
    return observe.Watched(project=run.target.project, wanted=declared.run_keys, adopted=adopted)


def gather(
    run: RunContext[ApiT],
    declared: Declared,
    *,
    listed: Callable[[], Listed] | None = None,
    unattended: bool = False,
) -> PlannedRun:
    """Read ledger and workspace, decide, check the guards, and log the plan in numbers.

    `listed` returns the list, if it is being read already. If `unattended`, what rests on the ledger alone is held, as
    in a run without an agreed plan.

    Raises:
        LedgerError: the ledger cannot be read.
        ListingError: the list of jobs could not be read whole.
        ApiError: the API could not be read.
    """
    memory = log_problems(run, recall(run))
    observed = read_workspace(run, declared, memory, listed)
    declared = with_requests(run, with_rendered(run, declared, observed, memory), observed)
    observed = add_received(run, declared, observed)
    found = decide(run, declared, observed, memory, states="read")
    hold = hold_unagreed if unattended else (lambda plan: plan)
    return check(run, narrow(run, found, lambda it: dataclasses.replace(it, plan=hold(it.plan))))


def propose(run: RunContext[ApiT], declared: Declared) -> Proposal:
    """Read ledger and workspace, and decide what to apply. It may still be reduced to an approved part.

    A list of several pages is read twice before a create is planned, because a job may have moved from one page to
    another. Raises what `gather` raises.
    """
    memory = log_problems(run, recall(run))
    observed = read_workspace(run, declared, memory)
    if fetch_contents(run, declared, observed, memory):  # which may take long
        observed = read_workspace(run, declared, memory)
    # Also earlier work that asked the same requests decides.
    declared = with_requests(run, with_rendered(run, declared, observed, memory), observed)
    undecided = _results_may_decide(declared, observed)
    if observed.pages > 1 and (undecided or decide(run, declared, observed, memory).plan.of(Create)):
        observed = read_workspace(run, declared, memory).merge_earlier(observed)
        declared = with_requests(run, with_rendered(run, declared, observed, memory), observed)
    if undecided:
        from reconciler.runs.results import bring_answers  # noqa: PLC0415 - few plans need it

        cases = _grouped(run, declared, observed, memory).cases
        usage = bring_answers(run, cases, declared.specs, observed.owned)
        memory = dataclasses.replace(memory, usage=usage)
    observed = add_received(run, declared, observed)
    return decide(run, declared, observed, memory, states="exact")


def from_snapshot(run: RunContext[ApiT], declared: Declared, taken: Snapshot) -> PlannedRun:
    """Plan from a snapshot, without the API."""
    lines = enumerate(taken.ledger, start=1)
    places = {encode(line): f"line {number} of the snapshot's ledger" for number, line in lines}
    memory = log_problems(run, recall_lines(run, taken.ledger, lambda _: places))
    observed = taken.observed(watched_by(run, declared), memory)
    run.models.append({})  # do not ask
    declared = with_requests(run, with_rendered(run, declared, observed, memory), observed, results=False)
    found = decide(run, declared, observed, memory, states="bound")
    return check(run, narrow(run, found, lambda it: it))


def decide(
    run: RunContext[ApiT],
    declared: Declared,
    observed: Observed,
    memory: Memory,
    *,
    states: Literal["unread", "bound", "read", "exact"] = "unread",
) -> Proposal:
    """Plan, and apply the quota to the whole plan.

    The time of the plan is when reading began: reading may take minutes, and a snapshot may be of yesterday. A create
    that has settled only since then may be missing from the list.

    Args:
        run: what to work with.
        declared: what git says.
        observed: the workspace.
        memory: what the ledger remembers.
        states: the knowledge about each request of incomplete work: none; the most that results may show to be left;
            what results show, some from the API and the rest as a bound; the same by the place of results alone, and
            creates are held that the rest may change.

    Raises:
        ReconcilerError: an input cannot be read.
    """
    with run.env.span("plan"):
        it = _grouped(run, declared, observed, memory)
        cases = it.cases
        if states == "bound":
            cases = tuple(_bounded(run, case) for case in cases)
        elif states != "unread" and _results_may_decide(declared, observed):
            from reconciler.runs import results  # noqa: PLC0415 - few plans need it

            if states == "exact":
                cases = results.states_of(run, cases, exact=True)
            else:
                cases = results.with_answers(run, cases, declared.specs, observed.owned)
                cases = _with_contents_elsewhere(run, cases)
        decided = plan_cases(cases, it.declared)
        decided = hold_unread(hold_unfetched(decided, run.unfetched)) if states == "exact" else decided
        if decided.of(Create):
            from reconciler.runs.estimates import with_estimates  # noqa: PLC0415 - few plans create something

            decided = with_estimates(run, decided, observed, it.memory, read=states == "read")
        left = apply_quota(decided, observed.pending, quota_of(run))
    return Proposal(
        declared=it.declared,
        observed=observed,
        memory=it.memory,
        plan=left,
        unbounded=decided,
        works={case.name: case.work for case in cases if case.work},
    )


def _with_contents_elsewhere(run: RunContext[ApiT], cases: Sequence[Case]) -> tuple[Case, ...]:
    """Add a bound to the names whose requests are not here, as far as the numbers that specs state fit in memory."""
    far = [it for it in cases if it.spec and it.spec.requests and not it.work and elsewhere(it.spec.inputs)]
    totals = accumulate(it.spec.requests or 0 for it in far if it.spec)
    names = {it.name for it, total in zip(far, totals, strict=True) if total <= MAX_BOUNDED}
    return tuple(_bounded(run, it) if it.name in names else it for it in cases)


def _bounded(run: RunContext[ApiT], case: Case) -> Case:
    return replace(case, work=bound(case, most=run.limits.requests_per_job))


class _Grouped(NamedTuple):
    declared: Declared
    """With the ancestry of the commits that jobs name."""
    memory: Memory
    """With the creates that may still appear."""
    cases: tuple[Case, ...]


def _grouped(run: RunContext[ApiT], declared: Declared, observed: Observed, memory: Memory) -> _Grouped:
    now = observed.read_started_at
    memory = memory.reopened(observed.missing_ids, now=now)
    declared = replace(declared, ancestry=run.ancestry(commits_in_question(declared, observed)))
    return _Grouped(declared, memory, tuple(group_by_name(declared, observed, memory, now=now)))


def _results_may_decide(declared: Declared, observed: Observed) -> bool:
    """Return whether a job has ended and answered only some of the requests of wanted work."""
    return any(spec.in_parts or spec.reuse for spec in declared.specs) or any(
        it.tags.run_key in declared.run_keys
        and it.phase.ended
        and (it.has_results or it.is_part or may_still_answer(it))
        and not it.completes_the_work
        for it in observed.owned
    )


def commits_in_question(declared: Declared, observed: Observed) -> frozenset[str]:
    """Return the commits from which live jobs were created, and the last job that belongs to each name."""
    wanting: dict[RunKey, list[str]] = defaultdict(list)
    for spec in declared.specs:
        for key in spec.run_keys:
            wanting[key].append(spec.name)
    last: dict[str, OwnedJob] = {}
    for owned in sorted(observed.owned, key=lambda owned: owned.job.age_key):
        for name in wanting.get(owned.tags.run_key, (owned.tags.name,)):
            last[name] = owned
    live = (owned for owned in observed.owned if owned.phase is Phase.ACTIVE)
    return frozenset(owned.tags.source.commit for owned in (*last.values(), *live)) - {""}
