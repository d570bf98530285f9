"""`reconciler outputs`: fetch the results of ended jobs once and join them with their inputs."""

from __future__ import annotations

import datetime as dt
import os
from fnmatch import fnmatchcase

import click

from reconciler.cli.commands.export import export
from reconciler.cli.output.streams import write_stderr, write_stdout
from reconciler.cli.params import job_filters, options
from reconciler.cli.params.time_types import unix
from reconciler.cli.session.target import load_shown, open_results
from reconciler.environment import Environment
from reconciler.errors import ExitCode, UsageError, first_that_holds
from reconciler.outputs.summaries import path_of, results_file, summary_of, work_summaries
from reconciler.render.results_view import pull_text, results_text
from reconciler.tables.rows import Row
from reconciler.text.sanitize import clean


@click.group()
def outputs() -> None:
    """Fetch the results of ended jobs."""


outputs.add_command(export)


@outputs.command()
@click.argument("names", nargs=-1, metavar="[NAMES]...")
@options.flag("--current", "Only jobs of the work that the specs declare now.")
@job_filters.since
@options.flag(
    "--incomplete",
    "Publish files that have fewer lines than the API counts, or another length than it says. Without it they "
    "are refused with exit code 6, and the next pull asks again.",
)
@options.flag(
    "--dry-run", "Write nothing: show what a pull would fetch, and what it would delete at the provider."
)
@options.output_format("text", "json")
@options.common
def pull(
    env: Environment,
    *,
    names: tuple[str, ...],
    current: bool,
    since: float | dt.timedelta | None,
    incomplete: bool,
    dry_run: bool,
    form: str,
    common: options.Common,
) -> int:
    """Fetch the results of every ended job, successful or not, and join them with its inputs.

    NAMES or globs select jobs, including adopted ones. Results that are present are not fetched again, and interrupted
    downloads continue. Several runners with one place of results share the work. The place is `results` in
    reconciler.yaml, or RECONCILER_RESULTS. With `keep_at_provider`, files at the provider are deleted once their jobs'
    results are pulled and old enough.

    Exit with 6 if a succeeded job has fewer answers than requests, or if what the API sends is not the file that it
    describes. The next pull asks again for such results of NAMES, or of current work.
    """
    from msgspec import structs

    from reconciler.api.client import Reader, Writer
    from reconciler.cli.session.pulling import chosen, delete_files, note_usage, note_works, own_and_adopted
    from reconciler.cli.session.session import open_run
    from reconciler.cli.session.signals import interrupts, signal_name
    from reconciler.documents.reports import PullDoc, pretty
    from reconciler.ledger.memory import Memory
    from reconciler.model import Declared, Observed
    from reconciler.outputs.place import make_place, open_place
    from reconciler.outputs.pull import exit_codes
    from reconciler.runs.known_requests import with_requests
    from reconciler.runs.pulling import puller
    from reconciler.runs.rendering import with_rendered

    kind: type[Reader] = Reader if dry_run else Writer
    with interrupts(env) as interrupted, open_run(kind, common, env, without_deadline=True) as run:
        loaded = load_shown(run.project, run.env)  # for their input files and names
        owned = own_and_adopted(run, loaded.specs)
        every, seen = Declared(specs=loaded.specs, only_shown=True), Observed(owned=tuple(owned))
        every = with_requests(run, with_rendered(run, every, seen, Memory()), seen, results=False)
        specs = every.specs
        work = frozenset(key for spec in specs for key in spec.run_keys)
        first = unix(since, run.env.now()) or 0
        named = chosen(owned, specs, names)
        jobs = [it for it in named if it.job.created_at >= first and (not current or it.tags.run_key in work)]
        over = [it for it in jobs if it.phase.ended]
        if not dry_run:
            make_place(run.project, env.environ)
        store = open_place(run.project, env.environ, staging=run.folder / "pulling")
        interrupted.enter_graceful_shutdown()
        asked = frozenset(it.tags.run_key for it in over) if names else work
        pulling = puller(run, store, specs, owned, asked, incomplete=incomplete)
        pulled = pulling.preview(over) if dry_run else pulling.pull(over)
        if not dry_run:
            note_usage(run, pulling, over, pulled)
        joined = () if dry_run else pulling.join(pulled, named)
        note_works(run, every, owned, joined)
        files, kept, unable = delete_files(run, store, loaded, over)
        for signalled in sorted(interrupted.codes):
            run.env.log("run.interrupted", signal=signal_name(signalled))
        code = first_that_holds(exit_codes(pulled, joined, files, unable=unable) | interrupted.codes)
        target = run.target
    report = PullDoc(
        **structs.asdict(target),
        place=store.where,
        running=len(jobs) - len(over),
        jobs=pulled,
        results=joined,
        files=files,
        kept=kept,
        exit_code=int(code),
    )
    write_stdout(pretty(report) if form == "json" else pull_text(report, target, colour=env.colour("stdout")))
    return code


@outputs.command()
@click.argument("name", required=False)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@options.flag("--failed", "Only requests without an answer, and why.")
@options.flag("--invalid", "Only answers that are not what the request's response_format asks for.")
@options.output_format("text", "jsonl")
@options.common
def show(
    env: Environment,
    *,
    name: str | None,
    ids: tuple[str, ...],
    failed: bool,
    invalid: bool,
    form: str,
    common: options.Common,
) -> int:
    """Show the results of names, or answers. Needs no key.

    NAME may be a glob: shows counts, the reasons of failures, and what is missing. With custom_ids, or with --failed or
    --invalid, shows these requests of one name.
    """
    from reconciler.tables.rows import encode_row, read_rows

    with open_results(common, env) as store:
        if name is None or not (ids or failed or invalid):
            found = [
                (path_of(store, it), it)
                for it in work_summaries(store)
                if name is None or fnmatchcase(it.name, name)
            ]
            write_stdout(results_text(found, colour=env.colour("stdout")))
            return ExitCode.OK
        wanted, left = set(ids), set(ids)
        for row in read_rows(results_file(store, summary_of(store, name))):
            chosen = (not row.ok and failed) or (row.check == "invalid" and invalid)
            if row.custom_id in wanted if wanted else chosen:
                left.discard(row.custom_id)
                write_stdout(encode_row(row) if form == "jsonl" else row_text(row))
    if left:
        raise UsageError(f"{name} has no request {min(left)}", hint="it is the custom_id of an input line")
    return ExitCode.OK


@outputs.command()
@click.argument("name")
@options.common
def path(env: Environment, *, name: str, common: options.Common) -> int:
    """Print the path or URL of a name's results. Needs no key."""
    from reconciler.outputs.store import FolderStore

    with open_results(common, env) as store:
        it = summary_of(store, name)
        local = isinstance(store, FolderStore)
        where = os.path.relpath(results_file(store, it), env.cwd) if local else path_of(store, it)
    write_stdout(f"{where}\n")
    if not it.current:
        write_stderr(f"note: {name}: the newest work has no answers yet; these are of an earlier one\n")
    return ExitCode.OK


def row_text(row: Row) -> str:
    """Return one request of joined results: its custom_id, and why it failed, or its answer as it is."""
    if row.error is not None:
        return clean(f"{row.custom_id}  {row.reason}") + "\n"
    check = f"  ({row.check})" if row.check != "valid" else ""
    text = row.text()
    lines = (bytes(row.body).decode() if text is None else text).splitlines()
    return "".join([clean(f"{row.custom_id}{check}") + "\n", *(f"  {clean(line)}\n" for line in lines)])
