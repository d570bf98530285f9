"""What a plan says about each name, in words: shared by the text and the Markdown of a plan.

A decision becomes a `Row`: a verb, the name and the reason with its facts; unchanged ones are counted by reason.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from reconciler.plans.document import CancelDoc, CreateDoc, DecisionDoc, HoldDoc, JobDoc, KeepDoc, PlanDoc
from reconciler.text.plural import age, count
from reconciler.text.sanitize import clean
from reconciler.text.units import size

Verb: TypeAlias = Literal["create", "replace", "cancel", "hold", "look"]

REASON_WORDS: Final = {
    "removed": "no longer declared",
    "superseded": "the spec declares other work",
    "suspended": "suspended",
    "duplicate": "the same work is bought twice",
    "succeeded": "succeeded",
    "record_gone": "its record is gone",
    "other_history": "not this checkout's",
    "checkout_behind": "this checkout is behind",
    "kept": "no longer declared, kept by its on_remove",
    "newer_tool": "a newer tool's",
    "unknown_status": "unknown status",
    "cancelled": "cancelled outside this tool's records, for example in the console",
    "stopping": "its cancellation is under way",
    "unsettled": "a create of it was sent and its outcome is not known yet",
    "failed": "",
    "partial": "",
}
"""A reason as the first words of its line; a reason that is not here stands for itself."""

MAX_UPLOADS: Final = 2
STANDING: Final = frozenset({"kept", "suspended"})
"""Reasons to hold that stay for as long as somebody wants them to."""


class Row(Struct, frozen=True, kw_only=True):
    """One line of a plan."""

    verb: Verb
    name: str
    why: tuple[str, ...]
    """The reason and what belongs to it."""
    requests: str = ""
    """What is bought."""
    uploads: str = ""
    now: str = ""
    """The job that stands behind the name now, where that matters."""
    first: bool = False
    """True where it has to stop before what replaces it is created."""
    changes: tuple[str, ...] = ()
    """Field differences."""
    notes: tuple[str, ...] = ()
    attention: bool = False
    declared_at: str = ""
    """`file:line`, "" where the name is not declared."""
    standing: bool = False
    """True where somebody wants it to stay on hold: no news to whoever reads a change."""

    @property
    def facts(self) -> tuple[str, ...]:
        """What stands behind the name on one line, the reason first."""
        now = self.now
        if self.verb == "replace":
            now = (
                f"first cancels {now}, and waits until it has stopped"
                if self.first
                else f"then cancels {now}"
            )
        return tuple(fact for fact in (*self.why, self.requests, self.uploads, now) if fact)

    @property
    def below(self) -> tuple[str, ...]:
        """What stands on lines of its own beneath."""
        return (*self.changes, *(f"note: {note}" for note in self.notes))

    @property
    def pending(self) -> bool:
        """Whether something is to be written."""
        return self.verb in ("create", "replace", "cancel")


def row(decision: DecisionDoc) -> Row | None:
    """Return the line of a decision, None where it only folds into the count of the unchanged."""
    if all(type(action) is KeepDoc and not action.attention for action in decision.actions):
        return None
    creates, cancels = decision.of(CreateDoc), decision.of(CancelDoc)
    holds, keeps = decision.of(HoldDoc), decision.of(KeepDoc)
    why: list[str] = []
    now = [job(cancel.job) for cancel in cancels]
    for create in creates:
        why += _create(create)
    if not creates:
        why += dict.fromkeys(reason_words(cancel.reason) for cancel in cancels)
    for hold in holds:
        why += _hold(hold)
    if not (creates or cancels or holds):
        for keep in (keep for keep in keeps if keep.attention):
            why += [reason_words(keep.reason), keep.detail]
            now += [job(keep.job)] if keep.job else []
    verb: Verb = (
        "replace" if creates and cancels
        else "create" if creates
        else "cancel" if cancels
        else "hold" if holds
        else "look"
    )  # fmt: skip
    return Row(
        verb=verb,
        name=clean(decision.name),
        why=tuple(clean(fact) for fact in why if fact),
        requests=", ".join(map(_requests, creates)),
        uploads=clean(_uploads(creates)),
        now=clean(", ".join(now)),
        first=any(cancel.first for cancel in cancels),
        changes=tuple(
            clean(f"{change.field}: {change.before} -> {change.after}")
            for create in creates
            for change in create.changes
        ),
        notes=tuple(map(clean, decision.notes)),
        attention=decision.attention,
        declared_at=clean(decision.declared_at),
        standing=verb == "hold" and all(hold.reason in STANDING for hold in holds),
    )


def _create(create: CreateDoc) -> list[str]:
    facts = [create.reason if not create.changes else f"{', '.join(c.field for c in create.changes)} changed"]
    if create.reason == "rerun":
        facts = ["rerun"]
    if create.attempt > 1:
        facts.append(f"attempt {create.attempt}")
    return facts


def _requests(create: CreateDoc) -> str:
    return "unknown number of requests" if create.requests is None else count(create.requests, "request")


def _uploads(creates: Sequence[CreateDoc]) -> str:
    uploads = [upload for create in creates for upload in create.uploads]
    files = [f"{upload.path} ({size(upload.bytes)})" for upload in uploads[:MAX_UPLOADS]]
    more = len(uploads) - MAX_UPLOADS
    files += [f"{more:,} more"] if more > 0 else []
    return f"uploads {', '.join(files)}" if files else ""


def _hold(hold: HoldDoc) -> list[str]:
    until = f"until {_time(hold.until)}" if hold.until is not None else ""
    return [*filter(None, [reason_words(hold.reason), hold.detail, until, hold.hint])]


def reason_words(reason: str) -> str:
    """Return a reason for a reader, "" where the detail behind it says it all."""
    return REASON_WORDS.get(reason, reason.replace("_", " "))


def _time(when: float) -> str:
    try:
        return dt.datetime.fromtimestamp(when, dt.UTC).strftime("%H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):  # in a plan file that somebody has altered
        return "an unknown time"


def job(it: JobDoc) -> str:
    """Return a job for a reader: `4fb29d1c, RUNNING, 310 of 900 answered`."""
    total = max(it.total_requests, it.completed_requests)
    progress = f"{it.completed_requests:,} of {total:,} answered" if total else "not validated yet"
    return f"{it.id[:8]}, {it.status}, {progress}"


def header(plan: PlanDoc) -> str:
    """Return where one is: project, target, commit, and what was read."""
    where = (
        "the sandbox (nothing is bought)" if plan.target.sandbox else plan.target.base_url.partition("://")[2]
    )
    parts = [f"{plan.target.project} on {where}"]
    if plan.commit:
        branch = f"{plan.branch}@" if plan.branch else ""
        parts.append(f"{branch}{plan.commit[:7]}, {'uncommitted changes' if plan.dirty else 'clean'}")
    seen = snapshot_age(plan)
    parts.append(f"{count(plan.jobs_read, 'job')} read{seen and f' {seen}'}, {plan.jobs_ours:,} ours")
    return clean(" · ".join(parts))


def snapshot_age(plan: PlanDoc) -> str:
    """Return `in a snapshot, 2 h 5 min old`, "" where the jobs were read when the plan was made."""
    if plan.observed_at is None:
        return ""
    try:
        now, then = (dt.datetime.fromisoformat(it) for it in (plan.created_at, plan.observed_at))
        return f"in a snapshot, {age((now - then).total_seconds())} old"
    except (TypeError, ValueError):  # in a plan file that somebody has altered
        return "in a snapshot of an unknown age"


def unchanged(plan: PlanDoc) -> str:
    """Return the count of what stays, by reason: `12 unchanged: 4 running, 8 succeeded`."""
    quiet = [decision for decision in plan.decisions if decision.of(KeepDoc) and row(decision) is None]
    if not quiet:
        return ""
    reasons = Counter(decision.of(KeepDoc)[0].reason for decision in quiet)
    told = ", ".join(f"{number:,} {reason.replace('_', ' ')}" for reason, number in sorted(reasons.items()))
    noted = sum(len(decision.notes) for decision in quiet)
    return clean(f"{len(quiet):,} unchanged: {told}") + (f" ({count(noted, 'note')})" if noted else "")


def selection(plan: PlanDoc) -> str:
    """Return what a selection leaves out, "" where everything is considered."""
    if plan.selected is None:
        return ""
    return f"{count(plan.selected, 'spec')} selected; {count(plan.not_considered, 'job')} not considered"


def verdict(plan: PlanDoc) -> str:
    """Return the plan in a line that begins with its project: `prod: buys 57,300 requests · cancels 2`."""
    it = plan.summary
    parts = [f"refused by {', '.join(guard.guard for guard in plan.guards)}"] if plan.guards else []
    parts += [bought(plan)] if it.create or it.replace else []
    parts += [
        f"{word} {number:,}" for number, word in ((it.replace, "replaces"), (it.cancel, "cancels")) if number
    ]
    parts += [f"loses {count(it.lost_answers, 'answer')}"] if it.lost_answers else []
    return clean(f"{plan.target.project}: {' · '.join(parts) or 'no changes'}")


def bought(plan: PlanDoc) -> str:
    """Return what a plan buys, "" where that is nothing."""
    it = plan.summary
    unknown = f"{count(it.requests_unknown, 'job')} of unknown size" if it.requests_unknown else ""
    known = count(it.requests, "request") if it.requests else ""
    told = " and ".join(filter(None, [known, unknown]))
    return f"buys {told}" if told else ""


def uploads(plan: PlanDoc) -> str:
    """Return how much a plan uploads at most, "" where that is nothing."""
    return f"uploads up to {size(plan.summary.upload_bytes)}" if plan.summary.upload_bytes else ""


def totals(plan: PlanDoc) -> str:
    """Return the plan in numbers: `1 to create, 1 on hold · buys 12,900 requests, loses 310 answers`."""
    it = plan.summary
    done = [
        f"{number:,} {word}"
        for number, word in (
            (it.create, "to create"),
            (it.replace, "to replace"),
            (it.cancel, "to cancel"),
            (it.hold, "on hold"),
        )
        if number
    ]
    loses = f"loses {count(it.lost_answers, 'answer')}" if it.lost_answers else ""
    spent = ", ".join(filter(None, [bought(plan), uploads(plan), loses]))
    return " · ".join(filter(None, [", ".join(done), spent]))
