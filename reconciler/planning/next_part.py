"""Which requests of a work the next job submits: what is new, and what failed and may be retried. Pure."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from reconciler.model import Checks, Wanted
from reconciler.planning.coverage import ANSWERED_INVALID, ANSWERED_TRUNCATED, WORTH, Coverage, State


class Rules(Struct, frozen=True, kw_only=True):
    """What a spec and the limits say about the next part."""

    retry_on: tuple[str, ...]
    """Kinds of failures that are retried; `http_5xx` and `http_4xx` mean a hundred statuses each."""
    max_attempts: int
    """How often one request may fail."""
    canary: int = 0
    """How many requests need an outcome before the others are submitted; 0 without a canary."""
    checks: Checks = Checks()
    max_requests: int = 1_000_000
    """The most requests of one job."""
    max_bytes: int = 512_000_000
    """The most bytes of one input file of a job."""


PartKind: TypeAlias = Literal["new", "retry", "canary"]


class NextPart(Struct, frozen=True, kw_only=True):
    """The requests that the next job submits."""

    kind: PartKind
    places: Sequence[int]
    """Their places in the work, in its order; empty if nothing is to be submitted."""
    of: int
    """How many requests the work has."""
    reused: int = 0
    """How many of them are answered."""
    at_most: bool = False
    """True if results were not read, so that some of the requests may be answered."""
    held: int = 0
    """How many requests wait for the canary, or for the next part."""
    fresh: int = 0
    """How many of `places` and of those that wait were never asked."""
    retried: Mapping[str, int] = {}
    """How many of `places` have failed before, by kind."""
    failed_check: str = ""
    """The check that stops the canary, in words; "" if none does."""
    stopped: bool = False
    """Whether a person cancelled the canary, so that nothing follows."""


_HUNDRED: Final = re.compile(r"http_([45])xx")


def retried(kind: str, retry_on: Sequence[str]) -> bool:
    """Return whether a spec retries a kind of failure."""
    if kind in retry_on:
        return True
    hundreds = {match[1] for each in retry_on if (match := _HUNDRED.fullmatch(each))}
    return re.fullmatch(r"http_[45][0-9]{2}", kind) is not None and kind[5] in hundreds


def next_part(coverage: Coverage, rules: Rules, inputs: Wanted | None = None) -> NextPart:
    """Return the requests that the next job submits.

    Args:
        coverage: the state of every request.
        rules: the spec's and the limits'.
        inputs: of the work, for their sizes; None if they are not known.
    """
    retry_kinds = {at for at, kind in enumerate(coverage.kinds) if retried(kind, rules.retry_on)}
    states, attempts, kinds = coverage.states, coverage.attempts, coverage.kind
    fresh = array("Q", (at for at, state in enumerate(states) if state == State.NEW))
    unread = array(
        "Q",
        (
            at
            for at, state in enumerate(states)
            if state == State.UNREAD and attempts[at] + 1 < rules.max_attempts
        ),
    )
    again = array(
        "Q",
        (
            at
            for at, state in enumerate(states)
            if state == State.FAILED and attempts[at] < rules.max_attempts and kinds[at] in retry_kinds
        ),
    )
    kind: PartKind = "new" if fresh else "retry"
    failed_check, held, stopped = "", 0, False
    if rules.canary and fresh:
        known = sum(coverage.outcome_known(at) for at in range(len(states)))
        failed_check = "" if known < rules.canary else broken_check(coverage, rules.checks)
        # Requests whose results are not read have outcomes, which are not known yet.
        not_read = states.count(State.UNREAD)
        room = max(0, rules.canary - known - not_read)
        whole = known == rules.canary and not states.count(State.STOPPED)
        stopped = coverage.cancelled and (known < rules.canary or whole)  # a person stopped the canary
        if stopped:
            again, room = array("Q"), 0
        if known < rules.canary or failed_check or not_read or stopped:
            held = max(0, len(fresh) - room)
            fresh, kind = fresh[:room], "canary"
            failed_check = "" if again else failed_check
    places = array("Q", sorted((*again, *fresh, *unread)))
    bounded = _bounded(places, rules, inputs)
    held += len(places) - len(bounded)
    failed = Counter(kinds[at] for at in bounded if states[at] == State.FAILED) if again else {}
    return NextPart(
        kind=kind,
        places=bounded,
        of=len(states),
        reused=states.count(State.ANSWERED),
        at_most=bool(unread),
        held=held,
        fresh=states.count(State.NEW),
        retried={coverage.kinds[kind]: failed[kind] for kind in sorted(failed)},
        failed_check=failed_check,
        stopped=stopped,
    )


def _bounded(places: Sequence[int], rules: Rules, inputs: Wanted | None) -> Sequence[int]:
    """Return the first places that fit into one job, whose inputs have a file each."""
    places = places[: rules.max_requests]
    if inputs is None:
        return places
    ends = accumulate(inputs.files)
    end = used = 0
    for count, place in enumerate(places):
        while place >= end:
            end, used = next(ends), 0
        used += inputs.sizes[place]
        if used > rules.max_bytes and count:
            return places[:count]
    return places


def broken_check(coverage: Coverage, checks: Checks) -> str:
    """Return the first check that the outcomes so far do not pass, in words; "" if they pass all.

    An error counts also if a person has cancelled its job since: it says something about the requests that follow.
    """
    states, attempts = coverage.states, coverage.attempts
    known = [at for at in range(len(states)) if states[at] == State.ANSWERED or attempts[at] > 0]
    answered = [coverage.worth[at] for at in known if coverage.states[at] == State.ANSWERED]
    counts = {
        "failed": (len(known) - len(answered), len(known)),
        "invalid": (answered.count(WORTH[ANSWERED_INVALID]), len(answered)),
        "truncated": (answered.count(WORTH[ANSWERED_TRUNCATED]), len(answered)),
    }
    for name, limit in checks.broken(counts).items():
        number, of = counts[name]
        return f"{number:,} of {of:,} {_BROKEN[name]} ({limit})"
    return ""


_BROKEN: Final = {
    "failed": "requests have no answer",
    "invalid": "answers are invalid",
    "truncated": "answers were cut off",
}
