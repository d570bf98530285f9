"""The message that `on_end` gets."""

from __future__ import annotations

import msgspec

from reconciler.documents.result_summary import JobFacts


class CountsDoc(msgspec.Struct, frozen=True, kw_only=True):
    """A job's requests, as the API counts them."""

    total: int | None
    """None if it is not known yet."""
    ok: int
    failed: int
    missing: int | None
    """Neither answered nor failed."""


class EndDoc(JobFacts, frozen=True, kw_only=True):
    """The notification about an ended job that `on_end` gets: on standard input, or as the body of a POST."""

    v: int = 1
    event: str = "job.ended"
    id: str
    """The same for the same job, so that the receiver can drop a repeated notification."""
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
