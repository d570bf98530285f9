"""Find the inputs of a job as files on this machine: the local files if they are unchanged, else the uploads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, assert_never

from reconciler import file_access
from reconciler.model import InlineRequests, Input, InputFile, JobSpec, OwnedJob, UploadedFile, digests
from reconciler.outputs.digest import read
from reconciler.outputs.leases import Heartbeat

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
        local = [
            _local(part, root, staging_dir / f"{INPUT_PREFIX}spec-{number}.jsonl", fetch_upload, heartbeat)
            for number, part in enumerate(spec.inputs)
        ]
        if None not in local:
            uploaded = any(isinstance(part, UploadedFile) for part in spec.inputs)
            return JobInputs(
                origin="uploaded" if uploaded else "local", files=tuple(path for path in local if path)
            )
    uploads = [fetch_upload(file_id) for file_id in owned.job.input_files]
    if not uploads or None in uploads:
        return NO_INPUTS
    return JobInputs(origin="uploaded", files=tuple(path for path in uploads if path))


def _local(
    part: Input, root: Path, place: Path, fetch_upload: FetchUpload, heartbeat: Heartbeat
) -> Path | None:
    match part:
        case InputFile():
            path = root / part.path
            with suppress(OSError):  # the file is read again, for a pull may take long
                return path if read(path, heartbeat).result().sha256 == part.sha256 else None
            return None
        case UploadedFile():
            return fetch_upload(part.id)
        case InlineRequests():
            with file_access.recreate(place) as file:
                file.write(part.lines)
            return place
        case _:
            assert_never(part)
