"""The wanted work has a job, or may have one: nothing is created."""

from __future__ import annotations

from reconciler.ledger.lines import CreateIntended
from reconciler.ledger.memory import Remembered
from reconciler.model import Checks, Job, Phase
from reconciler.model.requests import OF_ANSWERS
from reconciler.planning.actions import Cancel, Hold, Keep, Reason
from reconciler.planning.case import Case
from reconciler.planning.rules.by_request import to_submit_again
from reconciler.planning.rules.other_work import duplicate
from reconciler.planning.rules.rule import Actions, rule, rule_about
from reconciler.planning.standing import Standing
from reconciler.planning.work import Verdict, Work
from reconciler.text.plural import pluralize


@rule_about(
    Standing.UNSETTLED,
    "a create under the name or one in `reuse`, of whatever work, or of this run key under any name is unsettled, and "
    "no job of the wanted work is ACTIVE or SUCCEEDED",
    "Hold `unsettled`, until the settle time has passed",
    found=lambda case: case.unsettled if case.work_is_wanted else None,
)
def unsettled(case: Case, intent: CreateIntended) -> Actions:
    """The response to a create was lost, so the job may still appear. Nothing is created before that is known."""
    until = case.memory.settles_at(intent)
    return (Hold(reason=Reason.UNSETTLED, hint="run again after that", until=until),)


@rule(
    Standing.SUCCEEDED,
    "a job of the wanted work SUCCEEDED and nothing is left to submit, or results answer every request",
    "Keep `succeeded`, or `adopted` (attention if one of its `checks` does not hold, or if answers are "
    "missing); ACTIVE twins: Cancel `duplicate`",
    applies=lambda case: case.work_is_wanted and case.succeeded,
)
def succeeded(case: Case) -> Actions:
    """The answers exist, so another job of the same work is waste."""
    work = case.work if case.work is not None and case.work.decides else None
    if work is not None and work.verdict is Verdict.COMPLETE:
        return (_complete(case, work), *_duplicates(case))
    owned = min(case.wanted_in(Phase.SUCCEEDED), key=lambda it: it.success_key)
    job, total, checked, difference = owned.job, owned.requests or 0, owned.checked, owned.difference
    counts = {"failed": (job.failed_requests, total)} if case.counts is None else {**case.counts.for_checks}
    if case.counts is None and owned.is_part and case.tally is not None:
        counts["failed"] = (case.tally.unanswered, case.tally.of)
    if case.counts is None and checked:
        counts |= {name: (getattr(checked, name), checked.answers) for name in OF_ANSWERS}
    broken = (case.spec.checks if case.spec else Checks()).broken(counts)
    failed = f"{job.failed_requests:,} of {total:,} requests failed" if job.failed_requests else ""
    if case.counts is not None:
        failed = "" if difference or case.counts.complete else case.counts.unanswered
    elif owned.is_part:
        missing, of = counts["failed"]
        failed = f"{missing:,} of {of:,} requests have no answer" if missing else ""
    again = to_submit_again(case, work) if work is not None and "failed" in broken else ""
    words = (failed, difference, checked.words if checked else "", *broken.values(), again)
    reason = _unless_adopted(Reason.SUCCEEDED, case, job)
    attention = bool(broken or difference)
    kept = Keep(job=job, reason=reason, detail="; ".join(filter(None, words)), attention=attention)
    return (kept, *_duplicates(case))


def _complete(case: Case, work: Work) -> Keep:
    """Keep the newest job that has an answer to a wanted request."""
    by_id = {it.job.id: it.job for it in (*case.jobs, *case.lenders)}
    reused = work.coverage.reused()
    jobs = [by_id[job_id] for job_id in work.coverage.donors if job_id in by_id and reused[job_id]]
    detail = f"{pluralize(len(jobs), 'job')} answered all {work.part.of:,} requests" if len(jobs) > 1 else ""
    job = jobs[-1] if jobs else None
    return Keep(job=job, reason=_unless_adopted(Reason.SUCCEEDED, case, job), detail=detail)


@rule(
    Standing.RUNNING,
    "a job of the wanted work is ACTIVE, and none SUCCEEDED",
    "Keep the smallest (created_at, id) `running`, or `adopted`, Cancel the others `duplicate`",
    applies=lambda case: case.work_is_wanted and case.running,
)
def running(case: Case) -> Actions:
    """The oldest stays, so that two runners that see the same jobs agree."""
    job = min((owned.job for owned in case.wanted_in(Phase.ACTIVE)), key=lambda job: job.age_key)
    return (Keep(job=job, reason=_unless_adopted(Reason.RUNNING, case, job)), *_duplicates(case))


def _unless_adopted(reason: Reason, case: Case, job: Job | None) -> Reason:
    return Reason.ADOPTED if job and any(it.adopted for it in case.wanted if it.job.id == job.id) else reason


def _duplicates(case: Case) -> tuple[Cancel, ...]:
    return tuple(cancel for it in case.wanted_in(Phase.ACTIVE) if (cancel := duplicate(case, it)))


@rule(
    Standing.STOPPING,
    "a job of the wanted work is STOPPING, none is ACTIVE or SUCCEEDED, and no create is unsettled",
    "Hold `stopping`",
    applies=lambda case: case.work_is_wanted and case.stopping,
)
def stopping(case: Case) -> Actions:
    """The next step is decided once the job has stopped."""
    return (Hold(job=case.wanted_in(Phase.STOPPING)[0].job, reason=Reason.STOPPING),)


@rule(
    Standing.NOT_ADOPTED,
    "the work is at rest, and the job that the spec adopts for it is gone, belongs to another project, or did other "
    "work",
    "Hold `not_adopted` (attention)",
    applies=lambda case: case.at_rest and bool(case.not_adopted),
)
def not_adopted(case: Case) -> Actions:
    """`adopt` says that the work exists: before it is created again, a person has to look."""
    hint = "check the id, and that the API key is for the right workspace; to submit the work, remove `adopt`"
    return (Hold(reason=Reason.NOT_ADOPTED, detail=case.not_adopted, hint=hint, attention=True),)


@rule_about(
    Standing.SUCCESS_GONE,
    "the work is at rest, and the ledger has a job of it that SUCCEEDED and that this workspace does not have (not "
    "listed, GET returns 404)",
    "Keep `record_gone`",
    found=lambda case: case.success_gone if case.at_rest and not case.not_adopted else None,
)
def success_gone(case: Case, known: Remembered) -> Actions:
    """A deleted record is no reason to submit the work again."""
    return (Keep(job=None, reason=Reason.RECORD_GONE, detail=f"job {known.job_id[:8]} had succeeded"),)


@rule_about(
    Standing.RECORD_GONE,
    "the work is at rest, and the ledger has a later job of it that this workspace does not have (not listed, GET "
    "returns 404) and whose end is unexplained",
    "Hold `record_gone` (attention)",
    found=lambda case: (
        case.lost if case.at_rest and not case.not_adopted and case.success_gone is None else None
    ),
)
def record_gone(case: Case, known: Remembered) -> Actions:
    """How the job ended can no longer be read, so a person decides."""
    stopped = known.phase is Phase.CANCELLED
    end = "it was cancelled outside this tool's records" if stopped else "its end is not recorded"
    detail = f"job {known.job_id[:8]} is not in this workspace, and {end}"
    hint = (
        "check that the API key is for the right workspace; "
        "if the answers are lost, change `rerun` to submit them again"
    )
    return (Hold(reason=Reason.RECORD_GONE, detail=detail, hint=hint, attention=True),)
