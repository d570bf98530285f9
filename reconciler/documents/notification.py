"""The message that `on_end` gets."""

from __future__ import annotations

from typing import Literal

import msgspec

from reconciler.documents.job_facts import JobFacts
from reconciler.planning.tally import Tally


class CountsDoc(msgspec.Struct, frozen=True, kw_only=True):
    """A job's requests, as the API counts them."""

    total: int | None
    """None if it is not known yet."""
    ok: int
    failed: int
    missing: int | None
    """Neither answered nor failed."""


class EndDoc(JobFacts, frozen=True, kw_only=True):
    """The notification that `on_end` gets, on standard input or as the body of a POST: work is complete or held.

    The job is the last one of the work.
    """

    v: int = 1
    event: str = "work.ended"
    id: str
    """The same for the same job, so that the receiver can drop a repeated notification."""
    state: Literal["complete", "held", "ended"]
    """`held` if a person has to decide how the work goes on, `ended` if no spec declares it any more."""
    why: str = ""
    """Why it is held."""
    hint: str = ""
    """What a person can do about it."""
    states: Tally | None = None
    """How many requests of the whole work are in each state, over all of its jobs."""
    of: int | None = None
    """How many requests the whole work has, if the job was asked only a part of them; `attempt` numbers the parts."""
    reused: int = 0
    """How many of them were answered before."""
    text: str
    """One line of text for people; chat webhooks show it."""
    base_url: str
    sandbox: bool
    phase: str
    """SUCCEEDED, FAILED, TIMED_OUT or CANCELLED."""
    requests: CountsDoc
    errors: tuple[str, ...]
    """The errors that the API reports."""
    output_file: str | None
    error_file: str | None
    commit: str
    """The source of the job: commit, actor and CI run; "" if unknown."""
    actor: str
    run_url: str
    sent_by: str
    """The run that sends the notification."""
