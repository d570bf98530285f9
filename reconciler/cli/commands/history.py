"""`reconciler history`: everything that ever happened to our jobs, and what of it does not add up."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import say
from reconciler.cli.params import options
from reconciler.cli.params.time_types import MOMENT, unix
from reconciler.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from reconciler.environment import World
    from reconciler.runs.history_sources import Sources

_FORMATS = ("table", "json", "jsonl", "csv", "markdown")


class Default(click.Group):
    """A group whose command `show` may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `show` where no other command and no help is asked for."""
        if args[:1] not in ([name] for name in (*self.commands, *ctx.help_option_names)):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Default)
def history() -> None:
    """Tell what ever happened to our jobs; `history` alone is `history show`."""


offline = click.option(
    "--offline", is_flag=True, help="From the ledger and pulled results alone: no key, no network."
)
results = click.option(
    "--results",
    type=options.PATH,
    metavar="FOLDER",
    help="Where results were pulled to, for the tokens.  [default: outputs]",
)


@history.command()
@click.argument("name", required=False)
@click.option("--name", "names", multiple=True, metavar="GLOB", help="Only these names; may be repeated.")
@click.option("--status", "statuses", multiple=True, metavar="STATUS", help="Only these; may be repeated.")
@click.option("--since", type=MOMENT, metavar="WHEN", help="Created then or later: 2026-11, 2026-11-01, 7d.")
@click.option("--until", type=MOMENT, metavar="WHEN", help="Created before.")
@click.option(
    "--commit", default="", metavar="COMMIT", help="Bought from this commit; its beginning will do."
)
@click.option("--actor", default="", metavar="WHO", help="Bought by this person or machine.")
@click.option("--stats", is_flag=True, help="The numbers of each name, model and month.")
@offline
@results
@options.output_format(*_FORMATS)
@options.common
@click.pass_obj
def show(
    world: World,
    *,
    name: str | None,
    names: tuple[str, ...],
    statuses: tuple[str, ...],
    since: float | dt.timedelta | None,
    until: float | dt.timedelta | None,
    commit: str,
    actor: str,
    stats: bool,
    offline: bool,
    results: Path | None,
    form: str,
    common: options.Common,
) -> int:
    """Show every job that ever was, the oldest first; with NAME, one spec's story in order, its commits among it.

    Each row says who knows it: the list of jobs, the ledger, pulled results. What nobody knows is `?` in tables, null
    in JSON, empty in CSV, and never 0.
    """
    from reconciler.cli.output import history_output
    from reconciler.cli.session import history_sources
    from reconciler.history.filters import Wish, chosen

    now = world.now()
    wish = Wish(
        names=names,
        statuses=statuses,
        since=unix(since, now),
        until=unix(until, now),
        commit=commit,
        actor=actor,
    )
    if name is not None and (stats or wish != Wish()):
        raise UsageError(
            "NAME tells one spec's whole story, without filters or --stats",
            hint=f'for a table of its jobs: reconciler history --name "{name}"',
        )
    found = history_sources.read(common, world, offline=offline, results=results)
    if name is not None:
        return tell_story(world, found, name, form=form)
    records = chosen(found.records, wish)
    say(history_output.stats(found, records, form) if stats else history_output.table(found, records, form))
    return ExitCode.OK


@history.command()
@offline
@options.output_format("text", "json", "markdown")
@options.common
@click.pass_obj
def verify(world: World, *, offline: bool, form: str, common: options.Common) -> int:
    """Compare ledger, list and git, and say what does not add up; exit 6 where something is wrong.

    A job that nobody declared, a record that vanished, a commit that is not in the repository, a ledger whose past was
    changed, tags that contradict it. With --offline the list is left aside.
    """
    from reconciler.cli.output import history_output
    from reconciler.cli.session import history_sources
    from reconciler.cli.session.history_audit import verified

    report = verified(common, world, history_sources.read(common, world, offline=offline))
    say(history_output.verification(report, form))
    return ExitCode(report.exit_code)


def tell_story(world: World, found: Sources, name: str, *, form: str) -> int:
    """Write one spec's story.

    Raises:
        ReconcilerError: nobody has ever heard of it.
    """
    from reconciler.cli.output import history_output
    from reconciler.cli.session.declaration_history import declared_at
    from reconciler.errors import ReconcilerError
    from reconciler.history import timeline
    from reconciler.text.suggest import nearest

    place = declared_at(world, found.project, name)
    entries = timeline.told(name, place.works, found.records, found.ledger.lines, place.commits)
    if not entries and not place.declared:
        near = nearest(name, {record.name for record in found.records})
        raise ReconcilerError(
            f"nothing is known of a job called {name}", hint=f"did you mean {near}?" if near else ""
        )
    files = tuple(dict.fromkeys(commit.path for commit in place.commits)) or place.files
    say(history_output.story(found, name, files, entries, form))
    return ExitCode.OK
