"""`reconciler history`: the history of this project's jobs, and its check for contradictions."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import job_filters, options
from reconciler.cli.params.time_types import moment, unix
from reconciler.cli.session import read_history
from reconciler.cli.session.find_ledgers import local_ledger, shared_ledger
from reconciler.cli.session.read_history import declared_at
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError, UsageError
from reconciler.history import stats, timeline
from reconciler.history.record import HistoryDoc, filter_records
from reconciler.history.sources import Sources
from reconciler.history.works import newest_works
from reconciler.render import history_view, stats_view
from reconciler.render.paint import Screen
from reconciler.runs.history import verified
from reconciler.specs.project import Project
from reconciler.text.suggest import did_you_mean

_FORMATS = ("table", "wide", "json", "jsonl", "csv", "markdown")
_WITHOUT_SUMS = ("wide", "jsonl", "csv")


class Default(click.Group):
    """A group with `show` as its default command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert `show` unless the first argument is a command or asks for help."""
        if args[:1] not in ([name] for name in (*self.commands, *ctx.help_option_names)):
            args = ["show", *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the default command, then the commands."""
        self.commands["show"].format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group(cls=Default)
def history() -> None:
    """Show the history of this project's jobs. `history` is short for `history show`."""


@history.command()
@click.argument("name", required=False)
@options.collect(
    "filters",
    dict,
    click.option(
        "--name", "names", multiple=True, metavar="GLOB", help="Only jobs whose names match; may be repeated."
    ),
    job_filters.statuses,
    job_filters.since,
    click.option("--until", type=moment, metavar="WHEN", help="Only jobs created before this time."),
)
@click.option(
    "--metadata",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Add a column with this key of the specs' metadata to the table, or sums by it; may be repeated.",
)
@options.flag(
    "--stats", "Sums by month, name and model instead of jobs, and by the keys of --metadata.", "sums"
)
@job_filters.all_projects
@job_filters.offline
@options.output_format(*_FORMATS)
@options.common
def show(
    env: Environment,
    *,
    name: str | None,
    filters: dict[str, Any],
    keys: tuple[str, ...],
    sums: bool,
    all_projects: bool,
    offline: bool,
    form: str,
    common: options.Common,
) -> int:
    """List all jobs, oldest first. With NAME, show one spec's timeline, including its commits.

    Each row names its sources: the list of jobs, the ledger, pulled results. An unknown value is `?` in tables, null
    in JSON and empty in CSV, never 0.
    """
    now = env.now()
    wanted = filters | {name: unix(filters[name], now) for name in ("since", "until")}
    if name is not None and any(it not in ((), None) for it in wanted.values()):
        raise UsageError(
            "NAME shows one spec's timeline and cannot be combined with filters",
            hint=f'for a table of its jobs: reconciler history --name "{name}"',
        )
    if sums and (name is not None or form in _WITHOUT_SUMS):
        raise UsageError(
            f"--stats cannot be combined with {'NAME' if name is not None else f'--format {form}'}",
            hint="select jobs with --name, and use --format table, json or markdown",
        )
    if all_projects and (offline or name is not None):
        raise UsageError(
            "--all-projects needs the list of jobs, and cannot be combined with --offline or NAME",
            hint="the ledger has only this project's jobs; use --name to select jobs",
        )
    project, found = read_history.read(common, env, offline=offline, all_projects=all_projects)
    if name is not None:
        return write_timeline(env, project, found, name, form=form)
    records = filter_records(found.records, **wanted)
    works = newest_works(found, {it.name for it in records})
    if sums:
        by = {title: stats.rows_by(records, key) for title, key in stats.groupings(keys).items()}
        report = stats.StatsDoc(**found.head, total=stats.summed(records), works=works, by=by)
        write_stdout(stats_view.sums(report, form))
        return ExitCode.OK
    document = HistoryDoc(**found.head, records=records, works=works)
    known = len(found.records)
    screen = Screen(env.width(), env.colour("stdout"))
    shown = history_view.history(document, form, known=known, keys=keys, projects=all_projects, screen=screen)
    write_stdout(shown)
    return ExitCode.OK


@history.command()
@job_filters.offline
@options.output_format("text", "json", "markdown")
@options.common
def verify(env: Environment, *, offline: bool, form: str, common: options.Common) -> int:
    """Compare the ledger, the list of jobs and git, and report contradictions. Exit with 6 if anything is wrong.

    Reports a job that no commit declares, a job missing from the list, a commit that is not in the repository, a
    ledger whose past was changed, and tags that contradict the ledger. With --offline the list is not read.
    """
    project, found = read_history.read(common, env, offline=offline)
    shared = shared_ledger(common, project, found.target, env)
    report = verified(
        env,
        project,
        found,
        changed_past=shared.problems_in_the_past(shared.fetched(), offline=offline) if shared else (),
        unread=local_ledger(project, found.target).unread(),
    )
    write_stdout(history_view.verification(report, form))
    return ExitCode(report.exit_code)


def write_timeline(env: Environment, project: Project, found: Sources, name: str, *, form: str) -> int:
    """Write one spec's timeline. Raises `ReconcilerError` if no spec, commit, job or ledger line has this name."""
    place = declared_at(env, project, name)
    entries = timeline.timeline_entries(name, place.works, found.records, found.ledger.lines, place.commits)
    if not entries and not place.declared:
        hint = did_you_mean(name, {record.name for record in found.records}, "")
        raise ReconcilerError(f"no job named {name} was found", hint=hint)
    files = tuple(dict.fromkeys(commit.path for commit in place.commits)) or place.files
    document = timeline.TimelineDoc(**found.head, name=name, files=files, entries=entries)
    write_stdout(history_view.story(document, form))
    return ExitCode.OK
