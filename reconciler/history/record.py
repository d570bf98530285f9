"""One job, merged from all sources, and which of them to show."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from typing import Final

import msgspec

from reconciler.ledger.lines import CancelIntended, CreateIntended
from reconciler.planning.tally import Tally

LIST: Final = "list"
LEDGER: Final = "ledger"
RESULTS: Final = "results"

CREATE_UNKNOWN: Final = "CREATE_UNKNOWN"
"""The status of a create whose outcome is unknown: there may be a job."""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One job of this project, or a create that may have made one. None always means unknown, never 0."""

    name: str
    """The name that it was created under; "" if that cannot be read."""
    attempt: int | None = None
    """Number of the attempt at this work, from 1."""
    job_id: str | None = None
    """None for a create whose outcome is unknown."""
    status: str | None = None
    """The last status seen, as the API writes it; `CREATE_UNKNOWN` for a create whose outcome is unknown."""
    endpoint: str | None = None
    model: str | None = None
    """The model, or the agent's id."""
    created_at: int | None = None
    """Unix seconds by the server's clock, like the two fields below."""
    started_at: int | None = None
    completed_at: int | None = None
    queue_seconds: int | None = None
    """From created to started."""
    run_seconds: int | None = None
    """From started to completed."""
    total_requests: int | None = None
    """The number submitted, or the API's if that is larger."""
    succeeded_requests: int | None = None
    """As the API counts them; of a succeeded job only those whose answers can be fetched."""
    failed_requests: int | None = None
    of: int | None = None
    """How many requests its work has, if it was asked only a part of them."""
    reused: int | None = None
    """How many requests of the work were answered before."""
    prompt_tokens: int | None = None
    """Known after the results are pulled, like the three fields below."""
    completion_tokens: int | None = None
    total_tokens: int | None = None
    answers_without_tokens: int | None = None
    """Answers whose usage lacks a number, so that the sums are a lower bound."""
    cost: float | None = None
    """By the list prices of the day of its create, in the unit of `currency`; known after a run pulled the results."""
    currency: str | None = None
    cost_is_lower_bound: bool | None = None
    """True if the usage of some answers is not known."""
    prices_of: str | None = None
    """The date of the prices."""
    difference: str | None = None
    """How the numbers of a succeeded job differ; None if they agree."""
    reasons: str | None = None
    """The most frequent reasons of failed requests, and counts of checks of answers, from pulled results."""
    commit: str | None = None
    """The commit that it was created from."""
    dirty: bool | None = None
    """True if the work tree differed from the commit."""
    actor: str | None = None
    """Who created it."""
    run_url: str | None = None
    """The CI run that created it."""
    branch: str | None = None
    repository: str | None = None
    """Host and path: `github.com/acme/shop`."""
    pull: str | None = None
    """The number of the pull request that was applied."""
    plan: str | None = None
    """The first characters of the digest of the saved plan that was applied."""
    event: str | None = None
    """What started the CI run: `push`, `schedule`."""
    approver: str | None = None
    """Who approved the pull request or the CI run."""
    project: str | None = None
    user_metadata: dict[str, str] | None = None
    """The metadata of its spec; None if the list does not have the job."""
    results: str | None = None
    """The folder or URL of its pulled results."""
    reason: str | None = None
    """Why it was created; `docs/planner.md` lists the reasons."""
    cancel_reason: str | None = None
    """Why it was cancelled: a reason of the planner, or `by_hand`."""
    cancelled_by: str | None = None
    cancelled_at: int | None = None
    """Unix seconds by the clock of the runner that cancelled it."""
    cancel_commit: str | None = None
    cancel_run_url: str | None = None
    rerun: str | None = None
    work: str | None = None
    """The work digest."""
    op: str | None = None
    """The id of the create in the tags, the ledger and the events."""
    run_id: str | None = None
    """The run of this tool that created it, as in the events."""
    sources: tuple[str, ...] = ()
    """The sources that have it: `list`, `ledger`, `results`."""

    @property
    def answered_of_work(self) -> str:
        """How many requests of the work are answered with this job: `990 of 1,000`; "" if it was asked all of them."""
        if self.of is None or self.succeeded_requests is None:
            return ""
        return f"{(self.reused or 0) + self.succeeded_requests:,} of {self.of:,}"


class HistoryPart(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the documents about a history."""

    project: str
    base_url: str
    offline: bool
    """True if the list of jobs was not read."""


class WorkRow(msgspec.Struct, frozen=True, kw_only=True):
    """The newest work of a name, over all jobs that were asked some of it."""

    name: str
    work: str
    rerun: str
    jobs: int
    states: Tally | None
    """How many of its requests are in each state; None if that is not known."""


class HistoryDoc(HistoryPart, frozen=True, kw_only=True):
    """The output of `history --format json`; `--format jsonl` writes its records, one per line."""

    records: tuple[Record, ...]
    """In order of creation, oldest first."""
    works: tuple[WorkRow, ...]
    """The newest work of each name."""


def span(begin: int | None, end: int | None) -> int | None:
    """Return the seconds between two times, at least 0; None if one of them is unknown."""
    return None if begin is None or end is None else max(0, end - begin)


def source_of(line: CreateIntended | CancelIntended) -> dict[str, str | None]:
    """Return the commit, actor and CI run of an intent; None if one is unknown."""
    return {"commit": line.commit or None, "actor": line.actor or None, "run_url": line.run_url or None}


def filter_records(
    records: Iterable[Record],
    *,
    names: Iterable[str] = (),
    statuses: Iterable[str] = (),
    since: float | None = None,
    until: float | None = None,
) -> tuple[Record, ...]:
    """Return the records that fulfil the given conditions, in their order.

    The name must match a glob, the status be one of those of the API, in any case, `?` for an unknown one, and the job
    be created at `since` or later and before `until`, in Unix seconds.
    """
    fits = re.compile("|".join(map(translate, names)) or ".*").match
    words = {word.upper() for word in statuses}
    return tuple(
        it
        for it in records
        if fits(it.name)
        and (not words or (it.status or "?").upper() in words)
        and (since is None or (it.created_at is not None and it.created_at >= since))
        and (until is None or (it.created_at is not None and it.created_at < until))
    )
