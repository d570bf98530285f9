"""`reconciler outputs`: the results of ended jobs, fetched once and joined with what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import aside, say
from reconciler.cli.params import options
from reconciler.errors import SpecError, UsageError, first_that_holds

if TYPE_CHECKING:
    from reconciler.api.client import Reader
    from reconciler.context import Run
    from reconciler.environment import World
    from reconciler.model import JobSpec, Ours
    from reconciler.results.pull import Puller
    from reconciler.results.store import Store


@click.group()
def outputs() -> None:
    """Fetch the results of ended jobs."""


@outputs.command()
@click.argument("names", nargs=-1, metavar="[NAMES]...")
@click.option(
    "--to",
    metavar="FOLDER|URL",
    help="Where they go: a folder, or the URL of an object store such as s3://bucket/outputs.  "
    "[default: outputs beside reconciler.yaml]",
)
@options.output_format("text", "json")
@options.common
@click.pass_obj
def pull(world: World, *, names: tuple[str, ...], to: str | None, form: str, common: options.Common) -> int:
    """Fetch the results of every ended job, however it ended, and join them with its inputs.

    NAMES or globs of names select jobs; those that specs adopt are among them. What is there already is not fetched
    again, and what was interrupted goes on; several runners with one destination share the work.
    """
    from reconciler.cli.session.session import reading
    from reconciler.cli.session.signals import interrupts, signal_name
    from reconciler.documents.reports import pretty
    from reconciler.render.results_view import pull_text
    from reconciler.results.report import exit_codes, pull_doc

    with interrupts(world) as interrupted, reading(common, world, lasting=True) as run:
        specs = declared(run)
        jobs = chosen(run, specs, names)
        over = [ours for ours in jobs if ours.phase.ended]
        store = destination(run, to)
        interrupted.be_careful()
        endings = puller(run, store, specs).pull(over)
        for heard in sorted(interrupted.codes):
            run.world.log("run.interrupted", signal=signal_name(heard))
        code = first_that_holds(exit_codes(endings) | interrupted.codes)
        target = run.target
    report = pull_doc(endings, target=target, store=store, running=len(jobs) - len(over), code=code)
    say(pretty(report) if form == "json" else pull_text(report, target, colour=world.colour("stdout")))
    return code


def declared(run: Run[Reader]) -> tuple[JobSpec, ...]:
    """Return the specs, for their input files and names; none where they hold mistakes, which is said."""
    from reconciler.specs.load import load

    try:
        return load(run.project, now=run.world.now()).specs
    except SpecError as error:
        aside(f"note: {error}: inputs are taken from the workspace (reconciler validate says what is wrong)")
        return ()


def chosen(run: Run[Reader], specs: Sequence[JobSpec], names: Sequence[str]) -> list[Ours]:
    """Return the jobs of this project, and those it adopts, whose name, then or now, is asked for, by name and age.

    Raises:
        UsageError: nothing has such a name.
    """
    from reconciler.planning import adoption
    from reconciler.text.suggest import nearest
    from reconciler.workspace import listing, observe

    jobs = listing.list_all(run)
    adopted = adoption.named(specs)
    watched = observe.Watched(project=run.target.project, wanted=frozenset(), adopted=adopted)
    ours = adoption.with_adopted(specs, observe.sort_out(jobs, watched))
    now = {key: spec.name for spec in specs for key in spec.run_keys}
    known = {spec.name for spec in specs} | {each.tags.name for each in ours}
    for name in names:
        if not any(fnmatchcase(each, name) for each in known):
            near = nearest(name, sorted(known))
            raise UsageError(f"no job is called {name}", hint=f"did you mean {near}?" if near else "")
    return sorted(
        (
            each
            for each in ours
            if not names
            or any(
                fnmatchcase(name, glob)
                for name in {each.tags.name, now.get(each.tags.run_key, each.tags.name)}
                for glob in names
            )
        ),
        key=lambda each: (each.tags.name, each.job.age_key),
    )


def destination(run: Run[Reader], to: str | None) -> Store:
    """Return where results go. A folder that is made inside the project is kept out of git, as data mostly is.

    Raises:
        ReconcilerError: it needs a package that is not installed.
        OSError: it cannot be made.
    """
    from reconciler.documents import result_summary
    from reconciler.results.store import store_at
    from reconciler.specs import files
    from reconciler.specs.project import make_own

    root, staging = run.project.root, run.folder / "pulling"
    if to is None:
        if not (root / result_summary.DESTINATION).exists():
            make_own(root / result_summary.DESTINATION)
        return store_at(result_summary.DESTINATION, start=root, staging=staging)
    place = run.world.cwd / to
    if "://" not in to and not place.exists() and files.within(str(place.resolve()), str(root)):
        make_own(place)
    return store_at(to, start=run.world.cwd, staging=staging)


def puller(run: Run[Reader], store: Store, specs: Sequence[JobSpec]) -> Puller:
    """Return what fetches."""
    from reconciler.results.inputs import by_inputs
    from reconciler.results.job_download import Bringer
    from reconciler.results.leases import Clerk, Holder
    from reconciler.results.pull import Puller

    world = run.world
    me = Holder(run_id=run.world.run_id, host=world.name, pid=world.pid)
    clerk = Clerk(
        store=store, me=me, running=world.runs, now=world.now, monotonic=world.monotonic, sleep=world.sleep
    )
    bringer = Bringer(run=run, store=store, declared=by_inputs(specs))
    return Puller(run=run, clerk=clerk, bringer=bringer)
