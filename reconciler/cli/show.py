"""`reconciler show`: a saved plan, anywhere: no key, no network, no specs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import options
from reconciler.cli.plan import codes
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.cli.host import Host
    from reconciler.document import PlanDoc


@click.command()
@click.argument("file", type=options.PATH)
@options.output_format("text", "json", "markdown")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 where the plan holds changes.")
@click.option("--fail-on-attention", is_flag=True, help="Exit 6 where something needs a person.")
@click.pass_obj
def show(host: Host, *, file: Path, form: str, detailed_exitcode: bool, fail_on_attention: bool) -> int:
    """Show a saved plan."""
    from reconciler.cli.tell import tell

    document = read_plan(host.cwd / file)
    tell(host, document, form=form)
    return codes(document, detailed_exitcode=detailed_exitcode, fail_on_attention=fail_on_attention)


def read_plan(path: Path) -> PlanDoc:
    """Read a plan file.

    Raises:
        ReconcilerError: it cannot be read, or is no plan file.
    """
    from reconciler import planfile

    try:
        with path.open("rb") as file:
            data = file.read(planfile.MAX_BYTES + 1)
        return planfile.decode(data)
    except OSError as error:
        raise ReconcilerError(
            f"{path}: {error.strerror}", hint="make a plan file: reconciler plan -o plan.json"
        ) from error
    except ReconcilerError as error:
        raise ReconcilerError(f"{path}: {error}", hint=error.hint) from error
