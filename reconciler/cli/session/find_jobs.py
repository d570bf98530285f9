"""Find jobs by what a person types: an id, the beginning of an id, or a name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from reconciler.context import ApiT, RunContext
from reconciler.errors import UsageError
from reconciler.model import Job, Phase, tags
from reconciler.text.plural import pluralize
from reconciler.text.suggest import nearest
from reconciler.workspace import listing

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BEGINNING: Final = re.compile(r"[0-9a-f-]{4,35}")
"""A prefix of a job's id, which is a UUID; tables show eight characters."""


def find_jobs(run: RunContext[ApiT], words: Sequence[str], *, live: bool = False) -> list[Job]:
    """Return the jobs that ids, prefixes of ids as tables show them, or names of this project's jobs mean.

    Args:
        run: the run.
        words: the ids and names.
        live: whether a name means its queued or running job only; else it means its newest job.

    Raises:
        UsageError: a word means no job, or several.
        ApiError: a job could not be read.
    """
    there = listing.whole(run).jobs if not all(map(_ID.fullmatch, words)) else ()
    found = [
        run.api.get_job(word) if _ID.fullmatch(word) else meant(word, there, run.target.project, live=live)
        for word in words
    ]
    return list({job.id: job for job in found}.values())


def meant(word: str, jobs: Sequence[Job], project: str, *, live: bool) -> Job:
    """Return the one job whose id begins with a word, or whose name it is.

    Raises:
        UsageError: there is none, or there are several.
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
