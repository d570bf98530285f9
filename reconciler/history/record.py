"""One job, as all sources together know it."""

from __future__ import annotations

from typing import Final

import msgspec

LIST: Final = "list"
LEDGER: Final = "ledger"
RESULTS: Final = "results"

CREATE_UNKNOWN: Final = "CREATE_UNKNOWN"
"""The status of a create whose outcome nobody has told yet: there may be a job."""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One job of ours, or a create that may have become one. None, everywhere: nobody has told; it is never 0."""

    name: str
    """The name that it was bought under; "" where that cannot be read."""
    attempt: int | None = None
    """Which attempt at this work it is, the first being 1."""
    job_id: str | None = None
    """None for a create whose outcome is not known."""
    status: str | None = None
    """The API's word, as last heard; `CREATE_UNKNOWN` for a create whose outcome is not known."""
    endpoint: str | None = None
    model: str | None = None
    """Or the agent's id."""
    created_at: int | None = None
    """Unix seconds, the server's clock; so are the two below."""
    started_at: int | None = None
    completed_at: int | None = None
    queue_seconds: int | None = None
    """From created to started."""
    run_seconds: int | None = None
    """From started to completed."""
    total_requests: int | None = None
    """As the API counted them, or else as many as were bought."""
    succeeded_requests: int | None = None
    failed_requests: int | None = None
    prompt_tokens: int | None = None
    """Known once the results were pulled; so are the two below."""
    completion_tokens: int | None = None
    total_tokens: int | None = None
    commit: str | None = None
    """The commit that it was bought from."""
    dirty: bool | None = None
    """True where the work tree differed from the commit."""
    actor: str | None = None
    """Who bought it."""
    run_url: str | None = None
    """The CI run that bought it."""
    reason: str | None = None
    """Why it was created; `docs/planner.md` lists the reasons."""
    cancel_reason: str | None = None
    """Why it was cancelled: a reason of the planner, or `by_hand`."""
    cancelled_by: str | None = None
    cancelled_at: int | None = None
    """Unix seconds, the clock of whoever cancelled."""
    cancel_commit: str | None = None
    cancel_run_url: str | None = None
    rerun: str | None = None
    work: str | None = None
    """The work digest."""
    op: str | None = None
    """Names the create, in the tags, the ledger and the events."""
    run_id: str | None = None
    """The run of this tool that bought it, as in the events."""
    sources: tuple[str, ...] = ()
    """Who knows it: `list`, `ledger`, `results`."""


class HistoryDoc(msgspec.Struct, frozen=True, kw_only=True):
    """What `history --format json` writes; `--format jsonl` writes its records, one a line."""

    project: str
    base_url: str
    offline: bool
    """True where the list of jobs was not read."""
    records: tuple[Record, ...]
    """The oldest first."""


def span(begin: int | None, end: int | None) -> int | None:
    """Return the seconds from one moment to another, never less than none; None where one of them is not known."""
    return None if begin is None or end is None else max(0, end - begin)
