"""Put together what fetches results, for a pull and for runs that need answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache

from reconciler.api.client import Reader
from reconciler.context import RunContext
from reconciler.documents.result_summary import ResultSummary
from reconciler.model import JobSpec, OwnedJob, RunKey
from reconciler.outputs.current import WorkResults
from reconciler.outputs.inputs import by_inputs
from reconciler.outputs.job_download import JobDownloader
from reconciler.outputs.leases import LeaseManager
from reconciler.outputs.paths import naming
from reconciler.outputs.pull import Puller
from reconciler.outputs.store import ResultStore
from reconciler.outputs.wanted import read_order
from reconciler.requests.asked import AskedIndex
from reconciler.runs.rendering import rendered


def puller(
    run: RunContext[Reader],
    store: ResultStore,
    specs: Sequence[JobSpec],
    owned: Sequence[OwnedJob],
    work: frozenset[RunKey],
    *,
    incomplete: bool = False,
    fetching: bool = True,
) -> Puller:
    """Return the object that fetches results, and if `fetching` the contents of inputs that these are in parts of."""
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
        return (
            None
            if spec is None
            else read_order(rendered(run, spec, fetching=fetching)[0], run.project.root, run.limits)
        )

    belongs = {it.job.id: name_of(it) for it in owned}
    lenders: dict[RunKey, set[str]] = defaultdict(set)  # also those that a spec no longer lists
    for it in owned:
        lenders[it.tags.run_key].update(it.tags.lenders, (it.tags.name,) if it.tags.reused else ())

    def lends(work: RunKey, summary: ResultSummary, begun: str) -> bool:
        spec = by_key.get(work)
        if spec is None or (summary.recipe, summary.rerun) != (spec.recipe, spec.rerun):
            return False
        of = {summary.name, belongs.get(summary.job_id)}
        names = (spec.name, *spec.reused_names, *lenders[work], begun)
        return bool(spec.reuse or begun) and not of.isdisjoint(names)

    results = WorkResults(
        store=store,
        wanted=wanted,
        newest=newest,
        order_of=order_of,
        lends=lends,
        beside=_beside(specs, owned, name_of, lenders),
    )
    return Puller(run=run, leases=leases, downloader=downloader, results=results, name_of=name_of, asked=work)


def _beside(
    specs: Sequence[JobSpec],
    owned: Sequence[OwnedJob],
    name_of: Callable[[OwnedJob], str],
    lenders: Mapping[RunKey, Collection[str]],
) -> Mapping[str, Collection[str]]:
    """Return the other names whose folders may have answers for a name.

    The name lists them, or did, or jobs of one of both names belong to the other, or both have jobs of the same work.
    """
    moved: dict[str, set[str]] = defaultdict(set)
    of_work: dict[RunKey, set[str]] = defaultdict(set)
    for it in owned:
        moved[it.tags.name].add(name_of(it))
        moved[name_of(it)].add(it.tags.name)
        of_work[it.tags.run_key].add(name_of(it))
    for names in of_work.values():
        for name in names if len(names) > 1 else ():
            moved[name] |= names
    for spec in specs:
        moved[spec.name].update(spec.reused_names, *(lenders[key] for key in spec.run_keys if key in lenders))
    found = {spec.name: moved[spec.name] - {spec.name} for spec in specs}
    return {name: sorted(others) for name, others in found.items() if others}
