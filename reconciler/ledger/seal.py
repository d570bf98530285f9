"""A seal over the ledger on disk: it tells whether what was once written still stands there.

Each line is hashed together with the hash before it, and the last hash stands in a small file beside the ledger, with
how many bytes and lines it covers. Whoever edits or cuts the ledger and not the seal is found out by `history verify`;
whoever does both is not: that takes `ledger: git`, whose copies are in other hands. Sealing never fails an append.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from reconciler.counting import count

SUFFIX: Final = ".seal"


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """What is covered, and its hash."""

    bytes: int = 0
    lines: int = 0
    sha256: str = ""


def path_of(ledger: Path) -> Path:
    """Return where a ledger's seal is."""
    return ledger.with_name(f"{ledger.name}{SUFFIX}")


def read(ledger: Path) -> Seal | None:
    """Return a ledger's seal, None where it has none that can be read."""
    try:
        return msgspec.json.decode(path_of(ledger).read_bytes(), type=Seal)
    except (OSError, msgspec.MsgspecError):
        return None


def extended(seal: Seal, data: bytes) -> Seal:
    """Return a seal that covers more whole lines."""
    digest = seal.sha256
    lines = data.split(b"\n")[:-1]
    for line in lines:
        digest = hashlib.sha256(digest.encode() + line + b"\n").hexdigest()
    size = sum(map(len, lines)) + len(lines)
    return Seal(bytes=seal.bytes + size, lines=seal.lines + len(lines), sha256=digest)


def extend(ledger: Path) -> None:
    """Cover what was appended. Where the ledger has become shorter, the seal stays as it is, and says so."""
    with suppress(OSError):
        before = read(ledger) or Seal()
        with ledger.open("rb") as file:
            if os.fstat(file.fileno()).st_size < before.bytes:
                return
            file.seek(before.bytes)
            after = extended(before, file.read())
        new = path_of(ledger).with_suffix(".new")
        new.write_bytes(msgspec.json.encode(after))
        new.replace(path_of(ledger))


def broken(ledger: Path) -> str:
    """Return how a ledger differs from what its seal covers, "" where it does not."""
    seal = read(ledger)
    if seal is None or not seal.bytes:
        return ""
    try:
        with ledger.open("rb") as file:
            data = file.read(seal.bytes)
    except FileNotFoundError:
        data = b""
    if len(data) < seal.bytes:
        return f"it had {count(seal.lines, 'line')} in {seal.bytes:,} bytes, and has {count(len(data), 'byte')} now"
    if extended(Seal(), data) != seal:
        return (
            "its only line is not the one that was written"
            if seal.lines == 1
            else f"the first {seal.lines:,} lines are not those that were written"
        )
    return ""
