"""Create one job exactly once, through an API without idempotency keys.

Before the request is sent, its intent is durable in the ledger. The intent has an `op`, which the job's tags have too.
Then one POST is sent:

- A response settles the create.
- A request that certainly had no effect (refused connection, 429) is sent again with the same op.
- A request that may have had an effect (timeout, reset, 5xx) is looked up in the list by its op until the settle time
  has passed. If the list shows the job, it is recovered. If a complete list does not have it, the same op is sent once
  more. If that response is lost too, the outcome is unknown.

A create that was sent leaves one outcome in the ledger, at its end: a refusal that is followed by a second try would
close its op for good. A create that was not sent leaves none here; `records.withdraw` withdraws its intent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, assert_never

from reconciler.api.client import Writer
from reconciler.api.errors import (
    ApiError,
    OutcomeUnknownError,
    RateLimitedError,
    RejectedError,
    UnreachableError,
)
from reconciler.context import RunContext
from reconciler.errors import LedgerError, ReconcilerError
from reconciler.execution import after_create
from reconciler.execution.prepared_create import FileIds, PreparedCreate, prepare
from reconciler.execution.records import create_intent
from reconciler.ledger.lines import CreateConfirmed, CreateRefused, CreateUnknown, Line, job_facts
from reconciler.model import Job, OwnedJob, tags
from reconciler.planning.actions import Create
from reconciler.plans.outcomes import CREATE, Created, Failed, Unknown

CreateResult: TypeAlias = Created | Failed | Unknown


def create_job_once(
    run: RunContext[Writer],
    create: Create,
    file_ids: FileIds,
    *,
    over: tuple[str, ...] = (),
    renew: Callable[[FileIds], FileIds] = lambda ids: ids,
) -> CreateResult:
    """Create the job of `create` once, from its uploaded inputs.

    Its tags name the jobs `over`, which are cancelled once it exists. If the API refuses the create, `renew` uploads
    the inputs that are gone again and returns the new ids. If these differ, the create is sent again with the same op.
    """
    prepared = prepare(run, create, file_ids, over=over)
    too_late = ReconcilerError("the run is out of time, and nothing was sent", hint="run again")
    result = _send_until_settled(run, prepared, _failed(prepared, too_late, unsent=prepared.op))
    if isinstance(result, Failed) and isinstance(result.error, RejectedError):
        result = _with_renewed_inputs(run, prepared, result, renew)
    if not (isinstance(result, Failed) and result.unsent):
        _record(run, prepared, result)
    return result


def _failed(prepared: PreparedCreate, error: ReconcilerError, *, unsent: str = "") -> Failed:
    return Failed(name=prepared.create.spec.name, action=CREATE, error=error, unsent=unsent)


def _send_until_settled(
    run: RunContext[Writer], prepared: PreparedCreate, known: CreateResult
) -> CreateResult:
    """Send; if the response is lost and the job was certainly never created, send once more.

    Returns `known` if nothing more is sent.
    """
    result = _send(run, prepared, known)
    if not isinstance(result, Unknown) or _too_late(run):
        return result
    try:
        found = after_create.search_complete_list(run, prepared.op)
    except ReconcilerError:
        return result
    return _check(run, found, prepared, recovered=True) if found else _send(run, prepared, result)


def _with_renewed_inputs(
    run: RunContext[Writer],
    prepared: PreparedCreate,
    refused: Failed,
    renew: Callable[[FileIds], FileIds],
) -> CreateResult:
    """Send once more, if the refused create named uploads that are gone."""
    file_ids = prepared.request.input_files
    try:
        renewed = renew(file_ids)
    except ReconcilerError as error:
        message = f"{refused.error}; an input is gone, and could not be uploaded again: {error}"
        return _failed(prepared, ReconcilerError(message, hint=error.hint))
    if renewed == file_ids:
        return refused
    request = replace(prepared.request, input_files=renewed)
    return _send_until_settled(run, replace(prepared, request=request), refused)


def _send(run: RunContext[Writer], prepared: PreparedCreate, known: CreateResult) -> CreateResult:
    """POST until the outcome is certain or the response is lost; search for a lost job until the settle time ends.

    Returns the result so far (at first `known`) if the run is out of time or the ledger fails.
    """
    attempt, began = 1, run.env.monotonic()
    while _may_send(run):
        try:
            run.env.ledger.append(create_intent(run, prepared.create, prepared.op))
            return _check(run, run.api.create_job(prepared.request), prepared)
        except LedgerError as error:
            return (
                _failed(prepared, error, unsent=prepared.op)
                if isinstance(known, Failed) and known.unsent
                else known
            )
        except RejectedError as error:
            return _failed(prepared, error)
        except OutcomeUnknownError as error:
            return _recover(run, prepared, error)
        except (RateLimitedError, UnreachableError) as error:
            if not isinstance(known, Unknown):  # the outcome of an earlier POST stays unknown
                known = _failed(prepared, error)
            if ended := _wait(run, prepared, error, known, attempt=attempt, began=began):
                return ended
            attempt += 1
    return known


def _wait(
    run: RunContext[Writer],
    prepared: PreparedCreate,
    error: RateLimitedError | UnreachableError,
    known: CreateResult,
    *,
    attempt: int,
    began: float,
) -> CreateResult | None:
    """Wait until the POST may be repeated; return `known` if it may not, or the job if the list shows it."""
    try:
        run.retrier.wait(error, attempt=attempt, began=began)
    except ApiError:
        return known
    found = after_create.newest(run, prepared.op)
    return _check(run, found, prepared, recovered=True) if found else None


def _check(
    run: RunContext[Writer], job: Job, prepared: PreparedCreate, *, recovered: bool = False
) -> CreateResult:
    """Check that the tags, which mark the job as ours, came back as they were sent."""
    altered = next(
        (key for key, value in tags.write(prepared.tags).items() if job.metadata.get(key) != value), None
    )
    name = prepared.create.spec.name
    if altered is None:
        sent = None if prepared.create.submitted is None else prepared.create.sent
        return Created(name=name, job=job, op=prepared.op, recovered=recovered, sent=sent)
    run.env.log("job.tags_altered", name=name, job_id=job.id, key=altered)
    error = ReconcilerError(
        f"job {job.id} was created, and the API altered its tag {altered}",
        hint="no more jobs are created, because they could not be recognised later; please report this",
    )
    return Failed(name=name, action=CREATE, error=error, job=job)


def _recover(run: RunContext[Writer], prepared: PreparedCreate, error: ReconcilerError) -> CreateResult:
    """Return the job of a create whose response was lost if the list shows it within the settle time."""
    env, began = run.env, run.env.monotonic()
    at, name = env.now(), prepared.create.spec.name
    env.log("job.create_unknown", name=name, op=prepared.op, error=str(error))
    found = after_create.search_until_deadline(run, prepared.op, began=began)
    if found:
        return _check(run, found, prepared, recovered=True)
    until = at + run.limits.settle_seconds
    return Unknown(name=name, action=CREATE, error=error, lost_at=at, until=until)


def _may_send(run: RunContext[Writer]) -> bool:
    """Wait until a write may be sent; return False if the run is out of time by then."""
    run.retrier.before_write()
    return not _too_late(run)


def _too_late(run: RunContext[Writer]) -> bool:
    return run.env.stop.is_set() or run.env.monotonic() > run.give_up_at


def _record(run: RunContext[Writer], prepared: PreparedCreate, result: CreateResult) -> None:
    """Record the outcome. If the ledger fails now, no duplicate follows: the job's tags still identify it."""
    at, run_id, op = run.env.now(), run.env.run_id, prepared.op
    line: Line
    match result:
        case Created(job=Job() as job) | Failed(job=Job() as job):
            facts = job_facts(OwnedJob(job, prepared.tags))
            recovered = isinstance(result, Created) and result.recovered
            line = CreateConfirmed(at=at, run_id=run_id, op=op, recovered=recovered, **facts)
        case Failed():
            line = CreateRefused(at=at, run_id=run_id, op=op, error=str(result.error))
        case Unknown():  # the next plan waits until exactly the time that we report
            line = CreateUnknown(at=result.lost_at, run_id=run_id, op=op, error=str(result.error))
        case _:
            assert_never(result)
    try:
        run.env.ledger.append(line)
    except LedgerError as error:
        run.env.log("ledger.degraded", error=str(error), op=op)
