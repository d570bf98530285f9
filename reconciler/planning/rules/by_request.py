"""Results show the state of each request of the wanted work, and nothing is submitted."""

from __future__ import annotations

from reconciler.planning.actions import Hold, Reason
from reconciler.planning.case import Case
from reconciler.planning.coverage import State
from reconciler.planning.next_part import Verdict, retried
from reconciler.planning.rules.rule import Actions, rule
from reconciler.planning.standing import Standing
from reconciler.text.plural import pluralize


@rule(
    Standing.INCOMPLETE,
    "some requests have no answer, no job of the work has succeeded, and none of them may be submitted again",
    "Hold `incomplete` (attention), with the number and the kinds of failures",
    applies=lambda case: case.verdict is Verdict.INCOMPLETE,
)
def incomplete(case: Case) -> Actions:
    """No attempt is left, or `retry.on` does not name what failed."""
    if case.work is None:
        return ()
    failures, words = case.work.coverage.failures(), case.spec.retry.words if case.spec else ()
    unnamed = sorted(kind for kind in failures if not retried(kind, words))
    step = f"name {', '.join(unnamed)} in retry.on" if unnamed else "raise retry.max_attempts"
    hint = f"see why: reconciler outputs show {case.name} --failed; to submit them again, {step}"
    return (Hold(reason=Reason.INCOMPLETE, detail=case.work.unanswered, hint=hint, attention=True),)


@rule(
    Standing.CANARY_FAILED,
    "the canary has its outcomes, and they do not pass the checks",
    "Hold `canary_failed` (attention), with the check and the number of requests that were not submitted",
    applies=lambda case: case.verdict is Verdict.CANARY_FAILED,
)
def canary_failed(case: Case) -> Actions:
    """The rest of the work is not submitted."""
    if case.work is None:
        return ()
    part = case.work.part
    detail = f"canary: {part.failed_check}; {part.held:,} not submitted"
    hint = f"change the prompt or the checks; reconciler outputs show {case.name} --failed or --invalid shows why"
    return (Hold(reason=Reason.CANARY_FAILED, detail=detail, hint=hint, attention=True),)


@rule(
    Standing.ANSWERS_LATE,
    "a job of the name has just ended, and its results may not be complete yet",
    "Hold `answers_late`, until its results are believed as they are",
    applies=lambda case: case.verdict is Verdict.LATE,
)
def answers_late(case: Case) -> Actions:
    """An end is not believed too early."""
    if case.work is None:
        return ()
    count = case.work.coverage.count()[State.LATE]
    detail = f"the answers to {pluralize(count, 'request')} may still appear"
    return (Hold(reason=Reason.ANSWERS_LATE, detail=detail, until=case.work.late_until),)


@rule(
    Standing.ANSWERS_GONE,
    "a job answered requests that are wanted, and its results can no longer be read",
    "Hold `answers_gone` (attention)",
    applies=lambda case: case.verdict is Verdict.GONE,
)
def answers_gone(case: Case) -> Actions:
    """What was paid for may still be in another place of results."""
    if case.work is None:
        return ()
    count = case.work.coverage.count()[State.GONE]
    detail = case.work.lost or f"the answers to {pluralize(count, 'request')} are lost at the API"
    hint = (
        "set `results` to the place that they were pulled into; or change `rerun` to submit everything again"
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
    hint = f"run apply, which fetches them, or: reconciler outputs pull {case.name}"
    return (Hold(reason=Reason.RESULTS_NEEDED, hint=hint, attention=True),)
