"""The ledger's lines, in any order.

Every line refers to its subject by id (`op` for a create, `job_id` for the rest), so that two ledgers merge by union
and a repeated line changes nothing.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta, Struct
from msgspec.structs import replace

from reconciler.model import Job, OwnedJob, WorkCounts
from reconciler.model.jobs import END_OF_TIME, Count, Id
from reconciler.model.money import DOLLAR, Usage

BY_HAND: Final = "by_hand"
"""The reason of a cancel by `jobs cancel`."""

Seconds: TypeAlias = Annotated[float, Meta(ge=0, lt=END_OF_TIME)]


def _kind(name: str) -> str:
    """Return the kind of the lines of a class: `create_intended` for `CreateIntended`."""
    return re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()


class _Line(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="kind", tag=_kind):
    """Base of all lines."""

    at: Seconds
    """Wall clock of the writer, Unix seconds."""
    run_id: str


class _WorkLine(_Line, frozen=True, kw_only=True):
    """A line about the work of one name."""

    name: str
    work: str
    rerun: str
    attempt: Count


class _JobLine(_WorkLine, frozen=True, kw_only=True):
    """A line about a job as the API showed it, without its metadata."""

    job: Job
    requests: Count | None = None
    """How many were submitted; None also if an input is an uploaded file."""
    most: Count | None = None
    """The most that the job can cost, in micros of `currency`; None if that is not known."""
    currency: str = DOLLAR

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.job.id


class CreateIntended(_WorkLine, frozen=True, kw_only=True):
    """A create is about to be sent. The line is durable before the request is sent."""

    op: str
    reason: str
    most: Count | None = None
    """The most that the job can cost, in micros of `currency`: reserved until the outcome of the create is known."""
    currency: str = DOLLAR
    lease: Seconds = 0.0
    """Seconds after `at` within which the create may still be sent, if it is recorded ahead of the run's creates."""
    commit: str = ""
    actor: str = ""
    run_url: str = ""
    pull: str = ""
    plan: str = ""
    event: str = ""
    approver: str = ""


class CreateConfirmed(_JobLine, frozen=True, kw_only=True):
    """The create took effect: the API responded, or the list shows the job by its op."""

    op: str
    recovered: bool = False
    """True if the response was lost and the job was found by its op."""


class CreateRefused(_Line, frozen=True, kw_only=True):
    """The create certainly had no effect."""

    op: str
    error: str


class CreateUnknown(_Line, frozen=True, kw_only=True):
    """The outcome of the create was not known in time."""

    op: str
    error: str


class CancelIntended(_Line, frozen=True, kw_only=True):
    """A cancel is about to be sent."""

    job_id: Id
    name: str
    reason: str
    commit: str = ""
    actor: str = ""
    run_url: str = ""


class CancelEnded(_Line, frozen=True, kw_only=True):
    """The outcome of a cancel. Without an error, the API accepted it while the job was running."""

    job_id: Id
    status: str = ""
    """The API's status of the job afterwards; "" if it could not be read."""
    error: str = ""
    """Why this cancel may not have stopped the job, even if `status` says that it has stopped."""


class Ended(_JobLine, frozen=True, kw_only=True):
    """A run saw that a job of ours had ended."""


class NotificationLine(_Line, frozen=True, kw_only=True):
    """A line about notifications. It decides nothing about a job."""


class NotificationsEnabled(NotificationLine, frozen=True, kw_only=True):
    """From here on, `on_end` is notified of ended jobs; not of those that ended before."""


class NotificationClaimed(NotificationLine, frozen=True, kw_only=True):
    """This run, and no other, is about to notify `on_end` of an ended job."""

    job_id: Id
    lease: Seconds
    """Seconds after `at` for which the claim is valid, unless a `NotificationDelivered` ends it before."""


class NotificationDelivered(NotificationLine, frozen=True, kw_only=True):
    """The outcome of a notification: delivered, or an error, after which it is tried again."""

    job_id: Id
    error: str = ""


class FileDelete(_Line, frozen=True, kw_only=True):
    """A file at the provider that `keep_at_provider` no longer keeps. It decides nothing about a job."""

    file_id: Id
    job_id: Id
    name: str
    reason: str
    gone: bool = False
    """False if the delete is about to be sent, True once the API deleted the file or no longer had it."""


class WorkSeen(_Line, frozen=True, kw_only=True):
    """A run joined the results of all ended jobs of a work. It makes no create possible: only results do."""

    name: str
    work: str
    rerun: str
    counts: WorkCounts
    rules: str = ""
    """A digest of the settings by which some may be submitted: `left` holds for the same ones."""
    jobs: tuple[Id, ...]
    """The jobs of the work, and the others whose answers count."""


class UsageSeen(_Line, frozen=True, kw_only=True):
    """A run read the results of an ended job. Of several lines about a job, the one with the most answers counts."""

    job_id: Id
    name: str
    model: str = ""
    """The model that was asked; "" for an agent."""
    recipe: str = ""
    """Digest of endpoint and declared model or agent."""
    requests: Count | None = None
    """How many were submitted."""
    usage: Usage


class NewerLine(_Line, frozen=True, kw_only=True):
    """A line that a newer version of this tool wrote: its meaning is not known, only what it may be about."""

    text: str
    version: int
    name: str = ""
    """Like `work`, "" if it cannot be read. A line without both may be about any name."""
    work: str = ""


ReadLine: TypeAlias = (
    CreateIntended
    | CreateConfirmed
    | CreateRefused
    | CreateUnknown
    | CancelIntended
    | CancelEnded
    | Ended
    | NotificationsEnabled
    | NotificationClaimed
    | NotificationDelivered
    | FileDelete
    | WorkSeen
    | UsageSeen
)
Line: TypeAlias = ReadLine | NewerLine


def job_facts(owned: OwnedJob) -> dict[str, Any]:
    """Return the fields that every line about a job has; they remain after the API has deleted the job."""
    tags = owned.tags
    return {
        "job": replace(owned.job, metadata={}),
        "requests": tags.requests,
        "most": tags.most,
        "currency": tags.currency,
        "name": tags.name,
        "work": tags.run_key.work,
        "rerun": tags.run_key.rerun,
        "attempt": tags.attempt,
    }
