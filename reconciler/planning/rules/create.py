"""The wanted work is to be created: now, or once nothing is in the way."""

from __future__ import annotations

from reconciler.model import JobSpec, KnownRequests
from reconciler.planning.actions import Action, Change, Create, Hold, Reason
from reconciler.planning.case import Case
from reconciler.planning.rules.changes import changes, submitted_before
from reconciler.planning.rules.rule import Actions, rule
from reconciler.planning.standing import Standing


def free(case: Case) -> bool:
    """Whether nothing is in the way of a create."""
    return case.newer_checkout is None and case.waited_for is None and case.of_any_name is None


@rule(
    Standing.CHECKOUT_BEHIND,
    "the work is to be created, and the last job of the name comes from a commit that contains HEAD",
    "Hold `checkout_behind`: this checkout is older than the job",
    applies=lambda case: case.to_create and case.newer_checkout is not None,
)
def checkout_behind(case: Case) -> Actions:
    """An old checkout submits nothing under a name that a newer checkout has submitted."""
    last = case.newer_checkout
    if last is None:
        return ()
    commit = last.tags.source.commit[:10]
    detail = f"job {last.job.short_id} was created from commit {commit}, which is newer than this checkout"
    hint = "update the checkout, then plan again"
    return (Hold(job=last.job, reason=Reason.CHECKOUT_BEHIND, detail=detail, hint=hint),)


@rule(
    Standing.WAITING,
    "the work is to be created, and a live job of other work has to end first",
    "Hold `waiting`",
    applies=lambda case: case.to_create and case.newer_checkout is None and case.waited_for is not None,
)
def waiting(case: Case) -> Actions:
    """A rerun, and with `on_change: finish` new work, starts after the job before it."""
    detail = f"for job {case.waited_for.short_id} to end" if case.waited_for else ""
    return (Hold(job=case.waited_for, reason=Reason.WAITING, detail=detail),)


@rule(
    Standing.PERHAPS_SUBMITTED,
    "the work is to be created, nothing else is in the way, and the list has a job of which nothing shows whose it is",
    "Hold `unreadable` (attention): it may be the job of this work",
    applies=lambda case: (
        case.to_create
        and case.newer_checkout is None
        and case.waited_for is None
        and case.of_any_name is not None
    ),
)
def perhaps_submitted(case: Case) -> Actions:
    """Nothing is created while a job in the list may be the one that is to be created."""
    if case.of_any_name is None:
        return ()
    lost = case.of_any_name
    detail = f"job {lost.job.id} may be of this name: {lost.problem}"
    return (Hold(job=lost.job, reason=Reason.UNREADABLE, detail=detail, hint=lost.hint, attention=True),)


@rule(
    Standing.RESTORED,
    "the newest attempt was CANCELLED by us, as removed, suspended or superseded, and attempts are left",
    "Create `restored`",
    applies=lambda case: case.restorable and free(case),
)
def restored(case: Case) -> Actions:
    """The spec is declared again, so its work is created again."""
    if case.spec is None:
        return ()
    # At least the number of the cancelled job, even if an adopted job before it no longer counts. If numbers fell,
    # `record_gone` would take this job, once it is deleted, for an earlier attempt.
    stopped = case.newest.tags.attempt if case.newest else 0
    attempt = min(max(case.failures + 1, stopped), case.spec.retry.max_attempts)
    return (Create(spec=case.spec, attempt=attempt, reason=Reason.RESTORED),)


@rule(
    Standing.RETRY,
    "FAILED or TIMED_OUT without answers, listed in retry.on, and attempts are left",
    "Create `retry`",
    applies=lambda case: case.retryable and free(case),
)
def retry(case: Case) -> Actions:
    """Only for the ends that the spec lists, and only as often as it allows."""
    return _create(case, Reason.RETRY)


@rule(
    Standing.NOT_SUBMITTED,
    "no job of this run key is known",
    "Create `new`, `changed` (which part: inputs, model, …) or `rerun`",
    applies=lambda case: case.not_submitted and free(case),
)
def not_submitted(case: Case) -> Actions:
    """This work was never submitted under any name, or under another `rerun`."""
    return _create(case, *_why(case, case.spec)) if case.spec else ()


@rule(
    Standing.PART,
    "results show that some requests were never answered, and they are new or may be retried",
    "Create `retry`, `new`, `changed` or `rerun` for these requests alone, or for the canary's",
    applies=lambda case: case.to_submit is not None and free(case),
)
def part(case: Case) -> Actions:
    """What is answered is not submitted again."""
    part = case.to_submit
    if part is None or case.spec is None:
        return ()
    reason, changed = _why(case, case.spec)
    if case.of_run_key:
        reason, changed = Reason.RETRY if part.kind == "retry" else Reason.PART, ()
    known = (*(it.tags.attempt for it in case.of_run_key), *(it.attempt for it in case.remembered))
    whole = len(part.places) == part.of and not part.at_most and not case.spec.canary
    return (
        Create(
            spec=case.spec,
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


def _create(case: Case, reason: Reason, changed: tuple[Change, ...] = ()) -> tuple[Action, ...]:
    if case.spec is None:
        return ()
    return (Create(spec=case.spec, attempt=case.failures + 1, reason=reason, changes=changed),)
