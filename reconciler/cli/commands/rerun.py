"""`reconciler rerun`: ask for another run of a job, by an edit of its spec file, which git records."""

from __future__ import annotations

import click

from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.cli.session.target import find_project
from reconciler.environment import Environment
from reconciler.errors import ExitCode
from reconciler.specs import rerun as edits
from reconciler.specs.load import load
from reconciler.text.sanitize import clean


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--to", metavar="VALUE", help="The new value.  [default: the current value plus one]")
@options.chosen
def rerun(env: Environment, *, name: str, to: str | None, chosen: options.Chosen) -> int:
    """Ask for another run of a job: change `rerun` in its YAML file, and nothing else.

    Comments, quoting and line breaks stay. Nothing is submitted until the change is applied. If the value comes from
    `_defaults.yaml`, the spec gets its own.
    """
    project = find_project(env, chosen)
    loaded = load(project, now=env.now(), monotonic=env.monotonic)
    change = edits.edit(project, loaded.specs, loaded.later, name, to)
    edits.write(project, change)
    instead = f" (in place of {change.overrides})" if change.overrides else ""
    write_stdout(
        clean(f"{change.path}:{change.line}: rerun: {change.before or 'none'} -> {change.after}{instead}")
        + "\n"
    )
    settings = "".join(f" {flag}" for flag in chosen.flags)
    write_stdout(
        clean(f"Review what it would submit, then commit it: reconciler plan --only {name}{settings}") + "\n"
    )
    return ExitCode.OK
