"""The batch calls: list, create, get, cancel, delete."""

from __future__ import annotations

import io
import sqlite3
from dataclasses import replace
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from reconciler.catalogue import models
from reconciler.sandbox import (
    contents,
    drafts,
    failures,
    filerows,
    inputs,
    jobrows,
    lifecycle,
    queries,
    results,
)
from reconciler.sandbox.drafts import Draft
from reconciler.sandbox.errors import gateway_refusal, json_response, not_found, refused, unprocessable
from reconciler.sandbox.jobrows import JobQuery, JobRow
from reconciler.sandbox.world import World


class _JobParameters(msgspec.Struct):
    inline: bool = False


def list_jobs(world: World, request: Request, workspace: str) -> Response:
    """Answer `GET /v1/batch/jobs`."""
    query = queries.read(request.args, JobQuery)
    now = world.now()
    with world.store.read() as db:
        jobs, total = jobrows.page(db, workspace, query, _metadata_filter(request, query), now)
    listed = [_shown(job, now) for job in jobs]
    return json_response({"object": "list", "total": total} | ({"data": listed} if listed else {}))


def create_job(world: World, request: Request, workspace: str) -> Response:
    """Answer `POST /v1/batch/jobs`."""
    raw = request.get_data(cache=False)
    draft = drafts.read(raw)
    if draft.requests and len(raw) > drafts.MAX_INLINE_BYTES:
        raise gateway_refusal()
    with world.store.write() as db:
        now = world.now()  # inside the transaction, so that creation times follow the order of the rows
        input_files = list(map(str, draft.input_files or ()))
        given = _inline_input(db, draft) if draft.requests else _input_files(db, workspace, input_files, now)
        files = ((name, contents.lines_within(db, content)) for name, content in given)
        work = inputs.read(files, draft.model, None if world.lenient else draft.endpoint)
        _check_model(world, None if draft.agent_id else work.model, draft.endpoint)
        job = jobrows.JobRow(
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
                stuck=failures.names(work.model, failures.STUCK_MODEL),
                failing=work.failing,
            ),
        )
        jobrows.save(db, workspace, job)
        jobrows.add_inputs(db, job.id, [content for _, content in given])
        results.foresee(db, workspace, job)
    return json_response(_shown(job, now))


def get_job(world: World, request: Request, workspace: str, job_id: str) -> Response:
    """Answer `GET /v1/batch/jobs/{job_id}`."""
    inline = queries.read(request.args, _JobParameters).inline
    now = world.now()
    with world.store.read() as db:
        job = _find(db, workspace, job_id)
        given = jobrows.contents(db, job_id)
    shown = _shown(job, now)
    if inline and lifecycle.state(job.course, now).ended_at is not None:
        requests = inputs.requests(contents.lines(world.store, given))
        shown["outputs"] = list(results.lines(job, requests, (results.OUTPUT, results.ERRORS)))
    return json_response(shown)


def cancel_job(world: World, request: Request, workspace: str, job_id: str) -> Response:  # noqa: ARG001 - a handler
    """Answer `POST /v1/batch/jobs/{job_id}/cancel`."""
    with world.store.write() as db:
        now = world.now()
        job = _find(db, workspace, job_id)
        if lifecycle.status(job.course, now) in (lifecycle.Status.QUEUED, lifecycle.Status.RUNNING):
            job = replace(job, course=replace(job.course, cancelled_at=now))
            jobrows.save(db, workspace, job)
            results.foresee(db, workspace, job)
    return json_response(_shown(job, now))


def delete_job(world: World, request: Request, workspace: str, job_id: str) -> Response:  # noqa: ARG001 - a handler
    """Answer `DELETE /v1/batch/jobs/{job_id}`."""
    with world.store.write() as db:
        _find(db, workspace, job_id)
        jobrows.delete(db, job_id)
        contents.sweep(db)
    return json_response({"id": job_id, "object": "batch", "deleted": True})


def _find(db: sqlite3.Connection, workspace: str, job_id: str) -> JobRow:
    job = jobrows.find(db, workspace, job_id)
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
        return [("requests", contents.save(db, stream).id)]


def _input_files(
    db: sqlite3.Connection, workspace: str, input_files: list[str], now: float
) -> list[tuple[str, int]]:
    given = []
    for file_id in input_files:
        file = filerows.find(db, workspace, file_id, now)
        if file is None:
            raise refused(f"File {file_id} not found.", param="input_files", code="file_not_found")
        if file.purpose != "batch" or file.content is None:
            raise refused(f"File {file_id} is not for batches.", param="input_files", code="invalid_file")
        given.append((file.filename, file.content))
    return given


def _check_model(world: World, name: str | None, endpoint: str) -> None:
    """Refuse a model that a trigger names, and one that the table does not have, or has as retired or unfit.

    Raises:
        ErrorResponse: 400.
    """
    if failures.names(name, failures.REFUSED_MODEL):
        raise refused(f"Invalid model: {name}", param="model", code="unknown_model")
    found = None if name is None or world.lenient else models.doubt(name, endpoint, world.day())
    if found is not None:
        message = f"Invalid model: {name} ({found.message}; {found.hint})"
        raise refused(message, param="model", code=f"{found.kind}_model")


def _shown(job: JobRow, now: float) -> dict[str, Any]:
    """Return a job as the API returns it."""
    state = lifecycle.state(job.course, now)
    ended = state.ended_at is not None
    return {
        "id": job.id,
        "object": "batch",
        "input_files": job.input_files,
        "metadata": job.metadata,
        "endpoint": job.endpoint,
        "model": job.model,
        "agent_id": job.agent_id,
        "output_file": results.file_id(job.id, results.OUTPUT) if ended and state.succeeded else None,
        "error_file": results.file_id(job.id, results.ERRORS) if ended and state.failed else None,
        "errors": job.errors if state.status is lifecycle.Status.FAILED else [],
        "outputs": None,
        "status": state.status,
        "created_at": int(job.course.created_at),
        "started_at": None if state.started_at is None else int(state.started_at),
        "completed_at": None if state.ended_at is None else int(state.ended_at),
        "total_requests": state.total,
        "completed_requests": state.completed,
        "succeeded_requests": state.succeeded,
        "failed_requests": state.failed,
    }
