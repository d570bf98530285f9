"""Files that carry a digest of themselves: plans and snapshots.

The digest detects corruption and cut files. It is no defence against malice: whoever reads such a file looks again.
"""

from __future__ import annotations

from typing import Final

import msgspec

from reconciler.errors import ReconcilerError
from reconciler.model import digests

MAX_BYTES: Final = 256_000_000
"""A file larger than this is none of ours."""


def seal(kind: str, body: bytes) -> bytes:
    """Return the bytes of a file: indented JSON, with the digest of the body in front.

    Args:
        kind: what the body is called in the file: `plan`, `snapshot`.
        body: a JSON object without white space.
    """
    sealed = msgspec.json.encode({"digest": f"sha256:{digests.sha256(body)}", kind: msgspec.Raw(body)})
    return msgspec.json.format(sealed, indent=1) + b"\n"


def unseal(kind: str, data: bytes, *, version: str, hint: str) -> bytes:
    """Return the body of a file.

    Args:
        kind: what the body is called in the file.
        data: the file.
        version: the format version that is understood: another minor one is, another major one is not.
        hint: how to make such a file again.

    Raises:
        ReconcilerError: it is no such file, is of another major version, or was altered after it was saved.
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
            hint="use the version of the tool that made it, or " + hint,
        )
    if digest != f"sha256:{digests.sha256(body)}":
        raise ReconcilerError(f"the {kind} file was altered or cut after it was saved", hint=hint)
    return body
