"""`reconciler show`: a saved plan, anywhere: no key, no network, no specs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.commands.plan import codes
from reconciler.cli.params import options
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.environment import World
    from reconciler.plans.document import PlanDoc


@click.command()
@click.argument("file", type=options.PATH)
@options.output_format("text", "json", "markdown", "github")
@options.everything
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 where the plan holds changes.")
@click.option("--fail-on-attention", is_flag=True, help="Exit 6 where something needs a person.")
@click.pass_obj
def show(
    world: World, *, file: Path, form: str, everything: bool, detailed_exitcode: bool, fail_on_attention: bool
) -> int:
    """Show a saved plan."""
    from reconciler.cli.output.plan_output import tell

    document = read_plan(world.cwd, file)
    tell(world, document, form=form, everything=everything)
    return codes(document, detailed_exitcode=detailed_exitcode, fail_on_attention=fail_on_attention)


def read_plan(folder: Path, file: Path) -> PlanDoc:
    """Read a plan file, whose name may be relative to a folder.

    Raises:
        ReconcilerError: it cannot be read, or is no plan file.
    """
    from reconciler.plans import checksum_envelope, plan_file

    try:
        with (folder / file).open("rb") as stream:
            data = stream.read(checksum_envelope.MAX_BYTES + 1)
        return plan_file.decode(data)
    except OSError as error:
        raise ReconcilerError(
            f"{file}: {error.strerror}", hint="make a plan file: reconciler plan -o plan.json"
        ) from error
    except ReconcilerError as error:
        raise ReconcilerError(f"{file}: {error}", hint=error.hint) from error
