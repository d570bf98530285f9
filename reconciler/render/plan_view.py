"""The line for each name of a plan, shared by the plan's text, Markdown and annotations.

A decision becomes a `Row`: a verb, the name and the reason with its facts. Unchanged ones are counted by reason.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from reconciler.planning.actions import Change
from reconciler.planning.notes import SAME_REQUESTS
from reconciler.planning.tally import STATES, Tally
from reconciler.plans.action_documents import CancelDoc, CreateDoc, HoldDoc, JobDoc, KeepDoc
from reconciler.plans.document import DecisionDoc
from reconciler.plans.name_status import known_total
from reconciler.plans.settings_document import SettingsDoc
from reconciler.render.cost_view import cost_words, difference, estimate_line
from reconciler.render.reasons import reason_words
from reconciler.text.plural import pluralize, size
from reconciler.text.sanitize import clean

Verb: TypeAlias = Literal["create", "replace", "cancel", "hold", "wait", "attention"]


BY_LEDGER: Final = "by the ledger"
"""The beginning of the fact that a create rests on the ledger alone."""
MAX_UPLOADS: Final = 2
LASTING: Final = frozenset({"kept", "suspended"})
"""Reasons to hold that last until a person changes the spec."""


class Row(Struct, frozen=True, kw_only=True):
    """One line of a plan."""

    verb: Verb
    name: str
    why: tuple[str, ...]
    """The reason and what belongs to it."""
    requests: str = ""
    """The number of requests to submit."""
    cost: str = ""
    """What they may cost."""
    difference: str = ""
    """How that differs from what the current job can cost."""
    model: str = ""
    """The model or agent of the new job."""
    endpoint: str = ""
    uploads: str = ""
    now: str = ""
    """The current job of the name, if it is replaced, cancelled or needs attention."""
    cancel_before_create: bool = False
    """Whether the current job must have ended before its replacement is created."""
    settings: tuple[str, ...] = ()
    """The settings of the new job that differ from their defaults."""
    estimate: tuple[str, ...] = ()
    """What the cost rests on, and what is not known."""
    changes: tuple[str, ...] = ()
    """Field differences."""
    notes: tuple[str, ...] = ()
    attention: bool = False
    declared_at: str = ""
    """`file:line`, "" if the name is not declared."""
    lasting: bool = False
    """Whether the hold is intended and lasting, so that it is not part of a change."""

    @property
    def facts(self) -> tuple[str, ...]:
        """The facts after the name on the line, the reason first."""
        now = self.now
        if self.verb == "replace":
            now = (
                f"first cancels {now}, and waits until it has ended"
                if self.cancel_before_create
                else f"then cancels {now}"
            )
        where = f"{self.model} on {self.endpoint}" if self.model else ""
        return tuple(fact for fact in (*self.why, self.requests, self.cost, where, self.uploads, now) if fact)

    @property
    def below(self) -> tuple[str, ...]:
        """The lines below: settings, the basis of the cost, field differences and notes."""
        settings = (f"settings: {', '.join(self.settings)}",) if self.settings else ()
        return (*settings, *self.estimate, *self.changes, *(f"note: {note}" for note in self.notes))

    @property
    def pending(self) -> bool:
        """Whether the API is to be changed."""
        return self.verb in ("create", "replace", "cancel")


def row(decision: DecisionDoc) -> Row | None:
    """Return the line of a decision, None if it is only counted as unchanged."""
    keeps_all = all(type(action) is KeepDoc and not action.attention for action in decision.actions)
    if keeps_all and not decision.again:
        return None
    creates, cancels = decision.of(CreateDoc), decision.of(CancelDoc)
    holds, keeps = decision.of(HoldDoc), decision.of(KeepDoc)
    why: list[str] = []
    now = [job(cancel.job) for cancel in cancels]
    for create in creates:
        why += _create(create)
    if not creates:
        why += dict.fromkeys(reason_words(cancel.reason) for cancel in cancels)
    waits = bool(holds) and not cancels and all(hold.reason == "waiting" for hold in holds)
    for hold in holds:
        until = f"until {_time(hold.until)}" if hold.until is not None else ""
        why += ["" if waits else reason_words(hold.reason), hold.detail, until, hold.hint]
        now += [job(hold.job)] if hold.job and hold.reason == "held_back" else []
    if not (creates or cancels or holds):
        for keep in (keep for keep in keeps if keep.attention):
            why += [reason_words(keep.reason), keep.detail]
            now += [job(keep.job, decision.states)] if keep.job else []
        if keeps_all and (it := decision.states):
            left = f"{it.new:,} of {pluralize(it.of, 'request')} not submitted yet"
            why += [reason_words(keeps[0].reason), left]
    if decision.again and not (creates or cancels):
        why.append(f"run again {decision.again}")
    settings = (
        clean(f"{it.field}={it.after}")
        for settings in (*(it.settings for it in creates), decision.settings)
        for it in (settings.differences(SettingsDoc()) if settings else ())
    )
    verb: Verb = (
        "replace" if creates and cancels
        else "create" if creates
        else "cancel" if cancels
        else "wait" if waits
        else "hold" if holds
        else "wait" if keeps_all
        else "attention"
    )  # fmt: skip
    return Row(
        verb=verb,
        name=clean(decision.name),
        why=tuple(clean(fact) for fact in why if fact),
        requests=", ".join(map(submits, creates)),
        cost=", ".join(cost_words(it.cost) for it in creates if it.cost),
        difference=", ".join(
            filter(None, (difference(create, it.job) for create in creates for it in cancels))
        ),
        estimate=tuple(line for it in creates if (line := estimate_line(it.cost))),
        model=clean(", ".join(create.answered_by for create in creates)),
        endpoint=clean(", ".join(create.endpoint for create in creates)),
        uploads=clean(_uploads(creates)),
        now=clean(", ".join(now)),
        cancel_before_create=any(cancel.cancel_before_create for cancel in cancels),
        settings=tuple(dict.fromkeys(settings)),
        changes=tuple(
            clean(words)
            for changes in (*(it.changes for it in creates), *(it.changes for it in holds))
            for change in changes
            for words in (change_words(change), *_examples(change))
        ),
        notes=tuple(map(clean, decision.notes)),
        attention=decision.attention,
        declared_at=clean(decision.declared_at),
        lasting=verb == "hold" and all(hold.reason in LASTING for hold in holds),
    )


def change_words(change: Change) -> str:
    """Return a difference: `model: a -> b`, or `requests 40,000 -> 40,500: 500 added, 0 removed, 0 changed`."""
    it = change.requests
    if it is None:
        return f"{change.field}: {change.before} -> {change.after}"
    if not (it.added or it.removed or it.changed):
        return SAME_REQUESTS
    differences = f"{it.added:,} added, {it.removed:,} removed, {it.changed:,} changed"
    return f"requests {it.before:,} -> {it.after:,}: {differences}"


def _examples(change: Change) -> Iterator[str]:
    """Yield some requests of a changed template, before and now."""
    for example in change.examples:
        yield f"request {example.custom_id}:"
        yield from (f"  {line}" for line in example.lines)


def _create(create: CreateDoc) -> list[str]:
    facts = [create.reason if not create.changes else f"{', '.join(c.field for c in create.changes)} changed"]
    if create.reason in ("rerun", "part"):
        facts = [create.reason] if create.reason == "rerun" else []
    if create.attempt > 1:
        facts.append(f"{'attempt' if create.of is None else 'part'} {create.attempt}")
    if create.rests_on_ledger:
        facts.append(f"{BY_LEDGER}: {create.rests_on_ledger}")
    return facts


def submits(create: CreateDoc) -> str:
    """Return how many requests a create submits: `submits 21 of 1,000 requests, reuses 979`."""
    if create.requests is None:
        return "unknown number of requests"
    if create.of is None:
        return pluralize(create.requests, "request")
    bound = "at most " if create.at_most else ""
    reused = f", reuses {create.reused:,}" if create.reused else ""
    retried = ", ".join(f"{number:,} {kind}" for kind, number in create.retried.items())
    again = f", retries {retried}" if retried else ""
    in_all = f" now, at most {create.in_all:,} in all" if create.waiting else ""
    return f"submits {bound}{create.requests:,} of {pluralize(create.of, 'request')}{in_all}{reused}{again}"


def _uploads(creates: Sequence[CreateDoc]) -> str:
    uploads = [upload for create in creates for upload in create.uploads]
    files = [
        f"{upload.path} ({size(upload.bytes)})" if upload.bytes else upload.path
        for upload in uploads[:MAX_UPLOADS]
    ]
    more = len(uploads) - MAX_UPLOADS
    files += [f"{more:,} more"] if more > 0 else []
    return f"uploads {', '.join(files)}" if files else ""


def _time(when: float) -> str:
    try:
        return dt.datetime.fromtimestamp(when, dt.UTC).strftime("%H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):  # in a plan file that was edited
        return "an unknown time"


def job(it: JobDoc, requests: Tally | None = None) -> str:
    """Return a job as text: `4fb29d1c, RUNNING, 310 of 900 answered`; with the requests of its whole work, if given."""
    total = known_total(it)
    progress = f"{it.completed_requests:,} of {total:,} answered" if total else "not validated yet"
    return f"{it.id[:8]}, {it.status}, {states(requests) if requests else progress}"


def states(it: Tally) -> str:
    """Return numbers of requests as text: `986 of 1,000 answered, 14 failed`."""
    return ", ".join([f"{it.answered:,} of {it.of:,} answered", *others(it)])


def others(it: Tally) -> list[str]:
    """Return the numbers of requests without an answer: `4 failed`, `10 live`."""
    return [f"{number:,} {state}" for state in STATES[1:] if (number := getattr(it, state))]
