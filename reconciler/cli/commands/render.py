"""`reconciler render`: the plain specs that the specs come to. No key, no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import aside, say
from reconciler.cli.params import options

if TYPE_CHECKING:
    from reconciler.environment import World
    from reconciler.model import Names


@click.command()
@options.paths
@options.names
@click.option("--config", type=options.PATH, metavar="FILE", help="Another reconciler.yaml.")
@click.pass_obj
def render(world: World, *, paths: tuple[Path, ...], names: Names, config: Path | None) -> int:
    """Print the specs with families, matrices, periods and defaults written out, one plain document a job.

    In a file directly in the spec folder, in place of the others, they declare the same jobs.
    """
    from reconciler.render.problems import problems_text
    from reconciler.specs import to_yaml
    from reconciler.specs.load import load
    from reconciler.specs.project import load_project

    project = load_project(config and world.cwd / config, start=world.cwd)
    loaded = load(project, [world.cwd / path for path in paths], now=world.now(), names=names)
    if loaded.warnings:
        aside(problems_text(loaded.warnings, colour=world.colour("stderr")))
    chosen = [spec for spec in loaded.specs if loaded.selected is None or spec.name in loaded.selected]
    say(to_yaml.documents(chosen, project.relative(str(project.spec_root))))
    return 0
