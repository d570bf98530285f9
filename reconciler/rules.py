"""The rules, one function each: a case that applies returns actions, one that does not returns None.

The order is in `planner`. A rule's `case` and `outcome` are the table a reader sees, in the planner's docstring and
in `docs/planner.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from reconciler import digests, tags
from reconciler.actions import Action, Cancel, Change, Create, Hold, Keep, Reason
from reconciler.case import OUR_CANCELS, Case
from reconciler.model import InputFile, Job, JobSpec, Ours, Phase

Verdict: TypeAlias = "tuple[Action, ...] | None"


@dataclass(frozen=True, slots=True)
class Rule:
    """A function of a case, with the words that document it."""

    case: str
    outcome: str
    decide: Callable[[Case], Verdict]

    @property
    def name(self) -> str:
        """The function's name, for readers of tests."""
        return self.decide.__name__


def rule(case: str, outcome: str) -> Callable[[Callable[[Case], Verdict]], Rule]:
    """Make a rule of a function."""
    return lambda decide: Rule(case, outcome, decide)


# Step 0: what makes the whole name untouchable.


@rule("our tags on a job of the name cannot be read", "Hold `unreadable`, for the whole name (attention)")
def unreadable(case: Case) -> Verdict:
    """Somebody altered a job's tags, so what it bought is not known."""
    return _hold_unreadable(
        case, Reason.UNREADABLE, newer=False, hint="look at it with `reconciler jobs get {id}`"
    )


@rule("a newer tool wrote a job of the name", "Hold `newer_tool`, for the whole name (attention)")
def newer_tool(case: Case) -> Verdict:
    """Comparing with what is not understood would buy again what is already bought."""
    return _hold_unreadable(case, Reason.NEWER_TOOL, newer=True, hint="upgrade mistral-batch-reconciler")


def _hold_unreadable(case: Case, reason: Reason, *, newer: bool, hint: str) -> Verdict:
    ended = (Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT, Phase.CANCELLED)
    found = (
        job
        for job in case.unreadable
        if job.newer is newer and (case.spec is not None or job.job.phase not in ended)
    )
    job = next(found, None)
    if job is None:
        return None
    hint = hint.format(id=job.job.id)
    return (Hold(job=job.job, reason=reason, detail=job.problem, hint=hint, attention=True),)


@rule("any job of the name has an unknown status", "Hold `unknown_status`, for the whole name (attention)")
def unknown_status(case: Case) -> Verdict:
    """A status of the future may mean that it runs, or that it is done."""
    job = next((ours.job for ours in case.phase(Phase.UNKNOWN)), None)
    if job is None:
        return None
    detail = f"the API says {job.status}"
    hint = "upgrade mistral-batch-reconciler, or wait until the job has ended"
    return (Hold(job=job, reason=Reason.UNKNOWN_STATUS, detail=detail, hint=hint, attention=True),)


@rule(
    "something to cancel or replace was bought from a commit that is not HEAD or an ancestor",
    "Hold `other_history`, for the whole name",
)
def other_history(case: Case) -> Verdict:
    """This checkout is older than the job, or of another branch: it has no say over it."""
    ours = next(filter(case.foreign_commit, to_cancel(case)), None)
    if ours is None:
        return None
    commit = ours.tags.source.commit[:10]
    if case.lineage is None:
        detail = f"bought from commit {commit}, and this folder is not a git checkout"
    else:
        detail = f"bought from commit {commit}, which this checkout does not contain"
    hint = (
        "update the checkout (in CI: fetch-depth: 0), "
        f"or cancel it by hand: reconciler jobs cancel {ours.job.id}"
    )
    return (Hold(job=ours.job, reason=Reason.OTHER_HISTORY, detail=detail, hint=hint),)


def to_cancel(case: Case) -> tuple[Ours, ...]:
    """Return the live jobs that steps 1 and 2 would cancel. Duplicates are not among them."""
    if case.spec is None:
        return tuple(ours for ours in case.phase(Phase.ACTIVE) if ours.tags.on_remove == "cancel")
    if case.spec.suspend:
        return case.phase(Phase.ACTIVE)
    if case.spec.on_change == "finish":
        return ()
    return tuple(ours for ours in case.other_active if not case.same_work(ours))


# Step 1: names that want nothing.


@rule("suspended", "Cancel every ACTIVE job of the name `suspended`; otherwise Hold `suspended`")
def suspended(case: Case) -> Verdict:
    """The spec stays, its work stops."""
    if case.spec is None or not case.spec.suspend:
        return None
    cancels = tuple(Cancel(ours=ours, reason=Reason.SUSPENDED) for ours in case.phase(Phase.ACTIVE))
    return cancels or (Hold(reason=Reason.SUSPENDED, hint="set `suspend: false` to let it run"),)


@rule("not declared, ACTIVE", "Cancel `removed`; where the job's tag says keep: Hold `kept`")
def removed(case: Case) -> Verdict:
    """The spec is gone; the job's own tag remembers what the spec wanted then."""
    if case.spec is not None or not case.phase(Phase.ACTIVE):
        return None
    return tuple(
        Cancel(ours=ours, reason=Reason.REMOVED)
        if ours.tags.on_remove == "cancel"
        else Hold(job=ours.job, reason=Reason.KEPT)
        for ours in case.phase(Phase.ACTIVE)
    )


@rule("not declared, its run key is wanted by a declared spec", "Keep `renamed`: it is that spec's job")
def renamed(case: Case) -> Verdict:
    """A rename buys nothing and cancels nothing."""
    if case.spec is not None or not case.moved:
        return None
    return tuple(Keep(job=ours.job, reason=Reason.RENAMED, detail=f"now {name}") for ours, name in case.moved)


@rule("not declared, anything else", "nothing: history, never deleted")
def history(case: Case) -> Verdict:
    """What has ended is a record."""
    return None if case.spec is not None else ()


# Step 2: live jobs of other work under this name.


@rule(
    "an ACTIVE job of other work, or of the same work and another rerun",
    "other work and `on_change: replace`: Cancel `superseded`, beside whatever step 3 says; otherwise "
    "Keep it `running`, and what step 3 would create is Hold `waiting`",
)
def other_work(case: Case) -> Verdict:
    """A replacement stops the old work; a rerun, or `on_change: finish`, lets it end first."""
    doomed = {ours.job.id for ours in to_cancel(case)}
    return tuple(
        Cancel(ours=ours, reason=Reason.SUPERSEDED)
        if ours.job.id in doomed
        else Keep(job=ours.job, reason=Reason.RUNNING, detail="the next run waits for it")
        for ours in case.other_active
    )


# Step 3: the wanted work itself.


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
    "Keep `succeeded` (attention when the share of failed requests exceeds `max_failed`); "
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
    return (Keep(job=job, reason=Reason.SUCCEEDED, detail=detail, attention=bad), *_duplicates(case, job))


@rule("ACTIVE", "Keep the smallest (created_at, id) `running`, Cancel the others `duplicate`")
def running(case: Case) -> Verdict:
    """The oldest stays, so that two runners that see the same twins agree."""
    live = [ours.job for ours in case.wanted if ours.phase is Phase.ACTIVE]
    if not live:
        return None
    job = min(live, key=lambda job: job.age_key)
    return (Keep(job=job, reason=Reason.RUNNING), *_duplicates(case, job))


def _duplicates(case: Case, kept: Job) -> tuple[Cancel, ...]:
    return tuple(
        Cancel(ours=ours, reason=Reason.DUPLICATE, twin=kept)
        for ours in case.wanted
        if ours.phase is Phase.ACTIVE and ours.job.id != kept.id
    )


@rule("STOPPING", "Hold `stopping`")
def stopping(case: Case) -> Verdict:
    """What comes next is decided once it has stopped."""
    job = next((ours.job for ours in case.wanted if ours.phase is Phase.STOPPING), None)
    return None if job is None else (Hold(job=job, reason=Reason.STOPPING),)


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
        explained = known.phase in (Phase.FAILED, Phase.TIMED_OUT) or case.cancelled_by_us(known.job_id)
        if known.attempt >= listed and not explained:
            detail = f"job {known.job_id[:8]} was deleted before it was seen to end"
            hint = "if its answers are lost, change `rerun` to buy them again"
            return (Hold(reason=Reason.RECORD_GONE, detail=detail, hint=hint, attention=True),)
    return None


@rule(
    "the newest attempt was CANCELLED, not by us",
    "Hold `cancelled` (attention): a person stopped it, or an earlier run whose ledger is gone",
)
def cancelled(case: Case) -> Verdict:
    """What a person stopped stays stopped."""
    newest = case.newest
    if newest is None or newest.phase is not Phase.CANCELLED or case.stopped_by_us(newest.job):
        return None
    hint = "change `rerun` to run it again"
    return (Hold(job=newest.job, reason=Reason.CANCELLED, hint=hint, attention=True),)


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
        for known in case.remembered
    )
    if case.newest.phase is Phase.CANCELLED if case.newest else gone:
        return (Create(spec=case.spec, attempt=case.failures + 1, reason=Reason.RESTORED),)
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
    return max(((known.attempt, known.phase) for known in case.remembered if known.phase), default=(0, None))[
        1
    ]


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


def bought_before(case: Case) -> Ours | None:
    """Return the last job of the name that did other work, or the same under another rerun."""
    return max(
        (ours for ours in case.jobs if ours.tags.run_key not in case.run_keys),
        key=lambda ours: ours.job.age_key,
        default=None,
    )


MAX_NAMED: Final = 3
"""So many changed input files are named; of more, the number is told."""


def changes(before: Ours, spec: JobSpec) -> tuple[Change, ...]:
    """Return which parts of the work differ between a job and a spec."""
    job = before.job
    found = [
        Change(field, old or "none", new or "none")
        for field, old, new in (
            ("endpoint", job.endpoint, spec.endpoint),
            ("model", job.model, spec.model),
            ("agent_id", job.agent_id, spec.agent_id),
        )
        if old != new
    ]
    if before.tags.inputs != digests.inputs_v1(part.identity for part in spec.inputs):
        found.append(Change("inputs", _count(before.tags.requests), _inputs(before, spec)))
    if before.tags.run_key.rerun != spec.rerun:
        found.append(Change("rerun", before.tags.run_key.rerun or "none", spec.rerun or "none"))
    return tuple(found) or (Change("work", before.tags.run_key.work[:11], spec.run_key.work[:11]),)


def _count(requests: int | None) -> str:
    return "unknown" if requests is None else f"{requests:,} request{'' if requests == 1 else 's'}"


def _inputs(before: Ours, spec: JobSpec) -> str:
    files = [
        part.path
        for part in spec.inputs
        if isinstance(part, InputFile) and tags.short(part.identity) not in before.tags.parts
    ]
    if not before.tags.parts or not files:
        return _count(spec.requests)
    named = ", ".join(files) if len(files) <= MAX_NAMED else f"{len(files):,} files"
    return f"{_count(spec.requests)}: {named} changed"
