"""The wanted work is to be created: now, or once nothing is in the way."""

from __future__ import annotations

from reconciler.model import JobSpec, KnownRequests, OwnedJob, Unreadable
from reconciler.planning.actions import Change, Create, Hold, Reason
from reconciler.planning.case import Case
from reconciler.planning.next_part import NextPart
from reconciler.planning.rules.changes import changes, submitted_before
from reconciler.planning.rules.rule import Actions, rule_about
from reconciler.planning.standing import Standing


def free(case: Case) -> bool:
    """Whether nothing is in the way of a create."""
    return case.newer_checkout is None and case.ends_first is None and case.of_any_name is None


@rule_about(
    Standing.CHECKOUT_BEHIND,
    "the work is to be created, and the last job of the name comes from a commit that contains HEAD",
    "Hold `checkout_behind`: this checkout is older than the job",
    found=lambda case: case.newer_checkout if case.wants_more else None,
)
def checkout_behind(case: Case, last: OwnedJob) -> Actions:
    """An old checkout submits nothing under a name that a newer checkout has submitted."""
    commit = last.tags.source.commit[:10]
    detail = f"job {last.job.short_id} was created from commit {commit}, which is newer than this checkout"
    hint = "update the checkout, then plan again"
    return (Hold(job=last.job, reason=Reason.CHECKOUT_BEHIND, detail=detail, hint=hint),)


@rule_about(
    Standing.WAITING,
    "the work is to be created, and a live job of other work has to end first: by itself, or because it is being "
    "cancelled, or will be, and was asked requests that are wanted and have no answer, or it is not known which",
    "Hold `waiting`",
    found=lambda case: case.ends_first if case.wants_more and case.newer_checkout is None else None,
)
def waiting(case: Case, before: OwnedJob) -> Actions:
    """A rerun starts after the job before it, and changed work after a job whose answers may count."""
    short_id, overlap, work = before.job.short_id, case.overlap(before), case.work
    detail, in_all = f"for job {short_id} to end", None
    if overlap and overlap.wanted and work:
        stops = case.waited_for is None
        more = len(work.part.places) + (overlap.open if stops else 0)
        in_all = more + work.part.held if stops else None
        then = f" · then submits {'at most ' if stops else ''}{more:,}" if more else ""
        detail = f"{short_id} {overlap.words}{then}"
    changed = () if case.spec is None or case.of_run_key else _why(case, case.spec)[1]
    return (Hold(job=before.job, reason=Reason.WAITING, detail=detail, changes=changed, requests=in_all),)


@rule_about(
    Standing.PERHAPS_SUBMITTED,
    "the work is to be created, nothing else is in the way, and the list has a job of which nothing shows whose it is",
    "Hold `unreadable` (attention): it may be the job of this work",
    found=lambda case: (
        case.of_any_name
        if case.to_create and case.newer_checkout is None and case.ends_first is None
        else None
    ),
)
def perhaps_submitted(case: Case, lost: Unreadable) -> Actions:
    """Nothing is created while a job in the list may be the one that is to be created."""
    detail = f"job {lost.job.id} may be of this name: {lost.problem}"
    return (Hold(job=lost.job, reason=Reason.UNREADABLE, detail=detail, hint=lost.hint, attention=True),)


@rule_about(
    Standing.RESTORED,
    "the newest attempt was CANCELLED, by us as removed, suspended or superseded, or by a person before "
    "`retry.max_attempts` was raised; and attempts are left",
    "Create `restored`, or `retry` after such a raise",
    found=lambda case: case.spec if case.restorable and free(case) else None,
)
def restored(case: Case, spec: JobSpec) -> Actions:
    """The spec is declared again, or allows more attempts, so its work is created again."""
    # At least the number of the cancelled job, even if an adopted job before it no longer counts. If numbers fell,
    # `record_gone` would take this job, once it is deleted, for an earlier attempt.
    stopped = case.newest.tags.attempt if case.newest else 0
    attempt = min(max(case.failures + 1, stopped), spec.retry.max_attempts)
    ours = case.newest is None or case.cancelled_by_this_tool(case.newest)
    return (Create(spec=spec, attempt=attempt, reason=Reason.RESTORED if ours else Reason.RETRY),)


@rule_about(
    Standing.RETRY,
    "FAILED or TIMED_OUT without answers, listed in retry.on, and attempts are left",
    "Create `retry`",
    found=lambda case: case.spec if case.retryable and free(case) else None,
)
def retry(case: Case, spec: JobSpec) -> Actions:
    """Only for the ends that the spec lists, and only as often as it allows."""
    return (Create(spec=spec, attempt=case.failures + 1, reason=Reason.RETRY),)


@rule_about(
    Standing.NOT_SUBMITTED,
    "no job of this run key is known",
    "Create `new`, `changed` (which part: inputs, model, …) or `rerun`",
    found=lambda case: case.spec if case.not_submitted and free(case) else None,
)
def not_submitted(case: Case, spec: JobSpec) -> Actions:
    """This work was never submitted under any name, or under another `rerun`."""
    reason, changed = _why(case, spec)
    return (Create(spec=spec, attempt=case.failures + 1, reason=reason, changes=changed),)


@rule_about(
    Standing.PART,
    "results show that some requests were never answered, and they are new or may be retried",
    "Create `retry`, `new`, `changed` or `rerun` for these requests alone, or for the canary's",
    found=lambda case: (case.spec, case.to_submit) if case.spec and case.to_submit and free(case) else None,
)
def part(case: Case, about: tuple[JobSpec, NextPart]) -> Actions:
    """What is answered is not submitted again."""
    spec, part = about
    reason, changed = _why(case, spec)
    if case.of_run_key:
        reason, changed = Reason.RETRY if part.kind == "retry" else Reason.PART, ()
    known = (*(it.tags.attempt for it in case.of_run_key), *(it.attempt for it in case.remembered))
    whole = len(part.places) == part.of and not part.at_most and not spec.in_parts
    return (
        Create(
            spec=spec,
            attempt=max(known, default=0) + 1,
            reason=reason,
            changes=changed,
            part=None if whole else part,
        ),
    )


def _why(case: Case, spec: JobSpec) -> tuple[Reason, tuple[Change, ...]]:
    """Return why work that was never submitted is submitted now."""
    before = submitted_before(case)
    if before is None:
        return Reason.NEW, ()
    if case.same_work(before):
        change = Change("rerun", before.tags.run_key.rerun or "none", spec.rerun or "none")
        return Reason.RERUN, (change,)
    known = case.declared.requests.get(spec.run_key, KnownRequests())
    return Reason.CHANGED, changes(before, spec, known)
