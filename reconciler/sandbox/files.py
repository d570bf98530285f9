"""The file calls: upload, list, get, content, signed URL, delete."""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from reconciler.sandbox import contents, filerows, inputs, jobrows, results
from reconciler.sandbox.errors import ValidationProblem, json_response, not_found, unprocessable
from reconciler.sandbox.filerows import FileRow
from reconciler.sandbox.queries import Parameters, path_id
from reconciler.sandbox.world import World

MAX_FILE_BYTES = 512 * 1024 * 1024
"""Maximum bytes of an upload."""

SIGNED_PATH = "/sandbox/files"
"""The path of signed URLs: outside of the API, and without a key."""

PURPOSES = ("fine-tune", "batch", "ocr", "agentic_safety")
SAMPLE_TYPES = ("pretrain", "instruct", "batch_request", results.OUTPUT, results.ERRORS)
SOURCES = ("upload", "repository", "mistral")
VISIBILITIES = ("workspace", "user")
MAX_EXPIRY_HOURS = 1_000_000
MAX_URL_HOURS, DEFAULT_URL_HOURS = 168, 24


def upload_file(world: World, request: Request, workspace: str) -> Response:
    """Answer `POST /v1/files`."""
    upload = request.files.get("file")
    form = Parameters(request.form, place="body")
    purpose = form.choice("purpose", PURPOSES, "fine-tune")
    visibility = form.choice("visibility", VISIBILITIES, "workspace")
    hours = None
    if request.form.get("expiry") != "null":  # how some clients send a field that is not set
        hours = form.integer("expiry", None, at_least=1, at_most=MAX_EXPIRY_HOURS)
    if upload is None:
        form.problems.append(ValidationProblem("missing", ["body", "file"], "Field required", {}))
        raise unprocessable(form.problems)
    form.check()
    if upload.stream.seek(0, os.SEEK_END) > MAX_FILE_BYTES:
        raise RequestEntityTooLarge
    upload.stream.seek(0)
    num_lines = sum(1 for line in upload.stream if line.strip()) if purpose == "batch" else None
    upload.stream.seek(0)
    with world.store.write() as db:
        now = world.now()
        saved = contents.save(db, upload.stream)
        file = filerows.FileRow(
            id=world.ids(),
            filename=upload.filename or "file",
            purpose=purpose,
            sample_type="batch_request" if purpose == "batch" else "instruct",
            source="upload",
            mimetype=_mimetype(upload),
            visibility=visibility,
            created_at=now,
            expires_at=None if hours is None else now + hours * 3600,
            num_lines=num_lines,
            bytes=saved.size,
            signature=saved.signature,
            content=saved.id,
        )
        filerows.insert(db, workspace, file)
    return json_response(_shown(file, saved.size))


def list_files(world: World, request: Request, workspace: str) -> Response:
    """Answer `GET /v1/files`."""
    query = Parameters(request.args)
    skip, size = query.page()
    wanted = filerows.FileFilter(
        purpose=query.choice("purpose", PURPOSES, None),
        search=query.text("search"),
        sample_types=query.choices("sample_type", SAMPLE_TYPES),
        sources=query.choices("source", SOURCES),
        mimetypes=query.arguments.getlist("mimetypes") or None,
    )
    with_total = query.boolean("include_total", default=True)
    query.check()
    now = world.now()
    with world.store.read() as db:
        found, total = filerows.page(db, workspace, wanted, now=now, skip=skip, size=size)
    data = [_shown(file, _size(world, workspace, file)) for file in found]
    return json_response({"object": "list", "data": data, "total": total if with_total else None})


def get_file(world: World, request: Request, workspace: str, file_id: str) -> Response:  # noqa: ARG001 - a handler
    """Answer `GET /v1/files/{file_id}`."""
    with world.store.read() as db:
        file = _find(db, workspace, file_id, world.now())
    return json_response(_shown(file, _size(world, workspace, file)) | {"deleted": False})


def download_file(world: World, request: Request, workspace: str, file_id: str) -> Response:  # noqa: ARG001 - a handler
    """Answer `GET /v1/files/{file_id}/content`."""
    with world.store.read() as db:
        file = _find(db, workspace, file_id, world.now())
    response = Response(_stream(world, workspace, file), content_type="application/octet-stream")
    if file.bytes is not None:
        response.content_length = file.bytes
    return response


def sign_url(world: World, request: Request, workspace: str, file_id: str) -> Response:
    """Answer `GET /v1/files/{file_id}/url`."""
    query = Parameters(request.args)
    hours = query.integer("expiry", DEFAULT_URL_HOURS, at_least=1, at_most=MAX_URL_HOURS)
    query.check()
    now = world.now()
    with world.store.read() as db:
        file = _find(db, workspace, file_id, now)
    expires = str(int(now) + hours * 3600)
    signed = urlencode({"expires": expires, "signature": _signature(workspace, file.id, expires)})
    return json_response({"url": f"{request.root_url.rstrip('/')}{SIGNED_PATH}/{file.id}?{signed}"})


def download_signed(world: World, request: Request, file_id: str) -> Response:
    """Answer a signed URL. The signature replaces the key."""
    expires = request.args.get("expires", "")
    with world.store.read() as db:
        workspace = filerows.workspace_of(db, path_id("file_id", file_id)) or ""
    expected, given = _signature(workspace, file_id, expires), request.args.get("signature", "")
    if not hmac.compare_digest(expected.encode(), given.encode()) or int(expires) <= world.now():
        raise not_found("File", file_id)
    return download_file(world, request, workspace, file_id)


def delete_file(world: World, request: Request, workspace: str, file_id: str) -> Response:  # noqa: ARG001 - a handler
    """Answer `DELETE /v1/files/{file_id}`."""
    with world.store.write() as db:
        file = _find(db, workspace, file_id, world.now())
        filerows.delete(db, file.id)
        contents.sweep(db)
    return json_response({"id": file.id, "object": "file", "deleted": True})


def _find(db: sqlite3.Connection, workspace: str, file_id: str, now: float) -> FileRow:
    file = filerows.find(db, workspace, path_id("file_id", file_id), now)
    if file is None:
        raise not_found("File", file_id)
    return file


def _stream(world: World, workspace: str, file: FileRow) -> Iterator[bytes]:
    if file.content is not None:
        yield from contents.chunks(world.store, file.content)
    elif file.job is not None:
        with world.store.read() as db:
            job = jobrows.find(db, workspace, file.job)
            given = jobrows.contents(db, file.job)
        if job is not None:
            requests = inputs.requests(contents.lines(world.store, given))
            yield from results.encode(results.lines(job, requests, (file.sample_type,)))


def _size(world: World, workspace: str, file: FileRow) -> int:
    """Return a file's size in bytes; that of a job's results is computed once and cached."""
    if file.bytes is not None:
        return file.bytes
    if file.id not in world.result_sizes:
        world.result_sizes[file.id] = sum(map(len, _stream(world, workspace, file)))
    return world.result_sizes[file.id]


def _mimetype(upload: FileStorage) -> str:
    if (upload.filename or "").endswith(".jsonl"):
        return "application/jsonl"
    return upload.mimetype or "application/octet-stream"


def _signature(workspace: str, file_id: str, expires: str) -> str:
    return hmac.digest(workspace.encode(), f"{file_id} {expires}".encode(), hashlib.sha256).hex()


def _shown(file: FileRow, size: int) -> dict[str, Any]:
    """Return a file as the API returns it."""
    return {
        **{name: value for name, value in asdict(file).items() if name not in ("content", "job")},
        "object": "file",
        "bytes": size,
        "created_at": int(file.created_at),
        "expires_at": None if file.expires_at is None else int(file.expires_at),
    }
