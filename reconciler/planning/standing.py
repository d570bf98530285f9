"""The standing of a name: one of a fixed list of cases. The planner decides by it; `status` and `wait` show it.

Exactly one rule (`reconciler.planning.rules`) applies to each name and sets its standing.
`quota` replaces that by NO_ROOM, `plans.agreement` by NOT_AGREED, and a guard by HELD_BACK.
"""

from __future__ import annotations

from enum import StrEnum


class Standing(StrEnum):
    """The case that a name is in. `docs/planner.md` has the case and the outcome of each."""

    # The whole name must not be touched.
    UNREADABLE = "unreadable"
    NEWER_TOOL = "newer_tool"
    UNKNOWN_STATUS = "unknown_status"
    OTHER_ROOT = "other_root"
    OTHER_HISTORY = "other_history"
    # No work is wanted under the name.
    SUSPENDED = "suspended"
    REMOVED = "removed"
    RENAMED = "renamed"
    HISTORY = "history"
    # The wanted work has a job, or may have one.
    UNSETTLED = "unsettled"
    SUCCEEDED = "succeeded"
    RUNNING = "running"
    STOPPING = "stopping"
    NOT_ADOPTED = "not_adopted"
    SUCCESS_GONE = "success_gone"
    RECORD_GONE = "record_gone"
    # The wanted work has ended, and a person decides what comes next.
    CANCELLED = "cancelled"
    PARTIAL = "partial"
    FAILED = "failed"
    ORIGINAL_GONE = "original_gone"
    # The wanted work is to be created, and something is in the way.
    CHECKOUT_BEHIND = "checkout_behind"
    WAITING = "waiting"
    PERHAPS_SUBMITTED = "perhaps_submitted"
    NO_ROOM = "no_room"
    HELD_BACK = "held_back"
    NOT_AGREED = "not_agreed"
    # The wanted work is created.
    RESTORED = "restored"
    RETRY = "retry"
    NOT_SUBMITTED = "not_submitted"
