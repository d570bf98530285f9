"""Read the requests of changed work, for plans and tags: how they differ from those of the job before."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from reconciler.context import ApiT, RunContext
from reconciler.model import Declared, InputFile, JobSpec, KnownRequests, Observed, OwnedJob, Wanted
from reconciler.outputs.inputs import local_inputs, read_asked
from reconciler.outputs.paths import job_folder
from reconciler.outputs.place import open_place
from reconciler.outputs.wanted import read_wanted
from reconciler.planning import same_requests
from reconciler.planning.actions import Create
from reconciler.requests import asked
from reconciler.requests.keys import digest_of
from reconciler.runs.examples import examples

MAX_BYTES: Final = 250_000_000
"""Bytes of input files that one plan compares with the jobs before; they take some ten seconds."""
MAX_REQUESTS: Final = 1_500_000
"""Requests of a job that are compared: they are in memory."""


Index: TypeAlias = tuple[dict[str, Any], dict[str, bytes]]


def with_requests(
    run: RunContext[ApiT], declared: Declared, observed: Observed, *, results: bool = True
) -> Declared:
    """Add what is known about the requests of changed work, and recognize earlier work with the same requests.

    `results` says whether to read what the jobs before were asked from the place of results.
    """
    left, known = MAX_BYTES, dict(run.requests)
    changed = list(same_requests.changed(declared, observed))
    for spec, jobs in changed:
        before = jobs[-1]
        if known.get(spec.run_key, KnownRequests()).job_id != before.job.id:
            left -= sum(part.size for part in spec.inputs if isinstance(part, InputFile))
            small = left >= 0 and (before.tags.requests or 0) <= MAX_REQUESTS
            index = _index(run, before) if results and small and not before.is_part else None
            alike = any(same_requests.may_be_same(it, spec) for it in jobs)
            read = _read(run, spec, index, before.tags.recipe) if index or alike else KnownRequests()
            shown = examples(run, spec, before) if results else ()
            known[spec.run_key] = replace(read, job_id=before.job.id, examples=shown)
    run.requests.update(known)
    return same_requests.recognized(replace(declared, requests=known), observed)


def wanted_of(run: RunContext[ApiT], spec: JobSpec) -> Wanted | None:
    """Return the requests of a spec, which a run reads once; None if an input is not in this clone.

    Raises `OSError` if a file cannot be read.
    """
    known = run.requests.get(spec.run_key, KnownRequests())
    wanted = known.wanted or read_wanted(spec, run.project.root, run.limits)
    run.requests[spec.run_key] = replace(known, wanted=wanted)
    return wanted


def identify_requests(run: RunContext[ApiT], creates: Iterable[Create]) -> None:
    """Note the digests of the requests of new jobs, for their tags."""
    for create in creates:
        known = run.requests.get(create.spec.run_key, KnownRequests())
        if not known.digest and known.wanted:
            run.requests[create.spec.run_key] = replace(known, digest=digest_of(known.wanted.keys))
        elif not known.digest:
            run.requests[create.spec.run_key] = _read(run, create.spec, None)


def _index(run: RunContext[ApiT], before: OwnedJob) -> Index | None:
    """Return what a job was asked, if the place of results has it."""
    folder = job_folder(before.tags.name, before.job.id)
    with (
        suppress(Exception),
        TemporaryDirectory() as staging,
    ):  # whatever the package for the scheme of a URL raises
        store = open_place(run.project, run.env.environ, staging=Path(staging))
        return read_asked(store, folder, before)
    return None


def _read(run: RunContext[ApiT], spec: JobSpec, index: Index | None, recipe: str = "") -> KnownRequests:
    """Read the requests of a spec, if its inputs are on this machine, and compare them with those of a job."""
    columns = dict(index[1]) if index else {}
    if recipe != spec.recipe:
        columns.pop("lines", None)  # the key of a line depends on the model
    comparison = asked.Comparison(columns)
    with suppress(OSError):
        if local_inputs(spec, root=run.project.root) and (
            wanted := read_wanted(spec, run.project.root, run.limits, comparison)
        ):
            change = comparison.change if index else None
            return KnownRequests(digest=digest_of(wanted.keys), change=change, wanted=wanted)
    return KnownRequests()
