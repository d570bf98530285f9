"""What a history is made of, read: the list of jobs, the ledger, the summaries of pulled results."""

from __future__ import annotations

from pathlib import Path

from reconciler.cli.params.options import Common
from reconciler.cli.session.ledgers import local_ledger, shared_ledger
from reconciler.cli.session.target import open_project, target_of
from reconciler.documents import result_summary
from reconciler.environment import World
from reconciler.history import merge
from reconciler.history.from_ledger import heard
from reconciler.results import local_summaries
from reconciler.runs.history_sources import Sources


def read(
    common: Common,
    world: World,
    *,
    offline: bool,
    results: Path | None = None,
) -> Sources:
    """Read all sources.

    Args:
        common: the common options.
        world: what the process has.
        offline: whether the API and the remote are left aside: no key, no network.
        results: where results were pulled to; None for where they go by themselves.

    Raises:
        ListingError: the list of jobs could not be read whole.
        LedgerError: the ledger cannot be read.
        ApiError: the API could not be read.
    """
    project = open_project(common, world)
    target = target_of(common, world, project)
    jobs, settled = None, world.now()
    if offline:
        local, shared = local_ledger(project, target), shared_ledger(project, target, world)
        fetched = shared.read(shared.fetched()) if shared and not common.local_ledger else ()
        lines = tuple(dict.fromkeys((*fetched, *local.read()))) if fetched else local.read()
    else:
        from reconciler.cli.session.session import reading
        from reconciler.workspace import listing

        with reading(common, world) as run:
            settled -= run.limits.settle_seconds
            lines = run.world.ledger.read()
            jobs = listing.list_all(run)
    ledger = heard(lines)
    if jobs is not None:
        jobs = merge.ours(jobs, target.project, ledger.records)
    folder = world.cwd / results if results else project.root / result_summary.DESTINATION
    pulled = local_summaries.read_all(folder)
    return Sources(
        project=project,
        target=target,
        ledger=ledger,
        jobs=jobs,
        settled=settled,
        records=merge.records(ledger, jobs or (), pulled),
    )
