"""Every standing and every reason has its words: a new one fails here until its words are in the tables below."""

from __future__ import annotations

import pytest

from reconciler.model import Target
from reconciler.planning.actions import Reason
from reconciler.planning.standing import Standing
from reconciler.plans.action_documents import HoldDoc, JobDoc
from reconciler.plans.document import DecisionDoc, PlanDoc, SummaryDoc
from reconciler.render.reasons import reason_words
from reconciler.render.status_view import status_doc

HELD = "on hold"
JOB = "RUNNING"
STATES = {
    Standing.UNREADABLE: (HELD, JOB),
    Standing.NEWER_TOOL: (HELD, JOB),
    Standing.UNKNOWN_STATUS: (HELD, JOB),
    Standing.OTHER_ROOT: (HELD, HELD),
    Standing.OTHER_HISTORY: (HELD, HELD),
    Standing.SUSPENDED: ("suspended", JOB),
    Standing.REMOVED: (HELD, JOB),
    Standing.RENAMED: (HELD, JOB),
    Standing.HISTORY: (HELD, JOB),
    Standing.UNSETTLED: (HELD, HELD),
    Standing.SUCCEEDED: (HELD, JOB),
    Standing.RUNNING: (HELD, JOB),
    Standing.STOPPING: (HELD, JOB),
    Standing.NOT_ADOPTED: (HELD, JOB),
    Standing.SUCCESS_GONE: (HELD, JOB),
    Standing.RECORD_GONE: (HELD, JOB),
    Standing.CANCELLED: (HELD, JOB),
    Standing.PARTIAL: (HELD, JOB),
    Standing.FAILED: ("FAILED", JOB),
    Standing.INCOMPLETE: (HELD, JOB),
    Standing.CANARY_FAILED: (HELD, JOB),
    Standing.ANSWERS_LATE: (HELD, JOB),
    Standing.ANSWERS_GONE: (HELD, JOB),
    Standing.RESULTS_NEEDED: (HELD, JOB),
    Standing.ORIGINAL_GONE: (HELD, JOB),
    Standing.CHECKOUT_BEHIND: (HELD, HELD),
    Standing.WAITING: (HELD, HELD),
    Standing.PERHAPS_SUBMITTED: (HELD, HELD),
    Standing.NO_ROOM: (HELD, HELD),
    Standing.HELD_BACK: (HELD, HELD),
    Standing.INPUT_NEEDED: (HELD, HELD),
    Standing.NOT_AGREED: (HELD, JOB),
    Standing.RESTORED: (HELD, JOB),
    Standing.RETRY: (HELD, JOB),
    Standing.NOT_SUBMITTED: (HELD, JOB),
    Standing.PART: (HELD, JOB),
}
"""The state that `status` shows for a hold without a job, and for a hold because of a running job.

It is the job's status, unless the job of the hold is not that of the wanted work.
"""

WORDS = {
    Reason.NEW: "new",
    Reason.CHANGED: "changed",
    Reason.RERUN: "rerun",
    Reason.RETRY: "retry",
    Reason.RESTORED: "restored",
    Reason.REMOVED: "no longer declared",
    Reason.SUPERSEDED: "the spec declares other work",
    Reason.SUSPENDED: "suspended",
    Reason.DUPLICATE: "another job does the same work",
    Reason.RUNNING: "running",
    Reason.SUCCEEDED: "succeeded",
    Reason.ADOPTED: "adopted",
    Reason.NOT_ADOPTED: "not adopted",
    Reason.SAME_WORK: "same work",
    Reason.RENAMED: "renamed",
    Reason.RECORD_GONE: "its job is not in this workspace",
    Reason.UNREADABLE: "unreadable",
    Reason.NEWER_TOOL: "written by a newer version",
    Reason.UNKNOWN_STATUS: "unknown status",
    Reason.OTHER_ROOT: "",
    Reason.OTHER_HISTORY: "this checkout does not contain its commit",
    Reason.CHECKOUT_BEHIND: "this checkout is behind",
    Reason.KEPT: "no longer declared, kept by its on_remove",
    Reason.WAITING: "waiting",
    Reason.UNSETTLED: "a create may have been sent, and its outcome is not known yet",
    Reason.STOPPING: "it is being cancelled",
    Reason.CANCELLED: "",
    Reason.PARTIAL: "",
    Reason.INCOMPLETE: "incomplete",
    Reason.CANARY_FAILED: "canary failed",
    Reason.ANSWERS_LATE: "answers late",
    Reason.ANSWERS_GONE: "answers gone",
    Reason.RESULTS_NEEDED: "results needed",
    Reason.PART: "",
    Reason.FAILED: "",
    Reason.HELD_BACK: "held back",
    Reason.INPUT_NEEDED: "input needed",
    Reason.QUOTA: "quota",
    Reason.NOT_AGREED: "needs an agreed plan",
}
"""The words of a plan for a reason; none if its detail says it."""


def state(standing: Standing, job: JobDoc | None) -> str:
    hold = HoldDoc(reason="any", job=job)
    decision = DecisionDoc(name="a", declared_at="a.yaml:1", standing=standing, actions=(hold,))
    numbers = dict.fromkeys(set(SummaryDoc.__struct_fields__) - {"cost"}, 0)
    plan = PlanDoc(
        format_version="1",
        tool_version="1",
        created_at="2026-11-28T00:00:00Z",
        target=Target(base_url="https://api.mistral.ai", project="demo"),
        decisions=(decision,),
        summary=SummaryDoc(cost=None, **numbers),
    )
    (row,) = status_doc(plan, {}, None).rows
    return row.state


@pytest.mark.parametrize("standing", Standing)
def test_status_shows_a_hold_of_every_standing_as_decided(standing: Standing) -> None:
    running = JobDoc(id="j1", status=JOB)
    assert (state(standing, None), state(standing, running)) == STATES[standing]


@pytest.mark.parametrize("reason", Reason)
def test_a_plan_has_words_for_every_reason(reason: Reason) -> None:
    assert reason_words(reason) == WORDS[reason]
