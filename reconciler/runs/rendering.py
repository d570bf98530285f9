"""Render the requests of rows, for the specs that may have something to submit."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from reconciler.context import ApiT, RunContext
from reconciler.errors import Problem, SpecError
from reconciler.model import Declared, JobSpec, Observed, TableRows
from reconciler.rows.of_specs import rendered_spec

KEPT_SECONDS: Final = 3600.0


def with_rendered(run: RunContext[ApiT], declared: Declared, observed: Observed) -> Declared:
    """Return the specs with the requests of their rows, where their work is neither complete nor in a job that runs.

    If the command only shows what it reads, specs whose rows make no valid requests are not selected. Otherwise raises
    `SpecError` if rows cannot be read, or make no valid requests.
    """
    if not any(isinstance(part, TableRows) for spec in declared.specs for part in spec.inputs):
        return declared
    settled = {
        owned.tags.run_key for owned in observed.owned if not owned.phase.ended or owned.completes_the_work
    }
    selected = declared.selected if declared.selected is not None else {spec.name for spec in declared.specs}
    problems, specs, broken = list[Problem](), list[JobSpec](), set[str]()
    for spec in declared.specs:
        if spec.name in selected and not spec.suspend and settled.isdisjoint(spec.run_keys):
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


def rendered(run: RunContext[ApiT], spec: JobSpec) -> tuple[JobSpec, list[Problem]]:
    """Return a spec with the requests of its rows, rendered once per run, and the problems with them.

    Raises:
        ReconcilerError: a file cannot be written.
    """
    problems = [*rendered_spec(spec, run.project.root, _folder(run), run.limits, run.rendered)]
    return run.with_rows(spec), problems


def _folder(run: RunContext[ApiT]) -> Path:
    return run.folder / "rows"


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Delete what earlier runs rendered, an hour after them: it may hold prompts, and another run may still read it."""
    with suppress(OSError):
        ages = {path: path.stat().st_mtime for path in folder.iterdir()}
        for path, at in ages.items():
            if path.name not in kept and at < max(ages.values()) - KEPT_SECONDS:
                path.unlink()
