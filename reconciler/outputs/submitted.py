"""Index what new jobs are asked, beside their future results."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.api.client import Reader
from reconciler.context import RunContext
from reconciler.model import JobSpec, OwnedJob, tags
from reconciler.outputs.inputs import by_inputs
from reconciler.outputs.job_download import JobDownloader
from reconciler.outputs.leases import Lease, LeaseManager, StoppedError
from reconciler.outputs.paths import job_folder
from reconciler.outputs.place import make_place, open_place
from reconciler.plans.outcomes import Created, Outcome


def index_submitted(run: RunContext[Reader], specs: Sequence[JobSpec], outcomes: Sequence[Outcome]) -> None:
    """Write the index of every job that was created, unless its inputs are not on this machine: then a pull does.

    A failure is logged, never raised: the jobs exist.
    """
    marked = [tags.read(it.job) for it in outcomes if isinstance(it, Created)]
    created = [it for it in marked if isinstance(it, OwnedJob)]
    parts = [it.sent for it in outcomes if isinstance(it, Created) and it.sent]

    def failed(error: Exception, of: Sequence[OwnedJob]) -> None:
        for owned in of:
            run.env.log("results.not_indexed", name=owned.tags.name, job_id=owned.job.id, error=str(error))

    def index(owned: OwnedJob) -> None:
        try:
            claim = leases.acquire(job_folder(owned.tags.name, owned.job.id))
            if isinstance(claim, Lease):  # otherwise another runner pulls the results, and indexes them
                with claim:
                    downloader.index_submitted(owned, claim)
        except StoppedError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever the package for the scheme of a URL raises
            failed(error, [owned])

    if not created or run.env.stop.is_set():
        return
    try:
        make_place(run.project, run.env.environ)
        store = open_place(run.project, run.env.environ, staging=run.folder / "pulling")
    except Exception as error:  # noqa: BLE001 - as above
        failed(error, created)
        return
    leases = LeaseManager(store=store, env=run.env)
    declared = by_inputs((*map(run.with_rows, specs), *parts))
    downloader = JobDownloader(run=run, store=store, declared=declared)
    run.env.map_concurrently(index, created, max_workers=run.limits.downloads_in_flight)
