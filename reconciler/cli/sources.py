"""What a history is made of, read: the list of jobs, the ledger, the summaries of pulled results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler import summary
from reconciler.cli.ledgers import local_ledger, shared_ledger
from reconciler.cli.options import Common
from reconciler.cli.target import open_project, target_of
from reconciler.history import rows
from reconciler.history.heard import Heard, heard
from reconciler.history.record import Record
from reconciler.model import Job, Target
from reconciler.results import shelf
from reconciler.specs.project import Project
from reconciler.world import World


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Everything that was read."""

    project: Project
    target: Target
    ledger: Heard
    jobs: tuple[Job, ...] | None
    """Ours; None where the list was not read."""
    settled: float
    """Unix seconds: the list shows the jobs that were created before this. The younger ones may show later."""
    records: tuple[Record, ...]
    """All of it put together."""

    @property
    def offline(self) -> bool:
        """Whether the list was left aside."""
        return self.jobs is None


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
        from reconciler import listing
        from reconciler.cli.session import reading

        with reading(common, world) as run:
            settled -= run.limits.settle_seconds
            lines = run.world.ledger.read()
            jobs = listing.list_all(run)
    ledger = heard(lines)
    if jobs is not None:
        jobs = rows.ours(jobs, target.project, ledger.records)
    folder = world.cwd / results if results else project.root / summary.DESTINATION
    pulled = shelf.read_all(folder)
    return Sources(
        project=project,
        target=target,
        ledger=ledger,
        jobs=jobs,
        settled=settled,
        records=rows.records(ledger, jobs or (), pulled),
    )
