"""The words for the reasons of actions."""

from __future__ import annotations

from typing import Final

REASON_WORDS: Final = {
    "removed": "no longer declared",
    "superseded": "the spec declares other work",
    "duplicate": "another job does the same work",
    "record_gone": "its job is not in this workspace",
    "other_root": "",
    "other_history": "this checkout does not contain its commit",
    "checkout_behind": "this checkout is behind",
    "kept": "no longer declared, kept by its on_remove",
    "newer_tool": "written by a newer version",
    "cancelled": "",
    "stopping": "it is being cancelled",
    "unsettled": "a create may have been sent, and its outcome is not known yet",
    "failed": "",
    "partial": "",
    "not_agreed": "needs an agreed plan",
    "part": "",
}
"""The words for a reason; a reason that is not listed is shown as it is."""


def reason_words(reason: str) -> str:
    """Return the words for a reason, "" if the detail after it is enough."""
    return REASON_WORDS.get(reason, reason.replace("_", " "))
