"""`reconciler validate`: check specs and inputs. No key, no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import aside, say
from reconciler.cli.params import options
from reconciler.errors import ExitCode, SpecError

if TYPE_CHECKING:
    from reconciler.environment import World


@click.command()
@options.paths
@click.option("--config", type=options.PATH, metavar="FILE", help="Another reconciler.yaml.")
@options.no_cache
@options.output_format("text", "json", "github")
@click.pass_obj
def validate(world: World, *, paths: tuple[Path, ...], config: Path | None, no_cache: bool, form: str) -> int:
    """Check the specs and their inputs, offline, and tell every problem at once.

    --format github writes the annotations of GitHub's workflow commands, which a pull request shows beside its lines.
    """
    from dataclasses import replace

    from reconciler.cli.output.progress_bars import on_terminal
    from reconciler.cli.output.reports import validation_doc, validation_text
    from reconciler.documents.reports import pretty
    from reconciler.render.github import problems_github
    from reconciler.render.problems import count_line
    from reconciler.specs.load import load
    from reconciler.specs.project import load_project

    try:
        project = load_project(config and world.cwd / config, start=world.cwd)
        loaded = load(
            replace(project, cache=not no_cache),
            [world.cwd / path for path in paths],
            now=world.now(),
            progress=on_terminal(world),
        )
    except SpecError as error:
        if form == "text":
            raise
        if form == "github":
            say(problems_github(error.problems))
            aside(count_line(error.problems))
            return ExitCode.FAILED
        say(pretty(validation_doc((), error.problems)))
        return ExitCode.FAILED
    if form == "github":
        say(problems_github(loaded.warnings))
    elif form == "json":
        say(pretty(validation_doc(loaded.specs, loaded.warnings)))
    else:
        say(validation_text(loaded, colour=world.colour("stdout")))
    return ExitCode.OK
