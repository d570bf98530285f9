"""`reconciler outputs`: fetch the results of ended jobs once and join them with their inputs."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import write_stderr, write_stdout
from reconciler.cli.params import options
from reconciler.cli.params.time_types import moment, unix
from reconciler.errors import ExitCode, UsageError, first_that_holds

if TYPE_CHECKING:
    from reconciler.api.client import Reader
    from reconciler.context import RunContext
    from reconciler.documents.result_summary import WorkSummary
    from reconciler.environment import Environment
    from reconciler.model import JobSpec, OwnedJob, RunKey
    from reconciler.results.pull import Puller
    from reconciler.results.store import ResultStore


@click.group()
def outputs() -> None:
    """Fetch the results of ended jobs."""


@outputs.command()
@click.argument("names", nargs=-1, metavar="[NAMES]...")
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
    current: bool,
    since: float | dt.timedelta | None,
    incomplete: bool,
    form: str,
    common: options.Common,
) -> int:
    """Fetch the results of every ended job, successful or not, and join them with its inputs.

    NAMES or globs select jobs, including adopted ones. Results that are present are not fetched again, and interrupted
    downloads continue. Several runners with one place of results share the work. The place is `results` in
    reconciler.yaml, or RECONCILER_RESULTS.

    Exit with 6 if a succeeded job has fewer answers than requests, or if what the API sends is not the file that it
    describes. The next pull asks again for such results of NAMES, or of current work.
    """
    from msgspec import structs

    from reconciler.cli.session.session import reading
    from reconciler.cli.session.signals import interrupts, signal_name
    from reconciler.documents.reports import PullDoc, pretty
    from reconciler.render.results_view import pull_text
    from reconciler.results.place import make_place, open_place
    from reconciler.results.pull import exit_codes

    with interrupts(env) as interrupted, reading(common, env, without_deadline=True) as run:
        specs = declared(run)
        work = frozenset(key for spec in specs for key in spec.run_keys)
        first = unix(since, run.env.now()) or 0
        owned = own_and_adopted(run, specs)
        jobs = [
            it
            for it in chosen(owned, specs, names)
            if it.job.created_at >= first and (not current or it.tags.run_key in work)
        ]
        over = [it for it in jobs if it.phase.ended]
        make_place(run.project, env.environ)
        store = open_place(run.project, env.environ, staging=run.folder / "pulling")
        interrupted.enter_graceful_shutdown()
        asked = frozenset(it.tags.run_key for it in over) if names else work
        pulling = puller(run, store, specs, owned, asked, incomplete=incomplete)
        pulled = pulling.pull(over)
        joined = pulling.join(pulled)
        for signalled in sorted(interrupted.codes):
            run.env.log("run.interrupted", signal=signal_name(signalled))
        code = first_that_holds(exit_codes(pulled, joined) | interrupted.codes)
        target = run.target
    report = PullDoc(
        **structs.asdict(target),
        place=store.where,
        running=len(jobs) - len(over),
        jobs=pulled,
        results=joined,
        exit_code=int(code),
    )
    write_stdout(pretty(report) if form == "json" else pull_text(report, target, colour=env.colour("stdout")))
    return code


@outputs.command()
@click.argument("names", nargs=-1, metavar="[NAMES]...")
@options.common
@click.pass_obj
def show(env: Environment, *, names: tuple[str, ...], common: options.Common) -> int:
    """Show the results of names: counts, the reasons of failures, and what is missing. Needs no key.

    NAMES or globs select results.
    """
    from reconciler.render.results_view import results_text
    from reconciler.results.summaries import path_of, work_summaries

    with opened(env, common) as store:
        found = [
            (path_of(store, it), it)
            for it in work_summaries(store)
            if not names or any(fnmatchcase(it.name, name) for name in names)
        ]
    write_stdout(results_text(found, colour=env.colour("stdout")))
    return ExitCode.OK


@outputs.command()
@click.argument("name")
@options.common
@click.pass_obj
def path(env: Environment, *, name: str, common: options.Common) -> int:
    """Print the path or URL of a name's results. Needs no key."""
    from reconciler.results.summaries import path_of

    with opened(env, common) as store:
        it = summary_of(store, name)
        write_stdout(f"{path_of(store, it)}\n")
    if not it.current:
        write_stderr(f"note: {name}: the newest work has no answers yet; these are of an earlier one\n")
    return ExitCode.OK


@contextmanager
def opened(env: Environment, common: options.Common) -> Iterator[ResultStore]:
    """Open the place of results for reading."""
    from reconciler.cli.session.target import open_project
    from reconciler.results.place import open_place

    project = open_project(common, env)
    with TemporaryDirectory() as staging:
        yield open_place(project, env.environ, staging=Path(staging))


def summary_of(store: ResultStore, name: str) -> WorkSummary:
    """Return the summary of a name's results.

    Raises:
        UsageError: there are none.
    """
    from reconciler.results.summaries import work_summaries
    from reconciler.text.suggest import nearest

    found = {it.name: it for it in work_summaries(store)}
    if name not in found:
        near = nearest(name, sorted(found))
        raise UsageError(
            f"{store.where} has no results of {name}",
            hint=f"did you mean {near}?" if near else "fetch them: reconciler outputs pull",
        )
    return found[name]


def declared(run: RunContext[Reader]) -> tuple[JobSpec, ...]:
    """Return the valid specs, for their input files and names. The inputs of others are read from the workspace."""
    from reconciler.render.problems import left_out
    from reconciler.specs.load import load

    loaded = load(run.project, now=run.env.now(), monotonic=run.env.monotonic, only_shown=True)
    if note := left_out(loaded.errors):
        write_stderr(note)
    return loaded.specs


def own_and_adopted(run: RunContext[Reader], specs: Sequence[JobSpec]) -> Sequence[OwnedJob]:
    """Return the own and adopted jobs of the workspace."""
    from reconciler.planning import adoption
    from reconciler.workspace import listing, observe

    jobs = listing.whole(run, to_show=True).jobs
    adopted = adoption.adopted_ids(specs)
    watched = observe.Watched(project=run.target.project, wanted=frozenset(), adopted=adopted)
    return adoption.with_adopted(specs, observe.sort_out(jobs, watched))


def chosen(owned: Sequence[OwnedJob], specs: Sequence[JobSpec], names: Sequence[str]) -> list[OwnedJob]:
    """Return the jobs whose former or current name was asked for, sorted by name and age.

    Raises:
        UsageError: no job has such a name.
    """
    from reconciler.planning import sharing
    from reconciler.text.suggest import nearest, some

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


def puller(
    run: RunContext[Reader],
    store: ResultStore,
    specs: Sequence[JobSpec],
    owned: Sequence[OwnedJob],
    work: frozenset[RunKey],
    *,
    incomplete: bool,
) -> Puller:
    """Return the object that fetches results."""
    from reconciler.results.current import WorkResults
    from reconciler.results.inputs import by_inputs
    from reconciler.results.job_download import JobDownloader
    from reconciler.results.leases import LeaseManager
    from reconciler.results.paths import naming
    from reconciler.results.pull import Puller

    declared = by_inputs(specs)
    downloader = JobDownloader(run=run, store=store, declared=declared, accept_incomplete=incomplete)
    leases = LeaseManager(store=store, env=run.env)
    name_of = naming(specs, owned)
    newest = {name_of(it): it.tags.run_key for it in sorted(owned, key=lambda it: it.job.age_key)}
    wanted = {spec.name: spec.run_keys for spec in specs}
    results = WorkResults(store=store, wanted=wanted, newest=newest)
    return Puller(run=run, leases=leases, downloader=downloader, results=results, name_of=name_of, asked=work)
