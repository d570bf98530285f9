"""`reconciler jobs`: list, inspect and cancel jobs of the workspace."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from reconciler.api.client import Reader, Writer
from reconciler.cli.output.streams import confirmed, save, write_error, write_stdout
from reconciler.cli.params import job_filters, options
from reconciler.cli.session.session import locked, reading, writing
from reconciler.cli.session.signals import interrupts
from reconciler.context import ApiT, RunContext
from reconciler.documents.reports import JobListDoc, pretty
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError, UsageError, first_that_holds
from reconciler.execution.cancel import cancel_job
from reconciler.ledger.lines import BY_HAND
from reconciler.model import Job, JobSpec, Phase, tags
from reconciler.render.jobs_view import job_text, jobs_text, listed
from reconciler.specs.load import load
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean
from reconciler.text.suggest import nearest
from reconciler.workspace import listing, take_snapshot
from reconciler.workspace.snapshot import encode


@click.group()
def jobs() -> None:
    """List, inspect and cancel jobs."""


@jobs.command(name="list")
@options.flag("--all", "Include jobs of other projects.", "everybody")
@job_filters.statuses
@options.output_format("text", "json")
@options.common
def list_(
    env: Environment, *, everybody: bool, statuses: tuple[str, ...], form: str, common: options.Common
) -> int:
    """List jobs, oldest first."""
    with reading(common, env) as run:
        found = listing.whole(run, to_show=True).jobs
    chosen = [
        listed(job)
        for job in found
        if (everybody or tags.project_of(job) == run.target.project)
        and (not statuses or job.status in {word.upper() for word in statuses})
    ]
    if form == "json":
        write_stdout(pretty(JobListDoc(jobs=tuple(chosen))))
    elif chosen:
        write_stdout(jobs_text(chosen, now=env.now(), owners=everybody))
    else:
        what = "jobs" if not statuses else f"jobs with status {' or '.join(statuses)}"
        whose = "" if everybody else f" of project {run.target.project}; --all includes other projects"
        write_stdout(clean(f"no {what}{whose}") + "\n")
    return ExitCode.OK


@jobs.command()
@click.argument("file", type=options.PATH)
@options.common
def snapshot(env: Environment, *, file: Path, common: options.Common) -> int:
    """Save the state of the workspace that a plan needs, for `plan --observed` without a key.

    The file holds this project's jobs and those that a spec adopts, without the users' metadata, and the ledger: no
    prompts, no answers, no key. Jobs that succeeded and are no longer declared are left out.
    """
    with reading(common, env) as run:
        ledger = tuple(run.env.ledger.read())
        found = listing.whole(run)
        specs, complete = declared_here(run)
        document = take_snapshot.make(
            found.jobs,
            ledger,
            target=run.target,
            now=run.env.now(),
            specs=specs,
            complete=complete,
            odd=found.odd,
        )
    save(env.cwd / file, encode(document))
    write_stdout(f"{pluralize(len(document.jobs), 'job')} of {len(found.jobs):,} saved\n")
    return ExitCode.OK


def declared_here(run: RunContext[Reader]) -> tuple[tuple[JobSpec, ...], bool]:
    """Return the valid specs that have begun, and whether they are all: an invalid one must not stop a snapshot."""
    try:
        loaded = load(run.project, now=run.env.now(), monotonic=run.env.monotonic, only_shown=True)
    except ReconcilerError:
        return (), False
    return loaded.specs, not (loaded.errors or loaded.later)


@jobs.command()
@click.argument("job_id", metavar="ID|NAME")
@options.output_format("text", "json")
@options.common
def get(env: Environment, *, job_id: str, form: str, common: options.Common) -> int:
    """Show everything the API reports about a job.

    A unique prefix of the ID is enough. NAME means the newest job of a name of this project.
    """
    with reading(common, env) as run:
        (job,) = map(listed, find_jobs(run, (job_id,)))
    write_stdout(pretty(job) if form == "json" else job_text(job))
    return ExitCode.OK


@jobs.command()
@click.argument("job_ids", metavar="ID|NAME...", nargs=-1, required=True)
@options.yes
@options.flag("--foreign", "Allow cancelling a job that is not from this project.")
@options.common
def cancel(
    env: Environment, *, job_ids: tuple[str, ...], yes: bool, foreign: bool, common: options.Common
) -> int:
    """Cancel jobs. A job cancelled this way is not submitted again until `reconciler retry` or `rerun`.

    A unique prefix of the ID is enough. NAME means the queued or running job of a name of this project.
    """
    if not yes and not env.terminal("stdin"):
        raise UsageError("jobs cancel asks first, and there is no terminal to ask on", hint="pass --yes")
    with interrupts(env) as interrupted, writing(common, env) as run, locked(run):
        found = find_jobs(run, job_ids, live=True)
        for job in found:
            check_owner(job, run.target.project, foreign=foreign)
        if not yes and not confirmed(clean(f"Cancel {', '.join(map(shown, found))}?")):
            write_stdout("Nothing was done.\n")
            return ExitCode.OK
        interrupted.enter_graceful_shutdown()
        stopped = [not env.stop.is_set() and stop_by_hand(run, job) for job in found]
    ok = ExitCode.OK if all(stopped) else ExitCode.PARTIAL if any(stopped) else ExitCode.FAILED
    return first_that_holds({ok} | interrupted.codes)


def shown(job: Job) -> str:
    """Return a job's id, and its name if it has one."""
    name = job.metadata.get(tags.NAME)
    return f"{name} ({job.id})" if name else job.id


def check_owner(job: Job, project: str, *, foreign: bool) -> None:
    """Refuse to cancel a job that is not from this project.

    Raises `ReconcilerError` if the job carries no tag of this project.
    """
    owner = tags.project_of(job)
    if owner != project and not foreign:
        whose = f"belongs to project {owner}" if owner else "carries no tag of this tool"
        raise ReconcilerError(
            f"job {job.id} {whose}; nothing was cancelled", hint="to cancel it anyway, pass --foreign"
        )


def stop_by_hand(run: RunContext[Writer], job: Job) -> bool:
    """Cancel one job, record that a person did so, and print its status."""
    try:
        name = str(job.metadata.get(tags.NAME, ""))
        ended = cancel_job(run, job, name=name, reason=BY_HAND)
    except ReconcilerError as error:
        write_error(run.env, error)
        return False
    write_stdout(f"{clean(f'{job.id} {ended.status}')}\n")
    return True


_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BEGINNING: Final = re.compile(r"[0-9a-f-]{4,35}")
"""A prefix of a job's id, which is a UUID; tables show eight characters."""


def find_jobs(run: RunContext[ApiT], words: Sequence[str], *, live: bool = False) -> list[Job]:
    """Return the jobs that ids, prefixes of ids as tables show them, or names of this project's jobs mean.

    A name means its newest job, or if `live` its queued or running one. Raises `UsageError` if a word means no job, or
    several; `ApiError` if a job could not be read.
    """
    there = listing.whole(run).jobs if not all(map(_ID.fullmatch, words)) else ()
    found = [
        run.api.get_job(word) if _ID.fullmatch(word) else meant(word, there, run.target.project, live=live)
        for word in words
    ]
    return list({job.id: job for job in found}.values())


def meant(word: str, jobs: Sequence[Job], project: str, *, live: bool) -> Job:
    """Return the one job whose id begins with a word, or whose name it is.

    Raises `UsageError` if there is none, or there are several.
    """
    ours = [job for job in jobs if tags.project_of(job) == project]
    named = [job for job in ours if job.metadata.get(tags.NAME) == word]
    active = [job for job in named if job.phase is Phase.ACTIVE]
    begun = [job for job in jobs if _BEGINNING.fullmatch(word) and job.id.startswith(word)]
    found = list({job.id: job for job in (*begun, *(active if live else named[-1:]))}.values())
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(f"{job.id} ({job.status})" for job in found)
        raise UsageError(f"{word} means {pluralize(len(found), 'job')}: {ids}", hint="pass the id of one")
    if named:
        raise UsageError(
            f"no job named {word} is queued or running: the newest is {named[-1].id} ({named[-1].status})",
            hint="jobs that have ended cannot be cancelled",
        )
    near = nearest(word, {str(job.metadata.get(tags.NAME)) for job in ours})
    hint = "list ids and names: reconciler jobs list --all"
    raise UsageError(
        f"no job of this project is named {word}, and no id begins with it",
        hint=f"did you mean {near}? Else {hint}" if near else hint,
    )
