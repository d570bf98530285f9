"""Find the inputs of a job as files on this machine: the local files if they are unchanged, else the uploads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, assert_never

from reconciler.model import InlineRequests, Input, InputFile, JobSpec, OwnedJob, UploadedFile, digests
from reconciler.results.heartbeat import Heartbeat

PIECE: Final = 1 << 20
INPUT_PREFIX: Final = "asked-"
"""Prefix of input files that are written or downloaded for the join and deleted after it."""

FetchUpload: TypeAlias = Callable[[str], Path | None]
"""Downloads an uploaded file. Returns None if it no longer exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInputs:
    """The files of a job's requests, in order."""

    origin: Literal["local", "uploaded", "none"]
    files: tuple[Path, ...] | None
    """None if they are not available."""


NO_INPUTS: Final = JobInputs(origin="none", files=None)


def by_inputs(specs: Sequence[JobSpec]) -> Mapping[str, JobSpec]:
    """Return the declared specs by the digest of their inputs, which jobs have in their tags."""
    return {digests.inputs_v1(part.identity for part in spec.inputs): spec for spec in specs}


def find_inputs(
    owned: OwnedJob,
    declared: Mapping[str, JobSpec],
    *,
    root: Path,
    staging_dir: Path,
    fetch_upload: FetchUpload,
    heartbeat: Heartbeat,
) -> JobInputs:
    """Return the inputs of a job.

    Args:
        owned: the job.
        declared: from `by_inputs`.
        root: the project root.
        staging_dir: where files may be written; the caller deletes them.
        fetch_upload: downloads an upload.
        heartbeat: called regularly.

    Raises:
        OSError: a file cannot be written.
        ApiError: an upload could not be downloaded, for another reason than that it no longer exists.
    """
    spec = declared.get(owned.tags.inputs)
    if spec is not None:
        brought: list[Path] = []

        def fetched(file_id: str) -> Path | None:
            path = fetch_upload(file_id)
            if path is not None:
                brought.append(path)
            return path

        local = [
            _local(
                part, number, root=root, staging_dir=staging_dir, fetch_upload=fetched, heartbeat=heartbeat
            )
            for number, part in enumerate(spec.inputs)
        ]
        if None not in local:
            return JobInputs(
                origin="uploaded" if brought else "local", files=tuple(path for path in local if path)
            )
    if not owned.job.input_files:
        return NO_INPUTS
    uploads = [fetch_upload(file_id) for file_id in owned.job.input_files]
    if None in uploads:
        return NO_INPUTS
    return JobInputs(origin="uploaded", files=tuple(path for path in uploads if path))


def _local(
    part: Input,
    number: int,
    *,
    root: Path,
    staging_dir: Path,
    fetch_upload: FetchUpload,
    heartbeat: Heartbeat,
) -> Path | None:
    match part:
        case InputFile():
            return _unchanged(root / part.path, part.sha256, heartbeat)
        case UploadedFile():
            return fetch_upload(part.id)
        case InlineRequests():
            place = staging_dir / f"{INPUT_PREFIX}spec-{number}.jsonl"
            place.write_bytes(part.lines)
            return place
        case _:
            assert_never(part)


def _unchanged(path: Path, sha256: str, heartbeat: Heartbeat) -> Path | None:
    """Return the path if its content still has the digest. The file is read again: a pull may take long."""
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                heartbeat()
    except OSError:
        return None
    return path if digest.hexdigest() == sha256 else None
