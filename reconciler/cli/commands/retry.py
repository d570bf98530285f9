"""`reconciler retry`: allow one more attempt at the requests of a job that have no answer."""

from __future__ import annotations

import click

from reconciler.cli.commands.rerun import edit_spec
from reconciler.cli.params import options
from reconciler.environment import Environment
from reconciler.specs.rerun import retry_edit


@click.command()
@click.argument("name", metavar="NAME")
@options.chosen
def retry(env: Environment, *, name: str, chosen: options.Chosen) -> int:
    """Allow one more attempt at what has no answer: raise `retry.max_attempts` in the YAML file, and nothing else.

    It is for work of which a person cancelled a job, and for requests that failed as often as allowed. What is answered
    is not submitted again; what failed is submitted only if `retry.on` names how. Comments, quoting and line breaks
    stay. Nothing is submitted until the change is applied. NAME may be a family: then each of its jobs gets an attempt.
    """
    return edit_spec(env, name, chosen, lambda project, specs, later: retry_edit(project, specs, later, name))
