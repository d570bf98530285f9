"""What one job was asked: its requests in the order of its inputs, with their keys. On disk it is `asked.idx`."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler import file_access
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


@dataclass(slots=True)
class Asked:
    """The requests of one job."""

    places: dict[str, int] = field(default_factory=dict)
    """The position of each custom_id, in the order of the inputs. The first of two equal ones counts."""
    keys: bytearray = field(default_factory=bytearray)
    """`KEY_BYTES` of each request; empty if the inputs are not available, and the order is that of the answers."""
    lines: bytearray = field(default_factory=bytearray)
    """`KEY_BYTES` of the SHA-256 of each line: equal bytes are the same request and need not be parsed."""
    forms: array[int] = field(default_factory=lambda: array("I"))
    """The form of each answer: `TEXT`, `JSON`, `UNKNOWN`, or `FIRST_SCHEMA` plus a position in `schemas`."""
    schemas: list[bytes] = field(default_factory=list)

    def write(self, path: Path, head: Mapping[str, Any]) -> None:
        """Write the index; `head` names the job and its inputs. Raises `OSError`."""
        schemas = [msgspec.Raw(schema) for schema in self.schemas]
        facts = {"index": "asked", **head, "requests": len(self.places), "schemas": schemas}
        columns: dict[str, bytes | bytearray | array[int]] = {
            "keys": self.keys,
            "lines": self.lines,
            "forms": self.forms,
        }
        write_index(path, facts, columns | {"ids": _encoder.encode_lines(self.places)})


def read_inputs(
    inputs: Sequence[Path], *, model: str | None, longest: int, heartbeat: Callable[[], None]
) -> Asked:
    """Read the requests of a job.

    Args:
        inputs: the files in their order.
        model: the job's model.
        longest: maximum bytes of a line.
        heartbeat: called regularly; raises to stop.

    Raises:
        OSError: a file cannot be read.
    """
    asked = Asked()
    places, keys, digests, forms = asked.places, asked.keys, asked.lines, asked.forms
    known: dict[bytes, int] = {}
    for line in _lines(inputs, longest, heartbeat):
        row, key = identify(line, model)
        if row is None:
            custom_id, form = _custom_id(line), UNKNOWN
        else:
            custom_id, form = row["custom_id"], _form(row["body"].get("response_format"), asked, known)
        if custom_id is None or custom_id in places:
            continue  # the check before the create refuses such an input
        places[custom_id] = len(places)
        keys += key
        digests += sha256(line).digest()[:KEY_BYTES]
        forms.append(form)
    return asked


def _lines(inputs: Sequence[Path], longest: int, heartbeat: Callable[[], None]) -> Iterator[bytes]:
    for path in inputs:
        with file_access.open_to_read(path, buffering=0) as stream:
            for _, lines in blocks(stream, longest=longest):
                heartbeat()
                yield from lines


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


@dataclass(frozen=True, slots=True)
class AskedIndex:
    """`asked.idx`, read."""

    head: Mapping[str, Any]
    ids: Sequence[bytes]
    """The custom_ids as JSON."""


def load(path: Path) -> AskedIndex | None:
    """Read an index; None if there is none that this version can use."""
    found = read_index(path)
    if found is None or found[0].get("index") != "asked":
        return None
    head, columns = found
    return AskedIndex(head, columns["ids"].splitlines())
