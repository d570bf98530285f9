"""Git LFS pointers: short text files that replace a file's content with its digest and size.

https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
"""

from __future__ import annotations

import re
from typing import BinaryIO, Final

MAX_POINTER_BYTES: Final = 1024
"""Maximum size of a pointer, from its specification."""
_POINTER: Final = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>[0-9]{1,18})\n?"
)


def read(stream: BinaryIO, size: int) -> tuple[str, int] | None:
    """Return the digest and the size in a pointer; None for any other file.

    Args:
        stream: the open file, at its beginning; the position is restored.
        size: its size in bytes.
    """
    if size >= MAX_POINTER_BYTES:
        return None
    found = _POINTER.fullmatch(stream.read(MAX_POINTER_BYTES))
    stream.seek(0)
    return (found["oid"].decode(), int(found["size"])) if found else None
