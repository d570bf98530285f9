"""The file calls, and the contents of files in chunks, which are deleted with the last file or job that uses them."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import count
from typing import IO, Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import asdict
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from reconciler.sandbox import http, inputs, results, rows
from reconciler.sandbox.http import Json, not_found, unprocessable
from reconciler.sandbox.inputs import split
from reconciler.sandbox.rows import FileRow
from reconciler.sandbox.store import Store, World

CHUNK_BYTES = 1 << 20
"""Bytes of a chunk, the memory of an upload or a download."""


class Saved(Struct, frozen=True):
    """A content that was written."""

    id: int
    size: int
    """Bytes."""
    signature: str
    """A prefix of the SHA-256."""


def save(db: sqlite3.Connection, stream: IO[bytes]) -> Saved:
    """Copy a stream into the database."""
    (content,) = db.execute("INSERT INTO contents DEFAULT VALUES RETURNING id").fetchone()
    digest, size = hashlib.sha256(), 0
    for position, chunk in enumerate(iter(lambda: stream.read(CHUNK_BYTES), b"")):
        db.execute("INSERT INTO chunks VALUES (?, ?, ?)", (content, position, chunk))
        digest.update(chunk)
        size += len(chunk)
    return Saved(content, size, digest.hexdigest()[:16])


def chunks(store: Store, content: int) -> Iterator[bytes]:
    """Read a content, without a connection between two chunks."""
    for position in count():
        with store.read() as db:
            piece = db.execute(
                "SELECT bytes FROM chunks WHERE content = ? AND position = ?", (content, position)
            ).fetchone()
        if piece is None:
            return
        yield piece["bytes"]


def lines_within(db: sqlite3.Connection, content: int) -> Iterator[bytes]:
    """Read the lines of a content within one transaction."""
    pieces = db.execute("SELECT bytes FROM chunks WHERE content = ? ORDER BY position", (content,))
    return split(piece["bytes"] for piece in pieces)


def lines(store: Store, contents: Sequence[int]) -> Iterator[bytes]:
    """Read the lines of several contents in order."""
    for content in contents:
        yield from split(chunks(store, content))


def sweep(db: sqlite3.Connection) -> None:
    """Delete every content that no file and no job uses."""
    db.execute(
        "DELETE FROM contents WHERE NOT EXISTS (SELECT 1 FROM files WHERE content = contents.id)"
        " AND NOT EXISTS (SELECT 1 FROM job_inputs WHERE content = contents.id)"
    )


MAX_FILE_BYTES = 512 * 1024 * 1024
"""Maximum bytes of an upload."""


class _Form(Struct):
    """The form of an upload, without its file."""

    purpose: rows.Purpose = "fine-tune"
    visibility: Literal["workspace", "user"] = "workspace"
    expiry: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    """Hours. Some clients send `null` for a field that is not set."""


def upload_file(world: World, request: Request, workspace: str) -> Json:
    """Answer `POST /v1/files`."""
    upload = request.files.get("file")
    form = http.read(request.form, _Form, place="body")
    if upload is None:
        raise unprocessable("body", ValueError("file is missing"))
    if upload.stream.seek(0, os.SEEK_END) > MAX_FILE_BYTES:
        raise RequestEntityTooLarge
    upload.stream.seek(0)
    num_lines = sum(1 for line in upload.stream if line.strip()) if form.purpose == "batch" else None
    upload.stream.seek(0)
    with world.store.write() as db:
        now = world.now()
        saved = save(db, upload.stream)
        file = rows.FileRow(
            id=world.ids(),
            filename=upload.filename or "file",
            purpose=form.purpose,
            sample_type="batch_request" if form.purpose == "batch" else "instruct",
            source="upload",
            mimetype=_mimetype(upload),
            visibility=form.visibility,
            created_at=now,
            expires_at=form.expiry and now + form.expiry * 3600,
            num_lines=num_lines,
            bytes=saved.size,
            signature=saved.signature,
            content=saved.id,
        )
        rows.insert_file(db, workspace, file)
    return _shown(file, saved.size)


def list_files(world: World, request: Request, workspace: str) -> Json:
    """Answer `GET /v1/files`."""
    query = http.read(request.args, rows.FileQuery)
    with world.store.read() as db:
        found, total = rows.list_files(db, workspace, query, world.now())
    data = [_shown(file, _size(world, workspace, file)) for file in found]
    return {"object": "list", "data": data, "total": total if query.include_total else None}


def get_file(world: World, request: Request, workspace: str, file_id: str) -> Json:  # noqa: ARG001 - a handler
    """Answer `GET /v1/files/{file_id}`."""
    with world.store.read() as db:
        file = _find(db, workspace, file_id, world.now())
    return _shown(file, _size(world, workspace, file)) | {"deleted": False}


def download_file(world: World, request: Request, workspace: str, file_id: str) -> Response:  # noqa: ARG001 - a handler
    """Answer `GET /v1/files/{file_id}/content`."""
    with world.store.read() as db:
        file = _find(db, workspace, file_id, world.now())
    response = Response(_stream(world, workspace, file), content_type="application/octet-stream")
    if file.bytes is not None:
        response.content_length = file.bytes
    return response


def delete_file(world: World, request: Request, workspace: str, file_id: str) -> Json:  # noqa: ARG001 - a handler
    """Answer `DELETE /v1/files/{file_id}`."""
    with world.store.write() as db:
        file = _find(db, workspace, file_id, world.now())
        db.execute("DELETE FROM files WHERE id = ?", (file.id,))
        sweep(db)
    return {"id": file.id, "object": "file", "deleted": True}


def _find(db: sqlite3.Connection, workspace: str, file_id: str, now: float) -> FileRow:
    file = rows.find_file(db, workspace, file_id, now)
    if file is None:
        raise not_found("File", file_id)
    return file


def _stream(world: World, workspace: str, file: FileRow) -> Iterator[bytes]:
    if file.content is not None:
        yield from chunks(world.store, file.content)
    elif file.job is not None:
        with world.store.read() as db:
            job = rows.find_job(db, workspace, file.job)
            given = rows.inputs_of(db, file.job)
        if job is not None:
            requests = inputs.requests(lines(world.store, given))
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


def _shown(file: FileRow, size: int) -> Json:
    """Return a file as the API returns it."""
    return {
        **{name: value for name, value in asdict(file).items() if name not in ("content", "job")},
        "object": "file",
        "bytes": size,
        "created_at": int(file.created_at),
        "expires_at": None if file.expires_at is None else int(file.expires_at),
    }
