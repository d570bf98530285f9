"""`reconciler jobs`: look at single jobs of the workspace, and stop one by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli.output.streams import aside, say
from reconciler.cli.params import options
from reconciler.errors import ExitCode, ReconcilerError, UsageError, first_that_holds

if TYPE_CHECKING:
    from reconciler.api.client import Reader, Writer
    from reconciler.context import ApiT, Run
    from reconciler.environment import World
    from reconciler.model import Job

_BEGINNING: Final = re.compile(r"[0-9a-f-]{4,35}")
"""How the id of a job may begin, which is a UUID; tables show eight characters."""


@click.group()
def jobs() -> None:
    """Look at the jobs of the workspace, and stop one by hand."""


@jobs.command(name="list")
@click.option("--all", "everybody", is_flag=True, help="Everybody's jobs, not only this project's.")
@click.option("--status", "statuses", multiple=True, metavar="STATUS", help="Only these; may be repeated.")
@options.output_format("text", "json")
@options.common
@click.pass_obj
def list_(
    world: World, *, everybody: bool, statuses: tuple[str, ...], form: str, common: options.Common
) -> int:
    """List jobs, the oldest first."""
    from reconciler.cli.output.reports import jobs_text, listed
    from reconciler.cli.session.session import reading
    from reconciler.documents.reports import JobListDoc, pretty
    from reconciler.model import tags
    from reconciler.text.sanitize import clean
    from reconciler.workspace import listing

    with reading(common, world) as run:
        found = listing.list_all(run)
    chosen = [
        listed(job)
        for job in found
        if (everybody or tags.project_of(job) == run.target.project)
        and (not statuses or job.status in {word.upper() for word in statuses})
    ]
    if form == "json":
        say(pretty(JobListDoc(jobs=tuple(chosen))))
    elif chosen:
        say(jobs_text(chosen, now=world.now(), owners=everybody))
    else:
        what = "jobs" if not statuses else f"jobs with status {' or '.join(statuses)}"
        whose = "" if everybody else f" of project {run.target.project}; --all shows everybody's"
        say(clean(f"no {what}{whose}") + "\n")
    return ExitCode.OK


@jobs.command()
@click.argument("file", type=options.PATH)
@options.common
@click.pass_obj
def snapshot(world: World, *, file: Path, common: options.Common) -> int:
    """Save what a plan needs to know of the workspace, for `plan --observed` where there is no key.

    The file holds the jobs that this tool has bought or that a spec adopts, without the users' metadata, and the
    ledger: no prompts, no answers, no key.
    """
    from reconciler.cli.output.files import save
    from reconciler.cli.session.session import reading
    from reconciler.text.plural import count
    from reconciler.workspace import listing
    from reconciler.workspace import snapshot as snapshots

    with reading(common, world) as run:
        ledger = run.world.ledger.read()
        found = listing.list_all(run)
        adopted = adopted_here(run)
        document = snapshots.of(found, ledger, target=run.target, now=run.world.now(), adopted=adopted)
    save(world.cwd / file, snapshots.encode(document))
    say(f"{count(len(document.jobs), 'job')} of {len(found):,} saved\n")
    return ExitCode.OK


def adopted_here(run: Run[Reader]) -> frozenset[str]:
    """Return the ids of the jobs that specs adopt; none where the specs hold mistakes, which is no matter here."""
    from reconciler.planning import adoption
    from reconciler.specs.load import load

    try:
        specs = load(run.project, now=run.world.now()).specs
    except ReconcilerError:
        return frozenset()
    return adoption.named(specs)


@jobs.command()
@click.argument("job_id", metavar="ID")
@options.output_format("text", "json")
@options.common
@click.pass_obj
def get(world: World, *, job_id: str, form: str, common: options.Common) -> int:
    """Show all that the API knows of one job; the beginning of its ID will do."""
    from reconciler.cli.output.reports import job_text, listed
    from reconciler.cli.session.session import reading
    from reconciler.documents.reports import pretty

    with reading(common, world) as run:
        (job,) = map(listed, by_ids(run, (job_id,)))
    say(pretty(job) if form == "json" else job_text(job))
    return ExitCode.OK


@jobs.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True)
@options.yes
@click.option("--foreign", is_flag=True, help="Allow stopping a job that is not this project's.")
@options.common
@click.pass_obj
def cancel(
    world: World, *, job_ids: tuple[str, ...], yes: bool, foreign: bool, common: options.Common
) -> int:
    """Stop jobs by hand. A job that a person stopped is not bought again until its `rerun` changes.

    The beginning of an ID will do where no other job's begins so.
    """
    from reconciler.cli.session.session import writing
    from reconciler.cli.session.signals import interrupts
    from reconciler.text.sanitize import clean

    if not yes and not world.terminal("stdin"):
        raise UsageError("jobs cancel asks first, and there is no terminal to ask on", hint="pass --yes")
    with interrupts(world) as interrupted, writing(common, world) as run:
        found = by_ids(run, tuple(dict.fromkeys(job_ids)))
        for job in found:
            check_owner(job, run.target.project, foreign=foreign)
        if not yes and not options.confirmed(clean(f"Stop {', '.join(job.id for job in found)}?")):
            say("Nothing was done.\n")
            return ExitCode.OK
        interrupted.be_careful()
        stopped = [not world.stop.is_set() and stop_by_hand(run, job) for job in found]
    ok = ExitCode.OK if all(stopped) else ExitCode.PARTIAL if any(stopped) else ExitCode.FAILED
    return first_that_holds({ok} | interrupted.codes)


def by_ids(run: Run[ApiT], ids: Sequence[str]) -> list[Job]:
    """Return jobs by their ids, or by how these begin, as tables show them.

    Raises:
        UsageError: no job's id, or that of several, begins so.
        ApiError: a job could not be had.
    """
    from reconciler.text.plural import count
    from reconciler.workspace import listing

    beginnings = [it for it in ids if _BEGINNING.fullmatch(it)]
    there = listing.list_all(run) if beginnings else ()
    found = {}
    for it in beginnings:
        like = [job for job in there if job.id.startswith(it)]
        if len(like) != 1:
            told = "no job has" if not like else f"{count(len(like), 'job')} have"
            raise UsageError(
                f"{told} an id that begins with {it}", hint="look at them: reconciler jobs list --all"
            )
        found[it] = like[0]
    return list({job.id: job for job in (found.get(it) or run.api.get_job(it) for it in ids)}.values())


def check_owner(job: Job, project: str, *, foreign: bool) -> None:
    """Refuse to touch what is not ours.

    Raises:
        ReconcilerError: the job carries no tag of this project.
    """
    from reconciler.model import tags

    owner = tags.project_of(job)
    if owner != project and not foreign:
        whose = f"is of project {owner}" if owner else "carries no tag of this tool"
        raise ReconcilerError(
            f"job {job.id} {whose}, and nothing was stopped", hint="to stop it all the same, pass --foreign"
        )


def stop_by_hand(run: Run[Writer], job: Job) -> bool:
    """Stop one job, record that a person did, and say how it stands."""
    from reconciler.cli.output.errors import told
    from reconciler.execution.cancel import cancel_job
    from reconciler.text.sanitize import clean

    try:
        name = str(job.metadata.get("reconciler.name", ""))
        ended = cancel_job(run, job, name=name, reason="by_hand")
    except ReconcilerError as error:
        aside(told(error, colour=run.world.colour("stderr")))
        return False
    say(f"{clean(f'{job.id} {ended.status}')}\n")
    return True
