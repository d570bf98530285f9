"""What one job was asked: its requests in the order of its inputs, with their keys. On disk it is `asked.idx`."""

from __future__ import annotations

import io
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import Struct

from reconciler import file_access
from reconciler.model import RequestChange
from reconciler.requests.answers import DECODE_ERRORS, decode_line
from reconciler.requests.index_file import read_index, write_index
from reconciler.requests.keys import KEY_BYTES, identify
from reconciler.requests.lines import blocks

NAME: Final = "asked.idx"
MAX_SCHEMAS: Final = 100
"""Different schemas of one job that are kept; the answers to others are not checked."""
MAX_SCHEMA_BYTES: Final = 200_000

TEXT: Final = 0
"""The form of an answer that may be any text."""
JSON: Final = 1
"""The form of an answer that must be JSON."""
UNKNOWN: Final = 2
"""The form of an answer that is not checked: the schema is too large, or one too many."""
FIRST_SCHEMA: Final = 3

_encoder: Final = msgspec.json.Encoder(order="sorted")
_decode_ids: Final = msgspec.json.Decoder(str).decode_lines


class Asked(Struct):
    """The requests of one job."""

    places: dict[str, int] = msgspec.field(default_factory=dict)
    """The position of each custom_id, in the order of the inputs. The first of two equal ones counts."""
    keys: bytearray = msgspec.field(default_factory=bytearray)
    """`KEY_BYTES` of each request; empty if the inputs are not available, and the order is that of the answers."""
    lines: bytearray = msgspec.field(default_factory=bytearray)
    """`KEY_BYTES` of the SHA-256 of each line: equal bytes are the same request and need not be parsed."""
    forms: array[int] = msgspec.field(default_factory=lambda: array("I"))
    """The form of each answer: `TEXT`, `JSON`, `UNKNOWN`, or `FIRST_SCHEMA` plus a position in `schemas`."""
    sizes: array[int] = msgspec.field(default_factory=lambda: array("I"))
    """The bytes of each line."""
    schemas: list[bytes] = msgspec.field(default_factory=list)

    def write(self, path: Path, head: Mapping[str, Any]) -> None:
        """Write the index; `head` names the job and its inputs. Raises `OSError`."""
        schemas = [msgspec.Raw(schema) for schema in self.schemas]
        facts = {"index": "asked", **head, "requests": len(self.places), "schemas": schemas}
        ids = _encoder.encode_lines(self.places)
        columns = {name: getattr(self, name) for name in ("keys", "lines", "forms", "sizes")}
        write_index(path, facts, columns | {"ids": ids})


def head_of(job_id: str, inputs: str, origin: str) -> dict[str, Any]:
    """Return what the indexes of a job say about it: the digest of its inputs, and their source as in a summary."""
    return {"job": job_id, "inputs": inputs, "ordered": origin != "none", "origin": origin}


def read_inputs(
    inputs: Sequence[Path | bytes], *, model: str | None, longest: int, heartbeat: Callable[[], None]
) -> Asked:
    """Read the requests of a job from its files, or their contents, in their order.

    `longest` is the maximum of bytes of a line. Raises `OSError` if a file cannot be read.
    """
    asked = Asked()
    places, keys, digests, forms, sizes = asked.places, asked.keys, asked.lines, asked.forms, asked.sizes
    known: dict[bytes, int] = {}
    for line, custom_id, key, body in _requests(inputs, model, longest, heartbeat):
        if custom_id in places:
            continue  # the check before the create refuses such an input
        form = UNKNOWN if body is None else _form(body.get("response_format"), asked, known)
        places[custom_id] = len(places)
        keys += key
        digests += sha256(line).digest()[:KEY_BYTES]
        sizes.append(len(line))
        forms.append(form)
    return asked


class Comparison:
    """Reads the requests of a work, and counts how they differ from those of a job before.

    A line with the bytes that the job's next line had is not parsed: most lines of a changed file are such. `before`
    has the columns of the job's index, none to compare with nothing. Without `lines`, all lines are parsed.
    """

    def __init__(self, before: Mapping[str, bytes]) -> None:
        self._keys, self._lines = before.get("keys", b""), before.get("lines", b"")
        self._ids = before.get("ids", b"").splitlines()
        self._compares = bool(before)
        self._seen = bytearray(len(self._ids))
        self._next = 0
        self._count = self._added = self._changed = 0

    @cached_property
    def _places(self) -> Mapping[bytes, int]:
        return {custom_id: at for at, custom_id in enumerate(self._ids)}

    def key_of(self, line: bytes, model: str | None) -> bytes:
        """Return the key of the next line of the work."""
        span = slice(self._next * KEY_BYTES, (self._next + 1) * KEY_BYTES)
        if self._lines and sha256(line).digest()[:KEY_BYTES] == self._lines[span]:
            self._found(self._next)
            return self._keys[span]
        row, key = identify(line, model)
        if self._compares and (custom_id := row["custom_id"] if row else _custom_id(line)) is not None:
            place = self._place(_encoder.encode(custom_id))
            if place is None:
                self._count, self._added = self._count + 1, self._added + 1
            else:
                self._changed += self._keys[place * KEY_BYTES : (place + 1) * KEY_BYTES] != key
                self._found(place)
        return key

    def _found(self, place: int) -> None:
        self._seen[place] = 1
        self._next = place + 1
        self._count += 1

    def _place(self, custom_id: bytes) -> int | None:
        if self._next < len(self._ids) and self._ids[self._next] == custom_id:
            return self._next
        return self._places.get(custom_id) if self._count - self._added < len(self._ids) else None

    @property
    def change(self) -> RequestChange:
        """How the requests so far differ from those of the job before."""
        before, removed = len(self._ids), self._seen.count(0)
        return RequestChange(
            before=before, after=self._count, added=self._added, removed=removed, changed=self._changed
        )


def _requests(
    inputs: Sequence[Path | bytes], model: str | None, longest: int, heartbeat: Callable[[], None]
) -> Iterator[tuple[bytes, str, bytes, dict[str, Any] | None]]:
    """Yield line, custom_id, key and body of each request; the body is None if its bytes identify the line."""
    for line in lines(inputs, longest, heartbeat):
        row, key = identify(line, model)
        if row is not None:
            yield line, row["custom_id"], key, row["body"]
        elif (custom_id := _custom_id(line)) is not None:  # the check before the create refuses the others
            yield line, custom_id, key, None


def lines(inputs: Sequence[Path | bytes], longest: int, heartbeat: Callable[[], None]) -> Iterator[bytes]:
    """Yield the lines of some inputs, files or their content, without their line feeds.

    `longest` is the maximum of bytes of a line. `heartbeat` is called regularly, and raises to stop. Raises `OSError`
    if a file cannot be read.
    """
    for part in inputs:
        stream: BinaryIO
        stream = io.BytesIO(part) if isinstance(part, bytes) else file_access.open_to_read(part, buffering=0)
        with stream:
            for _, several in blocks(stream, longest=longest):
                heartbeat()
                yield from several


def _custom_id(line: bytes) -> str | None:
    try:
        return decode_line(line).custom_id
    except DECODE_ERRORS:
        return None


def _form(wanted: Any, asked: Asked, known: dict[bytes, int]) -> int:  # noqa: ANN401 - any JSON
    """Return the form of the answer that a `response_format` asks for."""
    if not isinstance(wanted, dict) or wanted.get("type") not in ("json_object", "json_schema"):
        return TEXT
    if wanted["type"] == "json_object":
        return JSON
    holder = wanted.get("json_schema")
    schema = holder.get("schema", holder.get("schema_definition")) if isinstance(holder, dict) else None
    if schema is None:
        return JSON
    written = _encoder.encode(schema)
    if written not in known:
        if len(written) > MAX_SCHEMA_BYTES or len(known) >= MAX_SCHEMAS:
            return UNKNOWN
        known[written] = FIRST_SCHEMA + len(asked.schemas)
        asked.schemas.append(written)
    return known[written]


class AskedIndex(Struct, frozen=True):
    """`asked.idx`, read."""

    head: Mapping[str, Any]
    lines: bytes = b""
    """The custom_ids as JSON, a line each."""
    keys: bytes = b""
    """`KEY_BYTES` of each request; empty if the inputs were not available."""

    def ids(self) -> Iterator[bytes]:
        """Yield the custom_ids as JSON."""
        return (line[:-1] for line in io.BytesIO(self.lines))

    @property
    def count(self) -> int:
        """How many requests there are."""
        return self.lines.count(b"\n")


def read_order(inputs: Sequence[Path | bytes], *, model: str | None, longest: int) -> AskedIndex:
    """Read the custom_ids and keys of requests; as `read_inputs`, in less memory."""
    ids, keys = bytearray(), bytearray()
    for _, custom_id, key, _ in _requests(inputs, model, longest, lambda: None):
        ids += _encoder.encode(custom_id) + b"\n"
        keys += key
    return AskedIndex({"ordered": True}, bytes(ids), bytes(keys))


def load(path: Path) -> AskedIndex | None:
    """Read an index; None if there is none that this version can use."""
    found = read_index(path, "asked")
    return found and AskedIndex(found[0], found[1]["ids"], found[1]["keys"])


def read_columns(path: Path, job_id: str, inputs: str) -> tuple[dict[str, Any], dict[str, bytes]] | None:
    """Read the first line and the columns of an index; None unless it was made for a job, from these inputs."""
    found = read_index(path, "asked")
    head = found[0] if found else {}
    same = head == head | head_of(job_id, inputs, head.get("origin", "none")) and head["ordered"]
    return found if same else None


def reopen(head: Mapping[str, Any], columns: Mapping[str, bytes]) -> tuple[Asked, str]:
    """Return what a job was asked, and the origin of its inputs, from its index."""
    places = {custom_id: at for at, custom_id in enumerate(_decode_ids(columns["ids"]))}
    schemas = [_encoder.encode(schema) for schema in head["schemas"]]
    keys, lines = bytearray(columns["keys"]), bytearray(columns["lines"])
    forms, sizes = array("I", columns["forms"]), array("I", columns.get("sizes", b""))
    return Asked(places, keys, lines, forms, sizes, schemas), head["origin"]
