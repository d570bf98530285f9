"""Bring results to their place, and read there the state of each request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial

from reconciler.api.client import Reader
from reconciler.context import ApiT, RunContext
from reconciler.documents.result_summary import ResultSummary
from reconciler.errors import ReconcilerError
from reconciler.file_access import hint_of
from reconciler.model import JobSpec, OwnedJob, Phase, RunKey
from reconciler.outputs.current import WorkResults
from reconciler.outputs.inputs import by_inputs
from reconciler.outputs.job_download import JobDownloader
from reconciler.outputs.leases import LeaseManager
from reconciler.outputs.paths import naming
from reconciler.outputs.place import make_place, open_place
from reconciler.outputs.pull import Puller
from reconciler.outputs.store import ResultStore, UnreadableStore
from reconciler.outputs.wanted import contents_of, read_order
from reconciler.outputs.work_states import StateReader
from reconciler.planning.case import Case
from reconciler.planning.next_part import Work
from reconciler.requests.asked import AskedIndex
from reconciler.runs.known_requests import wanted_of
from reconciler.runs.rendering import rendered


def states_of(run: RunContext[ApiT], cases: Sequence[Case], *, exact: bool) -> Mapping[str, Work]:
    """Return the state of each request of the names whose results decide, as far as they are in the place of results.

    If that place cannot be read, these names say so, and nothing of them is submitted that it may answer. Raises
    `ReconcilerError` if an input cannot be read.
    """
    if not any(case.decided_by_request for case in cases):
        return {}
    reader = StateReader(
        store=UnreadableStore(run.folder),
        project=run.target.project,
        wanted_of=partial(wanted_of, run),
        limits=run.limits,
        late_seconds=run.limits.late_seconds,
        exact=exact,
        now=run.env.now(),
    )
    try:
        store = open_place(run.project, run.env.environ, staging=run.folder / "reading")
        return replace(reader, store=store).works(cases)
    except Exception as error:  # noqa: BLE001 - whatever the package for the scheme of a URL raises
        unreadable = f"the place of results cannot be read: {error}"
    try:
        return replace(reader, exact=True, unreadable=unreadable).works(cases)
    except OSError as error:
        hint = hint_of(error, "make the input readable, then run again")
        raise ReconcilerError(f"an input cannot be read: {error}", hint=hint) from error


def bring_answers(
    run: RunContext[ApiT], cases: Sequence[Case], specs: Sequence[JobSpec], owned: Sequence[OwnedJob]
) -> None:
    """Bring the results of the jobs that decide which requests are submitted, if they are missing.

    A job whose results cannot be brought stays unread, so that nothing that it may have answered is submitted. The
    other names go on.
    """
    several = [
        case
        for case in cases
        if case.spec
        and (
            case.spec.retry.max_attempts > 1
            or case.spec.reuse
            or case.submitted_in_parts
            or any(map(case.cancelled_by_this_tool, case.wanted_in(Phase.CANCELLED)))
        )
        and contents_of(case.spec, run.project.root) is not None  # otherwise no part of it can be submitted
    ]
    # Of a part, and of other work, the index shows what it was asked, also without results.
    donors = [
        it
        for case in several
        for it in case.donors
        if it.has_results or it.is_part or it.tags.run_key not in case.run_keys
    ]
    if not donors:
        return
    try:
        make_place(run.project, run.env.environ)
        store = open_place(run.project, run.env.environ, staging=run.folder / "pulling")
        puller(run, store, specs, owned, frozenset()).pull(donors)
    except Exception as error:  # noqa: BLE001 - whatever the package for the scheme of a URL raises
        for it in donors:
            run.env.log("results.failed", name=it.tags.name, job_id=it.job.id, error=str(error))


def puller(
    run: RunContext[Reader],
    store: ResultStore,
    specs: Sequence[JobSpec],
    owned: Sequence[OwnedJob],
    work: frozenset[RunKey],
    *,
    incomplete: bool = False,
) -> Puller:
    """Return the object that fetches results."""
    declared = by_inputs(specs)
    downloader = JobDownloader(run=run, store=store, declared=declared, accept_incomplete=incomplete)
    leases = LeaseManager(store=store, env=run.env)
    name_of = naming(specs, owned)
    newest = {name_of(it): it.tags.run_key for it in sorted(owned, key=lambda it: it.job.age_key)}
    wanted = {spec.name: spec.run_keys for spec in specs}
    by_key = {key: spec for spec in specs for key in spec.run_keys}

    @lru_cache(1)  # a work is often asked for several times in a row, and may take 40 MB
    def order_of(work: RunKey) -> AskedIndex | None:
        spec = by_key.get(work)
        return None if spec is None else read_order(rendered(run, spec)[0], run.project.root, run.limits)

    belongs = {it.job.id: name_of(it) for it in owned}

    def lends(work: RunKey, summary: ResultSummary, begun: bool) -> bool:  # noqa: FBT001
        spec = by_key.get(work)
        if spec is None or (summary.recipe, summary.rerun) != (spec.recipe, spec.rerun):
            return False
        of = {summary.name, belongs.get(summary.job_id)}
        return bool(spec.reuse or begun) and not of.isdisjoint((spec.name, *spec.reused_names))

    results = WorkResults(
        store=store,
        wanted=wanted,
        newest=newest,
        order_of=order_of,
        lends=lends,
        beside=_beside(specs, owned, name_of),
    )
    return Puller(run=run, leases=leases, downloader=downloader, results=results, name_of=name_of, asked=work)


def _beside(
    specs: Sequence[JobSpec], owned: Sequence[OwnedJob], name_of: Callable[[OwnedJob], str]
) -> Mapping[str, Collection[str]]:
    """Return the other names whose folders may have answers for a name: listed by it, or of jobs with its name."""
    moved: dict[str, set[str]] = defaultdict(set)
    for it in owned:
        moved[it.tags.name].add(name_of(it))
    found = {spec.name: {*spec.reused_names, *moved[spec.name]} - {spec.name} for spec in specs}
    return {name: sorted(others) for name, others in found.items() if others}
