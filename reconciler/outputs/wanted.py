"""The requests that a spec wants, in order, read from its inputs."""

from __future__ import annotations

from array import array
from itertools import pairwise
from pathlib import Path

from reconciler.model import JobSpec, Wanted
from reconciler.requests import asked
from reconciler.requests.asked import AskedIndex
from reconciler.settings import Limits


def read_wanted(
    spec: JobSpec, root: Path, limits: Limits, comparison: asked.Comparison | None = None
) -> Wanted | None:
    """Return the requests that a spec wants; None if an input is not in this clone, or has changed since.

    With a comparison, each request is also compared with those of the job before. Raises `OSError` if a file cannot be
    read.
    """
    contents = contents_of(spec, root)
    if contents is None:
        return None
    compared = comparison or asked.Comparison({})
    keys, sizes, ends = bytearray(), array("I"), [0]
    for content in contents:
        for line in asked.lines([content], limits.line_bytes, _no_heartbeat):
            keys += compared.key_of(line, spec.model)
            sizes.append(len(line) + 1)
        ends.append(len(sizes))
    files = [end - start for start, end in pairwise(ends)]
    # Otherwise every place after the change would mean another line. `part_files` compares the digests of what it cuts.
    same = spec.requests in (None, len(sizes))
    return Wanted(keys=bytes(keys), sizes=sizes, files=files) if same else None


def read_order(spec: JobSpec, root: Path, limits: Limits) -> AskedIndex | None:
    """Return the requests that a spec wants, as an index; None if an input is not in this clone.

    Raises `OSError` if a file cannot be read.
    """
    contents = contents_of(spec, root)
    if contents is None:
        return None
    return asked.read_order(contents, model=spec.model, longest=limits.line_bytes)


def contents_of(spec: JobSpec, root: Path) -> list[Path | bytes] | None:
    """Return the files of a spec's requests, or their contents; None if one of them is not in this clone."""
    contents = [root / file.path if file.content is None else file.content for file in spec.uploads]
    whole = len(contents) == len(spec.inputs) and not any(file.pointer for file in spec.uploads)
    return contents if whole and all(isinstance(it, bytes) or it.exists() for it in contents) else None


def _no_heartbeat() -> None:
    """Do nothing: a plan holds no lease."""
