"""`reconciler ledger`: show the record of intended and completed actions, and fetch the shared one."""

from __future__ import annotations

import click

from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.cli.session.target import ledgers
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.ledger.line_format import encode, union
from reconciler.text.plural import pluralize


@click.group()
def ledger() -> None:
    """Show the ledger, or fetch the shared one."""


@ledger.command()
@options.common
def show(env: Environment, *, common: options.Common) -> int:
    """Show all lines as JSON lines, oldest first."""
    _, _, local, shared = ledgers(common, env)
    others = shared.read(shared.fetch()) if shared else ()
    ordered = sorted(union(local.read(), others), key=lambda line: line.at)
    write_stdout("".join(f"{encode(line)}\n" for line in ordered))
    return ExitCode.OK


@ledger.command()
@options.flag(
    "--accept-rewrite", "Accept that lines were removed from the shared ledger, and do not add them again."
)
@options.common
def pull(env: Environment, *, accept_rewrite: bool, common: options.Common) -> int:
    """Fetch the shared ledger and add its lines to the local one, those too that it has lost since.

    The next apply pushes the local lines, so it adds lost ones to the shared ledger again.
    """
    _, _, local, shared = ledgers(common, env)
    if shared is None:
        raise ReconcilerError(
            "this ledger is not shared",
            hint="set `ledger` to `git` or a URL in reconciler.yaml; the sandbox never shares its ledger",
        )
    known = union(local.read())
    tip = shared.fetch()
    if accept_rewrite:
        shared.accept_rewrite()
    new = union(known, *map(shared.read, (tip, *shared.missed())))[len(known) :]
    local.append(*new)
    write_stdout(f"{pluralize(len(new), 'new line')}\n")
    return ExitCode.OK
