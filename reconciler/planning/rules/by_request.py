"""Results show the state of each request of the wanted work, and nothing is submitted."""

from __future__ import annotations

from reconciler.planning.actions import Hold, Reason
from reconciler.planning.case import Case
from reconciler.planning.coverage import State
from reconciler.planning.next_part import retried
from reconciler.planning.rules.rule import Actions, rule, rule_about
from reconciler.planning.standing import Standing
from reconciler.planning.work import Verdict, Work
from reconciler.text.plural import pluralize


@rule_about(
    Standing.INCOMPLETE,
    "some requests have no answer, no job of the work has succeeded, and none of them may be submitted again",
    "Hold `incomplete` (attention), with the number and the kinds of failures",
    found=lambda case: case.work if case.verdict is Verdict.INCOMPLETE else None,
)
def incomplete(case: Case, work: Work) -> Actions:
    """No attempt is left, or `retry.on` does not name what failed."""
    hint = f"see why: reconciler outputs show {case.name} --failed; {to_submit_again(case, work)}"
    return (Hold(reason=Reason.INCOMPLETE, detail=work.counts.unanswered, hint=hint, attention=True),)


def to_submit_again(case: Case, work: Work) -> str:
    """Return how a person lets what has no answer be submitted once more."""
    words = case.spec.retry.words if case.spec else ()
    others = [kind for kind in work.coverage.failures() if not retried(kind, words)]
    also = f"add {' and '.join(others)} to `retry.on`, then " if others else ""
    return f"to submit them again: {also}reconciler retry {case.name}"


@rule_about(
    Standing.CANARY_FAILED,
    "the canary has its outcomes, and they do not pass the checks",
    "Hold `canary_failed` (attention), with the check and the number of requests that were not submitted",
    found=lambda case: case.work if case.verdict is Verdict.CANARY_FAILED else None,
)
def canary_failed(case: Case, work: Work) -> Actions:
    """The rest of the work is not submitted."""
    part = work.part
    detail = f"canary: {part.failed_check}; {part.held:,} not submitted"
    hint = f"change the prompt or the checks; reconciler outputs show {case.name} --failed or --invalid shows why"
    return (Hold(reason=Reason.CANARY_FAILED, detail=detail, hint=hint, attention=True),)


@rule_about(
    Standing.ANSWERS_LATE,
    "a job of the name has just ended, and its results may not be complete yet",
    "Hold `answers_late`, until its results are believed as they are",
    found=lambda case: case.work if case.verdict is Verdict.LATE else None,
)
def answers_late(case: Case, work: Work) -> Actions:
    """An end is not believed too early."""
    count = work.coverage.count()[State.LATE]
    detail = f"the answers to {pluralize(count, 'request')} may still appear"
    return (Hold(reason=Reason.ANSWERS_LATE, detail=detail, until=work.late_until),)


@rule_about(
    Standing.ANSWERS_GONE,
    "a job answered requests that are wanted, and its results can no longer be read",
    "Hold `answers_gone` (attention)",
    found=lambda case: case.work if case.verdict is Verdict.GONE else None,
)
def answers_gone(case: Case, work: Work) -> Actions:
    """What was paid for may still be in another place of results."""
    count = work.coverage.count()[State.GONE]
    detail = work.lost or f"the answers to {pluralize(count, 'request')} are in no file of the API"
    hint = (
        "set `results` to the place that they were pulled into; without them, `reuse: false` submits the changed work "
        f"whole, and reconciler rerun {case.name} any work"
    )
    return (Hold(reason=Reason.ANSWERS_GONE, detail=detail, hint=hint, attention=True),)


@rule(
    Standing.RESULTS_NEEDED,
    "every job is accounted for, and results that were not read show what is left: of a part of the work, or of a job "
    "that is not to be submitted again",
    "Hold `results_needed` (attention)",
    applies=lambda case: (
        case.verdict is Verdict.UNREAD
        or (
            case.accounted_for
            and case.stopped_by_a_person is None
            and case.partly_answered is None
            and case.submitted_in_parts
        )
    ),
)
def results_needed(case: Case) -> Actions:
    """Nothing is submitted while it is not known what is answered."""
    why = case.work.unreadable if case.work else ""
    fetch = f"run apply, which fetches them, or: reconciler outputs pull {case.name}"
    hint = "make it readable, or set `results` to another place" if why else fetch
    return (Hold(reason=Reason.RESULTS_NEEDED, detail=why, hint=hint, attention=True),)
