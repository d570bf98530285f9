"""`reconciler show`: show a saved plan. It needs no key, no network and no specs."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.output.plan_output import codes, write_plan
from reconciler.cli.params import options
from reconciler.environment import Environment
from reconciler.plans import checksum_envelope, plan_file
from reconciler.plans.document import PlanDoc


@click.command()
@click.argument("file", type=options.PATH)
@options.output("text", "json", "markdown", "github")
@options.flag("--detailed-exitcode", "Exit with 2 if the plan has changes, or will have.")
@options.flag("--fail-on-attention", "Exit with 6 if anything needs attention.")
@click.pass_obj
def show(
    env: Environment,
    *,
    file: Path,
    output: options.Output,
    detailed_exitcode: bool,
    fail_on_attention: bool,
) -> int:
    """Show a saved plan."""
    document = read_plan(env.cwd, file)
    write_plan(env, document, output)
    return codes(document, detailed_exitcode=detailed_exitcode, fail_on_attention=fail_on_attention)


def read_plan(folder: Path, file: Path) -> PlanDoc:
    """Read a plan file. A relative name is relative to `folder`.

    Raises `ReconcilerError` if it cannot be read, or is not a plan file.
    """
    hint = "save a plan first: reconciler plan -o plan.json"
    return checksum_envelope.read(folder / file, file, plan_file.decode, hint=hint)
