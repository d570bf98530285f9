"""What a plan says about each name, in words: shared by the text and the Markdown of a plan.

A decision becomes a `Row`: a verb, the name and the reason with its facts; unchanged ones are counted by reason.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from reconciler.document import CancelDoc, CreateDoc, DecisionDoc, HoldDoc, JobDoc, KeepDoc, PlanDoc
from reconciler.render.clean import clean
from reconciler.render.words import count, size

Verb: TypeAlias = Literal["create", "replace", "cancel", "hold", "look"]

REASON_WORDS: Final = {
    "removed": "no longer declared",
    "superseded": "the spec declares other work",
    "suspended": "suspended",
    "duplicate": "the same work is bought twice",
    "succeeded": "succeeded",
    "record_gone": "its record is gone",
    "other_history": "not this checkout's",
    "kept": "no longer declared, kept by its on_remove",
    "newer_tool": "a newer tool's",
    "unknown_status": "unknown status",
    "cancelled": "a person stopped it, or an earlier run whose ledger is gone",
    "stopping": "its cancellation is under way",
    "unsettled": "a create of it was sent and its outcome is not known yet",
    "failed": "",
    "partial": "",
}
"""A reason as the first words of its line; a reason that is not here stands for itself."""

MAX_UPLOADS: Final = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a plan."""

    verb: Verb
    name: str
    facts: tuple[str, ...]
    """What stands behind the name, the reason first."""
    below: tuple[str, ...] = ()
    """Field differences and notes."""
    attention: bool = False


def row(decision: DecisionDoc) -> Row | None:
    """Return the line of a decision, None where it only folds into the count of the unchanged."""
    creates, cancels = decision.of(CreateDoc), decision.of(CancelDoc)
    holds, keeps = decision.of(HoldDoc), decision.of(KeepDoc)
    facts: list[str] = []
    below: list[str] = []
    for create in creates:
        facts += _create(create)
        below += [f"{change.field}: {change.before} -> {change.after}" for change in create.changes]
    for cancel in cancels:
        if cancel.first and creates:
            facts.append(f"first cancels {job(cancel.job)}, and waits until it has stopped")
        else:
            word = "then cancels " if creates else f"{reason_words(cancel.reason)} · "
            facts.append(f"{word}{job(cancel.job)}")
    for hold in holds:
        facts += _hold(hold)
    if not (creates or cancels or holds):
        loud = [keep for keep in keeps if keep.attention]
        if not loud:
            return None
        for keep in loud:
            facts += filter(None, [reason_words(keep.reason), keep.detail, job(keep.job) if keep.job else ""])
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
        facts=tuple(clean(fact) for fact in facts if fact),
        below=tuple(clean(line) for line in (*below, *(f"note: {note}" for note in decision.notes))),
        attention=decision.attention,
    )


def _create(create: CreateDoc) -> list[str]:
    facts = [create.reason if not create.changes else f"{', '.join(c.field for c in create.changes)} changed"]
    if create.reason == "rerun":
        facts = ["rerun"]
    if create.attempt > 1:
        facts.append(f"attempt {create.attempt}")
    facts.append(
        "unknown number of requests" if create.requests is None else count(create.requests, "request")
    )
    if create.uploads:
        files = [f"{upload.path} ({size(upload.bytes)})" for upload in create.uploads[:MAX_UPLOADS]]
        more = len(create.uploads) - MAX_UPLOADS
        files += [f"{more:,} more"] if more > 0 else []
        facts.append(f"uploads {', '.join(files)}")
    return facts


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
    parts.append(f"{count(plan.jobs_read, 'job')} read, {plan.jobs_ours:,} ours")
    return clean(" · ".join(parts))


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
    bought = []
    if it.requests or it.requests_unknown:
        unknown = f" and {count(it.requests_unknown, 'job')} of unknown size" if it.requests_unknown else ""
        bought.append(f"buys {count(it.requests, 'request')}{unknown}")
    if it.upload_bytes:
        bought.append(f"uploads up to {size(it.upload_bytes)}")
    if it.lost_answers:
        bought.append(f"loses {count(it.lost_answers, 'answer')}")
    return " · ".join(filter(None, [", ".join(done), ", ".join(bought)]))
