"""The API's calls, one method each. A `Reader` cannot write; a command that must not write gets only a `Reader`.

Reads are repeated within the retry policy. Every write is sent exactly once: a create that is repeated blindly after
a lost answer submits the work twice, and only the caller can check the outcome before it repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from reconciler.api import odd_rows, values, wire
from reconciler.api.bodies import HashingReader
from reconciler.api.http import Exchange
from reconciler.api.values import Call, Content, CreateJob, File, FilePage, JobPage, Upload

if TYPE_CHECKING:
    from reconciler.catalogue.models import Model
    from reconciler.model import Job

UPLOAD_TIMEOUT_SECONDS: Final = 300.0
"""Timeout for each piece of an upload, and for the answer after the server has received a large file.

The whole exchange may take this and the time that the file takes at the slowest permitted speed.
"""
MODELS_SECONDS: Final = 5.0
"""Timeout for the list of models, which only adds warnings."""
MODELS_BYTES: Final = 4 * 1024 * 1024
"""Maximum size of the list of models. One of 150 names has 100 KB."""
_UPLOADS: Final = {"purpose": "batch", "sample_type": "batch_request", "source": "upload"}


class Reader(Exchange):
    """Reads jobs and files. Every method raises `errors.ApiError`."""

    def list_jobs(
        self, *, page: int, page_size: int = 100, order_by: Literal["created", "-created"] = "created"
    ) -> JobPage:
        """Return one page of the jobs that the key can see, counted from 0; its largest size is undocumented.

        The order `created` puts the oldest first, so that new jobs do not shift the pages.
        """
        query = (("page", str(page)), ("page_size", str(page_size)), ("order_by", order_by))
        call = Call(method="GET", path=values.JOBS, query=query)
        return self._send_with_retry(call, odd_rows.read_job_page)

    def get_job(self, job_id: str) -> Job:
        """Return one job. Raises `NotFoundError` if the key's workspace does not have it."""
        return self._send_with_retry(Call(method="GET", path=values.job_path(job_id)), wire.read_job)

    def list_uploads(self, *, page: int, page_size: int = 100) -> FilePage:
        """Return one page of the uploaded batch inputs that the key can see, counted from 0."""
        query = {"page": str(page), "page_size": str(page_size)} | _UPLOADS
        return self._send_with_retry(
            Call(method="GET", path=values.FILES, query=tuple(query.items())), wire.read_file_page
        )

    def get_file(self, file_id: str) -> File:
        """Return the description of a file. Raises `NotFoundError` if the key's workspace does not have it."""
        return self._send_with_retry(Call(method="GET", path=values.file_path(file_id)), wire.read_file)

    def list_models(self) -> Mapping[str, Model]:
        """Return the models that the key may use, by each of their names. It is asked once, and not for long."""
        call = Call(method="GET", path=values.MODELS, most_seconds=MODELS_SECONDS, most_bytes=MODELS_BYTES)
        self._retry.before_write()  # waits if the API has asked for fewer requests
        return self._send_once(call, wire.read_models)

    def file_content(self, file_id: str, *, start: int = 0) -> AbstractContextManager[Content]:
        """Open a file, in constant memory: `with reader.file_content(id, start=bytes_already_here) as content: …`.

        Whether the API honours the offset is undocumented: check `content.start`.

        Raises:
            RejectedError: 416, the file has no bytes from `start` on.
            ApiError: on opening, after retries; or from the pieces if the body breaks off. A connection that closes
                early does not always raise: compare the length with `File.size`.
        """
        return self._streamed(Call(method="GET", path=values.file_path(file_id, "/content"), start=start))


class Writer(Reader):
    """A reader that can also create, cancel, upload and delete."""

    def ask(self, endpoint: str, body: bytes) -> bytes:
        """Send one request to a live endpoint, once, and return the body of the answer, which is a JSON object."""
        return self._send_once(Call(method="POST", path=endpoint, content=body), wire.read_answer)

    def create_job(self, job: CreateJob) -> Job:
        """Create a job: one POST, never repeated here.

        Raises:
            UnreachableError: the request was never sent; no job was created.
            RateLimitedError: no job was created.
            RejectedError: no job was created.
            OutcomeUnknownError: the job may have been created. Look for it before anything else.
        """
        call = Call(method="POST", path=values.JOBS, content=wire.write_create(job))
        return self._send_once(call, wire.read_job)

    def cancel_job(self, job_id: str) -> Job:
        """Request a job's cancellation and return the job from the answer. Not repeated: read the job first.

        Raises `RejectedError` perhaps, for a job that has already ended: the API's answer to that is undocumented.
        """
        return self._send_once(Call(method="POST", path=values.job_path(job_id, "/cancel")), wire.read_job)

    def upload_file(
        self,
        *,
        filename: str,
        content: BinaryIO,
        size: int,
        expiry_hours: int | None = None,
        visibility: Literal["workspace", "user"] | None = None,
        on_progress: Callable[[int], object] | None = None,
    ) -> Upload:
        """Upload `size` bytes of a file of batch requests, in constant memory; never repeated here.

        Without `expiry_hours` and `visibility` the API decides: it deletes the file after 30 days, and the workspace
        sees it. `on_progress` is called with the number of bytes of each piece. Bytes sent twice become two files.
        Raises `ReconcilerError` if the content ends before `size` or cannot be read; the API keeps no part of it.
        """
        outgoing = HashingReader(file=content, size=size, name=filename, on_progress=on_progress)
        form = {"purpose": "batch", "expiry": expiry_hours and str(expiry_hours), "visibility": visibility}
        call = Call(
            method="POST",
            path=values.FILES,
            form={name: value for name, value in form.items() if value},
            files={"file": (filename, outgoing, "application/jsonl")},
            least_seconds=UPLOAD_TIMEOUT_SECONDS,
            sends=size,
        )
        return Upload(file=self._send_once(call, wire.read_file), sha256=outgoing.sha256)

    def delete_file(self, file_id: str) -> bool:
        """Delete a file. Return False if the API says that it did not. A file may be deleted again, so this is retried.

        Raises `NotFoundError` if there is no such file.
        """
        return self._send_with_retry(Call(method="DELETE", path=values.file_path(file_id)), wire.read_deleted)
