"""The calls about jobs: list, create, get, cancel, delete."""

from __future__ import annotations

import io
import sqlite3
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict, replace
from werkzeug.wrappers import Request

from reconciler.catalogue import models
from reconciler.catalogue.mistakes import mistakes
from reconciler.sandbox import files, http, inputs, lifecycle, results, rows
from reconciler.sandbox.http import Json, gateway_refusal, not_found, refused, unprocessable
from reconciler.sandbox.rows import JobQuery, JobRow
from reconciler.sandbox.store import World

MAX_INLINE_BYTES = 1_000_000
"""Largest body of a create call with inline requests. The real gateway has such a limit too; its size is unknown."""

_AS_CREATED = ("id", "endpoint", "model", "agent_id", "metadata", "input_files")
_Key = Annotated[str, Meta(min_length=1, max_length=32)]
_Value = Annotated[str, Meta(min_length=1, max_length=512)]


class Draft(Struct, frozen=True, kw_only=True):
    """A job to create."""

    endpoint: str
    model: str | None = None
    agent_id: str | None = None
    metadata: dict[_Key, _Value] | None = None
    timeout_hours: Annotated[float, Meta(ge=1, le=168, multiple_of=1)] = 24
    """A whole number: JSON does not distinguish 24 and 24.0."""
    input_files: list[UUID] | None = None
    requests: Annotated[list[inputs.Request], Meta(max_length=10_000)] | None = None

    def __post_init__(self) -> None:
        if self.endpoint not in results.ENDPOINTS:
            raise ValueError(f"endpoint should be one of {', '.join(results.ENDPOINTS)}")
        if bool(self.input_files) == bool(self.requests):
            raise ValueError("give either input_files or requests")


class _JobParameters(Struct):
    inline: bool = False


def list_jobs(world: World, request: Request, workspace: str) -> Json:
    """Answer `GET /v1/batch/jobs`."""
    query = http.read(request.args, JobQuery)
    now = world.now()
    with world.store.read() as db:
        jobs, total = rows.list_jobs(db, workspace, query, _metadata_filter(request, query), now)
    listed = [_shown(job, now) for job in jobs]
    return {"object": "list", "total": total} | ({"data": listed} if listed else {})


def create_job(world: World, request: Request, workspace: str) -> Json:
    """Answer `POST /v1/batch/jobs`."""
    raw = request.get_data(cache=False)
    draft = read_draft(raw)
    if draft.requests and len(raw) > MAX_INLINE_BYTES:
        raise gateway_refusal()
    with world.store.write() as db:
        now = world.now()  # inside the transaction, so that creation times follow the order of the rows
        input_files = list(map(str, draft.input_files or ()))
        given = _inline_input(db, draft) if draft.requests else _input_files(db, workspace, input_files, now)
        named = ((name, files.lines_within(db, content)) for name, content in given)
        work = inputs.read(named, draft.model, None if world.lenient else draft.endpoint)
        _check_model(world, None if draft.agent_id else work.model, draft.endpoint)
        job = rows.JobRow(
            id=world.ids(),
            endpoint=draft.endpoint,
            model=draft.model,
            agent_id=draft.agent_id,
            metadata=draft.metadata,
            input_files=input_files,
            errors=work.errors,
            course=lifecycle.Course(
                created_at=now,
                requests=work.requests,
                timeout_hours=int(draft.timeout_hours),
                speed=world.speed,
                refused=bool(work.errors),
                stuck=(work.model or "").startswith(inputs.STUCK_MODEL),
                failing=work.failing,
            ),
        )
        rows.save_job(db, workspace, job)
        positions = [(job.id, position, content) for position, (_, content) in enumerate(given)]
        db.executemany("INSERT INTO job_inputs (job, position, content) VALUES (?, ?, ?)", positions)
        results.foresee(db, workspace, job)
    return _shown(job, now)


def get_job(world: World, request: Request, workspace: str, job_id: str) -> Json:
    """Answer `GET /v1/batch/jobs/{job_id}`."""
    inline = http.read(request.args, _JobParameters).inline
    now = world.now()
    with world.store.read() as db:
        job = _find(db, workspace, job_id)
        given = rows.inputs_of(db, job_id)
    shown = _shown(job, now)
    if inline and lifecycle.state(job.course, now).completed_at is not None:
        requests = inputs.requests(files.lines(world.store, given))
        shown["outputs"] = list(results.lines(job, requests, (results.OUTPUT, results.ERRORS)))
    return shown


def cancel_job(world: World, request: Request, workspace: str, job_id: str) -> Json:  # noqa: ARG001 - a handler
    """Answer `POST /v1/batch/jobs/{job_id}/cancel`."""
    with world.store.write() as db:
        now = world.now()
        job = _find(db, workspace, job_id)
        if lifecycle.status(job.course, now) in (lifecycle.Status.QUEUED, lifecycle.Status.RUNNING):
            job = replace(job, course=replace(job.course, cancelled_at=now))
            rows.save_job(db, workspace, job)
            results.foresee(db, workspace, job)
    return _shown(job, now)


def delete_job(world: World, request: Request, workspace: str, job_id: str) -> Json:  # noqa: ARG001 - a handler
    """Answer `DELETE /v1/batch/jobs/{job_id}`."""
    with world.store.write() as db:
        _find(db, workspace, job_id)
        db.execute(
            "DELETE FROM jobs WHERE id = ?", (job_id,)
        )  # and with it the rows of its inputs and results
        files.sweep(db)
    return {"id": job_id, "object": "batch", "deleted": True}


def read_draft(raw: bytes) -> Draft:
    """Read the body of a create call. Raises a 422 with the first problem."""
    try:
        return msgspec.json.decode(raw, type=Draft)
    except (ValueError, RecursionError) as error:  # ValueError: JSON, UTF-8 and validation errors alike
        raise unprocessable("body", error) from None


def _find(db: sqlite3.Connection, workspace: str, job_id: str) -> JobRow:
    job = rows.find_job(db, workspace, job_id)
    if job is None:
        raise not_found("Batch job", job_id)
    return job


def _metadata_filter(request: Request, query: JobQuery) -> dict[str, str]:
    """Read `metadata` as JSON, and every undeclared parameter as a pair, as the official SDK sends them."""
    wanted = {name: text for name, text in request.args.items() if name not in query.__struct_fields__}
    try:
        pairs = msgspec.json.decode(query.metadata or "{}", type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise unprocessable("query", error) from None
    return wanted | {name: _as_text(value) for name, value in pairs.items()}


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _inline_input(db: sqlite3.Connection, draft: Draft) -> list[tuple[str, int]]:
    with io.BytesIO(msgspec.json.Encoder().encode_lines(draft.requests or ())) as stream:
        return [("requests", files.save(db, stream).id)]


def _input_files(
    db: sqlite3.Connection, workspace: str, input_files: list[str], now: float
) -> list[tuple[str, int]]:
    given = []
    for file_id in input_files:
        file = rows.find_file(db, workspace, file_id, now)
        if file is None:
            raise refused(f"File {file_id} not found.", param="input_files", code="file_not_found")
        if file.purpose != "batch" or file.content is None:
            raise refused(f"File {file_id} is not for batches.", param="input_files", code="invalid_file")
        given.append((file.filename, file.content))
    return given


def answer(world: World, request: Request, workspace: str) -> Json:  # noqa: ARG001 - a handler
    """Answer one request to a live endpoint, as a job would answer it."""
    try:
        body = msgspec.json.decode(request.get_data(), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unprocessable("body", error) from None
    wrong = () if world.lenient else tuple(mistakes(request.path, body))
    if wrong:
        raise unprocessable("body", ValueError(f"{wrong[0].where} {wrong[0].what}"))
    model = body.get("model")
    _check_model(world, model if isinstance(model, str) else None, request.path)
    one = inputs.Request(body=body, custom_id="live")
    found = results.line(world.ids(), 0, one, endpoint=request.path, model=None, created=int(world.now()))
    return dict(found["response"]["body"])


def _check_model(world: World, name: str | None, endpoint: str) -> None:
    """Refuse a model that a trigger names, and one that the table does not have, or has as retired or unfit.

    Raises a 400.
    """
    if (name or "").startswith(inputs.REFUSED_MODEL):
        raise refused(f"Invalid model: {name}", param="model", code="unknown_model")
    found = None if name is None or world.lenient else models.doubt(name, endpoint, world.day())
    if found is not None:
        message = f"Invalid model: {name} ({found.message}; {found.hint})"
        raise refused(message, param="model", code=f"{found.kind}_model")


def _shown(job: JobRow, now: float) -> Json:
    """Return a job as the API returns it."""
    state = lifecycle.state(job.course, now)
    ended = state.completed_at is not None
    as_created = {name: getattr(job, name) for name in _AS_CREATED}
    return {
        **as_created,
        **asdict(state),
        "object": "batch",
        "output_file": results.file_id(job.id, results.OUTPUT)
        if ended and state.succeeded_requests
        else None,
        "error_file": results.file_id(job.id, results.ERRORS) if ended and state.failed_requests else None,
        "errors": job.errors if state.status is lifecycle.Status.FAILED else [],
        "outputs": None,
        "created_at": int(job.course.created_at),
        "started_at": None if state.started_at is None else int(state.started_at),
        "completed_at": None if state.completed_at is None else int(state.completed_at),
    }
