"""Which part of the work differs from the job before. For readers only."""

from __future__ import annotations

from typing import Final

from reconciler.model import InputFile, JobSpec, KnownRequests, OwnedJob, digests, tags
from reconciler.planning.actions import Change
from reconciler.planning.case import Case
from reconciler.text.plural import pluralize


def submitted_before(case: Case) -> OwnedJob | None:
    """Return the last job of the name with another run key, or else a job of the same work under another name."""
    return max(
        (owned for owned in case.jobs if owned.tags.run_key not in case.run_keys),
        key=lambda owned: owned.job.age_key,
        default=case.same_work_as,
    )


MAX_NAMED: Final = 3
"""At most this many changed input files are named; above that, only their number is shown."""


def changes(before: OwnedJob, spec: JobSpec, requests: KnownRequests) -> tuple[Change, ...]:
    """Return which parts of the work differ between a job and a spec; `requests` is about those of the spec."""
    job = before.job
    found = [
        Change(field, old or "none", new or "none")
        for field, old, new in (
            ("endpoint", job.endpoint, spec.endpoint),
            ("model", job.model, spec.model),
            ("agent_id", job.agent_id, spec.agent_id),
        )
        if old != new
    ]
    known = not (before.adopted and found)  # whether the inputs of an adopted job differ is not known
    if known and before.tags.inputs != digests.inputs_v1(part.identity for part in spec.inputs):
        known_requests = requests if requests.job_id == job.id else KnownRequests()
        change, examples = known_requests.change, known_requests.examples
        found.append(Change("inputs", _count(before.of_work), _inputs(before, spec), change, examples))
    if before.tags.run_key.rerun != spec.rerun:
        found.append(Change("rerun", before.tags.run_key.rerun or "none", spec.rerun or "none"))
    return tuple(found) or (Change("work", before.tags.run_key.work[:11], spec.run_key.work[:11]),)


def _count(requests: int | None) -> str:
    return "unknown" if requests is None else pluralize(requests, "request")


def _inputs(before: OwnedJob, spec: JobSpec) -> str:
    files = [
        part.label
        for part in spec.inputs
        if isinstance(part, InputFile) and tags.digest_prefix(part.identity) not in before.tags.input_prefixes
    ]
    if not before.tags.input_prefixes or not files:
        return _count(spec.requests)
    named = ", ".join(files) if len(files) <= MAX_NAMED else f"{len(files):,} files"
    return f"{_count(spec.requests)}: {named} changed"
