"""The promises about jobs that a spec adopts, one function each. Each yields the violations that it finds.

That they are never cancelled is `nothing_foreign_is_touched`, and that none of ours is cancelled as a duplicate of one
is `a_duplicate_leaves_its_twin`.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import RunKey
from reconciler.sandbox.lifecycle import Status
from tests.simulation.accepted import Accepted
from tests.simulation.history import PROJECT, CreatedJob
from tests.simulation.server import FAILED


def what_a_spec_adopts_is_not_created(create: Accepted) -> Iterator[str]:
    """No job is created for work of which a spec adopts a job, with two exceptions.

    The adopted job has failed, or a person stopped it before a job of ours was created. A job that is running, has
    succeeded, is missing or belongs to another project prevents the create.
    """
    for adopt, job in create.adopted():
        if job is None:
            yield f"there is no job {adopt.job[:8]}"
        elif job.project == PROJECT or job.altered:
            continue  # it counts by its tags, or its owner is unknown
        elif job.project:
            yield f"{job.id[:8]} is of project {job.project}"
        elif job.deleted_at is not None and job.deleted_at < create.by.planned_on:
            yield f"the record of {job.id[:8]} is gone"
        else:
            status = create.server.status(job.id) if job.deleted_at is None else job.ended_as
            stopped = status is Status.CANCELLED and any(_is_younger(it, job) for it in create.others())
            if status not in FAILED and not stopped:
                yield f"{job.id[:8]} is {status}"


def _is_younger(ours: CreatedJob, made: CreatedJob) -> bool:
    return made.person_at is not None and ours.at >= made.person_at


def what_a_spec_has_adopted_ends_before_other_work_begins(create: Accepted) -> Iterator[str]:
    """If a spec changes after it adopted a job, the new work waits for the end of that job."""
    spec, declared = create.spec, create.by.declared.specs
    adopt = spec.adopt if spec else None
    job = create.history.jobs.get(adopt.job) if adopt else None
    if adopt is None or job is None or not job.work:
        return
    key = RunKey(adopt.work, "")
    if any(key in other.run_keys for other in declared) or create.history.of(key):
        return
    if create.lived(job) and create.in_view(job):
        yield f"{job.id[:8]} still runs"
