"""Find the inputs of a job as files on this machine: the local files if they are unchanged, else the uploads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias, assert_never

from msgspec import Struct

from reconciler.model import InlineRequests, Input, InputFile, JobSpec, OwnedJob, UploadedFile, digests
from reconciler.outputs.digest import read
from reconciler.outputs.leases import Heartbeat
from reconciler.outputs.store import ResultStore
from reconciler.requests import asked
from reconciler.requests.asked import Asked

INPUT_PREFIX: Final = "asked-"
"""Prefix of uploads that are downloaded for the index and deleted after it."""
ANY_SIZE: Final = -1
"""Fetches a file of unknown size anew."""

FetchUpload: TypeAlias = Callable[[str], Path | None]
"""Downloads an uploaded file. Returns None if it no longer exists."""


class JobInputs(Struct, frozen=True, kw_only=True):
    """The files of a job's requests, in order."""

    origin: Literal["local", "uploaded", "none"]
    files: tuple[Path | bytes, ...] | None
    """Files or their contents; None if they are not available."""


NO_INPUTS: Final = JobInputs(origin="none", files=None)


def by_inputs(specs: Sequence[JobSpec]) -> Mapping[str, JobSpec]:
    """Return the declared specs by the digest of their inputs, which jobs have in their tags."""
    return {digests.inputs_v1(part.identity for part in spec.inputs): spec for spec in specs}


def find_inputs(
    owned: OwnedJob,
    declared: Mapping[str, JobSpec],
    *,
    root: Path,
    fetch_upload: FetchUpload,
    heartbeat: Heartbeat,
) -> JobInputs:
    """Return the inputs of a job; `declared` is from `by_inputs`.

    Raises:
        OSError: a file cannot be written.
        ApiError: an upload could not be downloaded, for another reason than that it no longer exists.
    """
    spec = declared.get(owned.tags.inputs)
    if spec is not None:
        local = [_content(part, root, fetch_upload, heartbeat) for part in spec.inputs]
        if None not in local:
            uploaded = any(isinstance(part, UploadedFile) for part in spec.inputs)
            return JobInputs(
                origin="uploaded" if uploaded else "local", files=tuple(it for it in local if it is not None)
            )
    uploads = [fetch_upload(file_id) for file_id in owned.job.input_files]
    if not uploads or None in uploads:
        return NO_INPUTS
    return JobInputs(origin="uploaded", files=tuple(path for path in uploads if path))


def local_inputs(spec: JobSpec, *, root: Path) -> Sequence[Path | bytes] | None:
    """Return the inputs of a spec if all of them are on this machine, as they were when the spec was read."""
    found = [_content(part, root, lambda _: None, lambda: None) for part in spec.inputs]
    return [it for it in found if it is not None] if None not in found else None


def read_asked(store: ResultStore, folder: str, owned: OwnedJob) -> tuple[Asked, str] | None:
    """Return what a job was asked, and where its inputs are from; None if its folder has no index of its inputs.

    Raises `OSError` if the store cannot be read.
    """
    place = _index(store, folder)
    return asked.reopen(place, owned.job.id, owned.tags.inputs) if place else None


def asked_keys(store: ResultStore, folder: str, owned: OwnedJob) -> tuple[Sequence[bytes], bytes] | None:
    """Return the custom_ids of a job's requests as JSON, and their keys; as `read_asked`."""
    place = _index(store, folder)
    return asked.keys_of(place, owned.job.id, owned.tags.inputs) if place else None


def _index(store: ResultStore, folder: str) -> Path | None:
    try:
        return store.fetch(f"{folder}/{asked.NAME}", ANY_SIZE)
    except FileNotFoundError:
        return None


def _content(part: Input, root: Path, fetch_upload: FetchUpload, heartbeat: Heartbeat) -> Path | bytes | None:
    match part:
        case InputFile():
            path = root / part.path
            with suppress(OSError):  # the file is read again, for a pull may take long
                return path if read(path, heartbeat).result().sha256 == part.sha256 else None
            return None
        case UploadedFile():
            return fetch_upload(part.id)
        case InlineRequests():
            return part.lines
        case _:
            assert_never(part)
