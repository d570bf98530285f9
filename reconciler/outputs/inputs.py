"""Find the inputs of a job as files on this machine: the local files if they are unchanged, else the uploads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias, assert_never

from reconciler.model import (
    InlineRequests,
    Input,
    InputFile,
    JobSpec,
    OwnedJob,
    TableRows,
    UploadedFile,
    digests,
)
from reconciler.outputs.digest import read
from reconciler.outputs.leases import Heartbeat
from reconciler.outputs.store import ResultStore
from reconciler.requests import asked

INPUT_PREFIX: Final = "asked-"
"""Prefix of uploads that are downloaded for the index and deleted after it."""
ANY_SIZE: Final = -1
"""Fetches a file of unknown size anew."""

FetchUpload: TypeAlias = Callable[[str], Path | None]
"""Downloads an uploaded file. Returns None if it no longer exists."""


NO_INPUTS: Final = "none"
"""The origin of inputs that are not available; that of others is `local` or `uploaded`."""


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
) -> tuple[str, Sequence[Path | bytes]]:
    """Return the origin and the inputs of a job, as files or their contents; `declared` is from `by_inputs`.

    Raises `OSError` if a file cannot be written; `ApiError` if an upload could not be downloaded, for another reason
    than that it no longer exists.
    """
    spec = declared.get(owned.tags.inputs)
    if spec is not None and (local := _contents(spec, root, fetch_upload, heartbeat)) is not None:
        uploaded = any(isinstance(part, UploadedFile) for part in spec.inputs)
        return "uploaded" if uploaded else "local", local
    uploads = [path for file_id in owned.job.input_files if (path := fetch_upload(file_id))]
    whole = uploads and len(uploads) == len(owned.job.input_files)
    return ("uploaded", uploads) if whole else (NO_INPUTS, ())


def local_inputs(spec: JobSpec, *, root: Path) -> Sequence[Path | bytes] | None:
    """Return the inputs of a spec if all of them are on this machine, as they were when the spec was read."""
    return _contents(spec, root, lambda _: None, lambda: None)


def read_asked(
    store: ResultStore, folder: str, owned: OwnedJob
) -> tuple[dict[str, Any], dict[str, bytes]] | None:
    """Return the index of what a job was asked; None if its folder has none of its inputs. Raises `OSError`."""
    try:
        place = store.fetch(f"{folder}/{asked.NAME}", ANY_SIZE)
    except FileNotFoundError:
        return None
    return asked.read_columns(place, owned.job.id, owned.tags.inputs)


def _contents(
    spec: JobSpec, root: Path, fetch_upload: FetchUpload, heartbeat: Heartbeat
) -> Sequence[Path | bytes] | None:
    found = [_content(part, root, fetch_upload, heartbeat) for part in spec.inputs]
    return None if None in found else [it for it in found if it is not None]


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
        case TableRows():  # a run that submits renders them; afterwards the upload is what was submitted
            return None
        case _:
            assert_never(part)
