"""The sandbox's state: one SQLite file, for any number of threads and processes at once.

The threads of a process take turns at one connection.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from reconciler import file_access
from reconciler.errors import ReconcilerError
from reconciler.sandbox import lifecycle

SCHEMA_VERSION = 3
"""Changes with the tables. A file of another version is refused: there are no migrations."""

_WAIT_SECONDS = 60.0
"""How long a statement waits for another writer; storing the largest upload takes a few seconds."""
_PAUSE_SECONDS = 0.01

_SCHEMA = Path(__file__).with_name("schema.sql")


class Store(AbstractContextManager["Store"]):
    """The state of a sandbox. Close it, or use it as a context manager.

    The database file and its folder are created if missing. The path `:memory:` keeps the state in memory. Raises
    `ReconcilerError` if the path cannot be used for a sandbox's state.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.RLock()
        self._closed = False
        try:
            if path.name != ":memory:":
                file_access.make_folder(path.parent)
                os.close(file_access.append(path))  # SQLite would follow a link, and let others read the file
            self._connection = sqlite3.connect(
                ":memory:" if path.name == ":memory:" else path,
                timeout=_WAIT_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._prepare(self._connection)
            except BaseException:
                self.close()
                raise
        except (OSError, sqlite3.Error) as error:
            hint = "delete it with `reconciler sandbox reset`, or pass another --db"
            raise ReconcilerError(f"{path}: not usable as a sandbox's state: {error}", hint=hint) from error

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, after the transactions of other threads. A second call does nothing."""
        with self._turn:
            self._closed = True
            self._connection.close()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection with a consistent view of the database, for reads only."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection. Changes are committed together at the end, or rolled back after an exception."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._turn:
            if self._closed:
                raise ReconcilerError(f"{self.path}: the sandbox's state is closed")
            self._connection.execute(begin)
            with self._connection:  # commits, or rolls back after an exception
                yield self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        connection.create_function("job_status", 2, _job_status, deterministic=True)
        # OFF: a power cut may damage the state, which `sandbox reset` deletes; the end of a process does not.
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = OFF")
        _use_wal(connection)
        with self.write() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.read_text("utf-8").split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            elif version != SCHEMA_VERSION:
                raise ReconcilerError(
                    f"{self.path}: this state is of another version of the sandbox (schema {version}, "
                    f"this version uses {SCHEMA_VERSION})",
                    hint="delete it with `reconciler sandbox reset`, or pass another --db",
                )


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. If several processes do so at once, SQLite fails without waiting."""
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if (
                error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                or time.monotonic() > until
            ):
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


class World(Struct, frozen=True):
    """What handlers need besides the request: the state, the clock and the ids of an application."""

    store: Store
    now: Callable[[], float]
    """The wall clock, in Unix seconds."""
    ids: Callable[[], str]
    """Returns the UUID of a new job or file."""
    speed: float
    """How many times faster than normal new jobs run."""
    lenient: bool
    """Whether any model and any request body is accepted."""
    result_sizes: dict[str, int] = msgspec.field(default_factory=dict)
    """Sizes of result files in bytes, by id: result files never change."""

    def day(self) -> str:
        """Return the current date in UTC, `YYYY-MM-DD`."""
        return datetime.fromtimestamp(self.now(), UTC).date().isoformat()


class _Job(msgspec.Struct):
    """A stored job, as far as its status needs it."""

    course: lifecycle.Course


_decode_job = msgspec.msgpack.Decoder(_Job).decode


def _job_status(now: float, job: bytes) -> str:
    """Implement the SQL function `job_status`: a list can be filtered by status, which is not stored."""
    return lifecycle.status(_decode_job(job).course, now)


def page(
    db: sqlite3.Connection, matching: str, order: str, wanted: Mapping[str, object]
) -> tuple[list[sqlite3.Row], int]:
    """Return one page of the matching rows, and the number of all matches.

    `matching` is `FROM … WHERE …`, made of constants only: values of a request are parameters. Those are in `wanted`,
    with `page` and `page_size`; lists and dictionaries are passed as JSON.
    """
    values = {name: as_json(it) if isinstance(it, list | dict) else it for name, it in wanted.items()}
    (total,) = db.execute(f"SELECT count(*) {matching}", values).fetchone()
    rows = f"SELECT * {matching} ORDER BY {order} LIMIT :page_size OFFSET :page * :page_size"
    return db.execute(rows, values).fetchall(), total


def as_json(value: object) -> str:
    """Return a value as JSON text."""
    return msgspec.json.encode(value).decode()
