"""Step 3: the wanted work itself."""

from __future__ import annotations

from reconciler.actions import Cancel, Change, Create, Hold, Keep, Reason
from reconciler.case import OUR_CANCELS, Case, rank
from reconciler.model import Job, Phase
from reconciler.rules.changes import bought_before, changes
from reconciler.rules.rule import Verdict, rule


@rule("a create of this run key is unsettled, and none is known", "Hold `unsettled`, until when")
def unsettled(case: Case) -> Verdict:
    """A lost answer may still become a job; nothing is bought before that is known."""
    for key in sorted(case.run_keys):
        for intent in case.memory.open_by_run_key.get(key, ()):
            until = case.memory.settles_at(intent)
            if intent.op not in case.seen_ops and case.now < until and not _bought(case):
                return (Hold(reason=Reason.UNSETTLED, hint="run again after that", until=until),)
    return None


def _bought(case: Case) -> bool:
    return any(ours.phase in (Phase.SUCCEEDED, Phase.ACTIVE) for ours in case.wanted)


@rule(
    "SUCCEEDED",
    "Keep `succeeded`, or `adopted` (attention when the share of failed requests exceeds `max_failed`); "
    "ACTIVE twins: Cancel `duplicate`",
)
def succeeded(case: Case) -> Verdict:
    """The answers exist; anything that still runs for them is waste."""
    done = [ours.job for ours in case.wanted if ours.phase is Phase.SUCCEEDED]
    if not done or case.spec is None:
        return None
    job = min(done, key=lambda job: (job.failed_requests, job.age_key))
    total = max(job.total_requests, job.succeeded_requests + job.failed_requests)
    bad = total > 0 and job.failed_requests / total > case.spec.max_failed
    detail = f"{job.failed_requests:,} of {total:,} requests failed" if job.failed_requests else ""
    reason = _unless_adopted(Reason.SUCCEEDED, case, job)
    return (Keep(job=job, reason=reason, detail=detail, attention=bad), *_duplicates(case, job))


@rule("ACTIVE", "Keep the smallest (created_at, id) `running`, or `adopted`, Cancel the others `duplicate`")
def running(case: Case) -> Verdict:
    """The oldest stays, so that two runners that see the same twins agree."""
    live = [ours.job for ours in case.wanted if ours.phase is Phase.ACTIVE]
    if not live:
        return None
    job = min(live, key=lambda job: job.age_key)
    return (Keep(job=job, reason=_unless_adopted(Reason.RUNNING, case, job)), *_duplicates(case, job))


def _unless_adopted(reason: Reason, case: Case, job: Job) -> Reason:
    return Reason.ADOPTED if any(it.adopted for it in case.wanted if it.job.id == job.id) else reason


def _duplicates(case: Case, kept: Job) -> tuple[Cancel, ...]:
    return tuple(
        Cancel(ours=ours, reason=Reason.DUPLICATE, twin=kept)
        for ours in case.wanted
        if ours.phase is Phase.ACTIVE and ours.job.id != kept.id and not ours.adopted
    )


@rule("STOPPING", "Hold `stopping`")
def stopping(case: Case) -> Verdict:
    """What comes next is decided once it has stopped."""
    job = next((ours.job for ours in case.wanted if ours.phase is Phase.STOPPING), None)
    return None if job is None else (Hold(job=job, reason=Reason.STOPPING),)


@rule(
    "the job that the spec adopts for this work is gone, another's, or did other work",
    "Hold `not_adopted` (attention)",
)
def not_adopted(case: Case) -> Verdict:
    """Whoever wrote `adopt` believes that the work is bought: before it is bought again, a person has to look."""
    if not case.not_adopted:
        return None
    hint = "check the id, and whose workspace the key opens; to buy the work, remove `adopt`"
    return (Hold(reason=Reason.NOT_ADOPTED, detail=case.not_adopted, hint=hint, attention=True),)


@rule(
    "memory knows a later job, the list does not, GET says 404",
    "it had succeeded: Keep `record_gone`; else Hold `record_gone` (attention)",
)
def record_gone(case: Case) -> Verdict:
    """A deleted record is no reason to pay again."""
    gone = [known for known in case.remembered if known.job_id in case.gone]
    for known in gone:
        if known.phase is Phase.SUCCEEDED:
            detail = f"job {known.job_id[:8]} had succeeded"
            return (Keep(job=None, reason=Reason.RECORD_GONE, detail=detail),)
    # A restored job carries the attempt of the one that was cancelled, so an equal number is no earlier one.
    listed = max((ours.tags.attempt for ours in case.wanted), default=0)
    for known in gone:
        explained = known.phase in (Phase.FAILED, Phase.TIMED_OUT) or case.cancelled_by_us(known)
        if known.attempt >= listed and not explained:
            stopped = known.phase is Phase.CANCELLED
            before = "after somebody had stopped it" if stopped else "before it was seen to end"
            detail = f"job {known.job_id[:8]} was deleted {before}"
            hint = (
                "check that the key opens the workspace that it was bought in; "
                "if its answers are lost, change `rerun` to buy them again"
            )
            return (Hold(reason=Reason.RECORD_GONE, detail=detail, hint=hint, attention=True),)
    return None


@rule(
    "the newest attempt was CANCELLED, not by us",
    "Hold `cancelled` (attention): cancelled outside this tool's records, for example in the console",
)
def cancelled(case: Case) -> Verdict:
    """What a person stopped stays stopped. An adopted job that came later was not bought for the spec, and is no word
    of ours that it may go on.
    """  # noqa: D205 - one sentence, and why
    since = max((rank(ours) for ours in case.wanted if not ours.adopted), default=None)
    stopped = [
        ours
        for ours in case.wanted
        if ours.phase is Phase.CANCELLED
        and (since is None or rank(ours) >= since)
        and not case.stopped_by_us(ours)
    ]
    if not stopped:
        return None
    hint = "change `rerun` to run it again"
    return (Hold(job=max(stopped, key=rank).job, reason=Reason.CANCELLED, hint=hint, attention=True),)


@rule(
    "the newest attempt was CANCELLED by us, as removed, suspended or superseded, attempts left",
    "Create `restored`",
)
def restored(case: Case) -> Verdict:
    """The spec came back, and so does its work."""
    if case.spec is None or case.failures >= case.spec.retry.max_attempts:
        return None
    gone = any(
        known.job_id in case.gone
        and known.phase in (None, Phase.CANCELLED)  # otherwise the cancel came too late
        and case.memory.cancels.get(known.job_id) in OUR_CANCELS
        and case.cancelled_by_us(known)
        for known in case.remembered
    )
    if case.newest.phase is Phase.CANCELLED if case.newest else gone:
        # The number of what was stopped, though an adopted job before it may count no more: numbers never fall, or
        # `record_gone` would take this job, once it is deleted, for an earlier one.
        stopped = case.newest.tags.attempt if case.newest else 0
        attempt = min(max(case.failures + 1, stopped), case.spec.retry.max_attempts)
        return (Create(spec=case.spec, attempt=attempt, reason=Reason.RESTORED),)
    return None


@rule("FAILED or TIMED_OUT with answers inside", "Hold `partial` (attention): a retry would buy them again")
def partial(case: Case) -> Verdict:
    """Half of the answers are paid for: a person decides about the other half."""
    for ours in case.phase(Phase.FAILED, Phase.TIMED_OUT):
        job = ours.job
        if ours in case.wanted and job.succeeded_requests > 0:
            detail = f"{job.status} with {job.succeeded_requests:,} of {job.total_requests:,} answered"
            hint = "change `rerun` to buy all of them again"
            return (Hold(job=job, reason=Reason.PARTIAL, detail=detail, hint=hint, attention=True),)
    return None


@rule("FAILED or TIMED_OUT, listed in retry.on, attempts left", "Create `retry`")
def retry(case: Case) -> Verdict:
    """Only what the spec asks to retry, and only so often."""
    if case.spec is None or not case.failures:
        return None
    phase = case.newest.phase if case.newest else _remembered_failure(case)
    if phase in case.spec.retry.on and case.failures < case.spec.retry.max_attempts:
        return (Create(spec=case.spec, attempt=case.failures + 1, reason=Reason.RETRY),)
    return None


def _remembered_failure(case: Case) -> Phase | None:
    ended = [known for known in case.remembered if known.phase not in (None, Phase.CANCELLED)]
    return max(((known.attempt, known.phase) for known in ended if known.phase), default=(0, None))[1]


@rule("FAILED or TIMED_OUT otherwise", "Hold `failed` (attention), with the API's own error")
def failed(case: Case) -> Verdict:
    """The error is the API's; the next step is a person's."""
    if case.spec is None or not case.failures:
        return None
    job = case.newest.job if case.newest else None
    why = "; ".join(job.errors) if job else ""
    attempts = f"failed {case.failures} of {max(case.spec.retry.max_attempts, case.failures)} attempts"
    timed_out = case.newest is not None and case.newest.phase is Phase.TIMED_OUT
    word = f"{attempts}, the last by its timeout" if timed_out else attempts
    detail = f"{word}: {why}" if why else word
    hint = "change `rerun` to try again"
    return (Hold(job=job, reason=Reason.FAILED, detail=detail, hint=hint, attention=True),)


@rule(
    "a job of this work was cancelled as a duplicate, and the one it was a duplicate of is gone",
    "Hold `record_gone` (attention)",
)
def twin_gone(case: Case) -> Verdict:
    """A duplicate proves that somebody bought this work; what became of the other, nobody can tell."""
    job = next((ours.job for ours in case.jobs if ours.tags.run_key in case.run_keys), None)
    if case.spec is None or job is None:
        return None
    detail = f"job {job.short_id} was cancelled as a duplicate of one that is gone"
    hint = "if its answers are lost, change `rerun` to buy them again"
    return (Hold(job=job, reason=Reason.RECORD_GONE, detail=detail, hint=hint, attention=True),)


@rule("nothing", "Create `new`, `changed` (which part: inputs, model, …) or `rerun`")
def never_bought(case: Case) -> Verdict:
    """This work was never bought under any name."""
    if case.spec is None:
        return None
    before = bought_before(case)
    attempt = case.failures + 1
    if before is None:
        return (Create(spec=case.spec, attempt=attempt, reason=Reason.NEW),)
    if case.same_work(before):
        change = Change("rerun", before.tags.run_key.rerun or "none", case.spec.rerun or "none")
        return (Create(spec=case.spec, attempt=attempt, reason=Reason.RERUN, changes=(change,)),)
    return (
        Create(spec=case.spec, attempt=attempt, reason=Reason.CHANGED, changes=changes(before, case.spec)),
    )
