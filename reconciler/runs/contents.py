"""Bring to this machine the contents that specs declare by URI and SHA-256.

Only a run that may submit fetches. It checks each content as it does a file of the checkout, and from then on the
content is one. A plan uses what is here already.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from reconciler.context import ApiT, RunContext
from reconciler.errors import Problem, ReconcilerError
from reconciler.model import Input, InputFile, JobSpec
from reconciler.outputs.fetch import fetch
from reconciler.specs.inputs.cache import InputCache
from reconciler.specs.inputs.reader import InputReader
from reconciler.specs.inputs.requirements import Requirements
from reconciler.specs.project import STATE
from reconciler.text.plural import pluralize


def elsewhere(spec: JobSpec) -> list[InputFile]:
    """Return the inputs of a spec whose content is at a URI, and not known to be on this machine."""
    return [it for it in spec.inputs if isinstance(it, InputFile) and it.uri and it.pointer]


def with_contents(run: RunContext[ApiT], spec: JobSpec, *, fetching: bool) -> JobSpec:
    """Return a spec with the contents that are on this machine; if `fetching`, the others are fetched first.

    If one cannot be fetched, or is not a valid input, `run.unfetched` says why.
    """
    spec = run.with_rows(spec)
    wanted = elsewhere(spec)
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
            run.unfetched[spec.name] = error
            run.env.log("input.not_fetched", name=spec.name, error=str(error))
    return spec


def remove_others(run: RunContext[ApiT], wanted: Iterable[JobSpec]) -> None:
    """Delete the contents that no spec needs that may have something to submit."""
    kept = {_place(run, it).name for spec in wanted for it in elsewhere(spec)}
    with suppress(OSError):
        for path in (run.folder / "fetched").iterdir():
            if path.name not in kept:
                path.unlink()


def _place(run: RunContext[ApiT], it: InputFile) -> Path:
    return run.folder / "fetched" / f"{it.sha256}.jsonl"


def _fetch(run: RunContext[ApiT], it: InputFile) -> None:
    began = run.env.monotonic()
    seconds = run.limits.timeout_seconds
    fetch(run.env, it.uri, _place(run, it), sha256=it.sha256, size=it.size, seconds=seconds)
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
    demands = Requirements(spec.endpoint, spec.model)
    problems = [problem for path in paths for problem in reader.read(path).problems]
    problems += [problem for path in paths for problem in reader.violations(path, demands)]
    problems += reader.shared_ids(paths)
    problems += _miscounted(spec, here)
    if problems:
        first = problems[0]
        where = first.where.replace(first.path, here[first.path].label, 1)
        more = f" ({pluralize(len(problems) - 1, 'more problem')})" if problems[1:] else ""
        raise ReconcilerError(f"{where}: {first.message}{more}", hint=first.hint)
    if fetching and (other := elsewhere(found)):
        raise ReconcilerError(
            f"{other[0].uri}: it is a Git LFS pointer, not the content", hint="store the content there"
        )
    run.rendered.update({it.identity: it for it in here.values() if it.uri and not it.pointer})
    return found


def _local(run: RunContext[ApiT], reader: InputReader, part: Input) -> Input:
    """Return an input that is read from this machine, if it is here."""
    if not (isinstance(part, InputFile) and part.uri and part.pointer and _place(run, part).exists()):
        return part
    path = os.path.relpath(_place(run, part), run.project.root).replace(os.sep, "/")
    found = reader.read(path)
    if found.file.sha256 != part.sha256:
        return part
    return replace(found.file, uri=part.uri, manifest=part.manifest)


def _miscounted(spec: JobSpec, here: dict[str, InputFile]) -> list[Problem]:
    """Return a problem for each content that has another number of requests than is declared."""
    declared = {it.identity: it.requests for it in elsewhere(spec)}
    return [
        Problem(
            path=it.path,
            message=f"it has {pluralize(it.requests or 0, 'request')}, and {wanted:,} are declared",
            hint="correct `requests`, and review the plan",
        )
        for it in here.values()
        if (wanted := declared.get(it.identity)) is not None and it.requests != wanted
    ]
