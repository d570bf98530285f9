"""Make the inputs of a job that is asked only a part of its work: the chosen lines, byte by byte.

A file of which every line is submitted is sent as it is. The others are cut into files of this run's folder. They
stay until the next apply that submits a part, because what the new job was asked is indexed from them. Files are read
again, so a change since the plan is found by their digest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Final

from reconciler import file_access
from reconciler.errors import ReconcilerError
from reconciler.execution.uploads import changed_since, opened
from reconciler.model import Input, InputFile, SubmittedPart, request_count
from reconciler.model.inputs import upload_of
from reconciler.planning.next_part import NextPart

NEW_LINE: Final = b"\n"


def cut(inputs: Sequence[Input], part: NextPart, *, root: Path, folder: Path) -> SubmittedPart:
    """Return what a job is asked: the requests of `part`, of the work with these inputs, which are relative to `root`.

    The files in `folder` are named by their digests. Raises `InputChangedError` if a file is not the one that was
    planned; `ReconcilerError` if a file cannot be read, or the work has an input that is not in this clone; `OSError`
    if a file cannot be written.
    """
    chosen = bytearray(part.of)
    for place in part.places:
        chosen[place] = 1
    found: list[Input] = []
    first = 0
    for each in inputs:
        count = request_count(each)
        if count is None:
            raise ReconcilerError(
                "a part of the work cannot be submitted: an input is not in this clone",
                hint="fetch the content of Git LFS pointers, then plan again",
            )
        asked = chosen[first : first + count]
        if all(asked):
            found.append(each)
        elif any(asked):
            found.append(_cut(each, asked, root=root, folder=folder))
        first += count
    return SubmittedPart(inputs=tuple(found), requests=len(part.places), of=part.of, reused=part.reused)


def _cut(each: Input, asked: bytearray, *, root: Path, folder: Path) -> InputFile:
    file = upload_of(each, "")
    if file is None:
        raise AssertionError("its requests were counted")
    digest, whole = hashlib.sha256(), hashlib.sha256()
    file_access.make_folder(folder)
    temporary = folder / "cutting.jsonl"
    size = 0
    with opened(root, file) as source, file_access.recreate(temporary) as target:
        for line, chosen in zip(source, chain(asked, repeat(0)), strict=False):
            whole.update(line)
            if chosen:
                line = line if line.endswith(NEW_LINE) else line + NEW_LINE  # noqa: PLW2901
                target.write(line)
                digest.update(line)
                size += len(line)
    if whole.hexdigest() != file.sha256:
        temporary.unlink()
        raise changed_since(file, whole.hexdigest())
    final = folder / f"{digest.hexdigest()}.jsonl"
    temporary.replace(final)
    path = os.path.relpath(final, root).replace(os.sep, "/")
    return InputFile(path=path, sha256=digest.hexdigest(), size=size, requests=asked.count(1))
