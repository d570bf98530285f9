"""Git LFS pointers: a few lines of text that stand for a file's content, with its digest and its size.

https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
"""

from __future__ import annotations

import re
from typing import BinaryIO, Final

LARGEST: Final = 1024
"""Bytes of a pointer at most, by its specification."""
_POINTER: Final = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>[0-9]{1,18})\n?"
)


def read(stream: BinaryIO, size: int) -> tuple[str, int] | None:
    """Return the digest and the size that a pointer holds; None for any other file.

    Args:
        stream: the open file, at its beginning; it is left there.
        size: its bytes.
    """
    if size >= LARGEST:
        return None
    found = _POINTER.fullmatch(stream.read(LARGEST))
    stream.seek(0)
    return (found["oid"].decode(), int(found["size"])) if found else None
