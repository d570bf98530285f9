"""Fakes without real time, threads or network: a clock that `sleep` moves, a ledger in memory, an API over a list.

A test gives `Api` a fate for each create: answer, answer 502 before or after the job is made, make it late, or refuse.
One trace records all events, so that tests can check their order.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeVar

from msgspec import structs

from reconciler.api.client import Writer
from reconciler.api.errors import (
    ApiError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    RejectedError,
    UnreachableError,
)
from reconciler.api.retry import Retrier, RetryPolicy
from reconciler.api.values import Content, CreateJob, File, FilePage, JobPage, Upload
from reconciler.catalogue.models import Model
from reconciler.context import ApiT, RunContext
from reconciler.environment import Environment
from reconciler.errors import LedgerError
from reconciler.ledger.line_format import encode
from reconciler.ledger.lines import CreateIntended, Line
from reconciler.model import Ancestry, Checkout, Job, Phase, Source, Target
from reconciler.settings import Guards, Limits, Settings, UploadSettings
from reconciler.specs.project import Project
from tests.helpers.events import Recorder
from tests.helpers.overlay import NO_OVERLAY

from .make import ACTIVE, HEAD, NOW, PROJECT, STATUS, STOPPING, SUCCEEDED

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass
class Clock:
    """A clock that moves only in `sleep`."""

    now: float = NOW
    slept: list[float] = field(default_factory=list)
    wakes: list[Callable[[], None]] = field(default_factory=list)
    """What happens during the next sleeps, one each."""

    def __call__(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now - NOW + 1000

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self.wakes:
            self.wakes.pop(0)()


@dataclass
class Flag:
    """The wish to stop."""

    up: bool = False

    def is_set(self) -> bool:
        return self.up

    def set(self) -> None:
        self.up = True


@dataclass
class MemoryLedger:
    """A ledger whose disk may fail from some line on."""

    trace: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    works_for: int | None = None
    """How many lines fit; None for any number."""
    shared: bool = False
    """Whether claims are recorded, as they are if other runners share the ledger."""
    races: list[Callable[[], None]] = field(default_factory=list)
    """What other runners do just before the next claims, one each."""

    def read(self) -> Iterator[Line]:
        return iter(self.lines)

    def locate(self, texts: Collection[str]) -> Mapping[str, str]:
        return {text: "ledger.jsonl" for text in map(encode, self.lines) if text in texts}

    def rewritten(self) -> str:
        return ""

    def claim(self, lines: Sequence[Line]) -> bool:
        if self.races:
            self.races.pop(0)()
            return False
        self.append(*(line for line in lines if self.shared or not isinstance(line, CreateIntended)))
        return True

    def publish(self) -> None:
        """Do nothing: no other runner reads this ledger."""

    def append(self, *lines: Line) -> None:
        for line in lines:
            if self.works_for is not None and len(self.lines) >= self.works_for:
                raise LedgerError("the ledger cannot be written: No space left on device")
            about = getattr(line, "op", "") or getattr(line, "job_id", "")
            self.trace.append(f"{type(line).__name__} {about}")
            self.lines.append(line)

    @property
    def kinds(self) -> list[str]:
        return [type(line).__name__ for line in self.lines]


def sequentially(do: Callable[[_T], _R], items: Sequence[_T], *, max_workers: int) -> list[_R]:
    assert max_workers >= 1
    return [do(item) for item in items]


@dataclass
class Stage:
    """Everything that a test may want to turn or to look at."""

    clock: Clock = field(default_factory=Clock)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    log: Recorder = field(default_factory=Recorder)
    stop: Flag = field(default_factory=Flag)

    def world(self) -> Environment:
        return Environment(
            environ={},
            cwd=Path("nowhere"),
            now=self.clock,
            monotonic=self.clock.monotonic,
            sleep=self.clock.sleep,
            random=random.Random(7),
            map_concurrently=sequentially,
            log=self.log,
            ledger=self.ledger,
            stop=self.stop,
            run_id="r1",
        )


@dataclass(frozen=True, kw_only=True)
class Fate:
    """The outcome of one create."""

    error: ApiError | None = None
    """What the client raises instead of returning the job."""
    made: bool = True
    after: float = 0.0
    """Seconds until the job exists."""
    listed_after: float = 0.0
    """Seconds until the list shows it."""
    altered: Mapping[str, str | None] = field(default_factory=dict)
    """What the server does to the metadata; None drops a pair."""


ANSWERED: Final = Fate()


def lost_after(*, after: float = 0.0, listed_after: float = 0.0) -> Fate:
    """The job is made, and the answer is lost."""
    error = OutcomeUnknownError("502: Bad Gateway", status=502, transient=True)
    return Fate(error=error, after=after, listed_after=listed_after)


def lost_before() -> Fate:
    """The answer is lost, and no job is made."""
    return Fate(error=OutcomeUnknownError("no answer in time"), made=False)


def refused(error: RejectedError | None = None) -> Fate:
    return Fate(error=error or RejectedError("422: no such model", status=422), made=False)


def busy(seconds: float | None = None) -> Fate:
    return Fate(error=RateLimitedError("429", status=429, transient=True, retry_after=seconds), made=False)


def down() -> Fate:
    return Fate(error=UnreachableError("connection refused", transient=True), made=False)


@dataclass
class Row:
    """A job in the fake's table."""

    job: Job
    listed_at: float = 0.0


class Api(Writer):
    """An API over a list of jobs."""

    def __init__(self, stage: Stage, *jobs: Job) -> None:
        self.stage = stage
        self.rows = [Row(job) for job in jobs]
        self.trace = stage.ledger.trace
        self.fates: list[Fate] = []
        self.list_faults: list[ApiError] = []
        self.cancel_faults: dict[str, tuple[ApiError, bool]] = {}
        """By job id: what the cancel raises, and whether it takes effect all the same."""
        self.upload_faults: list[ApiError] = []
        self.uploaded: dict[str, bytes] = {}
        self.spoils_uploads = False
        self.files: list[File] = []
        """What the workspace held before."""
        self.file_faults: list[ApiError] = []
        self.contents: dict[str, bytes] = {}
        """Of those, as far as they can be read."""
        self.before_upload: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"Api({self.jobs})"

    @property
    def jobs(self) -> list[Job]:
        return [row.job for row in self.rows]

    def list_jobs(
        self,
        *,
        page: int,
        page_size: int = 100,
        order_by: Literal["created", "-created"] = "created",
        **_: object,
    ) -> JobPage:
        self.trace.append(f"list {page}")
        if self.list_faults:
            raise self.list_faults.pop(0)
        listed = [
            row.job
            for row in self.rows
            if row.listed_at <= self.stage.clock.now and row.job.created_at <= self.stage.clock.now
        ]
        listed.sort(key=lambda job: job.age_key, reverse=order_by == "-created")
        begin = page * page_size
        return JobPage(jobs=tuple(listed[begin : begin + page_size]), total=len(listed))

    def list_models(self) -> Mapping[str, Model]:
        return {}

    def get_job(self, job_id: str) -> Job:
        self.trace.append(f"get {job_id}")
        return self._row(job_id).job

    def _row(self, job_id: str) -> Row:
        for row in self.rows:
            if row.job.id == job_id:
                return row
        raise NotFoundError("404: no such job", status=404)

    def create_job(self, job: CreateJob) -> Job:
        self.trace.append(f"POST {job.metadata['reconciler.name']}")
        fate = self.fates.pop(0) if self.fates else ANSWERED
        now = self.stage.clock.now
        pairs: dict[str, object] = {**job.metadata, **fate.altered}
        made = Job(
            id=f"new-{len(self.rows)}",
            phase=ACTIVE,
            status="QUEUED",
            endpoint=job.endpoint,
            model=job.model,
            agent_id=job.agent_id,
            input_files=job.input_files,
            metadata={key: value for key, value in pairs.items() if value is not None},
            created_at=int(now + fate.after),
        )
        if fate.made:
            self.rows.append(Row(made, listed_at=now + fate.after + fate.listed_after))
        if fate.error:
            raise fate.error
        return made

    def cancel_job(self, job_id: str) -> Job:
        self.trace.append(f"cancel {job_id}")
        row = self._row(job_id)
        fault, effective = self.cancel_faults.get(job_id, (None, True))
        if effective and row.job.phase is ACTIVE:
            row.job = in_phase(row.job, STOPPING)
        if fault:
            raise fault
        return row.job

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
        self.wishes = (expiry_hours, visibility)
        self.trace.append(f"upload {filename[:8]}")
        self.before_upload()
        if self.upload_faults:
            half = content.read(1)  # it breaks off on the way
            if on_progress:
                on_progress(len(half))
            raise self.upload_faults.pop(0)
        data = content.read() + b"?" * self.spoils_uploads
        if on_progress:
            on_progress(len(data))
        assert self.spoils_uploads or len(data) == size
        file_id = f"file-{len(self.uploaded)}"
        self.uploaded[file_id] = data
        file = File(id=file_id, filename=filename, created_at=int(NOW))
        return Upload(file=file, sha256=hashlib.sha256(data).hexdigest())

    @contextmanager
    def file_content(self, file_id: str, *, start: int = 0) -> Iterator[Content]:
        if file_id not in self.contents:
            raise RejectedError("403", status=403)
        yield Content(start=start, size=None, pieces=iter([self.contents[file_id][start:]]))

    def list_uploads(self, *, page: int, page_size: int = 100) -> FilePage:
        self.trace.append(f"files {page}")
        if self.file_faults:
            raise self.file_faults.pop(0)
        begin = page * page_size
        return FilePage(files=tuple(self.files[begin : begin + page_size]), total=len(self.files))

    def get_file(self, file_id: str) -> File:
        self.trace.append(f"file {file_id}")
        for file in self.files:
            if file.id == file_id:
                return file
        raise NotFoundError("404: no such file", status=404)

    def delete_file(self, file_id: str) -> bool:
        self.trace.append(f"delete {file_id}")
        del self.uploaded[file_id]
        return True

    def sent(self, kind: str) -> list[str]:
        """The entries of the trace that begin with a word."""
        return [entry for entry in self.trace if entry.startswith(kind)]

    def end(self, job_id: str, phase: Phase = SUCCEEDED) -> None:
        row = self._row(job_id)
        row.job = in_phase(row.job, phase)


def run(
    api: Api,
    *,
    settle: float = 60.0,
    deadline: float = 900.0,
    root: Path = Path("nowhere"),
    uploads: UploadSettings | None = None,
) -> RunContext[Writer]:
    """A run on a fake API, in the middle of an apply."""
    limits = Limits(settle_seconds=settle, deadline_seconds=deadline)
    begun: RunContext[Writer] = run_in(
        api.stage.world(), api, limits=limits, project=a_project(root, uploads)
    )
    return replace(begun, give_up_at=api.stage.clock.monotonic() + deadline)


def a_project(root: Path = Path("nowhere"), uploads: UploadSettings | None = None) -> Project:
    return Project(
        root=root,
        config_path=root / "reconciler.yaml",
        settings=Settings(project=PROJECT, uploads=uploads or UploadSettings()),
        spec_root=root / "specs",
        overlay=NO_OVERLAY,
    )


def run_in(
    env: Environment, api: ApiT, *, limits: Limits | None = None, project: Project | None = None
) -> RunContext[ApiT]:
    limits = limits or Limits()
    return RunContext(
        api=api,
        retrier=Retrier(
            RetryPolicy(deadline_seconds=limits.deadline_seconds),
            rng=random.Random(1),
            now=env.now,
            monotonic=env.monotonic,
            sleep=env.sleep,
        ),
        env=env,
        project=project or a_project(),
        target=Target(base_url="https://api.example.com", project=PROJECT),
        limits=limits,
        guards=Guards(),
        checkout=Checkout(commit=HEAD),
        ancestry=lambda commits: Ancestry(contained=commits & {HEAD}),
        source=Source(commit=HEAD, actor="ada"),
        folder=Path("nowhere"),
        began=env.monotonic(),
        redact=str,
    )


def in_phase(job: Job, phase: Phase) -> Job:
    return structs.replace(job, phase=phase, status=STATUS[phase])
