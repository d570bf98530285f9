"""The sandbox's real application over a store in memory, and the truth about every job it ever took.

The tool sees only answers. The invariants see this: who created which job when, who cancelled it, and its state.
"""

from __future__ import annotations

import hashlib
import io
import random
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from reconciler.sandbox import files, inputs, lifecycle, rows
from reconciler.sandbox.app import make_app
from reconciler.sandbox.lifecycle import Status
from reconciler.sandbox.store import Store
from tests.simulation.process import START

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

KEY: Final = "simulation"
JOBS: Final = "/v1/batch/jobs"
FILES: Final = "/v1/files"
JSON: Final = "application/json"
LIVE: Final = frozenset({Status.QUEUED, Status.RUNNING})
FAILED: Final = frozenset({Status.FAILED, Status.TIMEOUT_EXCEEDED})
UPLOADS: Final = tuple(f"0f9d1b6e-0000-4000-8000-00000000000{number}" for number in range(2))
"""Ids of the files in the workspace."""
OK: Final = 200


@dataclass(frozen=True)
class Answer:
    """What the application answers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body, decoded."""
        decoded: dict[str, Any] = msgspec.json.decode(self.body)
        return decoded


class Server:
    """The API. One a process; `begin` empties it."""

    def __init__(self) -> None:
        self._store = Store(Path(":memory:"))
        self._now: Callable[[], float] = lambda: START
        self._app: WSGIApplication = make_app(self._store, now=self._now)
        with self._store.write() as db:
            for file_id in UPLOADS:
                _lay_down(db, file_id)

    def begin(self, *, now: Callable[[], float], speed: float, dice: random.Random) -> None:
        """Start from an empty workspace."""
        with self._store.write() as db:
            db.execute("DELETE FROM jobs")
            db.execute("DELETE FROM files WHERE id NOT IN (?, ?)", UPLOADS)
            files.sweep(db)
        self._now = lambda: START + now()
        self._app = make_app(self._store, now=self._now, speed=speed, ids=lambda: _uuid(dice))

    def call(
        self, method: str, path: str, query: str = "", body: bytes = b"", content_type: str = JSON
    ) -> Answer:
        """Let the application answer, at once."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_AUTHORIZATION": f"Bearer {KEY}",
            "CONTENT_TYPE": content_type,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
        }
        begun: list[tuple[int, tuple[tuple[str, str], ...]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _: object = None
        ) -> Callable[[bytes], object]:
            begun.append((int(status[:3]), tuple(headers)))
            return io.BytesIO().write

        text = b"".join(self._app(environ, start_response))
        return Answer(*begun[0], text)

    def status(self, job_id: str) -> Status | None:
        """Return how a job stands, None once its record is deleted."""
        course = self._course(job_id)
        return None if course is None else lifecycle.status(course, self._now())

    def _course(self, job_id: str) -> lifecycle.Course | None:
        with self._store.read() as db:
            job = rows.find_job(db, _WORKSPACE, job_id)
        return None if job is None else job.course

    def ended_before(self, job_id: str, when: float) -> Status | None:
        """Return how a job had ended by a virtual time; None if it had not."""
        course = self._course(job_id)
        if course is None:
            return None
        at, how = lifecycle.end(course)
        return how if at <= START + when else None

    def was_live_at(self, job_id: str, when: float) -> bool:
        """Whether a job that is still on record was queued or running at a virtual time."""
        course = self._course(job_id)
        if course is None or START + when < course.created_at:
            return False
        return lifecycle.status(course, START + when) in LIVE

    def answered(self, job_id: str) -> int:
        """Return how many requests of a job on record were answered by now."""
        course = self._course(job_id)
        return 0 if course is None else lifecycle.state(course, self._now()).succeeded_requests

    def doom(self, job_id: str) -> None:
        """Let a job fail when it is validated."""
        job = self._job(job_id)
        course = replace(job.course, refused=True)
        self._save(replace(job, course=course, errors=[inputs.InputError("out of luck")]))

    def retag(self, job_id: str, metadata: dict[str, str]) -> None:
        """Keep other metadata than were sent."""
        self._save(replace(self._job(job_id), metadata=metadata))

    def _job(self, job_id: str) -> rows.JobRow:
        with self._store.read() as db:
            job = rows.find_job(db, _WORKSPACE, job_id)
        assert job is not None
        return job

    def _save(self, job: rows.JobRow) -> None:
        with self._store.write() as db:
            rows.save_job(db, _WORKSPACE, job)


_WORKSPACE: Final = hashlib.sha256(KEY.encode()).hexdigest()


def _uuid(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def _lay_down(db: sqlite3.Connection, file_id: str) -> None:
    """Put an input file into the workspace."""
    chat = b'{"messages":[{"role":"user","content":"Hi"}]}'
    with io.BytesIO(b'{"custom_id":"1","body":%s}\n{"custom_id":"2","body":%s}\n' % (chat, chat)) as stream:
        saved = files.save(db, stream)
    rows.insert_file(
        db,
        _WORKSPACE,
        rows.FileRow(
            id=file_id,
            filename="input.jsonl",
            purpose="batch",
            sample_type="batch_request",
            source="upload",
            mimetype="application/jsonl",
            visibility="workspace",
            created_at=START,
            bytes=saved.size,
            num_lines=2,
            content=saved.id,
        ),
    )
