"""`reconciler status`: every declared job as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import options
from reconciler.errors import ExitCode, first_that_holds

if TYPE_CHECKING:
    from reconciler.cli.host import Host
    from reconciler.model import Names


@click.command()
@options.paths
@options.names
@options.output_format("text", "json", "markdown")
@options.everything
@click.option("--fail-on-attention", is_flag=True, help="Exit 6 where something needs a person.")
@options.common
@click.pass_obj
def status(
    host: Host,
    *,
    paths: tuple[Path, ...],
    names: Names,
    form: str,
    everything: bool,
    fail_on_attention: bool,
    common: options.Common,
) -> int:
    """Show every declared job as it stands."""
    from reconciler.cli.declare import gather
    from reconciler.cli.report import status_doc, write_status
    from reconciler.cli.session import reading

    with reading(common, host) as session:
        document = gather(session, paths, names).document
    report = status_doc(document)
    write_status(report, now=host.now(), form=form, everything=everything)
    attention = any(row.attention for row in report.rows)
    return first_that_holds({ExitCode.ATTENTION} if fail_on_attention and attention else set())
