"""Checks a set-up, and measures API behaviour that is undocumented.

`examine` creates nothing. `experiment` creates a job of one request, cancels it, and reports: whether tags come back as
they were sent, how long the list lags, and what a second cancel returns. The job has a
project of its own, so that no plan includes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.api.client import Writer
from reconciler.api.errors import ApiError
from reconciler.api.values import CreateJob, RequestRecord
from reconciler.context import ApiT, RunContext
from reconciler.documents.reports import FindingDoc, Verdict
from reconciler.errors import ReconcilerError
from reconciler.model import InlineRequests, Job, JobSpec, Phase, Position, digests, tags
from reconciler.outputs.place import place_of, warning_on_ci
from reconciler.text.plural import pluralize
from reconciler.workspace import listing
from reconciler.workspace.recall import recall

PROJECT: Final = "reconciler-doctor"
"""The owner of the experiment's job."""
SKEW_SECONDS: Final = 30
PATIENCE_SECONDS: Final = 120.0
PAUSE_SECONDS: Final = 1.0
PAIRS: Final = 16
"""How many pairs of metadata the experiment sends: our tags, and made-up pairs."""


@dataclass(slots=True)
class LastRequest:
    """Keeps the record of the last request, for the server's clock and the elapsed time."""

    record: RequestRecord | None = None

    def __call__(self, record: RequestRecord) -> None:
        """Store the record of the last request."""
        self.record = record


def guarded(check: str, look: Callable[[], Iterator[FindingDoc]]) -> Iterator[FindingDoc]:
    """Turn an error of a check into its result, so that the other checks still run."""
    try:
        yield from look()
    except ReconcilerError as error:
        yield FindingDoc(check, "failed", str(error), error.hint)


def examine(run: RunContext[ApiT], last_request: LastRequest) -> Iterator[FindingDoc]:
    """Check key, host, clock, list and ledger. Creates nothing."""
    yield from guarded("host and key", lambda: _host(run, last_request))
    lists: list[tuple[Job, ...]] = []
    began = run.env.now()
    yield from guarded("list", lambda: _list(run, lists))
    yield from guarded("ledger", lambda: _ledger(run, lists, began))
    yield from guarded("results", lambda: _results(run))


def examine_without_key(run: RunContext[ApiT], error: ReconcilerError) -> Iterator[FindingDoc]:
    """Check what needs no key, and report the rest as not checked."""
    yield FindingDoc("host and key", "failed", str(error), error.hint)
    for check in ("clock", "list"):
        yield FindingDoc(check, "note", "not checked: this needs the API key")
    yield from guarded("ledger", lambda: _ledger(run, (), run.env.now()))
    yield from guarded("results", lambda: _results(run))


def _host(run: RunContext[ApiT], last_request: LastRequest) -> Iterator[FindingDoc]:
    page = run.api.list_jobs(page=0, page_size=1)
    answered = last_request.record
    elapsed = f", {answered.elapsed_ms} ms" if answered else ""
    total = f"a total of {page.odd_total}" if page.odd_total else pluralize(page.total, "job")
    yield FindingDoc("host and key", "ok", f"{run.target.host} answers{elapsed}; {total}")
    served_at = answered.served_at if answered else None
    if served_at is None:
        yield FindingDoc("clock", "note", "the server sends no time")
        return
    skew = run.env.now() - served_at
    verdict: Verdict = "ok" if abs(skew) <= SKEW_SECONDS else "warning"
    hint = "" if verdict == "ok" else "set this machine's clock: settle times depend on it"
    yield FindingDoc("clock", verdict, f"{skew:+.0f} s from the server's", hint)


def _list(run: RunContext[ApiT], lists: list[tuple[Job, ...]]) -> Iterator[FindingDoc]:
    """Read the list, and add it to `lists`."""
    jobs = listing.whole(run).jobs
    lists.append(jobs)
    own_jobs = [job for job in jobs if tags.project_of(job) == run.target.project]
    yield FindingDoc(
        "list", "ok", f"complete: {pluralize(len(jobs), 'job')}, {len(own_jobs):,} of this project"
    )


def _ledger(run: RunContext[ApiT], lists: Sequence[tuple[Job, ...]], began: float) -> Iterator[FindingDoc]:
    memory, problems = recall(run)
    for problem, hint in problems:
        yield FindingDoc("ledger", "warning", problem, hint)
    detail = f"remembers {pluralize(len(memory.jobs), 'job')}"
    unseen = any(memory.jobs.keys().isdisjoint(job.id for job in jobs) for jobs in lists)
    if memory.jobs and unseen and memory.jobs.keys() <= memory.recent(began):
        yield FindingDoc(
            "ledger",
            "note",
            f"{detail}, and the list shows none of them yet: "
            f"each was created less than {memory.settle_seconds:g} s ago",
            "run `reconciler doctor` again after that time",
        )
    elif memory.jobs and unseen:
        yield FindingDoc(
            "ledger",
            "warning",
            f"{detail}, and the list shows none of them",
            "check that the API key is for the right workspace",
        )
    elif memory.open_creates:
        ops = ", ".join(intent.name for intent in memory.open_creates)
        yield FindingDoc(
            "ledger",
            "warning",
            f"{detail}; creates without an outcome: {ops}",
            "run `reconciler plan`: it shows when the outcome of each will be known",
        )
    else:
        yield FindingDoc("ledger", "ok", detail)


def _results(run: RunContext[ApiT]) -> Iterator[FindingDoc]:
    place = place_of(run.project, run.env.environ)
    lost = warning_on_ci(run.project, run.env.environ) if run.env.environ.get("CI") else ""
    yield FindingDoc("results", "warning" if lost else "ok", lost or f"they go to {place}")


def experiment(run: RunContext[Writer], last_request: LastRequest, *, model: str) -> Iterator[FindingDoc]:
    """Create a one-request job, cancel it, and report API behaviour that is undocumented."""
    yield from guarded("experiment", lambda: _experiment(run, last_request, model))


def _experiment(run: RunContext[Writer], last_request: LastRequest, model: str) -> Iterator[FindingDoc]:
    request = _create_request(run, model)
    job = run.api.create_job(request)
    created = run.env.monotonic()
    elapsed = f" in {last_request.record.elapsed_ms} ms" if last_request.record else ""
    yield FindingDoc("create", "ok", f"job {job.id}{elapsed}, {job.status}")
    try:
        yield _round_trip(job, request)
        yield _lag(run, job, created)
    finally:
        stopped = run.retrier.call(lambda _: run.api.cancel_job(job.id))
    yield FindingDoc("cancel", "ok", f"left {stopped.status}")
    yield _second_cancel(run, job)


def _create_request(run: RunContext[Writer], model: str) -> CreateJob:
    body = digests.canonical(
        [{"custom_id": "doctor", "body": {"max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}}]
    )
    op = run.env.new_op()
    spec = JobSpec(
        name=f"doctor-{op[:8]}",
        endpoint="/v1/chat/completions",
        model=model,
        inputs=(InlineRequests(body=body, count=1),),
        rerun=op,
        timeout_hours=1,
        declared_at=Position(path="doctor", line=1),
    )
    written = tags.write(tags.tags_of(spec, project=PROJECT, attempt=1, op=op, source=run.source))
    extra = {f"doctor.{number}": f"pair {number} é ✓" for number in range(PAIRS - len(written))}
    return CreateJob(
        endpoint=spec.endpoint, model=model, requests=body, metadata={**written, **extra}, timeout_hours=1
    )


def _round_trip(job: Job, request: CreateJob) -> FindingDoc:
    altered = sorted(key for key, value in request.metadata.items() if job.metadata.get(key) != value)
    added = sorted(job.metadata.keys() - request.metadata.keys())
    if altered:
        return FindingDoc(
            "tags",
            "failed",
            f"{len(altered)} of {len(request.metadata)} pairs came back altered: {', '.join(altered)}",
            "do not apply against this API, and please report this",
        )
    more = f"; the API added {', '.join(added)}" if added else ""
    return FindingDoc("tags", "ok", f"{len(request.metadata)} pairs came back as they were sent{more}")


def _lag(run: RunContext[Writer], job: Job, created: float) -> FindingDoc:
    looks = 0
    while run.env.monotonic() - created < PATIENCE_SECONDS:
        looks += 1
        if any(shown.id == job.id for shown in run.api.list_jobs(page=0, order_by="-created").jobs):
            seconds = run.env.monotonic() - created
            return FindingDoc("list lag", "ok", f"shown after {seconds:.1f} s, in read number {looks}")
        run.env.sleep(PAUSE_SECONDS)
    return FindingDoc(
        "list lag",
        "warning",
        f"not shown within {PATIENCE_SECONDS:.0f} s",
        "raise limits.settle_seconds above the lag that you see",
    )


def _second_cancel(run: RunContext[Writer], job: Job) -> FindingDoc:
    began = run.env.monotonic()
    status = job.status
    while run.env.monotonic() - began < PATIENCE_SECONDS:
        now = run.api.get_job(job.id)
        status = now.status
        if now.phase not in (Phase.ACTIVE, Phase.STOPPING):
            break
        run.env.sleep(PAUSE_SECONDS)
    try:
        again = run.api.cancel_job(job.id).status
    except ApiError as error:
        again = f"answered with {error.status}: {error.text}"
    return FindingDoc("cancel of an ended job", "note", f"of one that is {status}: {again}")
