"""Read the requests of changed work, for plans and tags: how they differ from those of the job before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from reconciler.context import ApiT, RunContext
from reconciler.model import Declared, InputFile, JobSpec, KnownRequests, Observed, OwnedJob
from reconciler.outputs.inputs import local_inputs, read_asked
from reconciler.outputs.paths import job_folder
from reconciler.outputs.place import open_place
from reconciler.planning import same_requests
from reconciler.planning.actions import Create
from reconciler.requests import asked
from reconciler.requests.keys import compare, digest_of

MAX_BYTES: Final = 250_000_000
"""Bytes of input files that one plan compares with the jobs before; they take some ten seconds."""
MAX_REQUESTS: Final = 1_500_000
"""Requests of a job that are compared: they are in memory."""


Index: TypeAlias = tuple[dict[str, Any], dict[str, bytes]]


def with_requests(
    run: RunContext[ApiT], declared: Declared, observed: Observed, *, results: bool = True
) -> Declared:
    """Add what is known about the requests of changed work, and recognize earlier work with the same requests.

    Args:
        run: what to work with.
        declared: what git says.
        observed: the workspace.
        results: whether to read what the jobs before were asked from the place of results.
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
            read = _read(run, spec, index) if index or alike else KnownRequests()
            known[spec.run_key] = replace(read, job_id=before.job.id)
    run.requests.update(known)
    return same_requests.recognized(replace(declared, requests=known), changed)


def identify_requests(run: RunContext[ApiT], creates: Iterable[Create]) -> None:
    """Note the digests of the requests of new jobs, for their tags."""
    for create in creates:
        if not run.requests.get(create.spec.run_key, KnownRequests()).digest:
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


def _read(run: RunContext[ApiT], spec: JobSpec, index: Index | None) -> KnownRequests:
    """Read the requests of a spec, if its inputs are on this machine, and compare them with those of a job."""
    keys = bytearray()

    def pairs(files: Sequence[Path | bytes]) -> Iterator[tuple[bytes, bytes]]:
        for custom_id, key in asked.read_keys(files, model=spec.model, longest=run.limits.line_bytes):
            keys.extend(key)
            yield custom_id, key

    with suppress(OSError):
        if files := local_inputs(spec, root=run.project.root):
            ids, before = (index[1]["ids"].splitlines(), index[1]["keys"]) if index else ((), b"")
            change = compare(ids, before, pairs(files))
            return KnownRequests(digest=digest_of(keys), change=change if index else None)
    return KnownRequests()
