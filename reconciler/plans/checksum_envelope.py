"""Files that contain a digest of themselves: plans and snapshots.

The digest detects damaged and truncated files. It is no defence against malice: the code that reads such a file checks
its content again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from reconciler import file_access
from reconciler.errors import ReconcilerError
from reconciler.model import digests

T = TypeVar("T")
MAX_BYTES: Final = 256_000_000
"""A larger file was not written by this tool."""


def wrap(kind: str, body: bytes, *, indented: bool = True) -> bytes:
    """Return the bytes of a file: JSON, indented for people, with the digest of the body in front.

    The body is a JSON object without white space. Its key in the file is `kind`: `plan`, `snapshot`.
    """
    sealed = msgspec.json.encode({"digest": f"sha256:{digests.sha256(body)}", kind: msgspec.Raw(body)})
    return (msgspec.json.format(sealed, indent=1) if indented else sealed) + b"\n"


def read(path: Path, shown: Path, decode: Callable[[bytes], T], *, hint: str) -> T:
    """Return what `decode` returns for the bytes of a file; its errors and those of reading name the file."""
    try:
        with file_access.open_to_read(path) as stream:
            return decode(stream.read(MAX_BYTES + 1))
    except OSError as error:
        hint = file_access.hint_of(error, hint)
        raise ReconcilerError(f"{shown}: {error.strerror}", hint=hint) from error
    except ReconcilerError as error:
        raise ReconcilerError(f"{shown}: {error}", hint=error.hint) from error


def unwrap(kind: str, data: bytes, *, version: str, hint: str) -> bytes:
    """Return the body of a file, which is at the key `kind`; the hint says how to create such a file again.

    It may have another minor version than the format version that this tool reads, and no other major one. Raises
    `ReconcilerError` if it is not such a file, has another major version, or was altered after it was saved.
    """
    if len(data) > MAX_BYTES:
        raise ReconcilerError(f"this is not a {kind} file: it is too large", hint=hint)
    try:
        parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        digest = msgspec.json.decode(parts["digest"], type=str)
        body = msgspec.json.format(bytes(parts[kind]), indent=-1)
        found = str(msgspec.json.decode(body, type=dict).get("format_version", ""))
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError, KeyError, RecursionError) as error:
        raise ReconcilerError(f"this is not a {kind} file", hint=hint) from error
    if found.partition(".")[0] != version.partition(".")[0]:
        raise ReconcilerError(
            f"this {kind} file has format version {found[:20]!r}, and this version reads {version}",
            hint="use the version of the tool that wrote it, or " + hint,
        )
    if digest != f"sha256:{digests.sha256(body)}":
        raise ReconcilerError(f"the {kind} file was altered or truncated after it was saved", hint=hint)
    return body
