"""The API with the truth about every job: what it was asked, what it answered, and which files show that when."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reconciler.api.values import CreateJob, File
from reconciler.model import Job, tags
from reconciler.model.jobs import Phase
from tests.simulation.baton import Baton
from tests.simulation.process import START

if TYPE_CHECKING:
    from tests.simulation.requests.specs import Spec
    from tests.simulation.requests.world import Run

ANSWER: Final = ""
"""The outcome of a request that was answered; other outcomes are kinds of failures."""
NEVER: Final = math.inf
PHASES: Final = {
    "RUNNING": Phase.ACTIVE,
    "CANCELLATION_REQUESTED": Phase.STOPPING,
    "SUCCESS": Phase.SUCCEEDED,
    "FAILED": Phase.FAILED,
    "TIMEOUT_EXCEEDED": Phase.TIMED_OUT,
    "CANCELLED": Phase.CANCELLED,
}
OUTPUT: Final = "output"
ERRORS: Final = "errors"


class Question(NamedTuple):
    """What a request is, however it is written."""

    custom_id: str
    body: str


def question(line: Mapping[str, Any], model: str | None) -> Question:
    """Return what a line of an input asks a job of a model."""
    body = {key: value for key, value in line["body"].items() if key != "model" or value != model}
    return Question(line["custom_id"], json.dumps(body, sort_keys=True))


@dataclass(eq=False)
class ResultFile:
    """A result file of a job."""

    id: str
    content: bytes
    named_from: float
    """When the job begins to name it. Times are virtual seconds."""
    there_from: float
    """When it can be read."""
    gone_from: float = NEVER
    gone_as: int = 404

    def named(self, when: float) -> bool:
        """Whether the job names it."""
        return self.named_from <= when

    def readable(self, when: float) -> bool:
        """Whether the API hands it out."""
        return self.named(when) and self.there_from <= when < self.gone_from

    def readable_since(self, looked: float, now: float) -> bool:
        """Whether the API has handed it out from one moment to another."""
        return self.readable(looked) and now < self.gone_from


@dataclass(eq=False)
class AskedJob:
    """A job that the API accepted."""

    id: str
    name: str
    work: tuple[str, str]
    """Work digest and rerun, as its tags have them."""
    recipe: tuple[str, str | None, str]
    """Endpoint, model and rerun: only jobs that share it answer the same questions."""
    asked: tuple[Question, ...]
    tags: Mapping[str, str]
    body: CreateJob
    at: float
    api: Api
    by: Run
    shows_at: float
    status: str = "RUNNING"
    ended: float = NEVER
    outcomes: dict[Question, str] = field(default_factory=dict)
    """Of each request with a line in a file, also in one that never appears."""
    files: dict[str, ResultFile] = field(default_factory=dict)
    counts_from: float = NEVER
    """Until then the counters are 0."""
    ran: bool = True
    """False if it failed before its first request was processed."""
    stopped_by: str = ""
    """Whose cancel took effect: `person` or `tool`; "" if none did."""
    deleted_at: float = NEVER

    @property
    def spec(self) -> Spec:
        """What the checkout that it was created from said about its name."""
        return self.by.spec(self.name)

    @property
    def live(self) -> bool:
        """Whether it is queued or running."""
        return self.status == "RUNNING"

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return PHASES[self.status].ended

    @property
    def cap(self) -> int:
        """How often a request might fail when it was created."""
        return int(self.tags.get("cap", 1))

    @property
    def whole(self) -> bool:
        """Whether it was asked all of its work."""
        return "of" not in self.tags

    @property
    def age(self) -> tuple[int, str]:
        """Sort key: the oldest first, as the API shows it."""
        return int(START + self.at), self.id

    def answers(self) -> set[Question]:
        """Return what it has answered, whether or not a file shows it."""
        return {it for it, kind in self.outcomes.items() if kind == ANSWER}

    def given(self) -> set[Question]:
        """Return what it has answered in a file that comes."""
        return self.answers() if OUTPUT in self.files else set()

    def shown_in(self, file: str) -> set[Question]:
        """Return the requests that have a line in a file."""
        return {it for it, kind in self.outcomes.items() if (kind == ANSWER) == (file == OUTPUT)}

    def shown(self, when: float) -> Job:
        """Return the job as the API shows it."""
        kinds = list(self.outcomes.values()) if when >= self.counts_from else []
        failed = sum(kind != ANSWER for kind in kinds)
        names = {name: it.id for name, it in self.files.items() if it.named(when)}
        return Job(
            id=self.id,
            phase=PHASES[self.status],
            status=self.status,
            endpoint=self.body.endpoint,
            model=self.body.model,
            metadata=dict(self.body.metadata),
            input_files=self.body.input_files,
            output_file=names.get(OUTPUT),
            error_file=names.get(ERRORS),
            created_at=int(START + self.at),
            started_at=int(START + self.at) if self.ran else None,
            completed_at=int(START + self.ended) if self.over else None,
            total_requests=len(self.asked),
            completed_requests=len(kinds),
            succeeded_requests=len(kinds) - failed,
            failed_requests=failed,
        )


class Api:
    """All jobs and files.

    Args:
        baton: the time.
        dice: make ids.
    """

    def __init__(self, baton: Baton, dice: random.Random) -> None:
        self._baton = baton
        self._dice = dice
        self.jobs: dict[str, AskedJob] = {}
        self.uploads: dict[str, tuple[File, bytes]] = {}

    def listed(self) -> list[AskedJob]:
        """Return the jobs that a list shows now, the oldest first."""
        now = self._baton.now
        return sorted(
            (it for it in self.jobs.values() if it.shows_at <= now < it.deleted_at), key=lambda it: it.age
        )

    def upload(self, filename: str, content: bytes) -> File:
        """Keep an input file."""
        file = File(
            id=self._new_id(),
            filename=filename,
            created_at=int(START + self._baton.now),
            size=len(content),
            purpose="batch",
            sample_type="batch_request",
            source="upload",
            num_lines=content.count(b"\n"),
        )
        self.uploads[file.id] = file, content
        return file

    def create(self, body: CreateJob, by: Run, shows_after: float) -> AskedJob:
        """Accept a job."""
        texts = [self.uploads[it][1].decode() for it in body.input_files]
        lines = [json.loads(line) for text in texts for line in text.splitlines()]
        run = dict(word.partition("=")[::2] for word in body.metadata[tags.RUN].split(" "))
        rerun = run.get("rerun", "")
        job = AskedJob(
            id=self._new_id(),
            name=body.metadata[tags.NAME],
            work=(body.metadata[tags.WORK], rerun),
            recipe=(body.endpoint, body.model, rerun),
            asked=tuple(question(line, body.model) for line in lines),
            tags=run,
            body=body,
            at=self._baton.now,
            api=self,
            by=by,
            shows_at=self._baton.now + shows_after,
        )
        self.jobs[job.id] = job
        return job

    def file(self, file_id: str) -> tuple[ResultFile | None, bytes]:
        """Return a file, None for an upload, and its content. Raises `KeyError` if there is none."""
        if file_id in self.uploads:
            return None, self.uploads[file_id][1]
        found = {it.id: it for job in self.jobs.values() for it in job.files.values()}[file_id]
        return found, found.content

    def _new_id(self) -> str:
        return f"{self._dice.getrandbits(32):08x}-0000-4000-8000-{len(self.jobs) + len(self.uploads):012d}"


def write_files(job: AskedJob, outcomes: Mapping[Question, str]) -> dict[str, bytes]:
    """Return the lines of a job's result files: none of a file without lines."""
    lines: dict[str, list[dict[str, Any]]] = {OUTPUT: [], ERRORS: []}
    for asked, kind in outcomes.items():
        head = {"id": f"{job.id}-{asked.custom_id}", "custom_id": asked.custom_id}
        if kind == ANSWER:
            text = {"message": {"role": "assistant", "content": f"{asked.body}"}, "finish_reason": "stop"}
            body = {"model": job.body.model, "choices": [text]}
            lines[OUTPUT].append(head | {"response": {"status_code": 200, "body": body}, "error": None})
        elif kind == "error":
            lines[ERRORS].append(head | {"response": None, "error": {"message": "no"}})
        else:
            code = int(kind.removeprefix("http_"))
            lines[ERRORS].append(head | {"response": {"status_code": code, "body": {"message": "no"}}})
    return {name: _encoded(them) for name, them in lines.items() if them}


def _encoded(lines: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()
