"""Buying one job exactly once from an API without idempotency keys.

The intent is durable before the first byte leaves, and carries an `op` that also stands in the job's tags. One POST.
An answer settles it. What certainly did nothing (refused connection, 429) is repeated with the same op. What may
have happened (timeout, reset, 5xx) is looked up in the list by its op, with growing waits, until the settle time has
passed: found, it is adopted; absent from a complete list, the same op is sent once more; still lost, the outcome is
said to be unknown, and until when.

A create that was sent leaves one outcome in the ledger, at its end: a refusal that was followed by a second try would
close its op for good. A create that was not sent leaves none here; `claims.release` gives back its claim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, assert_never

from reconciler.api.client import Writer
from reconciler.api.errors import (
    ApiError,
    OutcomeUnknownError,
    RateLimitedError,
    RejectedError,
    UnreachableError,
)
from reconciler.api.values import CreateJob
from reconciler.context import Run
from reconciler.errors import LedgerError, ReconcilerError
from reconciler.ledger import line_factories
from reconciler.ledger.lines import CreateIntended, CreateRefused, CreateUnknown, Line
from reconciler.model import InlineRequests, Job, tags
from reconciler.planning.actions import Create
from reconciler.workspace import listing

FIRST_WAIT: Final = 1.0
"""Seconds before the first look-up; each further wait is twice as long."""
LONGEST_WAIT: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """The job exists."""

    job: Job
    op: str
    adopted: bool = False
    """True where the answer was lost and the job was found by its op."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Altered:
    """The job exists, and the API has altered the tags that make it ours."""

    job: Job
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The create was sent, and no job was made."""

    error: ReconcilerError


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The create was not sent, and no outcome of it is in the ledger."""

    error: ReconcilerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A job may have been made, or may yet be."""

    error: ReconcilerError
    at: float
    """Unix seconds: when the answer was lost."""
    until: float
    """Unix seconds after which a new run can tell."""


Result: TypeAlias = Bought | Altered | Refused | NotSent | Lost
FileIds: TypeAlias = tuple[str, ...]

TOO_LATE: Final = NotSent(
    error=ReconcilerError("the run's time is over, and nothing was sent", hint="run again")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One create on its way."""

    order: Create
    op: str
    tags: Mapping[str, str]
    request: CreateJob


def buy(
    run: Run[Writer],
    order: Create,
    file_ids: FileIds,
    *,
    over: tuple[str, ...] = (),
    renew: Callable[[FileIds], FileIds] = lambda ids: ids,
) -> Result:
    """Create the job of `order`, once.

    Args:
        run: what the creates of a run share.
        order: the create.
        file_ids: its inputs.
        over: the ids of the jobs that are cancelled once it exists; its tags name them.
        renew: is asked when the API refuses the create: uploads again those of the inputs that are gone. The create is
            repeated, with the same op, if the ids that it returns differ.
    """
    purchase = prepare(run, order, file_ids, over=over)
    result = _settled_send(run, purchase, TOO_LATE)
    if isinstance(result, Refused) and isinstance(result.error, RejectedError):
        result = _with_renewed_inputs(run, purchase, result, renew)
    if not isinstance(result, NotSent):
        _record(run, purchase, result)
    return result


def _settled_send(run: Run[Writer], purchase: Purchase, known: Result) -> Result:
    """Send; if the answer is lost and the job was certainly never made, send once more.

    Returns `known` if nothing more is sent.
    """
    result = _send(run, purchase, known)
    if not isinstance(result, Lost):
        return result
    found = _settled(run, purchase)
    if found is None:
        return _send(run, purchase, result)
    return _check(found, purchase, adopted=True) if found else result


def _with_renewed_inputs(
    run: Run[Writer], purchase: Purchase, refused: Refused, renew: Callable[[FileIds], FileIds]
) -> Result:
    """Send once more, if the refused create named uploads that are gone."""
    file_ids = purchase.request.input_files
    try:
        renewed = renew(file_ids)
    except ReconcilerError as error:
        told = f"{refused.error}; an input is gone, and could not be uploaded again: {error}"
        return Refused(error=ReconcilerError(told, hint=error.hint))
    if renewed == file_ids:
        return refused
    request = replace(purchase.request, input_files=renewed)
    return _settled_send(run, replace(purchase, request=request), refused)


def prepare(run: Run[Writer], order: Create, file_ids: FileIds, *, over: tuple[str, ...] = ()) -> Purchase:
    """Give a create its op, its tags and its request."""
    spec = order.spec
    op = run.ops.get(spec.run_key) or run.world.new_op()
    ours = tags.write(
        tags.tags_of(
            spec, project=run.target.project, attempt=order.attempt, op=op, source=run.source, over=over
        )
    )
    inline = next((part.body for part in spec.inputs if isinstance(part, InlineRequests)), None)
    return Purchase(
        order=order,
        op=op,
        tags=ours,
        request=CreateJob(
            endpoint=spec.endpoint,
            model=spec.model,
            agent_id=spec.agent_id,
            input_files=file_ids,
            requests=inline,
            metadata={**spec.metadata, **ours},
            timeout_hours=spec.timeout_hours,
        ),
    )


def _send(run: Run[Writer], purchase: Purchase, known: Result) -> Result:
    """POST until something is certain or lost; look for what is lost until it must have settled.

    Returns what is known of the create, at first `known`, if the run's time is over or the ledger fails before that.
    """
    attempt = 1
    while not _too_late(run):
        try:
            _intend(run, purchase)
            return _check(run.api.create_job(purchase.request), purchase)
        except LedgerError as error:
            return NotSent(error=error) if isinstance(known, NotSent) else known
        except RejectedError as error:
            return Refused(error=error)
        except OutcomeUnknownError as error:
            return _settle(run, purchase, error)
        except (RateLimitedError, UnreachableError) as error:
            if ended := _wait(run, purchase, error, attempt=attempt):
                return ended
            attempt += 1
            if not isinstance(known, Lost):  # what became of an earlier POST stays unknown
                known = Refused(error=error)
    return known


def _wait(
    run: Run[Writer], purchase: Purchase, error: RateLimitedError | UnreachableError, *, attempt: int
) -> Result | None:
    """Wait until the POST may be repeated; return the result if it may not, or if the list shows the job."""
    try:
        run.retrier.wait(error, attempt=attempt)
    except ApiError:
        return Refused(error=error)
    found = _newest(run, purchase)
    return _check(found, purchase, adopted=True) if found else None


def _intend(run: Run[Writer], purchase: Purchase) -> None:
    order, source = purchase.order, run.source
    run.world.ledger.append(
        CreateIntended(
            at=run.world.now(),
            run_id=run.world.run_id,
            op=purchase.op,
            name=order.spec.name,
            work=order.spec.run_key.work,
            rerun=order.spec.run_key.rerun,
            attempt=order.attempt,
            reason=order.reason,
            commit=source.commit,
            actor=source.actor,
            run_url=source.run_url,
        )
    )


def _check(job: Job, purchase: Purchase, *, adopted: bool = False) -> Result:
    """The tags are what makes a job ours: they must come back as they were sent."""
    altered = next((key for key, value in purchase.tags.items() if job.metadata.get(key) != value), None)
    if altered is not None:
        return Altered(job=job, key=altered)
    return Bought(job=job, op=purchase.op, adopted=adopted)


def _settle(run: Run[Writer], purchase: Purchase, error: ReconcilerError) -> Result:
    """Look for a job whose answer was lost, until it must have shown if it exists."""
    world, began = run.world, run.world.monotonic()
    at = world.now()
    lost = Lost(error=error, at=at, until=at + run.limits.settle_seconds)
    world.log("job.create_unknown", name=purchase.order.spec.name, op=purchase.op, error=str(error))
    wait = FIRST_WAIT
    while True:
        found = _newest(run, purchase)
        if found:
            return _check(found, purchase, adopted=True)
        left = began + run.limits.settle_seconds - world.monotonic()
        if left <= 0 or world.stop.is_set():
            return lost
        world.sleep(min(wait, left))
        wait = min(wait * 2, LONGEST_WAIT)


def _newest(run: Run[Writer], purchase: Purchase) -> Job | None:
    """Look for the op among the newest jobs. Presence is proof; absence is none."""
    with suppress(ReconcilerError):
        page = run.api.list_jobs(page=0, order_by="-created")
        return next((job for job in page.jobs if _is(job, purchase)), None)
    return None


def _too_late(run: Run[Writer]) -> bool:
    return run.world.stop.is_set() or run.world.monotonic() > run.give_up_at


def _settled(run: Run[Writer], purchase: Purchase) -> Job | Literal[False] | None:
    """Look once more, in a complete list: the job, None where it was never made, False where nobody can tell."""
    if _too_late(run):
        return False
    try:
        jobs = listing.list_all(run)
    except ReconcilerError:
        return False
    return next((job for job in jobs if _is(job, purchase)), None)


def _is(job: Job, purchase: Purchase) -> bool:
    """Whether a job carries the op; altered tags still show it."""
    return f"op={purchase.op}" in str(job.metadata.get(tags.RUN, "")).split(" ")


def _record(run: Run[Writer], purchase: Purchase, result: Bought | Altered | Refused | Lost) -> None:
    """Write down what came of it. A ledger that fails now costs memory, not money: the tags still tell."""
    at, run_id, op = run.world.now(), run.world.run_id, purchase.op
    spec = purchase.order.spec
    line: Line
    match result:
        case Bought() | Altered():
            line = line_factories.created(
                result.job,
                at=at,
                run_id=run_id,
                op=op,
                name=spec.name,
                run_key=spec.run_key,
                attempt=purchase.order.attempt,
                requests=spec.requests,
                adopted=isinstance(result, Bought) and result.adopted,
            )
        case Refused():
            line = CreateRefused(at=at, run_id=run_id, op=op, error=str(result.error))
        case Lost():
            # Not now: the next plan is to wait until the very time that we tell, and no longer.
            line = CreateUnknown(at=result.at, run_id=run_id, op=op, error=str(result.error))
        case _:
            assert_never(result)
    try:
        run.world.ledger.append(line)
    except LedgerError as error:
        run.world.log("ledger.degraded", error=str(error), op=op)
