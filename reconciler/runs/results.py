"""Bring results to their place, and read there the state of each request."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from typing import Final

from msgspec.structs import replace

from reconciler.api.errors import NotFoundError
from reconciler.context import ApiT, RunContext
from reconciler.errors import ReconcilerError
from reconciler.file_access import hint_of
from reconciler.ledger.lines import UsageSeen
from reconciler.ledger.memory import Memory
from reconciler.model import JobSpec, OwnedJob
from reconciler.outputs.inputs import ANY_SIZE
from reconciler.outputs.paths import job_folder, safe_name
from reconciler.outputs.place import make_place, open_place
from reconciler.outputs.pulled import find
from reconciler.outputs.store import FolderStore, ResultStore, UnreadableStore
from reconciler.outputs.summary import lacks_a_file
from reconciler.outputs.work_states import StateReader
from reconciler.planning.case import Case
from reconciler.requests import asked
from reconciler.requests.answered import FILES
from reconciler.runs.known_requests import wanted_of
from reconciler.runs.pulling import puller
from reconciler.runs.usage import record_usage

READ: Final = "read"
"""The folder of a target with the results that plans read from the API."""


def states_of(
    run: RunContext[ApiT], cases: Sequence[Case], *, exact: bool, cached: ResultStore | None = None
) -> tuple[Case, ...]:
    """Add to the names whose results decide the state of each request, as far as it is in the place of results.

    If that place cannot be read, these names say so, and nothing of them is submitted that it may answer.

    Args:
        run: what to work with.
        cases: the case of each name.
        exact: whether to count only answers that are in the place of results, and to assume the worst of others.
        cached: results that plans read from the API.

    Raises:
        ReconcilerError: an input cannot be read.
    """
    if not any(case.decided_by_request for case in cases):
        return tuple(cases)
    reader = StateReader(
        store=UnreadableStore(run.folder),
        project=run.target.project,
        wanted_of=partial(wanted_of, run),
        limits=run.limits,
        late_seconds=run.limits.late_seconds,
        exact=exact,
        cached=cached,
        now=run.env.now(),
    )
    try:
        store = open_place(run.project, run.env.environ, staging=run.folder / "reading")
        works = dataclasses.replace(reader, store=store).works(cases)
    except Exception as error:  # noqa: BLE001 - whatever the package for the scheme of a URL raises
        unreadable = f"the place of results cannot be read: {error}"
        try:
            works = dataclasses.replace(reader, exact=True, cached=None, unreadable=unreadable).works(cases)
        except OSError as input_error:
            hint = hint_of(input_error, "make the input readable, then run again")
            raise ReconcilerError(f"an input cannot be read: {input_error}", hint=hint) from input_error
    # The others keep what they have worked out about themselves.
    return tuple(replace(it, work=works[it.name]) if it.name in works else it for it in cases)


def with_answers(
    run: RunContext[ApiT], cases: Sequence[Case], specs: Sequence[JobSpec], owned: Sequence[OwnedJob]
) -> tuple[Case, ...]:
    """Add the state of each request for a plan: read what is missing from the API, up to `limits.plan_read_bytes`.

    The rest is a bound. What was read stays on this machine, without answers, for the next plan. Raises as `states_of`.
    """
    cached = FolderStore(run.folder / READ)
    found = states_of(run, cases, exact=False, cached=cached)
    needed = [it for case in found if case.work and not case.work.unreadable for it in case.needed]
    if not needed:
        return found
    read_results(run, cached, needed, specs, owned)
    return states_of(run, cases, exact=False, cached=cached)


def read_results(
    run: RunContext[ApiT],
    cached: FolderStore,
    needed: Sequence[OwnedJob],
    specs: Sequence[JobSpec],
    owned: Sequence[OwnedJob],
) -> None:
    """Read the results of some jobs from the API, up to `limits.plan_read_bytes`, and keep all but the answers."""
    there = cached.jobs()
    for pulled in filter(None, (find(cached, there.get(safe_name(it.job.id))) for it in needed)):
        if pulled.lost_an_index:
            pulled.forget_damaged()
    left: float = run.limits.plan_read_bytes
    chosen, indexed = [], _copy_indexes(run, cached, needed)
    for it in needed:
        size = _size(run, it, () if it.job.id in indexed else it.job.input_files)
        if size <= left:
            left -= size
            chosen.append(it)
    puller(run, cached, specs, owned, frozenset(), fetching=False).pull(chosen)
    for file in (file for name in FILES for file in cached.root.glob(f"*/*/*/{name}")):
        file.unlink(missing_ok=True)


def _copy_indexes(run: RunContext[ApiT], cached: FolderStore, jobs: Sequence[OwnedJob]) -> set[str]:
    """Copy what jobs were asked from the place of results, in place of their inputs. Return the ids of these jobs.

    The index of results that were read before stays: their summary has its digest.
    """
    found = set()
    for it in jobs:
        folder = job_folder(it.tags.name, it.job.id)
        with suppress(Exception):  # whatever the package for the scheme of a URL raises
            store = open_place(run.project, run.env.environ, staging=run.folder / "reading")
            index = store.fetch(f"{folder}/{asked.NAME}", ANY_SIZE)
            if find(cached, folder) is None:
                shutil.copyfile(index, cached.staging_dir(folder) / asked.NAME)
            found.add(it.job.id)
    return found


def _size(run: RunContext[ApiT], owned: OwnedJob, inputs: Sequence[str]) -> float:
    """Return how many bytes have to be read for the results and the inputs of a job; infinite if that is not known."""
    size = 0.0
    for file_id in filter(None, (owned.job.output_file, owned.job.error_file, *inputs)):
        try:
            described = run.api.get_file(file_id).size
        except NotFoundError:
            continue
        except ReconcilerError:
            return inf
        if described is None:
            return inf
        size += described
    return size


def bring_answers(
    run: RunContext[ApiT], cases: Sequence[Case], specs: Sequence[JobSpec], owned: Sequence[OwnedJob]
) -> Mapping[str, UsageSeen]:
    """Bring the results that show which requests are submitted to their place, if they are missing or damaged there.

    A job whose results cannot be brought stays unread, so that nothing that it may have answered is submitted. The
    other names go on. Return what each job used, as far as results show it.

    Args:
        run: what to work with.
        cases: the case of each name, at least one.
        specs: the declared specs.
        owned: the jobs of the project.
    """
    needed = [it for case in states_of(run, cases, exact=True) for it in case.needed]
    memory = cases[0].memory if cases else Memory()
    if not needed:
        return memory.usage
    try:
        make_place(run.project, run.env.environ)
        store = open_place(run.project, run.env.environ, staging=run.folder / "pulling")
        there = store.jobs()
        for it in needed:
            pulled = find(store, there.get(safe_name(it.job.id)))
            if pulled and not lacks_a_file(pulled.summary, it):
                pulled.forget_damaged()
        pulling = puller(run, store, specs, owned, frozenset())
        return record_usage(run, memory, pulling, needed, pulling.pull(needed))
    except Exception as error:  # noqa: BLE001 - whatever the package for the scheme of a URL raises
        for it in needed:
            run.env.log("results.failed", name=it.tags.name, job_id=it.job.id, error=str(error))
    return memory.usage
