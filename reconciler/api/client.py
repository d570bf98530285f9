"""The API's calls, one method each. A `Reader` cannot write; a command that must not write is given only that.

Reads and cancels are repeated within the retry policy. Creates, uploads and deletes are sent exactly once: a create
that is blindly repeated after a lost answer buys the work twice, and only the caller can look before it repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, Self

from reconciler.api import calls, wire
from reconciler.api.calls import Call
from reconciler.api.http import Exchange, Observer
from reconciler.api.upload import Outgoing
from reconciler.api.values import Content, CreateJob, File, FilePage, JobPage, Upload

if TYPE_CHECKING:
    from reconciler.api.key import Key
    from reconciler.api.retry import Retrier
    from reconciler.api.transport import Transport
    from reconciler.model import Job

BASE_URL: Final = "https://api.mistral.ai"
TIMEOUT_SECONDS: Final = 30.0
UPLOAD_TIMEOUT_SECONDS: Final = 300.0
"""How long the server may take over a piece of an upload, or over the answer once it has all of a large file."""


class Reader:
    """Reads jobs and files. Threads may share it; it owns its transport and closes it.

    Args:
        base_url: HTTPS, or this machine itself.
        key: goes to that host alone; redirects are never followed.
        transport: what carries requests.
        timeout_seconds: for connecting, for each piece sent or received, and for an answer's body as a whole.
        retry: shared by everything that one run asks.
        on_request: hears of every attempt at every request. What it raises is dropped.

    Raises:
        ReconcilerError: the key may not be sent to that base URL. Every method raises `errors.ApiError`.
    """

    def __init__(
        self,
        *,
        base_url: str = BASE_URL,
        key: Key,
        transport: Transport,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retry: Retrier,
        on_request: Observer | None = None,
    ) -> None:
        self._exchange = Exchange(
            base_url=base_url,
            key=key,
            transport=transport,
            timeout_seconds=timeout_seconds,
            retry=retry,
            on_request=on_request,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._exchange!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, and the transport with them."""
        self._exchange.close()

    def list_jobs(
        self,
        *,
        page: int,
        page_size: int = 100,
        order_by: Literal["created", "-created"] = "created",
        metadata: Mapping[str, str] | None = None,
    ) -> JobPage:
        """Return one page of the jobs that the key can see.

        Args:
            page: 0-based.
            page_size: how many jobs a page holds; the API's upper limit is documented nowhere.
            order_by: `created` puts the oldest first, so that what is created meanwhile does not shift pages.
            metadata: only jobs with these pairs, which are sent as query parameters of their own names, as the
                official SDK does. What the server makes of them is documented nowhere: never conclude from such a
                list that something is absent.
        """
        query = [("page", str(page)), ("page_size", str(page_size)), ("order_by", order_by)]
        query += (metadata or {}).items()
        return self._exchange.again(
            Call(method="GET", path=calls.JOBS, query=tuple(query)), wire.read_job_page
        )

    def get_job(self, job_id: str) -> Job:
        """Return one job.

        Raises:
            NotFoundError: the key's workspace does not have it.
        """
        return self._exchange.again(Call(method="GET", path=calls.job_path(job_id)), wire.read_job)

    def list_files(
        self,
        *,
        page: int,
        page_size: int = 100,
        purpose: str = "batch",
        sample_type: Sequence[str] = (),
        source: Sequence[str] = (),
    ) -> FilePage:
        """Return one page of the files that the key can see.

        Args:
            page: 0-based.
            page_size: how many files a page holds.
            purpose: only files uploaded for it.
            sample_type: `batch_request`, `batch_result`, `batch_error`, …; several mean any of them.
            source: `upload`, `repository` or `mistral`; several mean any of them.
        """
        query = [("page", str(page)), ("page_size", str(page_size)), ("purpose", purpose)]
        query += [("sample_type", word) for word in sample_type] + [("source", word) for word in source]
        return self._exchange.again(
            Call(method="GET", path=calls.FILES, query=tuple(query)), wire.read_file_page
        )

    def get_file(self, file_id: str) -> File:
        """Return the description of a file.

        Raises:
            NotFoundError: the key's workspace does not have it.
        """
        return self._exchange.again(Call(method="GET", path=calls.file_path(file_id)), wire.read_file)

    def file_content(self, file_id: str) -> AbstractContextManager[Iterator[bytes]]:
        """Open a file: `with reader.file_content(id) as pieces: …`, in constant memory.

        Raises:
            ApiError: on opening, after retries; or from the iterator when the body breaks off. A connection that is
                merely closed too early cannot always be told from the end: compare with `File.size`.
        """
        return self._exchange.streamed(Call(method="GET", path=calls.file_path(file_id, "/content")))

    def file_from(self, file_id: str, *, start: int) -> AbstractContextManager[Content]:
        """Open a file from a byte on: `with reader.file_from(id, start=size_of_what_is_here) as content: …`.

        Whether the API continues is documented nowhere: look at `content.start`.

        Raises:
            RejectedError: 416, where there are no such bytes.
            ApiError: as for `file_content`.
        """
        return self._exchange.continued(
            Call(method="GET", path=calls.file_path(file_id, "/content"), start=start)
        )


class Writer(Reader):
    """A reader that can also buy, stop, send and delete."""

    def create_job(self, job: CreateJob) -> Job:
        """Buy a job: one POST, never repeated here.

        Raises:
            UnreachableError: it never left; nothing was bought.
            RateLimitedError: nothing was bought.
            RejectedError: nothing was bought.
            OutcomeUnknownError: it may have been bought. Look for it before anything else.
        """
        call = Call(method="POST", path=calls.JOBS, content=wire.write_create(job))
        return self._exchange.once(call, wire.read_job)

    def cancel_job(self, job_id: str) -> Job:
        """Ask for a job to be stopped and return it as it is then. Not repeated: look at the job first.

        Raises:
            RejectedError: for one that has already ended, perhaps: what the API answers then is documented nowhere.
        """
        return self._exchange.once(Call(method="POST", path=calls.job_path(job_id, "/cancel")), wire.read_job)

    def upload_file(
        self,
        *,
        filename: str,
        content: BinaryIO,
        size: int,
        expiry_hours: int | None = None,
        visibility: Literal["workspace", "user"] | None = None,
        heard: Callable[[int], object] | None = None,
    ) -> Upload:
        """Send a file of batch requests, in constant memory and with its length announced; never repeated here.

        Args:
            filename: what the API shall call it.
            content: opened for reading bytes.
            size: how many bytes of it are sent.
            expiry_hours: after which the API deletes it; None leaves that to the API (30 days).
            visibility: who sees it; None leaves that to the API (the workspace).
            heard: is told how many bytes more were handed over.

        Returns:
            The file and the hash of what was sent. Equal bytes sent twice become two files.

        Raises:
            ReconcilerError: the content ends before `size`, or cannot be read; the API keeps nothing of it.
        """
        outgoing = Outgoing(content, size=size, name=filename, heard=heard)
        form = [
            ("purpose", "batch"),
            *calls.given(expiry=None if expiry_hours is None else str(expiry_hours), visibility=visibility),
        ]
        call = Call(
            method="POST",
            path=calls.FILES,
            form=dict(form),
            files={"file": (filename, outgoing, "application/jsonl")},
            least_seconds=UPLOAD_TIMEOUT_SECONDS,
        )
        return Upload(file=self._exchange.once(call, wire.read_file), sha256=outgoing.sha256)

    def delete_file(self, file_id: str) -> bool:
        """Delete a file; False where the API says that it did not."""
        return self._exchange.once(Call(method="DELETE", path=calls.file_path(file_id)), wire.read_deleted)
