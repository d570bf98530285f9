"""`reconciler validate`: check specs and inputs without a key or network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import write_annotations, write_stderr, write_stdout
from reconciler.cli.params import options
from reconciler.errors import ExitCode, SpecError

if TYPE_CHECKING:
    from reconciler.environment import Environment


@click.command()
@options.paths
@options.config
@options.no_cache
@options.output_format("text", "json", "github")
@click.pass_obj
def validate(
    env: Environment, *, paths: tuple[Path, ...], config: Path | None, no_cache: bool, form: str
) -> int:
    """Check the specs and their inputs offline, and report all problems at once.

    --format github writes annotations as GitHub workflow commands; a pull request shows them at the lines they name.
    """
    from dataclasses import replace

    from msgspec import structs

    from reconciler.cli.output.progress_bars import on_terminal
    from reconciler.cli.output.validation import validation_doc, validation_text
    from reconciler.cli.session.target import check_other_settings, find_project
    from reconciler.documents.reports import pretty
    from reconciler.render.github import problems_github
    from reconciler.render.problems import count_line
    from reconciler.specs.load import load
    from reconciler.specs.unused_files import specs_outside

    try:
        project = find_project(env, config)
        check_other_settings(project, env)
        loaded = load(
            replace(project, cache=not no_cache),
            [env.cwd / path for path in paths],
            now=env.now(),
            monotonic=env.monotonic,
            progress=on_terminal(env),
        )
        if not paths:
            loaded = structs.replace(loaded, problems=(*loaded.problems, *specs_outside(project)))
    except SpecError as error:
        if form == "text":
            raise
        if form == "github":
            write_annotations(problems_github(error.problems))
            write_stderr(count_line(error.problems))
            return ExitCode.FAILED
        write_stdout(pretty(validation_doc((), error.problems)))
        return ExitCode.FAILED
    if form == "github":
        write_annotations(problems_github(loaded.warnings))
    elif form == "json":
        write_stdout(pretty(validation_doc(loaded.specs, loaded.warnings)))
    else:
        write_stdout(validation_text(loaded, colour=env.colour("stdout")))
    return ExitCode.OK
