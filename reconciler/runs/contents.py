"""Bring to this machine the contents that specs declare by URI and SHA-256.

Only a run that may submit fetches. It checks each content as it does a file of the checkout, and from then on the
content is one. A plan uses what is here already.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from reconciler.context import ApiT, RunContext
from reconciler.errors import Problem, ReconcilerError
from reconciler.model import Input, InputFile, JobSpec, TableRows
from reconciler.model.inputs import elsewhere
from reconciler.outputs.fetch import copy_of, fetch, is_here, read_copies
from reconciler.specs.inputs.cache import InputCache
from reconciler.specs.inputs.reader import InputReader
from reconciler.specs.inputs.requirements import Requirements
from reconciler.specs.project import STATE
from reconciler.text.plural import pluralize


def with_contents(run: RunContext[ApiT], spec: JobSpec, *, fetching: bool) -> JobSpec:
    """Return a spec with the contents that are on this machine; if `fetching`, the others are fetched first.

    If one cannot be fetched, or is not a valid input, `run.unfetched` says why.
    """
    spec = run.with_rows(spec)
    wanted = elsewhere(spec.inputs)
    if not wanted or spec.name in run.unfetched:
        return spec
    try:
        if fetching:
            distinct = [*{it.sha256: it for it in wanted}.values()]
            run.env.map_concurrently(
                partial(_fetch, run), distinct, max_workers=run.limits.downloads_in_flight
            )
        return _checked(run, spec, fetching=fetching)
    except ReconcilerError as error:
        if fetching:
            words = run.redact(str(error))  # a store may say anything
            run.unfetched[spec.name] = ReconcilerError(words, hint=error.hint)
            run.env.log("input.not_fetched", name=spec.name, error=words)
    return spec


def remove_others(run: RunContext[ApiT], wanted: Iterable[JobSpec]) -> None:
    """Delete the copies that neither this run nor a spec needs that may have something to submit."""
    kept = {copy_of(it, _folder(run)) for spec in wanted for it in elsewhere(spec.inputs)}
    kept |= {run.project.root / it.path for it in run.rendered.values()}
    with suppress(OSError):
        for path in _folder(run).iterdir():
            if path not in kept:
                path.unlink()


def _folder(run: RunContext[ApiT]) -> Path:
    return run.folder / "fetched"


def _fetch(run: RunContext[ApiT], it: InputFile) -> None:
    began = run.env.monotonic()
    fetch(run.env, it, _folder(run), seconds=run.limits.timeout_seconds)
    elapsed = round((run.env.monotonic() - began) * 1000)
    run.env.log("input.fetched", path=it.uri, sha256=it.sha256, elapsed_ms=elapsed)


def _checked(run: RunContext[ApiT], spec: JobSpec, *, fetching: bool) -> JobSpec:
    """Return a spec with the contents that are here. Raises `ReconcilerError` if one is not a valid input."""
    reader = InputReader(
        run.project.root,
        run.limits,
        InputCache(run.project.root / STATE if run.project.cache else None),
        run.env.progress,
    )
    found = replace(spec, inputs=tuple(_local(run, reader, it) for it in spec.inputs))
    reader.save()
    here = {it.path: it for it in found.inputs if isinstance(it, InputFile) and it.content is None}
    paths = [path for path, it in here.items() if not it.pointer and not it.rows]
    problems = reader.problems(paths, Requirements(spec.endpoint, spec.model))
    if problems := [*problems, *_miscounted(spec, here)]:
        first = named_by_uri(problems[0], {path: it.label for path, it in here.items()})
        more = f" ({pluralize(len(problems) - 1, 'more problem')})" if problems[1:] else ""
        raise ReconcilerError(f"{first.where}: {first.message}{more}", hint=first.hint)
    if fetching and (other := elsewhere(found.inputs)):
        raise ReconcilerError(
            f"{other[0].uri}: it is a Git LFS pointer, not the content", hint="store the content there"
        )
    run.rendered.update({it.identity: it for it in here.values() if it.uri and not it.pointer})
    return found


def _local(run: RunContext[ApiT], reader: InputReader, part: Input) -> Input:
    """Return an input that is read from this machine, if it is here."""
    folder = _folder(run)
    if isinstance(part, TableRows):
        far = [it for it in part.files if it.elsewhere]
        return read_copies(part, folder) if far and all(is_here(it, folder) for it in far) else part
    if not (isinstance(part, InputFile) and part.elsewhere and copy_of(part, folder).exists()):
        return part
    path = os.path.relpath(copy_of(part, folder), run.project.root).replace(os.sep, "/")
    found = reader.read(path)
    if found.file.sha256 != part.sha256:
        return part
    return replace(found.file, uri=part.uri, manifest=part.manifest)


def named_by_uri(problem: Problem, uris: Mapping[str, str]) -> Problem:
    """Return a problem that names contents by their URIs; `uris` has those of their copies."""
    message = problem.message
    for path, uri in uris.items():
        message = message.replace(path, uri)
    return dataclasses.replace(problem, path=uris.get(problem.path, problem.path), message=message)


def _miscounted(spec: JobSpec, here: dict[str, InputFile]) -> list[Problem]:
    """Return a problem for each content that has another number of requests than is declared."""
    declared = {it.identity: it.requests for it in elsewhere(spec.inputs)}
    return [
        Problem(
            path=it.path,
            message=f"it has {pluralize(it.requests or 0, 'request')}, and {wanted:,} are declared",
            hint="correct `requests`, and review the plan",
        )
        for it in here.values()
        if (wanted := declared.get(it.identity)) is not None and it.requests != wanted
    ]
