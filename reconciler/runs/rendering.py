"""Render the requests of rows, and find contents by URI, for the specs that may have something to submit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from reconciler.context import ApiT, RunContext
from reconciler.errors import Problem, SpecError
from reconciler.ledger.memory import Memory
from reconciler.model import Declared, JobSpec, Observed, TableRows
from reconciler.model.inputs import elsewhere
from reconciler.planning.bound import rules_digest
from reconciler.rows.of_specs import rendered_spec
from reconciler.runs.contents import named_by_uri, remove_others, with_contents
from reconciler.specs.inputs.job_inputs import exceeds_one_job

KEPT_SECONDS: Final = 3600.0


def with_rendered(run: RunContext[ApiT], declared: Declared, observed: Observed, memory: Memory) -> Declared:
    """Return the specs with the requests of their rows, where their work is neither complete nor in a job that runs.

    Contents by URI are used if they are here. If the command only shows what it reads, specs whose rows make no valid
    requests are not selected. Otherwise raises `SpecError` if rows cannot be read, or make no valid requests.
    """
    if not any(map(_is_made_here, declared.specs)):
        return declared
    selected = declared.selected if declared.selected is not None else {spec.name for spec in declared.specs}
    problems, specs, broken = list[Problem](), list[JobSpec](), set[str]()
    open_names = {spec.name for spec in _unsettled(declared, observed, memory)}
    for spec in declared.specs:
        if spec.name in open_names:
            found, wrong = rendered(run, spec)
            broken |= {spec.name} if wrong else set()
            problems += wrong
            specs.append(found)
        else:
            specs.append(spec)
    if problems and not declared.only_shown:
        raise SpecError(tuple(problems))
    for problem in problems:
        run.env.log("rows.refused", path=problem.where, error=problem.message)
    _remove_others(_folder(run), {Path(file.path).name for file in run.rendered.values()})
    return replace(declared, specs=tuple(specs), selected=selected - broken if broken else declared.selected)


def fetch_contents(run: RunContext[ApiT], declared: Declared, observed: Observed, memory: Memory) -> bool:
    """Fetch the contents of specs that may have something to submit, delete others, and return whether any was missing.

    Nothing is fetched for a name of which the ledger says that nothing is left to submit.
    """
    wanted = [
        spec
        for spec in _unsettled(declared, observed, memory)
        if elsewhere(spec.inputs)
        and not any(
            it and not it.counts.left and it.rules == rules_digest(spec)
            for it in map(memory.seen.get, spec.run_keys)
        )
    ]
    if any(elsewhere(spec.inputs) for spec in declared.specs):
        remove_others(run, wanted)
    missing = [
        spec for spec in wanted if elsewhere(run.with_rows(spec).inputs) and spec.name not in run.unfetched
    ]
    for spec in missing:
        with_contents(run, spec, fetching=True)
    return bool(missing)


def _unsettled(declared: Declared, observed: Observed, memory: Memory) -> Iterator[JobSpec]:
    """Yield the selected specs whose work is neither complete, by counts and results, nor in a job that runs."""
    doubted = {key for key, it in memory.seen.items() if not it.counts.complete}
    settled = {
        owned.tags.run_key
        for owned in observed.owned
        if not owned.phase.ended or (owned.completes_the_work and owned.tags.run_key not in doubted)
    }
    for spec in declared.specs:
        selected = declared.selected is None or spec.name in declared.selected
        if selected and not spec.suspend and settled.isdisjoint(spec.run_keys):
            yield spec


def _is_made_here(spec: JobSpec) -> bool:
    return bool(elsewhere(spec.inputs)) or any(isinstance(part, TableRows) for part in spec.inputs)


def rendered(
    run: RunContext[ApiT], spec: JobSpec, *, fetching: bool = False
) -> tuple[JobSpec, list[Problem]]:
    """Return a spec with the requests of its rows, rendered once per run, and the problems with them.

    If `fetching`, contents by URI that are not here are fetched.

    Raises:
        ReconcilerError: a file cannot be written.
    """
    spec = with_contents(run, spec, fetching=fetching)
    tables = (part for part in spec.inputs if isinstance(part, TableRows))
    uris = {it.path: it.uri for part in tables for it in part.files if it.uri}
    found_wrong = rendered_spec(spec, run.project.root, _folder(run), run.limits, run.rendered)
    problems = [named_by_uri(it, uris) for it in found_wrong]
    found = run.with_rows(spec)
    return replace(found, large=exceeds_one_job(found.inputs, run.limits)), problems


def _folder(run: RunContext[ApiT]) -> Path:
    return run.folder / "rows"


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Delete what earlier runs rendered, an hour after them: it may hold prompts, and another run may still read it."""
    with suppress(OSError):
        ages = {path: path.stat().st_mtime for path in folder.iterdir()}
        for path, at in ages.items():
            if path.name not in kept and at < max(ages.values()) - KEPT_SECONDS:
                path.unlink()
