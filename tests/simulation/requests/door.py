"""The client of one run: it asks the API in memory, without HTTP, and any call may go wrong or be the run's last."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

from reconciler.api.client import Writer
from reconciler.api.errors import ApiError, NotFoundError, OutcomeUnknownError, UnreachableError
from reconciler.api.values import Content, CreateJob, File, FilePage, JobPage, Upload
from reconciler.catalogue.models import Model
from reconciler.model import Job
from tests.simulation.process import START, Process
from tests.simulation.requests.api import Api, AskedJob

TIMEOUT: Final = 10.0
"""How long a call may take, in virtual seconds."""
LATE: Final = 15.0
"""How long after that a create may still arrive."""
LAG: Final = 20.0
"""The longest time until every list shows a new job."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """How much goes wrong for one run."""

    reads: float = 0.0
    """Share of reads that fail."""
    writes: float = 0.0
    """Share of creates and cancels that go wrong."""
    lagging: float = 0.0
    """Share of new jobs that lists show late."""
    dies_creating: bool = False
    """Whether the run is killed while its first create is on its way."""


class Door(Writer):
    """What one run calls.

    Args:
        api: who answers.
        process: who asks.
        trouble: how much goes wrong.
        dice: decide what.
        looked: called as a run begins to read the whole list.
        sends: called before a create is sent.
        accept: takes a create.
        cancel: takes a cancel.
    """

    def __init__(  # the parent's fields are those of HTTP
        self,
        api: Api,
        process: Process,
        trouble: Trouble,
        dice: random.Random,
        *,
        looked: Callable[[], None],
        sends: Callable[[], None],
        accept: Callable[[CreateJob, float], AskedJob],
        cancel: Callable[[str], None],
    ) -> None:
        self._api = api
        self._process = process
        self._trouble = trouble
        self._dice = dice
        self._looked = looked
        self._sends = sends
        self._accept = accept
        self._cancel = cancel

    def list_jobs(
        self, *, page: int, page_size: int = 100, order_by: Literal["created", "-created"] = "created"
    ) -> JobPage:
        """Return the list; it always fits into one page."""
        self._read("lists jobs")
        if order_by == "created" and page == 0:
            self._looked()
        shown = [it.shown(self._process.baton.now) for it in self._api.listed()]
        ordered = shown if order_by == "created" else shown[::-1]
        return JobPage(jobs=tuple(ordered[page * page_size : (page + 1) * page_size]), total=len(shown))

    def list_models(self) -> Mapping[str, Model]:
        """Return no models: the list decides nothing."""
        return {}

    def get_job(self, job_id: str) -> Job:
        """Return a job."""
        self._read(f"reads {job_id[:8]}")
        return self._shown(job_id)

    def list_uploads(self, *, page: int, page_size: int = 100) -> FilePage:
        """Return the uploads, on one page."""
        self._read("lists uploads")
        files = tuple(file for file, _ in self._api.uploads.values()) if page == 0 else ()
        return FilePage(files=files, total=len(self._api.uploads))

    def get_file(self, file_id: str) -> File:
        """Describe a file."""
        self._read(f"describes {file_id[:8]}")
        if file_id in self._api.uploads:
            return self._api.uploads[file_id][0]
        content = self._content(file_id)
        return File(id=file_id, filename=file_id, created_at=int(START), size=len(content), purpose="batch")

    @contextmanager
    def _opened(self, file_id: str, start: int) -> Iterator[Content]:
        self._read(f"fetches {file_id[:8]}")
        content = self._content(file_id)
        breaks = self._dice.random() < self._trouble.reads

        def pieces() -> Iterator[bytes]:
            if breaks:
                yield content[start : start + len(content) // 2]
                raise OutcomeUnknownError("the body broke off", transient=True)
            yield content[start:]

        yield Content(start=start, size=len(content), pieces=pieces())

    def file_content(self, file_id: str, *, start: int = 0) -> AbstractContextManager[Content]:
        """Open a file."""
        return self._opened(file_id, start)

    def create_job(self, job: CreateJob) -> Job:
        """Create a job, perhaps later, perhaps without an answer."""
        self._process.step("creates a job")
        self._sends()
        lag = self._dice.random() * LAG if self._dice.random() < self._trouble.lagging else 0.0
        if self._trouble.dies_creating:
            if self._dice.random() < 0.8:
                self._later(job, self._dice.choice((0.0, TIMEOUT)), lag)
            self._process.die("a create is on its way")
        fate = self._dice.random() / self._trouble.writes if self._trouble.writes else 1.0
        if fate < 0.2:
            raise UnreachableError("connection refused")
        if fate < 0.5:
            if fate < 0.4:
                self._later(job, TIMEOUT, lag)
            self._process.wait(TIMEOUT)
            raise OutcomeUnknownError("timed out", transient=True)
        made = self._accept(job, lag)
        self._process.step("has an answer")
        if fate < 1:
            raise OutcomeUnknownError("the answer is lost", transient=True)
        return made.shown(self._process.baton.now)

    def _later(self, job: CreateJob, after: float, lag: float) -> None:
        when = self._process.baton.now + after + self._dice.random() * LATE
        self._process.baton.at(when, lambda: self._accept(job, lag))

    def cancel_job(self, job_id: str) -> Job:
        """Cancel a job, perhaps without an answer."""
        self._process.step(f"cancels {job_id[:8]}")
        fate = self._dice.random() / self._trouble.writes if self._trouble.writes else 1.0
        if fate < 0.5:
            raise OutcomeUnknownError("503", status=503, transient=True)
        self._cancel(job_id)
        self._process.step("has an answer")
        if fate < 1:
            raise OutcomeUnknownError("the answer is lost", transient=True)
        return self._shown(job_id)

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
        """Upload a file."""
        self._process.step(f"uploads {filename[:8]}")
        data = content.read()
        assert len(data) == size
        return Upload(file=self._api.upload(filename, data), sha256=hashlib.sha256(data).hexdigest())

    def _read(self, what: str) -> None:
        self._process.step(what)
        if self._dice.random() < self._trouble.reads:
            raise ApiError("503", status=503, transient=False)

    def _shown(self, job_id: str) -> Job:
        job = self._api.jobs.get(job_id)
        if job is None or job.deleted_at <= self._process.baton.now:
            raise NotFoundError("no such job", status=404)
        return job.shown(self._process.baton.now)

    def _content(self, file_id: str) -> bytes:
        file, content = self._api.file(file_id)
        if file is not None and not file.readable(self._process.baton.now):
            over = self._process.baton.now >= file.gone_from
            raise NotFoundError("no such file", status=file.gone_as if over else 404)
        return content
