"""`reconciler rerun`: ask for another run of a job, by an edit of its spec file, which git records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

import click

from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.cli.session.target import find_project
from reconciler.environment import Environment
from reconciler.errors import ExitCode
from reconciler.model import JobSpec
from reconciler.specs.field_edit import Edit, write
from reconciler.specs.load import load
from reconciler.specs.project import Project
from reconciler.specs.rerun import rerun_edit
from reconciler.text.sanitize import clean

Change: TypeAlias = Callable[[Project, Sequence[JobSpec], Collection[str]], Edit]
"""Makes the edited file of a project, its specs and the names whose first period has not begun."""


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--to", metavar="VALUE", help="The new value.  [default: the current value plus one]")
@options.chosen
def rerun(env: Environment, *, name: str, to: str | None, chosen: options.Chosen) -> int:
    """Ask for another run of a job: change `rerun` in its YAML file, and nothing else.

    Comments, quoting and line breaks stay. Nothing is submitted until the change is applied. If the value comes from
    `_defaults.yaml`, the spec gets its own.
    """
    return edit_spec(
        env, name, chosen, lambda project, specs, later: rerun_edit(project, specs, later, name, to)
    )


def edit_spec(env: Environment, name: str, chosen: options.Chosen, change: Change) -> int:
    """Edit the file of a spec, and write what has changed and the next step."""
    project = find_project(env, chosen)
    loaded = load(project, now=env.now(), monotonic=env.monotonic)
    edit = change(project, loaded.specs, loaded.later)
    write(project, edit)
    instead = f" (in place of {edit.overrides})" if edit.overrides else ""
    changed = f"{edit.path}:{edit.line}: {edit.field}: {edit.before or 'none'} -> {edit.after}{instead}"
    settings = "".join(f" {flag}" for flag in chosen.flags)
    only = f'"{name}"' if "*" in name else name
    then = f"Review what it would submit, then commit it: reconciler plan --only {only}{settings}"
    write_stdout(f"{clean(changed)}\n{clean(then)}\n")
    return ExitCode.OK
