"""`reconciler ledger`: show the record of intended and completed actions, fetch the shared one, or copy it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import click

from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.cli.session.find_ledgers import ledger_at, ledgers
from reconciler.environment import Environment
from reconciler.errors import ExitCode, LedgerError, ReconcilerError, UsageError
from reconciler.ledger.file import FileLedger, hold_lock
from reconciler.ledger.line_format import encode, union
from reconciler.ledger.lines import Line
from reconciler.ledger.shared import ConflictError, SharedLedger
from reconciler.settings import LEDGER_HINT, LEDGER_PLACE
from reconciler.text.plural import pluralize

AT_ONCE: Final = 4000
"""How many lines one push copies."""


@click.group()
def ledger() -> None:
    """Show the ledger, fetch the shared one, or copy it."""


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


@ledger.command()
@click.option("--to", "place", required=True, metavar="PLACE", help="`local`, `git` or s3://bucket/prefix.")
@options.common
def migrate(env: Environment, *, place: str, common: options.Common) -> int:
    """Copy all lines to another place, read them there, and compare. Then change the setting `ledger`.

    Stop other runs of the project first: lines that they write meanwhile are not copied. A second migrate copies only
    what is missing.
    """
    if not re.fullmatch(LEDGER_PLACE, place):
        raise UsageError(f"--to: {place} is not a place for a ledger", hint=LEDGER_HINT)
    project, target, local, shared = ledgers(common, env)
    if target.sandbox:
        raise ReconcilerError("the sandbox never shares its ledger", hint="leave out --sandbox")
    other = ledger_at(place, project, target, env)
    with hold_lock(local.path.parent, holder="ledger migrate"):
        known = [shared.read(tip) for tip in (shared.fetch(), *shared.missed())] if shared else []
        lines = union(*known, local.read())
        there = _texts(local, other)
        new = [line for line in lines if encode(line) not in there]
        _add(local, other, new, by=f"lines of {project.settings.ledger}")
        missing = set(map(encode, lines)) - _texts(local, other)
    if missing:
        what = f"{place} lacks {pluralize(len(missing), 'line')} of {len(lines):,} after the copy"
        raise LedgerError(
            what, hint="the setting `ledger` must stay; run it again, and check who else writes there"
        )
    where = f"{project.config_path.name}{f', environment {project.environment}' * bool(project.environment)}"
    write_stdout(
        f"{pluralize(len(new), 'line')} copied; {place} has all {len(lines):,}\n"
        f"now set in {where}: ledger: {place}\n"
    )
    return ExitCode.OK


def _texts(local: FileLedger, shared: SharedLedger | None) -> set[str]:
    """Return the lines of a shared ledger as it is now, or of this host's without one."""
    return set(map(encode, shared.read(shared.fetch()) if shared else local.read()))


def _add(local: FileLedger, shared: SharedLedger | None, lines: Sequence[Line], *, by: str) -> None:
    """Add lines to a shared ledger that was fetched, or to this host's without one."""
    if shared is None:
        local.append(*lines)
        return
    tip = shared.fetched()
    for first in range(0, len(lines), AT_ONCE):
        rows = [encode(line).encode() for line in lines[first : first + AT_ONCE]]
        try:
            tip = shared.push(tip, rows, message=by)
        except ConflictError as error:
            hint = "stop other runs, then run it again: only what is missing is copied"
            raise LedgerError("another run wrote to that ledger meanwhile", hint=hint) from error
