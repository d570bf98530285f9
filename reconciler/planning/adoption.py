"""`adopt`: a job without tags that counts as the job of a spec's work. Pure.

The spec says which work the job does: `adopt.work` is the digest of that work, so a later change of the spec is a
change, and creates a job as any other change does. If the job, as the API shows it, does not match, nothing is created
and a person has to look. An adopted job counts as the first attempt without a `rerun`, and only while no job of ours
does the same work or has done it: so `adopt` never makes one of our jobs a duplicate. Nothing in the workspace shows
that an adopted job is ours, so this tool never cancels it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from reconciler.model import (
    Job,
    JobSpec,
    Observed,
    OwnedJob,
    Phase,
    RunKey,
    Tags,
    UploadedFile,
    digests,
    tags,
)

COUNTED_PHASES: Final = frozenset({Phase.ACTIVE, Phase.STOPPING, Phase.SUCCEEDED, Phase.UNKNOWN})
"""If a job of ours with the same work is in one of these phases, the adopted job does not count."""


class Adoption(Struct, frozen=True, kw_only=True):
    """The result of one spec's `adopt`."""

    run_key: RunKey
    owned: OwnedJob | None = None
    """The job, as if it had been created for the spec."""
    problem: str = ""
    """Why it does not count, although its work is wanted."""


def adopted_ids(specs: Iterable[JobSpec]) -> frozenset[str]:
    """Return the ids of the jobs that specs adopt."""
    return frozenset(spec.adopt.job for spec in specs if spec.adopt)


def adoptions(specs: Mapping[str, JobSpec], observed: Observed) -> tuple[Adoption, ...]:
    """Return the result of every `adopt`, sorted by the specs' names."""
    if not any(spec.adopt for spec in specs.values()):
        return ()
    wanted = {key: spec for spec in specs.values() for key in spec.run_keys}
    named = {job.id: job for job in observed.adopted_candidates}
    tagged = {owned.job.id: owned.tags.run_key for owned in observed.owned}
    done = {owned.tags.run_key for owned in observed.owned if owned.phase in COUNTED_PHASES}
    found = []
    for name in sorted(specs):
        it = specs[name].adopt
        if it is None:
            continue
        run_key = RunKey(it.work, "")
        job, spec = named.get(it.job), wanted.get(run_key)
        same = {run_key, *(spec.run_keys if spec else ())}
        if same & done or tagged.get(it.job) in same:  # a job with our tags counts by them
            continue
        problem = _problem(
            it.job, job, spec, is_owned=it.job in tagged, snapshot=observed.snapshot_taken_at is not None
        )
        owned = None if problem or job is None else OwnedJob(job, _tags(job, name, run_key), adopted=True)
        found.append(Adoption(run_key=run_key, owned=owned, problem=problem))
    return tuple(found)


def with_adopted(specs: Iterable[JobSpec], observed: Observed) -> tuple[OwnedJob, ...]:
    """Return our jobs, and the adopted jobs that count."""
    found = adoptions({spec.name: spec for spec in specs}, observed)
    return (*observed.owned, *(it.owned for it in found if it.owned))


def _problem(job_id: str, job: Job | None, spec: JobSpec | None, *, is_owned: bool, snapshot: bool) -> str:
    """Return why a job cannot be the one that did the work of `spec`, "" if nothing contradicts it."""
    short = job_id[:8]
    if job is None:  # of foreign jobs, a snapshot has only those that were adopted when it was taken
        unseen = f"the snapshot does not contain job {short}; a plan with an API key can check it"
        return unseen if snapshot else f"there is no job {short} in this workspace"
    if is_owned:
        return f"job {short} belongs to this project, and did other work"
    owner = tags.project_of(job)
    if owner is not None:
        return f"job {short} belongs to project {owner}"
    if spec is None:
        return ""
    given = {
        "endpoint": (job.endpoint, spec.endpoint),
        "model": (job.model, spec.model),
        "agent_id": (job.agent_id, spec.agent_id),
        "requests": (job.total_requests or None, spec.requests),
        "input_files": (frozenset(job.input_files), _uploaded(spec)),
    }
    for field, (had, wants) in given.items():
        if had and wants and had != wants:
            shown = ": its input files differ" if field == "input_files" else f": {field} {had}, not {wants}"
            return f"job {short} did other work than the spec declares{shown}"
    return ""


def _uploaded(spec: JobSpec) -> frozenset[str]:
    """Return the ids of a spec's inputs if all of them are uploaded files, as the API shows them; else nothing."""
    ids = frozenset(part.id for part in spec.inputs if isinstance(part, UploadedFile))
    return ids if len(ids) == len(spec.inputs) else frozenset()


def _tags(job: Job, name: str, run_key: RunKey) -> Tags:
    """Return the tags that the job would have."""
    return Tags(
        project="",
        name=name,
        run_key=run_key,
        inputs=digests.inputs_v1(f"file:{file}" for file in job.input_files),
        requests=job.total_requests or None,
        settings="",
        attempt=1,
        op="",
        on_remove="keep",
    )
