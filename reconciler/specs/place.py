"""Write the files of `init`: nothing that a person wrote is overwritten, and a second run changes nothing.

A workflow or a schema carries the digest of its other lines. As long as they match it, the file was not edited, and
`init --upgrade` may renew it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from reconciler import file_access

_STAMP: Final = "Written by `reconciler init`, which renews it with --upgrade if no line was changed: sha256:"
_STAMPED: Final = re.compile(
    rf"""^(?:# |  "\$comment": "){re.escape(_STAMP)}([0-9a-f]{{64}})(?:",)?\n""".encode(), re.MULTILINE
)
_OLD: Final = "an earlier version of this tool wrote it; to renew it, run reconciler init --upgrade"
_OTHER: Final = "it already exists with other content"
_CHANGED: Final = "it was edited, so it stays; to take these changes, edit it, or delete it and run init"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that should exist."""

    path: str
    """Relative to the root, with forward slashes."""
    content: bytes


@dataclass(frozen=True, slots=True)
class Placed:
    """The outcome for one file."""

    path: str
    did: Literal["wrote", "added", "renewed", "kept"]
    why: str = ""
    """Why a file that differs was kept, or what was done to one."""
    diff: tuple[str, ...] = ()
    """For a file that was edited: how it differs from what `init` writes."""


def stamped(path: str, content: bytes) -> Wanted:
    """Return a file with the digest of its content in a comment."""
    stamp = f"{_STAMP}{hashlib.sha256(content).hexdigest()}"
    if path.endswith(".json"):
        return Wanted(path, content.replace(b"{\n", f'{{\n  "$comment": "{stamp}",\n'.encode(), 1))
    return Wanted(path, f"# {stamp}\n".encode() + content)


def place(root: Path, wanted: Wanted, *, upgrade: bool = False) -> Placed:
    """Write a file if it does not exist, or with `upgrade` if it is as an earlier `init` wrote it.

    Raises `OSError` if it cannot be written.
    """
    target = root / wanted.path
    if not file_access.within(os.path.realpath(target.parent), os.path.realpath(root)):
        return Placed(wanted.path, "kept", "its folder leads out of the project")
    if not os.path.lexists(target):
        file_access.make_folder(target.parent)
        with file_access.create(target, mode=file_access.SHARED) as file:
            file.write(wanted.content)
        return Placed(wanted.path, "wrote")
    if target.is_symlink() or not target.is_file():
        return Placed(wanted.path, "kept", _OTHER)
    return _beside(target, wanted, upgrade=upgrade)


def _beside(target: Path, wanted: Wanted, *, upgrade: bool) -> Placed:
    """Compare a file with what it should be, and renew it if `upgrade` says so and it was not edited."""
    found = normalized(file_access.read(target))
    stamp, (rest, new) = _STAMPED.search(found), (_STAMPED.sub(b"", it) for it in (found, wanted.content))
    if rest == new:
        return Placed(wanted.path, "kept")
    unchanged = stamp is not None and stamp[1].decode() == hashlib.sha256(rest).hexdigest()
    if not upgrade:
        return Placed(wanted.path, "kept", _OLD if unchanged else _OTHER)
    if not unchanged:
        import difflib  # noqa: PLC0415 - one option of one command needs it

        old, now = (it.decode("utf-8", "replace").split("\n") for it in (rest, new))
        diff = difflib.unified_diff(old, now, wanted.path, f"{wanted.path} of this version", lineterm="")
        return Placed(wanted.path, "kept", _CHANGED, tuple(diff))
    file_access.replace(target, wanted.content)
    return Placed(wanted.path, "renewed", "renewed")


def normalized(data: bytes) -> bytes:
    """Normalize line breaks: a checkout may have others than the template."""
    return data.replace(b"\r\n", b"\n")


def place_lines(root: Path, path: str, lines: Sequence[str]) -> Placed:
    """Append the missing lines to a file; its existing lines stay. Raises `OSError` if it cannot be written."""
    target = root / path
    if not os.path.lexists(target):
        return place(root, Wanted(path, "".join(f"{line}\n" for line in lines).encode()))
    if target.is_symlink() or not target.is_file():
        return Placed(path, "kept", f"it is not a regular file; add `{', '.join(lines)}` to it")
    data = file_access.read(target)
    there = {line.strip().strip("/") for line in data.decode("utf-8", "replace").splitlines()}
    missing = [line for line in lines if line.strip("/") not in there]
    if not missing:
        return Placed(path, "kept")
    end = b"\r\n" if b"\r\n" in data else b"\n"
    glue = b"" if not data or data.endswith(b"\n") else end
    file_access.replace(target, data + glue + b"".join(line.encode() + end for line in missing))
    return Placed(path, "added", f"`{', '.join(missing)}`")
