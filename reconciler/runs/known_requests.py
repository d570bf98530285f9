"""Read the requests of changed work, for plans and tags: how they differ from those of the job before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
from reconciler.requests.keys import KEY_BYTES, digest_of
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
            small = left >= 0 and (before.of_work or 0) <= MAX_REQUESTS
            index = _index(run, jobs) if results and small else None
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


def _index(run: RunContext[ApiT], jobs: Sequence[OwnedJob]) -> Index | None:
    """Return what the work of the last job was asked, if the place of results has it.

    Of a work in parts, it is put together from the jobs of the name, and checked by the digest in the tags.
    """
    before = jobs[-1]
    with (
        suppress(Exception),
        TemporaryDirectory() as staging,
    ):  # whatever the package for the scheme of a URL raises
        store = open_place(run.project, run.env.environ, staging=Path(staging))

        def index(owned: OwnedJob) -> Index | None:
            return read_asked(store, job_folder(owned.tags.name, owned.job.id), owned)

        return _joined(before, reversed(jobs), index) if before.is_part else index(before)
    return None


def _joined(
    before: OwnedJob, newest_first: Iterable[OwnedJob], index: Callable[[OwnedJob], Index | None]
) -> Index | None:
    """Return what a work in parts was asked: of each custom_id, what it was asked last."""
    found: dict[bytes, tuple[bytes, bytes]] = {}
    alike = (before.tags.recipe, before.tags.run_key.rerun)
    for owned in newest_first:
        if len(found) >= (before.of_work or 0):
            break
        if (owned.tags.recipe, owned.tags.run_key.rerun) == alike and (part := index(owned)):
            keys, lines = (_values(part[1].get(name, b"")) for name in ("keys", "lines"))
            for custom_id, *both in zip(part[1].get("ids", b"").splitlines(), keys, lines, strict=True):
                found.setdefault(custom_id, (both[0], both[1]))
    columns = {
        "ids": b"".join(b"%b\n" % custom_id for custom_id in found),
        "keys": b"".join(key for key, _ in found.values()),
        "lines": b"".join(line for _, line in found.values()),
    }
    whole = digest_of(columns["keys"]) == before.tags.request_digest
    return ({}, columns) if whole else None


def _values(column: bytes) -> list[bytes]:
    """Return the values of a column, of `KEY_BYTES` each."""
    return [column[at : at + KEY_BYTES] for at in range(0, len(column), KEY_BYTES)]


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
