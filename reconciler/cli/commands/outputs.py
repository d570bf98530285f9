"""`reconciler outputs`: fetch the results of ended jobs once and join them with their inputs."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import write_stderr, write_stdout
from reconciler.cli.params import options
from reconciler.cli.params.time_types import moment, unix
from reconciler.errors import ExitCode, UsageError, first_that_holds

if TYPE_CHECKING:
    from reconciler.api.client import Reader
    from reconciler.context import RunContext
    from reconciler.environment import Environment
    from reconciler.model import JobSpec, OwnedJob, RunKey
    from reconciler.results.pull import Puller
    from reconciler.results.store import ResultStore


@click.group()
def outputs() -> None:
    """Fetch the results of ended jobs."""


@outputs.command()
@click.argument("names", nargs=-1, metavar="[NAMES]...")
@click.option(
    "--to",
    metavar="FOLDER|URL",
    help="The destination: a folder, or the URL of an object store such as s3://bucket/outputs.  "
    "[default: outputs beside reconciler.yaml]",
)
@click.option("--current", is_flag=True, help="Only jobs of the work that the specs declare now.")
@click.option(
    "--since",
    type=moment,
    metavar="WHEN",
    help="Only jobs created at this time or later: 2026-11, 2026-11-01, 7d.",
)
@click.option(
    "--incomplete",
    is_flag=True,
    help="Publish files that have fewer lines than the API counts, or another length than it says. Without it they "
    "are refused with exit code 6, and the next pull asks again.",
)
@options.output_format("text", "json")
@options.common
@click.pass_obj
def pull(
    env: Environment,
    *,
    names: tuple[str, ...],
    to: str | None,
    current: bool,
    since: float | dt.timedelta | None,
    incomplete: bool,
    form: str,
    common: options.Common,
) -> int:
    """Fetch the results of every ended job, successful or not, and join them with its inputs.

    NAMES or globs select jobs, including adopted ones. Results that are present are not fetched again, and interrupted
    downloads continue. Several runners with the same destination share the work.

    Exit with 6 if a succeeded job has fewer answers than requests, or if what the API sends is not the file that it
    describes. The next pull asks again for such results of NAMES, or of current work.
    """
    from msgspec import structs

    from reconciler.cli.session.session import reading
    from reconciler.cli.session.signals import interrupts, signal_name
    from reconciler.documents.reports import PullDoc, pretty
    from reconciler.render.results_view import pull_text
    from reconciler.results.pull import exit_codes

    with interrupts(env) as interrupted, reading(common, env, without_deadline=True) as run:
        specs = declared(run)
        work = frozenset(key for spec in specs for key in spec.run_keys)
        first = unix(since, run.env.now()) or 0
        jobs = [
            owned
            for owned in chosen(run, specs, names)
            if owned.job.created_at >= first and (not current or owned.tags.run_key in work)
        ]
        over = [owned for owned in jobs if owned.phase.ended]
        store = destination(run, to)
        interrupted.enter_graceful_shutdown()
        asked = frozenset(owned.tags.run_key for owned in over) if names else work
        pulled = puller(run, store, specs, asked, incomplete=incomplete).pull(over)
        for signalled in sorted(interrupted.codes):
            run.env.log("run.interrupted", signal=signal_name(signalled))
        code = first_that_holds(exit_codes(pulled) | interrupted.codes)
        target = run.target
    report = PullDoc(
        **structs.asdict(target),
        to=store.where,
        running=len(jobs) - len(over),
        jobs=pulled,
        exit_code=int(code),
    )
    write_stdout(pretty(report) if form == "json" else pull_text(report, target, colour=env.colour("stdout")))
    return code


@outputs.command()
@click.argument("names", nargs=-1, metavar="[NAMES]...")
@click.option(
    "--from",
    "folder",
    type=options.PATH,
    metavar="FOLDER",
    help="The folder of pulled results.  [default: outputs beside reconciler.yaml]",
)
@options.common
@click.pass_obj
def show(env: Environment, *, names: tuple[str, ...], folder: Path | None, common: options.Common) -> int:
    """Show pulled results: counts, the reasons of failures, and what is missing. Needs no key and no network.

    NAMES or globs select jobs.
    """
    from reconciler.cli.session.target import open_project
    from reconciler.documents.reports import PulledJob
    from reconciler.documents.result_summary import DESTINATION
    from reconciler.render.results_view import results_text
    from reconciler.results.local_summaries import summaries_below

    destination = env.cwd / folder if folder else open_project(common, env).root / DESTINATION
    shown = folder or Path(DESTINATION)
    jobs = [
        PulledJob(
            name=summary.name,
            job_id=summary.job_id,
            status=summary.status,
            state="present",
            path=(shown / path.relative_to(destination)).as_posix(),
            summary=summary,
            message="",
            hint="",
        )
        for path, summary in summaries_below(destination)
        if not names or any(fnmatchcase(summary.name, name) for name in names)
    ]
    write_stdout(results_text(jobs, colour=env.colour("stdout")))
    return ExitCode.OK


def declared(run: RunContext[Reader]) -> tuple[JobSpec, ...]:
    """Return the valid specs, for their input files and names. The inputs of others are read from the workspace."""
    from reconciler.render.problems import left_out
    from reconciler.specs.load import load

    loaded = load(run.project, now=run.env.now(), monotonic=run.env.monotonic, only_shown=True)
    if note := left_out(loaded.errors):
        write_stderr(note)
    return loaded.specs


def chosen(run: RunContext[Reader], specs: Sequence[JobSpec], names: Sequence[str]) -> list[OwnedJob]:
    """Return the own and adopted jobs whose former or current name was asked for, sorted by name and age.

    Raises:
        UsageError: no job has such a name.
    """
    from reconciler.planning import adoption, sharing
    from reconciler.text.suggest import nearest, some
    from reconciler.workspace import listing, observe

    jobs = listing.whole(run, to_show=True).jobs
    adopted = adoption.adopted_ids(specs)
    watched = observe.Watched(project=run.target.project, wanted=frozenset(), adopted=adopted)
    owned = adoption.with_adopted(specs, observe.sort_out(jobs, watched))
    now: dict[RunKey, set[str]] = defaultdict(set)
    for spec in specs:
        for key in spec.run_keys:
            now[key].add(spec.name)
    known = {spec.name for spec in specs} | {each.tags.name for each in owned}
    for name in names:
        if not any(fnmatchcase(each, name) for each in known):
            near = nearest(name, sorted(known))
            hint = f"did you mean {near}?" if near else "list the names: reconciler history"
            raise UsageError(f"no job is called {name}", hint=hint)

    def asked_for(name: str) -> bool:
        return not names or any(fnmatchcase(name, glob) for glob in names)

    for owner, others in sharing.sharers(specs, owned).items():
        if shown := [name for name in others if asked_for(name)]:
            write_stderr(f"note: {some(shown)}: same work as {owner}, whose results are theirs too")
    return sorted(
        (it for it in owned if any(map(asked_for, {it.tags.name, *now[it.tags.run_key]}))),
        key=lambda each: (each.tags.name, each.job.age_key),
    )


def destination(run: RunContext[Reader], to: str | None) -> ResultStore:
    """Return where results go. A folder that is created inside the project is ignored by git.

    Raises:
        ReconcilerError: it needs a package that is not installed.
        OSError: the folder cannot be created.
    """
    from reconciler import file_access
    from reconciler.cli.session.target import check_results
    from reconciler.documents import result_summary
    from reconciler.results.store import FolderStore, store_at
    from reconciler.specs.project import make_own

    root, staging = run.project.root, run.folder / "pulling"
    if to is None:
        if not (root / result_summary.DESTINATION).exists():
            make_own(root / result_summary.DESTINATION)
        return store_at(result_summary.DESTINATION, start=root, staging=staging)
    place = run.env.cwd / to
    if "://" not in to and not place.exists() and file_access.within(str(place.resolve()), str(root)):
        make_own(place)
    store = store_at(to, start=run.env.cwd, staging=staging)
    if isinstance(store, FolderStore):
        check_results(run.project, run.env, store.root)
    return store


def puller(
    run: RunContext[Reader],
    store: ResultStore,
    specs: Sequence[JobSpec],
    work: frozenset[RunKey],
    *,
    incomplete: bool,
) -> Puller:
    """Return the object that fetches results."""
    from reconciler.results.inputs import by_inputs
    from reconciler.results.job_download import JobDownloader
    from reconciler.results.leases import LeaseManager
    from reconciler.results.pull import Puller

    declared = by_inputs(specs)
    downloader = JobDownloader(run=run, store=store, declared=declared, accept_incomplete=incomplete)
    leases = LeaseManager(store=store, env=run.env)
    return Puller(run=run, leases=leases, downloader=downloader, asked=work)
