"""The inputs of a job as files on this machine: the local ones where they are what was bought, else the uploads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, assert_never

import msgspec

from reconciler.model import InlineRequests, Input, InputFile, JobSpec, Ours, UploadedFile, digests
from reconciler.results.heartbeat import Beat

PIECE: Final = 1 << 20
ASKED: Final = "asked-"
"""What the names of inputs begin with that are made or fetched for the join; they are deleted after it."""

Bring: TypeAlias = Callable[[str], Path | None]
"""Fetches an uploaded file; None where it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What was asked, in order."""

    origin: Literal["local", "uploaded", "none"]
    files: tuple[Path, ...] | None
    """None where they are nowhere to be had."""


NOWHERE: Final = Questions(origin="none", files=None)


def by_inputs(specs: Sequence[JobSpec]) -> Mapping[str, JobSpec]:
    """Return a spec for each digest of inputs that is declared now, as jobs carry it in their tags."""
    return {digests.inputs_v1(part.identity for part in spec.inputs): spec for spec in specs}


def find(
    ours: Ours, declared: Mapping[str, JobSpec], *, root: Path, workshop: Path, bring: Bring, beat: Beat
) -> Questions:
    """Return the inputs of a job.

    Args:
        ours: the job.
        declared: from `by_inputs`.
        root: the project root.
        workshop: where files may be made; whoever calls deletes what is there in the end.
        bring: fetches an upload.
        beat: called again and again.

    Raises:
        OSError: a file cannot be written.
        ApiError: an upload could not be had, and is not gone.
    """
    spec = declared.get(ours.tags.inputs)
    if spec is not None:
        brought: list[Path] = []

        def fetched(file_id: str) -> Path | None:
            path = bring(file_id)
            if path is not None:
                brought.append(path)
            return path

        local = [
            _local(part, number, root=root, workshop=workshop, bring=fetched, beat=beat)
            for number, part in enumerate(spec.inputs)
        ]
        if None not in local:
            return Questions(
                origin="uploaded" if brought else "local", files=tuple(path for path in local if path)
            )
    if not ours.job.input_files:
        return NOWHERE
    uploads = [bring(file_id) for file_id in ours.job.input_files]
    if None in uploads:
        return NOWHERE
    return Questions(origin="uploaded", files=tuple(path for path in uploads if path))


def _local(part: Input, number: int, *, root: Path, workshop: Path, bring: Bring, beat: Beat) -> Path | None:
    match part:
        case InputFile():
            return _unchanged(root / part.path, part.sha256, beat)
        case UploadedFile():
            return bring(part.id)
        case InlineRequests():
            place = workshop / f"{ASKED}spec-{number}.jsonl"
            lines = msgspec.json.decode(part.body, type=list[msgspec.Raw])
            place.write_bytes(b"".join(b"%b\n" % line for line in lines))
            return place
        case _:
            assert_never(part)


def _unchanged(path: Path, sha256: str, beat: Beat) -> Path | None:
    """Return the path where its content is what it was: read anew, since a pull may take long."""
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                beat()
    except OSError:
        return None
    return path if digest.hexdigest() == sha256 else None
