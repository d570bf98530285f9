"""Buying one job exactly once from an API without idempotency keys.

The intent is durable before the first byte leaves, and carries an `op` that also stands in the job's tags. One POST.
An answer settles it. What certainly did nothing (refused connection, 429) is repeated with the same op. What may
have happened (timeout, reset, 5xx) is looked up in the list by its op, with growing waits, until the settle time has
passed: found, it is recovered; absent from a complete list, the same op is sent once more; still lost, the outcome is
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
from reconciler.context import RunContext
from reconciler.errors import LedgerError, ReconcilerError
from reconciler.ledger import line_factories
from reconciler.ledger.lines import CreateIntended, CreateRefused, CreateUnknown, Line
from reconciler.model import InlineRequests, Job, tags
from reconciler.planning.actions import Create
from reconciler.workspace import listing

FIRST_WAIT_SECONDS: Final = 1.0
"""Seconds before the first look-up; each further wait is twice as long."""
MAX_WAIT_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCreated:
    """The job exists."""

    job: Job
    op: str
    recovered: bool = False
    """True where the answer was lost and the job was found by its op."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsAltered:
    """The job exists, and the API has altered the tags that make it ours."""

    job: Job
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The create was sent, and no job was made."""

    error: ReconcilerError


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The create was not sent, and no outcome of it is in the ledger."""

    error: ReconcilerError


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeUnknown:
    """A job may have been made, or may yet be."""

    error: ReconcilerError
    at: float
    """Unix seconds: when the answer was lost."""
    until: float
    """Unix seconds after which a new run can tell."""


CreateResult: TypeAlias = JobCreated | TagsAltered | Rejected | NotSent | OutcomeUnknown
FileIds: TypeAlias = tuple[str, ...]

TOO_LATE: Final = NotSent(
    error=ReconcilerError("the run's time is over, and nothing was sent", hint="run again")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCreate:
    """One create on its way."""

    create: Create
    op: str
    tags: Mapping[str, str]
    request: CreateJob


def create_job_once(
    run: RunContext[Writer],
    create: Create,
    file_ids: FileIds,
    *,
    over: tuple[str, ...] = (),
    renew: Callable[[FileIds], FileIds] = lambda ids: ids,
) -> CreateResult:
    """Create the job of `create`, once.

    Args:
        run: what the creates of a run share.
        create: the create.
        file_ids: its inputs.
        over: the ids of the jobs that are cancelled once it exists; its tags name them.
        renew: is asked when the API refuses the create: uploads again those of the inputs that are gone. The create is
            repeated, with the same op, if the ids that it returns differ.
    """
    prepared = prepare(run, create, file_ids, over=over)
    result = _send_until_settled(run, prepared, TOO_LATE)
    if isinstance(result, Rejected) and isinstance(result.error, RejectedError):
        result = _with_renewed_inputs(run, prepared, result, renew)
    if not isinstance(result, NotSent):
        _record(run, prepared, result)
    return result


def _send_until_settled(
    run: RunContext[Writer], prepared: PreparedCreate, known: CreateResult
) -> CreateResult:
    """Send; if the answer is lost and the job was certainly never made, send once more.

    Returns `known` if nothing more is sent.
    """
    result = _send(run, prepared, known)
    if not isinstance(result, OutcomeUnknown):
        return result
    found = _search_complete_list(run, prepared)
    if found is None:
        return _send(run, prepared, result)
    return _check(found, prepared, recovered=True) if found else result


def _with_renewed_inputs(
    run: RunContext[Writer], prepared: PreparedCreate, refused: Rejected, renew: Callable[[FileIds], FileIds]
) -> CreateResult:
    """Send once more, if the refused create named uploads that are gone."""
    file_ids = prepared.request.input_files
    try:
        renewed = renew(file_ids)
    except ReconcilerError as error:
        message = f"{refused.error}; an input is gone, and could not be uploaded again: {error}"
        return Rejected(error=ReconcilerError(message, hint=error.hint))
    if renewed == file_ids:
        return refused
    request = replace(prepared.request, input_files=renewed)
    return _send_until_settled(run, replace(prepared, request=request), refused)


def prepare(
    run: RunContext[Writer], create: Create, file_ids: FileIds, *, over: tuple[str, ...] = ()
) -> PreparedCreate:
    """Give a create its op, its tags and its request."""
    spec = create.spec
    op = run.ops.get(spec.run_key) or run.env.new_op()
    written = tags.write(
        tags.tags_of(
            spec, project=run.target.project, attempt=create.attempt, op=op, source=run.source, over=over
        )
    )
    inline = next((part.body for part in spec.inputs if isinstance(part, InlineRequests)), None)
    return PreparedCreate(
        create=create,
        op=op,
        tags=written,
        request=CreateJob(
            endpoint=spec.endpoint,
            model=spec.model,
            agent_id=spec.agent_id,
            input_files=file_ids,
            requests=inline,
            metadata={**spec.metadata, **written},
            timeout_hours=spec.timeout_hours,
        ),
    )


def _send(run: RunContext[Writer], prepared: PreparedCreate, known: CreateResult) -> CreateResult:
    """POST until something is certain or lost; look for what is lost until it must have settled.

    Returns what is known of the create, at first `known`, if the run's time is over or the ledger fails before that.
    """
    attempt = 1
    while not _too_late(run):
        try:
            _intend(run, prepared)
            return _check(run.api.create_job(prepared.request), prepared)
        except LedgerError as error:
            return NotSent(error=error) if isinstance(known, NotSent) else known
        except RejectedError as error:
            return Rejected(error=error)
        except OutcomeUnknownError as error:
            return _search_until_deadline(run, prepared, error)
        except (RateLimitedError, UnreachableError) as error:
            if ended := _wait(run, prepared, error, attempt=attempt):
                return ended
            attempt += 1
            if not isinstance(known, OutcomeUnknown):  # what became of an earlier POST stays unknown
                known = Rejected(error=error)
    return known


def _wait(
    run: RunContext[Writer],
    prepared: PreparedCreate,
    error: RateLimitedError | UnreachableError,
    *,
    attempt: int,
) -> CreateResult | None:
    """Wait until the POST may be repeated; return the result if it may not, or if the list shows the job."""
    try:
        run.retrier.wait(error, attempt=attempt)
    except ApiError:
        return Rejected(error=error)
    found = _newest(run, prepared)
    return _check(found, prepared, recovered=True) if found else None


def _intend(run: RunContext[Writer], prepared: PreparedCreate) -> None:
    create, source = prepared.create, run.source
    run.env.ledger.append(
        CreateIntended(
            at=run.env.now(),
            run_id=run.env.run_id,
            op=prepared.op,
            name=create.spec.name,
            work=create.spec.run_key.work,
            rerun=create.spec.run_key.rerun,
            attempt=create.attempt,
            reason=create.reason,
            commit=source.commit,
            actor=source.actor,
            run_url=source.run_url,
        )
    )


def _check(job: Job, prepared: PreparedCreate, *, recovered: bool = False) -> CreateResult:
    """The tags are what makes a job ours: they must come back as they were sent."""
    altered = next((key for key, value in prepared.tags.items() if job.metadata.get(key) != value), None)
    if altered is not None:
        return TagsAltered(job=job, key=altered)
    return JobCreated(job=job, op=prepared.op, recovered=recovered)


def _search_until_deadline(
    run: RunContext[Writer], prepared: PreparedCreate, error: ReconcilerError
) -> CreateResult:
    """Look for a job whose answer was lost, until it must have shown if it exists."""
    env, began = run.env, run.env.monotonic()
    at = env.now()
    lost = OutcomeUnknown(error=error, at=at, until=at + run.limits.settle_seconds)
    env.log("job.create_unknown", name=prepared.create.spec.name, op=prepared.op, error=str(error))
    wait = FIRST_WAIT_SECONDS
    while True:
        found = _newest(run, prepared)
        if found:
            return _check(found, prepared, recovered=True)
        left = began + run.limits.settle_seconds - env.monotonic()
        if left <= 0 or env.stop.is_set():
            return lost
        env.sleep(min(wait, left))
        wait = min(wait * 2, MAX_WAIT_SECONDS)


def _newest(run: RunContext[Writer], prepared: PreparedCreate) -> Job | None:
    """Look for the op among the newest jobs. Presence is proof; absence is none."""
    with suppress(ReconcilerError):
        page = run.api.list_jobs(page=0, order_by="-created")
        return next((job for job in page.jobs if _is(job, prepared)), None)
    return None


def _too_late(run: RunContext[Writer]) -> bool:
    return run.env.stop.is_set() or run.env.monotonic() > run.give_up_at


def _search_complete_list(run: RunContext[Writer], prepared: PreparedCreate) -> Job | Literal[False] | None:
    """Look once more, in a complete list: the job, None where it was never made, False where nobody can tell."""
    if _too_late(run):
        return False
    try:
        jobs = listing.list_all(run)
    except ReconcilerError:
        return False
    return next((job for job in jobs if _is(job, prepared)), None)


def _is(job: Job, prepared: PreparedCreate) -> bool:
    """Whether a job carries the op; altered tags still show it."""
    return f"op={prepared.op}" in str(job.metadata.get(tags.RUN, "")).split(" ")


def _record(
    run: RunContext[Writer],
    prepared: PreparedCreate,
    result: JobCreated | TagsAltered | Rejected | OutcomeUnknown,
) -> None:
    """Write down what came of it. A ledger that fails now costs memory, not money: the tags still tell."""
    at, run_id, op = run.env.now(), run.env.run_id, prepared.op
    spec = prepared.create.spec
    line: Line
    match result:
        case JobCreated() | TagsAltered():
            line = line_factories.created(
                result.job,
                at=at,
                run_id=run_id,
                op=op,
                name=spec.name,
                run_key=spec.run_key,
                attempt=prepared.create.attempt,
                requests=spec.requests,
                recovered=isinstance(result, JobCreated) and result.recovered,
            )
        case Rejected():
            line = CreateRefused(at=at, run_id=run_id, op=op, error=str(result.error))
        case OutcomeUnknown():
            # Not now: the next plan is to wait until the very time that we tell, and no longer.
            line = CreateUnknown(at=result.at, run_id=run_id, op=op, error=str(result.error))
        case _:
            assert_never(result)
    try:
        run.env.ledger.append(line)
    except LedgerError as error:
        run.env.log("ledger.degraded", error=str(error), op=op)
