"""The wanted work has ended, and a person decides what comes next."""

from __future__ import annotations

from reconciler.ledger.lines import BY_HAND
from reconciler.model import OwnedJob, Phase
from reconciler.planning.actions import Hold, Reason
from reconciler.planning.case import Case
from reconciler.planning.rules.rule import Actions, rule
from reconciler.planning.standing import Standing
from reconciler.planning.work import Verdict


@rule(
    Standing.CANCELLED,
    "every job is accounted for, and the newest attempt, or one that the ledger knows, was CANCELLED, but not by us; "
    "with results, if only requests are left that were last asked in such a job",
    "Hold `cancelled` (attention): cancelled by hand, or by a run whose record is missing",
    applies=lambda case: (
        case.verdict is Verdict.STOPPED or (case.accounted_for and case.stopped_by_a_person is not None)
    ),
)
def cancelled(case: Case) -> Actions:
    """A job cancelled by a person stays cancelled."""
    job = case.stopped_by_a_person.job if case.stopped_by_a_person else None
    by_hand = job is not None and case.memory.cancels.get(job.id) == BY_HAND
    detail = "with `jobs cancel`" if by_hand else "by hand, or by a run whose record is missing"
    hint = f"to go on with what has no answer: reconciler retry {case.name}"
    return (Hold(job=job, reason=Reason.CANCELLED, detail=f"cancelled {detail}", hint=hint, attention=True),)


@rule(
    Standing.PARTIAL,
    "every job is accounted for, no person cancelled the newest, and one FAILED, TIMED_OUT or was CANCELLED by us with "
    "some answers: an output file, or a count, now or in the ledger",
    "Hold `partial` (attention): a retry would submit them again. `apply` fetches them first, and submits the rest",
    applies=lambda case: (
        case.accounted_for and case.stopped_by_a_person is None and case.partly_answered is not None
    ),
)
def partial(case: Case) -> Actions:
    """Some answers are paid for: a person decides about the rest."""
    found, job = case.partly_answered, None
    if isinstance(found, OwnedJob):
        job = found.job
        counted = f"{job.succeeded_requests:,} of {job.total_requests:,} answered"
        detail = f"{job.status} with {counted if job.succeeded_requests else 'an output file'}"
    else:
        detail = f"job {found.job_id[:8]} ended early with some answers, by the ledger" if found else ""
    fetch = "run apply, which fetches them, or: reconciler outputs pull"
    rest = fetch if case.attempts_left else f"to submit the rest alone: reconciler retry {case.name}"
    hint = f"{rest}; to submit all requests again, change `rerun`"
    return (Hold(job=job, reason=Reason.PARTIAL, detail=detail, hint=hint, attention=True),)


@rule(
    Standing.FAILED,
    "FAILED or TIMED_OUT without answers, not listed in retry.on or no attempts left",
    "Hold `failed` (attention), with the API's error",
    applies=lambda case: case.failed and not case.retryable,
)
def failed(case: Case) -> Actions:
    """No attempt is left, so a person decides."""
    job = case.newest.job if case.newest else None
    why = "; ".join(job.errors) if job else ""
    allowed = case.spec.retry.max_attempts if case.spec else 0
    attempts = f"failed {case.failures} of {max(allowed, case.failures)} attempts"
    timed_out = case.newest is not None and case.newest.phase is Phase.TIMED_OUT
    word = f"{attempts}, the last by its timeout" if timed_out else attempts
    detail = f"{word}: {why}" if why else word
    again = case.newest is not None and case.spec is not None and case.newest.phase in case.spec.retry.on
    hint = f"to try again: reconciler {'retry' if again else 'rerun'} {case.name}"
    return (Hold(job=job, reason=Reason.FAILED, detail=detail, hint=hint, attention=True),)


@rule(
    Standing.ORIGINAL_GONE,
    "all known jobs of the work were cancelled as duplicates, and the job that they duplicated is not in this "
    "workspace",
    "Hold `record_gone` (attention)",
    applies=lambda case: (
        case.open_again and not case.restorable and not case.failed and bool(case.listed_or_duplicates)
    ),
)
def original_gone(case: Case) -> Actions:
    """A duplicate proves that the work was submitted; how the other job ended is not known."""
    job = case.of_run_key[0].job if case.of_run_key else None
    first = case.listed_or_duplicates[0][:8]
    detail = f"job {first} was cancelled as a duplicate of a job that is not in this workspace"
    hint = "if the answers are lost, change `rerun` to submit them again"
    return (Hold(job=job, reason=Reason.RECORD_GONE, detail=detail, hint=hint, attention=True),)
