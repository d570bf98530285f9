"""`reconciler validate`: check specs and inputs without a key or network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
from msgspec import structs

from reconciler.cli.output.progress_bars import on_terminal
from reconciler.cli.output.streams import write_annotations, write_stderr, write_stdout
from reconciler.cli.output.validation import validation_doc, validation_text
from reconciler.cli.params import options
from reconciler.cli.session.target import check_other_settings, find_environments
from reconciler.documents.reports import pretty
from reconciler.environment import Environment
from reconciler.errors import ExitCode, Problem, SpecError
from reconciler.render.github import problems_github
from reconciler.render.problems import count_line
from reconciler.specs.load import Loaded, load
from reconciler.specs.project import Project
from reconciler.specs.unused_files import specs_outside


@click.command()
@options.paths
@options.chosen
@options.no_cache
@options.output_format("text", "json", "github")
@click.pass_obj
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
        if form == "github":
            write_annotations(problems_github(error.problems))
            write_stderr(count_line(error.problems))
            return ExitCode.FAILED
        write_stdout(pretty(validation_doc((), error.problems)))
        return ExitCode.FAILED
    warnings = tuple(sorted({it for loaded in found.values() for it in loaded.warnings}))
    if form == "github":
        write_annotations(problems_github(warnings))
    elif form == "json":
        specs = [spec for loaded in found.values() for spec in loaded.specs]
        write_stdout(pretty(validation_doc(specs, warnings)))
    else:
        write_stdout(validation_text(found, warnings, colour=env.colour("stdout")))
    return ExitCode.OK


def load_all(
    env: Environment, projects: Sequence[Project], paths: Sequence[Path], *, no_cache: bool
) -> Mapping[str, Loaded]:
    """Load the specs of each environment.

    Raises:
        SpecError: there are errors; carries those of all environments.
    """
    found: dict[str, Loaded] = {}
    problems: set[Problem] = set()
    for project in projects:
        try:
            found[project.environment] = load_one(env, project, paths, no_cache=no_cache)
        except SpecError as error:
            problems.update(error.problems)
    if problems:
        raise SpecError(tuple(sorted(problems)))
    return found


def load_one(env: Environment, project: Project, paths: Sequence[Path], *, no_cache: bool) -> Loaded:
    """Load the specs of a project, and look for what is not read as a spec.

    Raises:
        SpecError: there are errors.
    """
    check_other_settings(project, env)
    loaded = load(
        replace(project, cache=not no_cache),
        [env.cwd / path for path in paths],
        now=env.now(),
        monotonic=env.monotonic,
        progress=on_terminal(env),
    )
    if paths:
        return loaded
    return structs.replace(loaded, problems=(*loaded.problems, *specs_outside(project)))
