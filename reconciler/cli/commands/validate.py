"""`reconciler validate`: check specs and inputs without a key or network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from reconciler.cli.output.progress_bars import on_terminal
from reconciler.cli.output.streams import write_annotations, write_stderr, write_stdout
from reconciler.cli.params import options
from reconciler.cli.session.target import check_other_settings, find_environments
from reconciler.environment import Environment
from reconciler.errors import ExitCode, Problem, SpecError
from reconciler.model import JobSpec, TableRows
from reconciler.render.problems import count_line, problems_text
from reconciler.specs.files import specs_outside
from reconciler.specs.load import Loaded, load
from reconciler.specs.project import Project
from reconciler.text.plural import pluralize


@click.command()
@options.paths
@options.chosen
@options.no_cache
@options.output_format("text", "json", "github")
def validate(
    env: Environment, *, paths: tuple[Path, ...], chosen: options.Chosen, no_cache: bool, form: str
) -> int:
    """Check the specs and their inputs offline, and report all problems at once.

    Without --env, all environments are checked. --format github writes annotations as GitHub workflow commands; a
    pull request shows them at the lines they name.
    """
    try:
        found = load_all(env, find_environments(env, chosen), paths, no_cache=no_cache)
    except SpecError as error:
        if form == "text":
            raise
        _write(form, (), error.problems)
        if form == "github":
            write_stderr(count_line(error.problems))
        return ExitCode.FAILED
    warnings = tuple(sorted({it for loaded in found.values() for it in loaded.warnings}))
    if form == "text":
        write_stdout(validation_text(found, warnings, colour=env.colour("stdout")))
    else:
        _write(form, [spec for loaded in found.values() for spec in loaded.specs], warnings)
    return ExitCode.OK


def load_all(
    env: Environment, projects: Sequence[Project], paths: Sequence[Path], *, no_cache: bool
) -> Mapping[str, Loaded]:
    """Load the specs of each environment, and look for what is not read as a spec.

    Raises `SpecError`, with the errors of all environments, if there are any.
    """
    found: dict[str, Loaded] = {}
    problems: set[Problem] = set()
    for project in projects:
        try:
            check_other_settings(project, env)
            loaded = load(
                structs.replace(project, cache=not no_cache),
                [env.cwd / path for path in paths],
                now=env.now(),
                monotonic=env.monotonic,
                progress=on_terminal(env),
            )
            outside = () if paths else specs_outside(project)
            if any(isinstance(part, TableRows) for spec in loaded.specs for part in spec.inputs):
                from reconciler.rows.of_specs import checked

                specs, wrong = checked(loaded.specs, project.root, project.settings.limits)
                problems.update(wrong)
                loaded = structs.replace(loaded, specs=specs)
            every = (*loaded.problems, *outside)
            found[project.environment] = structs.replace(loaded, problems=every)
        except SpecError as error:
            problems.update(error.problems)
    if problems:
        raise SpecError(tuple(sorted(problems)))
    return found


def _write(form: str, specs: Sequence[JobSpec], problems: Iterable[Problem]) -> None:
    """Write the result of a validation as annotations or as JSON."""
    if form == "github":
        from reconciler.render.github import problems_github

        write_annotations(problems_github(problems))
        return
    from reconciler.documents.reports import ProblemDoc, ValidateDoc, pretty

    counts = _counts(specs)
    document = ValidateDoc(
        specs=len(specs),
        requests=sum(count or 0 for count in counts),
        uncounted=counts.count(None),
        problems=tuple(ProblemDoc(**_encodable(asdict(it))) for it in problems),
    )
    write_stdout(pretty(document))


def _encodable(facts: dict[str, Any]) -> dict[str, Any]:
    """Escape what JSON cannot encode: file names may hold bytes that are not UTF-8."""
    del facts["excerpt"]
    return {
        name: it.encode(errors="backslashreplace").decode() if isinstance(it, str) else it
        for name, it in facts.items()
    }


def _counts(specs: Iterable[JobSpec]) -> list[int | None]:
    """Return the number of requests of each work: several specs with the same work share its job."""
    return list({spec.run_key: spec.requests for spec in specs}.values())


def _requests(counts: Sequence[int | None]) -> str:
    """Return the sum of the known numbers, and how many are not known: of uploaded files and Git LFS pointers."""
    known = [count for count in counts if count is not None]
    unknown = len(counts) - len(known)
    if not unknown:
        return pluralize(sum(known), "request")
    more = "uploaded files, Git LFS pointers or URIs"
    if not known:
        return f"requests not counted: {more}"
    return f"{pluralize(sum(known), 'request')}; not counted: {pluralize(unknown, 'spec')} of {more}"


def validation_text(found: Mapping[str, Loaded], warnings: Sequence[Problem], *, colour: bool) -> str:
    """Return the result of a validation: the warnings of all environments, and the specs of each ("" for none)."""
    above = f"{problems_text(warnings, colour=colour)}\n" if warnings else ""
    return above + "".join(
        (f"{environment}: " if environment else "") + _valid(loaded) for environment, loaded in found.items()
    )


def _valid(loaded: Loaded) -> str:
    chosen = [spec for spec in loaded.specs if loaded.selected is None or spec.name in loaded.selected]
    requests = _requests(_counts(chosen))
    if loaded.selected is None:
        return f"{pluralize(len(chosen), 'spec')} valid, {requests}\n"
    return (
        f"{pluralize(len(chosen), 'spec')} selected, {requests}; all {len(loaded.specs):,} specs are valid\n"
    )
