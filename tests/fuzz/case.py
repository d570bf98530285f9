"""A case: files of a project, commands, and what the API answers. It is a value that a file can hold."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

Entries: TypeAlias = dict[str, bytes | str]
LINK: Final = "link "
"""What an entry that is a link begins with; its target follows."""
PIPE: Final = "pipe"
FOLDER: Final = "folder"
ABSENT: Final = "absent"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case."""

    family: str
    seed: str
    """From which the case was made."""
    state: str
    """What the project was before: a name of `state.STATES`."""
    files: Mapping[str, bytes | str] = field(default_factory=dict)
    """By path below the project: content, or an odd kind of entry."""
    commands: tuple[tuple[str, ...], ...]
    answers: Mapping[int, int] = field(default_factory=dict)
    """The number of a request, -1 for all, and the seed of what is done to its answer."""
    target: str = ".*"
    """The paths, as a regular expression, of the requests whose answers are changed."""
    environ: Mapping[str, str] = field(default_factory=dict)
    named: tuple[str, ...] = ()
    """Of these names, an error says one."""


def to_text(case: Case) -> str:
    """Return a case as JSON."""
    files = {
        path: {"bytes": it.decode("latin-1")} if isinstance(it, bytes) else it
        for path, it in case.files.items()
    }
    return json.dumps({**case.__dict__, "files": files}, indent=1)


def from_text(text: str) -> Case:
    """Read a case."""
    read: dict[str, Any] = json.loads(text)
    files = {
        path: it["bytes"].encode("latin-1") if isinstance(it, dict) else it
        for path, it in read["files"].items()
    }
    commands = tuple(map(tuple, read["commands"]))
    answers = {int(number): seed for number, seed in read["answers"].items()}
    return Case(
        **{**read, "files": files, "commands": commands, "answers": answers, "named": tuple(read["named"])}
    )


def write(folder: Path, files: Mapping[str, bytes | str]) -> None:
    """Write the files of a project; one that a file system cannot hold is left out."""
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink() or path.is_file():
                path.unlink()
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif content.startswith(LINK):
                path.symlink_to(content.removeprefix(LINK))
            elif content == PIPE:
                os.mkfifo(path)
            elif content == FOLDER:
                path.mkdir()
        except (OSError, ValueError):
            continue
