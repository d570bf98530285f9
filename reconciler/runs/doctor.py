"""What can be found out about a set-up and about an API whose documentation leaves much open.

`examine` looks without buying anything. `experiment` buys one job of one request, stops it, and reports what nobody
has documented: whether tags come back as they were sent, how long the list lags, what a second cancel answers, what
the metadata filter does. Its job carries a project of its own, so that no plan ever sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from reconciler.api.client import Writer
from reconciler.api.errors import ApiError
from reconciler.api.values import CreateJob, RequestRecord
from reconciler.context import ApiT, Run
from reconciler.errors import ReconcilerError
from reconciler.ledger.memory import remember
from reconciler.model import InlineRequests, Job, JobSpec, Phase, Position, digests, tags
from reconciler.text.plural import count
from reconciler.workspace import listing

Verdict: TypeAlias = Literal["ok", "note", "warning", "failed"]

PROJECT: Final = "reconciler-doctor"
"""The owner of the experiment's job."""
SKEW_SECONDS: Final = 30
PATIENCE_SECONDS: Final = 120.0
PAUSE_SECONDS: Final = 1.0
PAIRS: Final = 16
"""So many pairs of metadata the experiment sends: seven tags and the rest made up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    check: str
    verdict: Verdict
    detail: str
    hint: str = ""


@dataclass(slots=True)
class Ear:
    """Remembers the last answer, for its clock and its time."""

    last: RequestRecord | None = None

    def __call__(self, record: RequestRecord) -> None:
        """Hear of a request."""
        self.last = record


def guarded(check: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Turn an error of a check into its finding: the others go on."""
    try:
        yield from look()
    except ReconcilerError as error:
        yield Finding(check=check, verdict="failed", detail=str(error), hint=error.hint)


def examine(run: Run[ApiT], ear: Ear) -> Iterator[Finding]:
    """Look at key, host, clock, list and ledger, and buy nothing."""
    yield from guarded("host and key", lambda: _host(run, ear))
    lists: list[tuple[Job, ...]] = []
    began = run.world.now()
    yield from guarded("list", lambda: _list(run, lists))
    yield from guarded("ledger", lambda: _ledger(run, lists, began))


def _host(run: Run[ApiT], ear: Ear) -> Iterator[Finding]:
    page = run.api.list_jobs(page=0, page_size=1)
    heard = ear.last
    elapsed = f", {heard.elapsed_ms} ms" if heard else ""
    yield Finding(
        check="host and key",
        verdict="ok",
        detail=f"{run.target.host} answers{elapsed}; {count(page.total, 'job')}",
    )
    served_at = heard.served_at if heard else None
    if served_at is None:
        yield Finding(check="clock", verdict="note", detail="the server does not tell its time")
        return
    skew = run.world.now() - served_at
    verdict: Verdict = "ok" if abs(skew) <= SKEW_SECONDS else "warning"
    hint = "" if verdict == "ok" else "set this machine's clock: settle times are reckoned by it"
    yield Finding(check="clock", verdict=verdict, detail=f"{skew:+.0f} s from the server's", hint=hint)


def _list(run: Run[ApiT], lists: list[tuple[Job, ...]]) -> Iterator[Finding]:
    """Read the list, and add it to `lists`."""
    jobs = listing.list_all(run)
    lists.append(jobs)
    ours = [job for job in jobs if tags.project_of(job) == run.target.project]
    yield Finding(
        check="list",
        verdict="ok",
        detail=f"complete: {count(len(jobs), 'job')}, {len(ours):,} of this project",
    )
    largest = run.api.list_jobs(page=0, page_size=1000)
    capped = f"a page of 1,000 was asked for, {len(largest.jobs):,} came, of {largest.total:,}"
    yield Finding(check="page size", verdict="note", detail=capped)
    if ours:
        yield _filter(run, tags.PROJECT, run.target.project, expected=len(ours), total=len(jobs))


def _filter(run: Run[ApiT], key: str, value: str, *, expected: int, total: int) -> Finding:
    """What the metadata filter does is documented nowhere; it is never relied on."""
    found = run.api.list_jobs(page=0, metadata={key: value}).total
    if found == expected:
        told = "selects exactly, or selects nothing away" if expected == total else "selects exactly"
    elif found == total:
        told = "is ignored"
    elif found == 0:
        told = "finds nothing"
    else:
        told = f"finds {found:,}, where {expected:,} match"
    return Finding(check="metadata filter", verdict="note", detail=f"the bare parameter {told}")


def _ledger(run: Run[ApiT], lists: Sequence[tuple[Job, ...]], began: float) -> Iterator[Finding]:
    memory = remember(run.world.ledger.read(), settle_seconds=run.limits.settle_seconds)
    detail = f"remembers {count(len(memory.jobs), 'job')}"
    unseen = any(memory.jobs.keys().isdisjoint(job.id for job in jobs) for jobs in lists)
    if memory.jobs and unseen and memory.jobs.keys() <= memory.recent(began):
        yield Finding(
            check="ledger",
            verdict="note",
            detail=f"{detail}, and the list shows none of them yet: "
            f"each was created less than {memory.settle_seconds:g} s ago",
            hint="run `reconciler doctor` again after that time",
        )
    elif memory.jobs and unseen:
        yield Finding(
            check="ledger",
            verdict="warning",
            detail=f"{detail}, and the list shows none of them",
            hint="check that the key opens the workspace that they were bought in",
        )
    elif memory.open_creates:
        ops = ", ".join(intent.name for intent in memory.open_creates)
        yield Finding(
            check="ledger",
            verdict="warning",
            detail=f"{detail}; creates without an outcome: {ops}",
            hint="run `reconciler plan`: it says when each can be told",
        )
    else:
        yield Finding(check="ledger", verdict="ok", detail=detail)


def experiment(run: Run[Writer], ear: Ear, *, model: str) -> Iterator[Finding]:
    """Buy one job of one request, stop it, and report what is documented nowhere."""
    yield from guarded("experiment", lambda: _experiment(run, ear, model))


def _experiment(run: Run[Writer], ear: Ear, model: str) -> Iterator[Finding]:
    before = run.api.list_jobs(page=0, page_size=1).total
    request, spec = _order(run, model)
    job = run.api.create_job(request)
    created = run.world.monotonic()
    heard = f" in {ear.last.elapsed_ms} ms" if ear.last else ""
    yield Finding(check="create", verdict="ok", detail=f"job {job.id}{heard}, {job.status}")
    try:
        yield _round_trip(job, request)
        yield _lag(run, job, created)
        after = run.api.list_jobs(page=0, page_size=1).total
        yield Finding(check="total", verdict="note", detail=f"{before:,} before, {after:,} after one create")
        yield _filter(run, tags.NAME, spec.name, expected=1, total=after)
    finally:
        stopped = run.retrier.call(lambda _: run.api.cancel_job(job.id))
    yield Finding(check="cancel", verdict="ok", detail=f"left {stopped.status}")
    yield _second_cancel(run, job)


def _order(run: Run[Writer], model: str) -> tuple[CreateJob, JobSpec]:
    body = digests.canonical(
        [{"custom_id": "doctor", "body": {"max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}}]
    )
    op = run.world.new_op()
    spec = JobSpec(
        name=f"doctor-{op[:8]}",
        endpoint="/v1/chat/completions",
        model=model,
        inputs=(InlineRequests(body=body, count=1),),
        rerun=op,
        timeout_hours=1,
        declared_at=Position(path="doctor", line=1),
    )
    ours = tags.write(tags.tags_of(spec, project=PROJECT, attempt=1, op=op, source=run.source))
    extra = {f"doctor.{number}": f"pair {number} é ✓" for number in range(PAIRS - len(ours))}
    request = CreateJob(
        endpoint=spec.endpoint, model=model, requests=body, metadata={**ours, **extra}, timeout_hours=1
    )
    return request, spec


def _round_trip(job: Job, request: CreateJob) -> Finding:
    altered = sorted(key for key, value in request.metadata.items() if job.metadata.get(key) != value)
    added = sorted(job.metadata.keys() - request.metadata.keys())
    if altered:
        return Finding(
            check="tags",
            verdict="failed",
            detail=f"{len(altered)} of {len(request.metadata)} pairs came back altered: {', '.join(altered)}",
            hint="do not apply against this API, and please report this",
        )
    more = f"; the API added {', '.join(added)}" if added else ""
    return Finding(
        check="tags", verdict="ok", detail=f"{len(request.metadata)} pairs came back as they were sent{more}"
    )


def _lag(run: Run[Writer], job: Job, created: float) -> Finding:
    looks = 0
    while run.world.monotonic() - created < PATIENCE_SECONDS:
        looks += 1
        if any(shown.id == job.id for shown in run.api.list_jobs(page=0, order_by="-created").jobs):
            seconds = run.world.monotonic() - created
            return Finding(
                check="list lag", verdict="ok", detail=f"shown after {seconds:.1f} s, at look number {looks}"
            )
        run.world.sleep(PAUSE_SECONDS)
    return Finding(
        check="list lag",
        verdict="warning",
        detail=f"not shown within {PATIENCE_SECONDS:.0f} s",
        hint="raise limits.settle_seconds above the lag that you see",
    )


def _second_cancel(run: Run[Writer], job: Job) -> Finding:
    began = run.world.monotonic()
    status = job.status
    while run.world.monotonic() - began < PATIENCE_SECONDS:
        now = run.api.get_job(job.id)
        status = now.status
        if now.phase not in (Phase.ACTIVE, Phase.STOPPING):
            break
        run.world.sleep(PAUSE_SECONDS)
    try:
        again = run.api.cancel_job(job.id).status
    except ApiError as error:
        again = f"answered with {error.status}: {error.told}"
    return Finding(check="cancel of an ended job", verdict="note", detail=f"of one that is {status}: {again}")
