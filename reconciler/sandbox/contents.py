"""The contents of files in chunks, written once and deleted with the last file or job that uses them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import count
from typing import IO

from msgspec import Struct

from reconciler.sandbox.inputs import split
from reconciler.sandbox.store import Store

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
    rows = db.execute("SELECT bytes FROM chunks WHERE content = ? ORDER BY position", (content,))
    return split(row["bytes"] for row in rows)


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
