"""The promises about every create, one function each. Each yields the violations that it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Final, TypeAlias

from reconciler.plans.action_documents import CreateDoc
from reconciler.sandbox.lifecycle import Status
from tests.simulation.accepted import Accepted, actions, second
from tests.simulation.adopting import (
    what_a_spec_adopts_is_not_created,
    what_a_spec_has_adopted_ends_before_other_work_begins,
)
from tests.simulation.agreeing import a_later_round_creates_only_what_was_agreed_to, failed
from tests.simulation.history import PROJECT, CreatedJob
from tests.simulation.server import FAILED, LIVE

Promise: TypeAlias = Callable[[Accepted], Iterator[str]]


def never_two_live_jobs(create: Accepted) -> Iterator[str]:
    """With one writer, and within the settle time, no job is created while another of its work is queued or running.

    With several writers, each of them keeps this promise for its own jobs: at most as many live as there are writers.
    """
    for other in create.of_the_same_writer():
        if create.server.status(other.id) in LIVE:
            yield f"{other.id[:8]} lives"


def one_accepted_create_per_run_key_and_attempt(create: Accepted) -> Iterator[str]:
    """With one writer, and within the settle time, an attempt at a piece of work is created once.

    A second create is right only after this tool stopped the first job, or the job that it duplicated, because a spec
    was removed, suspended or changed. A cancel by a person is no reason, unless the run could not know of it: for a job
    that is not in its ledger, the tag of the job that replaced it counts. docs/guarantees.md describes that case.
    """
    twin_stopped = any(
        _stopped_for_a_spec(other) or (other.person_at is not None and _may_be_ours(create, other))
        for other in create.others()
    )
    for other in create.of_the_same_writer():
        lied_about = other.id in create.history.forged and _may_be_ours(create, other)
        stopped = _stopped_for_a_spec(other) or (twin_stopped and (other.cancels or lied_about))
        stopped = stopped or (other.person_at is not None and _raised_since(create, other))
        if other.attempt == create.job.attempt and not stopped:
            yield f"{other.id[:8]} is attempt {other.attempt} too, {create.server.status(other.id)}"


def _stopped_for_a_spec(job: CreatedJob) -> bool:
    return job.looks_ours or any(reason != "duplicate" for _, _, reason in job.cancels)


def nothing_in_view_is_created_again(create: Accepted) -> Iterator[str]:
    """In every set-up: a run whose list shows a live job of some work creates no other job for it."""
    for other in create.others():
        if create.lived(other) and create.in_view(other):
            yield f"the list showed {other.id[:8]}, which lives"


def nothing_succeeded_is_created_again(create: Accepted) -> Iterator[str]:
    """In every set-up: a run whose list or ledger shows a job that succeeded creates no other job for its work."""
    for other in create.others():
        if create.known(other) and create.ended(other) is Status.SUCCESS:
            yield f"{other.id[:8]} had succeeded"


def nothing_partly_answered_is_created_again(create: Accepted) -> Iterator[str]:
    """In every set-up: if a failed job has answered some requests, no run retries its work by itself."""
    for other in create.attempts():
        seen = create.in_view(other) or other.id in create.by.saw_end
        if seen and create.ended(other) in FAILED and (other.answers or create.server.answered(other.id)):
            yield f"{other.id[:8]} has given answers"


def a_persons_cancel_is_never_undone(create: Accepted) -> Iterator[str]:
    """A job that another client cancelled, such as a person, stays stopped: its run key is never created again.

    That holds under L, for every job that the run's list or ledger shows, and for every way in which the work comes
    back: only `rerun` with a value that the work has not been run under makes another run key, and a raise of
    `retry.max_attempts` asks for the work again. The server knows who
    cancelled a job: it is the one cancel that took effect. The tool's intents and later events do not count.

    Three things are not promised. If the ledger of the run has neither the create nor a cancel of the job, L fails:
    then the tags of a job that replaces it may count as this tool's cancel, and so may a later job of the same run key.
    If another cancel came between this tool's look at the job and its one cancel of it, the two look the same. And a
    forged line that says that this tool cancelled a job counts if the tags of another job name it as replaced.
    """
    for other in create.others():
        if other.person_at is None or other.person_at >= create.by.planned_on or not create.known(other):
            continue
        if not _may_be_ours(create, other) and not _raised_since(create, other):
            yield f"{other.id[:8]} had been stopped by another client"


def a_forged_line_submits_nothing_unattended(create: Accepted) -> Iterator[str]:
    """A run without a reader of its plan creates nothing because of a line that says that the tool cancelled a job.

    The server knows that a person did. The newest job counts, unless the tags of another name it as replaced, or the
    spec allows more attempts than that job was created with: that asks for it again, whatever the ledger says.
    """
    by = create.by
    for other in () if by.asks or by.saved else create.others():
        stopped = other.person_at is not None and other.person_at < by.planned_on and not other.looks_ours
        newest = all(second(later) <= second(other) for later in create.others())
        replaced = any(other.id in later.replaces for later in create.history.jobs.values())
        asked = replaced or _raised_since(create, other)
        if other.id in create.history.forged and stopped and newest and not asked and create.known(other):
            yield f"a forged line says that the tool cancelled {other.id[:8]}"


def _raised_since(create: Accepted, other: CreatedJob) -> bool:
    """Whether the spec allows more attempts than when a job was created: a person asks for it again."""
    return create.spec is not None and create.spec.retry.max_attempts > other.cap


def _may_be_ours(create: Accepted, other: CreatedJob) -> bool:
    if other.looks_ours:
        return True
    replaced = any(other.id in later.replaces for later in create.history.jobs.values())
    if {other.id, other.op} & create.by.named:
        return replaced and other.id in create.history.forged
    return replaced or any(later is not other and second(later) >= second(other) for later in create.others())


def attempts_never_exceed_the_cap(create: Accepted) -> Iterator[str]:
    """No job carries an attempt above its spec's cap, and no job is created for work that has failed that often."""
    cap = create.spec.retry.max_attempts if create.spec else 0
    if create.job.attempt > cap:
        yield f"attempt {create.job.attempt} of {cap}"
    failed = [it for it in create.attempts() if create.known(it) and create.ended(it) in FAILED]
    if len(failed) >= cap:
        yield f"{len(failed)} attempts had failed, of {cap}"


def what_is_to_end_first_is_waited_for(create: Accepted) -> Iterator[str]:
    """A rerun waits for the run before it, and with `on_change: finish` new work waits for the old.

    Not for a duplicate of work that has its answers already.
    """
    job, spec = create.job, create.spec
    for other in create.history.jobs.values():
        if other.name != job.name or other.key == job.key or other.project != PROJECT or other.altered:
            continue
        if other.key is None or job.key is None or spec is None or create.wanting(other):
            continue
        waits = other.key.work == job.key.work or spec.on_change == "finish"
        answered = any(
            create.in_view(twin) and create.ended(twin) is Status.SUCCESS
            for twin in create.history.of(other.key)
        )
        if waits and not answered and create.lived(other) and create.in_view(other):
            yield f"{other.id[:8]} still runs"


def only_what_is_declared_is_created(create: Accepted) -> Iterator[str]:
    """A job is created for a spec of the checkout that is selected and not suspended."""
    spec = create.spec
    if spec is None or spec.suspend or not create.selected(spec.name):
        yield "no spec asks for it"


def only_what_was_agreed_to_is_created(create: Accepted) -> Iterator[str]:
    """A create of the first round is in the plan that its reader agreed to, or is a further attempt at such a create.

    A saved plan executes a subset of itself, and retries what it has submitted. If a person agreed to a create on the
    word of a ledger with forged lines, another such line may say meanwhile that an attempt had failed.
    """
    job, agreed = create.job, create.by.agreed
    if agreed is None:
        yield "no plan was agreed to"
    elif not create.by.round and job.key:
        shown = {it.attempt for it in actions(agreed, CreateDoc) if (it.work, it.rerun) == job.key}
        further = any(attempt < job.attempt for attempt in shown)
        again = further and (any(failed(create)) or create.agreed_by_the_ledger)
        if job.attempt not in shown and not again:
            yield "it is not in the plan"


def an_old_checkout_creates_nothing_after_a_newer_one(create: Accepted) -> Iterator[str]:
    """If the last job of a name was created from a later commit, an older checkout creates nothing for that name.

    The last job is the newest in the list, unless the list may lack one that is as new or newer.
    """
    job, by = create.job, create.by
    of_the_name = [
        other
        for other in create.history.jobs.values()
        if other is not job and other.project == PROJECT and not other.altered
        if other.deleted_at is None or other.deleted_at >= by.planned_on
        if other.key == job.key or (other.name == job.name and not create.wanting(other))
    ]
    last = max((it for it in of_the_name if create.in_view(it)), key=lambda it: it.at, default=None)
    if last is None or last.by is None:
        return
    if any(other is not last and second(other) >= second(last) for other in of_the_name):
        return
    if 0 <= by.commit < last.by.commit:
        yield f"{last.id[:8]} was created from commit {last.by.commit}, and this is {by.commit}"


def unless_a_person_believed_the_ledger(promise: Promise) -> Promise:
    """Ask for a promise, except of a create that forged lines may have made possible and that a person agreed to."""

    @wraps(promise)
    def ask(create: Accepted) -> Iterator[str]:
        return iter(()) if create.agreed_by_the_ledger else promise(create)

    return ask


PROMISES: Final[tuple[Promise, ...]] = (
    never_two_live_jobs,
    unless_a_person_believed_the_ledger(one_accepted_create_per_run_key_and_attempt),
    nothing_in_view_is_created_again,
    unless_a_person_believed_the_ledger(nothing_succeeded_is_created_again),
    unless_a_person_believed_the_ledger(nothing_partly_answered_is_created_again),
    unless_a_person_believed_the_ledger(a_persons_cancel_is_never_undone),
    a_forged_line_submits_nothing_unattended,
    unless_a_person_believed_the_ledger(attempts_never_exceed_the_cap),
    what_is_to_end_first_is_waited_for,
    what_a_spec_adopts_is_not_created,
    what_a_spec_has_adopted_ends_before_other_work_begins,
    only_what_is_declared_is_created,
    only_what_was_agreed_to_is_created,
    a_later_round_creates_only_what_was_agreed_to,
    an_old_checkout_creates_nothing_after_a_newer_one,
)
