"""The standing of a name: one of a fixed list of cases. The planner decides by it; `status` and `wait` show it.

Exactly one rule (`reconciler.planning.rules`) applies to each name and sets its standing.
`quota` replaces that by NO_ROOM, `hold_back` by INPUT_NEEDED, `plans.agreement` by NOT_AGREED, and a guard by
HELD_BACK.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Self


class Readiness(StrEnum):
    """How far a name is."""

    DONE = "done"
    RUNNING = "running"
    PENDING = "pending"
    ATTENTION = "attention"
    IDLE = "idle"


class Standing(StrEnum):
    """The case that a name is in. `docs/planner.md` has the case and the outcome of each."""

    readiness: Readiness
    """How far a name of this standing is; PENDING waits for an apply."""

    def __new__(cls, value: str, readiness: Readiness) -> Self:
        """Return a standing with its readiness."""
        standing = str.__new__(cls, value)
        standing._value_, standing.readiness = value, readiness
        return standing

    # The whole name must not be touched.
    UNREADABLE = "unreadable", Readiness.ATTENTION
    NEWER_TOOL = "newer_tool", Readiness.ATTENTION
    UNKNOWN_STATUS = "unknown_status", Readiness.RUNNING
    OTHER_ROOT = "other_root", Readiness.ATTENTION
    OTHER_HISTORY = "other_history", Readiness.PENDING
    # No work is wanted under the name.
    SUSPENDED = "suspended", Readiness.IDLE
    REMOVED = "removed", Readiness.PENDING
    RENAMED = "renamed", Readiness.DONE
    HISTORY = "history", Readiness.DONE
    # The wanted work has a job, or may have one.
    UNSETTLED = "unsettled", Readiness.RUNNING
    SUCCEEDED = "succeeded", Readiness.DONE
    RUNNING = "running", Readiness.RUNNING
    STOPPING = "stopping", Readiness.RUNNING
    NOT_ADOPTED = "not_adopted", Readiness.ATTENTION
    SUCCESS_GONE = "success_gone", Readiness.DONE
    RECORD_GONE = "record_gone", Readiness.ATTENTION
    # The wanted work has ended, and a person decides what comes next.
    CANCELLED = "cancelled", Readiness.ATTENTION
    PARTIAL = "partial", Readiness.ATTENTION
    FAILED = "failed", Readiness.ATTENTION
    INCOMPLETE = "incomplete", Readiness.ATTENTION
    CANARY_FAILED = "canary_failed", Readiness.ATTENTION
    ANSWERS_LATE = "answers_late", Readiness.RUNNING
    ANSWERS_GONE = "answers_gone", Readiness.ATTENTION
    RESULTS_NEEDED = "results_needed", Readiness.ATTENTION
    ORIGINAL_GONE = "original_gone", Readiness.ATTENTION
    # The wanted work is to be created, and something is in the way.
    CHECKOUT_BEHIND = "checkout_behind", Readiness.PENDING
    WAITING = "waiting", Readiness.RUNNING
    PERHAPS_SUBMITTED = "perhaps_submitted", Readiness.ATTENTION
    NO_ROOM = "no_room", Readiness.PENDING
    INPUT_NEEDED = "input_needed", Readiness.ATTENTION
    HELD_BACK = "held_back", Readiness.PENDING
    NOT_AGREED = "not_agreed", Readiness.ATTENTION
    # The wanted work is created.
    RESTORED = "restored", Readiness.PENDING
    RETRY = "retry", Readiness.PENDING
    PART = "part", Readiness.PENDING
    NOT_SUBMITTED = "not_submitted", Readiness.PENDING


CONTINUES: Final = frozenset({Standing.RETRY, Standing.PART})
"""Standings in which a create continues submitted work: another attempt, or requests that were not asked."""
WAITS: Final = frozenset({Standing.NO_ROOM, Standing.WAITING, Standing.STOPPING, Standing.UNSETTLED})
"""Standings that pass by themselves. Agreement to such a plan includes what follows."""
