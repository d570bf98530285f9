"""`adopt`: a job that carries no tags and counts as the job of a spec's work. Pure.

The spec vouches for what the job has bought: `adopt.work` is the digest of that work, so a later change of the spec
is a change, and buys as any other does. What the API shows of the job has to agree, or else nothing is bought and a
person has to look. An adopted job counts as the first attempt without a `rerun`, and only as long as no job of ours
does the same work or has done it: so a word in a spec never makes one of our jobs a duplicate. Nothing in the
workspace says that it is ours, therefore it is never cancelled from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from reconciler.model import Job, JobSpec, Observed, Ours, Phase, RunKey, Tags, UploadedFile, digests, tags

COUNTS: Final = frozenset({Phase.ACTIVE, Phase.STOPPING, Phase.SUCCEEDED, Phase.UNKNOWN})
"""A job of ours in one of these does the work of an adopted one, or has done it."""


class Adoption(Struct, frozen=True, kw_only=True):
    """What came of one spec's `adopt`."""

    run_key: RunKey
    ours: Ours | None = None
    """The job, as if it had been bought for the spec."""
    problem: str = ""
    """Why it does not count where its work is wanted."""


def named(specs: Iterable[JobSpec]) -> frozenset[str]:
    """Return the ids of the jobs that specs adopt."""
    return frozenset(spec.adopt.job for spec in specs if spec.adopt)


def adoptions(specs: Mapping[str, JobSpec], observed: Observed) -> tuple[Adoption, ...]:
    """Return what comes of every `adopt`, in order of the specs' names.

    Args:
        specs: what is declared, by name.
        observed: the workspace.
    """
    wanted = {key: spec for spec in specs.values() for key in spec.run_keys}
    named = {job.id: job for job in observed.named}
    tagged = {ours.job.id: ours.tags.run_key for ours in observed.ours}
    done = {ours.tags.run_key for ours in observed.ours if ours.phase in COUNTS}
    found = []
    for name in sorted(specs):
        it = specs[name].adopt
        if it is None:
            continue
        run_key = RunKey(it.work, "")
        job, spec = named.get(it.job), wanted.get(run_key)
        same = {run_key, *(spec.run_keys if spec else ())}
        if same & done or tagged.get(it.job) in same:  # one that carries our tags counts by them
            continue
        problem = _problem(it.job, job, spec, ours=it.job in tagged, snapshot=observed.at is not None)
        ours = None if problem or job is None else Ours(job, _tags(job, name, run_key), adopted=True)
        found.append(Adoption(run_key=run_key, ours=ours, problem=problem))
    return tuple(found)


def with_adopted(specs: Iterable[JobSpec], observed: Observed) -> tuple[Ours, ...]:
    """Return our jobs, and those that specs adopt and that count."""
    found = adoptions({spec.name: spec for spec in specs}, observed)
    return (*observed.ours, *(it.ours for it in found if it.ours))


def _problem(job_id: str, job: Job | None, spec: JobSpec | None, *, ours: bool, snapshot: bool) -> str:
    """Say what is wrong with a job as the one that did the work of `spec`, "" where nothing is known to be."""
    short = job_id[:8]
    if job is None:  # of strangers' jobs a snapshot holds only those that were adopted when it was made
        unseen = f"the snapshot does not show job {short}; a plan with a key will tell"
        return unseen if snapshot else f"there is no job {short} in this workspace"
    if ours:
        return f"job {short} carries tags of this project, and did other work"
    owner = tags.project_of(job)
    if owner is not None:
        return f"job {short} carries tags of project {owner}"
    if spec is None:
        return ""
    asked = {
        "endpoint": (job.endpoint, spec.endpoint),
        "model": (job.model, spec.model),
        "agent_id": (job.agent_id, spec.agent_id),
        "requests": (job.total_requests or None, spec.requests),
        "input_files": (frozenset(job.input_files), _uploaded(spec)),
    }
    for field, (had, wants) in asked.items():
        if had and wants and had != wants:
            shown = (
                ": its input files are others" if field == "input_files" else f": {field} {had}, not {wants}"
            )
            return f"job {short} did other work than the spec declares{shown}"
    return ""


def _uploaded(spec: JobSpec) -> frozenset[str]:
    """Return the ids of a spec's inputs where all of them are uploaded files: then the API shows the same."""
    ids = frozenset(part.id for part in spec.inputs if isinstance(part, UploadedFile))
    return ids if len(ids) == len(spec.inputs) else frozenset()


def _tags(job: Job, name: str, run_key: RunKey) -> Tags:
    """Return the tags that the job would carry."""
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
