"""`reconciler ledger`: look at the record of what was intended and what came of it, and fetch the shared one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import say
from reconciler.cli.params import options
from reconciler.errors import ExitCode, ReconcilerError

if TYPE_CHECKING:
    from reconciler.environment import World
    from reconciler.ledger.file import FileLedger
    from reconciler.ledger.git import SharedLedger


@click.group()
def ledger() -> None:
    """Look at the ledger, and fetch the shared one."""


@ledger.command()
@options.output_format("text", "jsonl")
@options.common
@click.pass_obj
def show(world: World, *, form: str, common: options.Common) -> int:
    """Show every line, the oldest first."""
    from reconciler.ledger.lines import encode
    from reconciler.render.ledger_view import ledger_text

    local, shared = ledgers(common, world)
    lines = dict.fromkeys(local.read())
    if shared and not common.local_ledger:
        lines.update(dict.fromkeys(shared.read(shared.fetch())))
    told = sorted(lines, key=lambda line: line.at)
    text = "".join(f"{encode(line)}\n" for line in told) if form == "jsonl" else ledger_text(told)
    say(text)
    return ExitCode.OK


@ledger.command()
@options.common
@click.pass_obj
def pull(world: World, *, common: options.Common) -> int:
    """Fetch the shared ledger into this host's."""
    from reconciler.text.plural import count

    local, shared = ledgers(common, world)
    if shared is None:
        raise ReconcilerError(
            "this ledger is not shared",
            hint="set `ledger: git` in reconciler.yaml; the sandbox never shares its own",
        )
    known = set(local.read())
    new = [line for line in shared.read(shared.fetch()) if line not in known]
    local.append(*new)
    say(f"{count(len(new), 'new line')}\n")
    return ExitCode.OK


def ledgers(common: options.Common, world: World) -> tuple[FileLedger, SharedLedger | None]:
    """Return the target's ledgers; the API is not asked."""
    from reconciler.cli.session.ledgers import local_ledger, shared_ledger
    from reconciler.cli.session.target import open_project, target_of

    project = open_project(common, world)
    target = target_of(common, world, project)
    return local_ledger(project, target), shared_ledger(project, target, world)
