"""The sandbox's state: one SQLite file, for any number of threads and processes at once."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from reconciler import file_access
from reconciler.errors import ReconcilerError
from reconciler.sandbox import jobrows

SCHEMA_VERSION = 2
"""Changes with the tables. A file of another version is refused: there are no migrations."""

_WAIT_SECONDS = 60.0
"""How long a statement waits for another writer; storing the largest upload takes a few seconds."""

_KEPT_CONNECTIONS = 8

_SCHEMA = """
CREATE TABLE contents (
    id INTEGER PRIMARY KEY,
    summary TEXT  -- of a file of requests, as JSON, or NULL for any other file
);
CREATE TABLE chunks (
    content INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE,
    position INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (content, position)
);
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace TEXT NOT NULL,  -- the hash of an API key
    endpoint TEXT NOT NULL,
    model TEXT,
    agent_id TEXT,
    metadata TEXT,  -- JSON
    input_files TEXT NOT NULL,  -- JSON
    errors TEXT NOT NULL,  -- JSON
    created_at REAL NOT NULL,
    requests INTEGER NOT NULL,
    failing TEXT NOT NULL,  -- JSON
    timeout_hours INTEGER NOT NULL,
    speed REAL NOT NULL,
    refused INTEGER NOT NULL,
    stuck INTEGER NOT NULL,
    cancelled_at REAL
);
CREATE INDEX jobs_in_order ON jobs (workspace, created_at, seq);
CREATE TABLE job_inputs (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    content INTEGER NOT NULL REFERENCES contents,
    PRIMARY KEY (job, position)
);
CREATE INDEX job_inputs_by_content ON job_inputs (content);
CREATE TABLE files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace TEXT NOT NULL,
    filename TEXT NOT NULL,
    purpose TEXT NOT NULL,
    sample_type TEXT NOT NULL,
    source TEXT NOT NULL,
    mimetype TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at REAL NOT NULL,  -- for a job's results, the job's end, which may be in the future
    expires_at REAL,
    num_lines INTEGER,
    bytes INTEGER,  -- NULL for a job's results, which every read generates
    signature TEXT,
    content INTEGER REFERENCES contents,  -- of an upload
    job TEXT REFERENCES jobs (id) ON DELETE CASCADE  -- of a job's results
);
CREATE INDEX files_in_order ON files (workspace, created_at, seq);
CREATE INDEX files_by_content ON files (content);
CREATE INDEX files_by_job ON files (job);
"""


class Store:
    """The state of a sandbox. Close it, or use it as a context manager.

    Args:
        path: the database file; it and its folder are created if missing.

    Raises:
        ReconcilerError: the path cannot be used for a sandbox's state.
    """

    def __init__(self, path: Path) -> None:
        if path.name == ":memory:":
            raise ReconcilerError(
                "a sandbox cannot use :memory:, which is a new database for every connection",
                hint="pass a file, such as a temporary one",
            )
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False
        try:
            file_access.make_folder(path.parent)
            os.close(file_access.append(path))  # SQLite would follow a link, and let others read the file
            self._prepare()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError | sqlite3.Error):
                raise ReconcilerError(f"{path}: not usable as a sandbox's state: {error}") from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection. A second call does nothing."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection with a consistent view of the database, for reads only."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose changes are committed together at the end, or rolled back after an exception."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        connection = self._take()
        try:
            connection.execute(begin)
            yield connection
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            self._give_back(connection)

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise ReconcilerError(f"{self.path}: the sandbox's state is closed")
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            kept = not self._closed and len(self._idle) < _KEPT_CONNECTIONS
            if kept:
                self._idle.append(connection)
        if not kept:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.row_factory = sqlite3.Row
            arguments = 1 + len(jobrows.COURSE_COLUMNS)
            connection.create_function("job_status", arguments, jobrows.status, deterministic=True)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self) -> None:
        connection = self._take()
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            self._give_back(connection)
        with self.write() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            elif version != SCHEMA_VERSION:
                raise ReconcilerError(
                    f"{self.path}: this state is of another version of the sandbox (schema {version}, "
                    f"this version uses {SCHEMA_VERSION})",
                    hint="delete it with `reconciler sandbox reset`, or pass another --db",
                )
