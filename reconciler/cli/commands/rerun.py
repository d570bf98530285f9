"""`reconciler rerun`: ask for the same work once more, in the spec's file, where git sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import say
from reconciler.cli.params import options
from reconciler.errors import ExitCode

if TYPE_CHECKING:
    from reconciler.environment import World


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--to", metavar="VALUE", help="The new value.  [default: one more than there is]")
@click.option("--config", type=options.PATH, metavar="FILE", help="Another reconciler.yaml.")
@click.pass_obj
def rerun(world: World, *, name: str, to: str | None, config: Path | None) -> int:
    """Ask for the work of a job once more: change `rerun` in its YAML file, and nothing else there.

    Comments, quoting and line breaks stay. Nothing is bought before the change is applied. Where `_defaults.yaml` gives
    the value, the spec gets one of its own.
    """
    from reconciler.specs import rerun as edits
    from reconciler.specs.load import load
    from reconciler.specs.project import load_project
    from reconciler.text.sanitize import clean

    project = load_project(config and world.cwd / config, start=world.cwd)
    loaded = load(project, now=world.now())
    change = edits.edit(project, loaded.specs, loaded.later, name, to)
    edits.write(project, change)
    instead = f" (in place of {change.overrides})" if change.overrides else ""
    say(
        clean(f"{change.path}:{change.line}: rerun: {change.before or 'none'} -> {change.after}{instead}")
        + "\n"
    )
    settings = f" --config {options.quoted(config)}" if config else ""
    say(clean(f"Look at what it buys, then commit it: reconciler plan --only {name}{settings}") + "\n")
    return ExitCode.OK
