"""The workspace that all share: it answers requests, records the truth, lets lists lag, and decides how jobs end.

The sandbox's own handler answers each sender: a run of the tool, a person, a stranger. The workspace records what was
accepted, and checks at once the invariants that need no later state.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from reconciler.model import RunKey, tags
from reconciler.sandbox.lifecycle import Status
from tests.simulation import creating, stopping
from tests.simulation.accepted import Accepted
from tests.simulation.baton import Baton
from tests.simulation.history import PROJECT, CreatedJob, History, RunRecord
from tests.simulation.server import FILES, JOBS, JSON, LIVE, OK, Answer, Server

IDENTITY: Final = (tags.PROJECT, tags.NAME, tags.WORK, tags.RUN)
"""The tags that identify a job."""


UNCOUNTED: Final = dict.fromkeys(("completed_requests", "succeeded_requests", "failed_requests"), 0)


@dataclass(frozen=True, kw_only=True)
class Climate:
    """How the workspace behaves in a schedule."""

    lag: float = 0.0
    """The longest time until every list shows a new job."""
    lagging: float = 0.0
    """Share of jobs that show late at all."""
    page_cap: int = 0
    """The largest page that the server hands out; 0 for the size in the request."""
    unlucky: float = 0.0
    """Share of jobs that fail."""
    altering: float = 0.0
    """Share of jobs whose tags the API does not keep as they were sent."""
    uncounted: bool = False
    """Whether the counters of every job stay 0, although its output file has answers."""


@dataclass
class Sent:
    """A request on its way."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    content_type: str = JSON
    by: RunRecord | None = None
    reason: str = ""
    """Why a cancel is sent, as its intent says."""
    again: bool = False
    """Whether a cancel was sent before, and its sender has not asked since how the job stands."""
    shift: int = 0
    """By how many rows a page has shifted: as if older jobs had vanished after the total was counted."""

    @property
    def op(self) -> str:
        """The op of a create."""
        found = re.search(rb"op=(\w+)", self.body)
        return found[1].decode() if found else ""

    @property
    def job_id(self) -> str:
        """The job that it is about."""
        return self.path[len(JOBS) + 1 :].partition("/")[0]

    @property
    def is_create(self) -> bool:
        """Whether it creates a job."""
        return self.method == "POST" and self.path == JOBS

    @property
    def is_cancel(self) -> bool:
        """Whether it stops a job."""
        return self.method == "POST" and self.path.endswith("/cancel")

    @property
    def is_of_files(self) -> bool:
        """Whether it is about uploads."""
        return self.path.startswith(FILES)

    @property
    def is_list(self) -> bool:
        """Whether it asks for a page of jobs."""
        return self.method == "GET" and self.path == JOBS


@dataclass
class Workspace:
    """The API with everybody's jobs in it."""

    server: Server
    baton: Baton
    history: History
    climate: Climate
    dice: random.Random
    peaceful: bool = False
    """True once nothing new is to go wrong."""
    promises: tuple[creating.Promise, ...] = ()
    """What is promised of every create, beside the rest."""
    _tags: dict[str, dict[str, str]] = field(default_factory=dict)

    def take(self, sent: Sent) -> Answer:
        """Handle a request, now."""
        if sent.is_of_files:
            return self.server.call(sent.method, sent.path, sent.query, sent.body, sent.content_type)
        answer = self._take(sent)
        if not self.climate.uncounted or sent.method != "GET" or answer.status != OK:
            return answer
        said = answer.json()
        if sent.is_list:
            return page_answer([row | UNCOUNTED for row in said.get("data", ())], total=said["total"])
        return Answer(OK, (), msgspec.json.encode(said | UNCOUNTED))

    def _take(self, sent: Sent) -> Answer:
        if sent.is_list:
            return self._list(sent)
        if sent.method == "DELETE":
            self.history.jobs[sent.job_id].ended_as = self.server.status(sent.job_id)
            self.history.jobs[sent.job_id].answers = self.server.answered(sent.job_id)
        if sent.is_cancel:
            self._cancelling(sent)
        answer = self.server.call(sent.method, sent.path, sent.query, sent.body)
        if answer.status == OK and sent.is_create:
            return self._created(sent, answer)
        if answer.status == OK and sent.method == "DELETE":
            self.history.jobs[sent.job_id].deleted_at = self.baton.now
            self.history.vanished.append(self.baton.now)
        return answer

    def _created(self, sent: Sent, answer: Answer) -> Answer:
        metadata: dict[str, str] = msgspec.json.decode(sent.body, type=dict[str, Any]).get("metadata") or {}
        shown = answer.json()
        job = _created(shown["id"], metadata, self.baton.now, sent.by)
        if not self.peaceful:
            self._meet_fate(job, metadata)
        self.history.jobs[job.id] = job
        self.history.counts["creates"] += sent.by is not None
        self.history.trace(
            self.baton.now, "api", f"ACCEPTS {job.id[:8]} {job.name} {_key(job)} op={job.op[:6]}"
        )
        if sent.by:
            create = Accepted(self.history, self.server, job, sent.by)
            twins = any(self.server.status(it.id) in LIVE for it in create.others())
            self.history.counts["twins"] += twins
            self.history.counts["later"] += sent.by.round > 0
            promises = (*creating.PROMISES, *self.promises)
            self.history.ask(promises, create, f"{sent.by.name} created {job.id[:8]} ({job.name})")
        if job.altered:
            metadata = dict(metadata)
            del metadata[self.dice.choice(IDENTITY)]
            self.server.retag(job.id, metadata)
            answer = self.server.call("GET", f"{JOBS}/{job.id}")
        return answer

    def _meet_fate(self, job: CreatedJob, metadata: dict[str, str]) -> None:
        dice, climate = self.dice, self.climate
        if dice.random() < climate.lagging:
            job.shows_at = self.baton.now + dice.random() * climate.lag
            job.hidden_reads = dice.choice((0, 0, 1, 2, 3))
            job.flaps = not job.hidden_reads and dice.random() < 0.5
            self.history.faults["list lag by reads" if job.hidden_reads else "list lag by time"] += 1
            self.history.faults["list lag that comes and goes"] += job.flaps
        if dice.random() < climate.unlucky:
            self.server.doom(job.id)
            self.history.faults["a job fails"] += 1
        if metadata and dice.random() < climate.altering:
            job.altered = True
            self.history.faults["tags altered for good"] += 1

    def _cancelling(self, sent: Sent) -> None:
        """A cancel is about to be handled. One of a job that has ended does nothing."""
        job = self.history.jobs[sent.job_id]
        if sent.by:
            cancel = Accepted(self.history, self.server, job, sent.by, sent.reason)
            what = f"{sent.by.name} cancelled {job.id[:8]} ({job.name}) as {sent.reason}"
            self.history.ask(stopping.PROMISES, cancel, what)
        if self.server.status(job.id) not in LIVE:
            return  # whatever it is answered, this request stopped nothing
        who = f"{sent.by.name} as {sent.reason}" if sent.by else "a person"
        self.history.trace(self.baton.now, "api", f"CANCELS {job.id[:8]} {job.name} for {who}")
        if sent.by:
            self.history.counts["cancels"] += 1
            job.cancels.append((self.baton.now, sent.by, sent.reason))
        else:
            job.person_at = self.baton.now

    def on_answer(self, sent: Sent, answer: Answer) -> None:
        """Note that a run was answered, and could believe that its cancel has stopped the job."""
        if sent.by and sent.is_cancel and answer.status == OK:
            job = self.history.jobs[sent.job_id]
            if answer.json()["status"] == Status.CANCELLATION_REQUESTED and not sent.again:
                job.accepted.add(sent.by.name)
                job.looks_ours = job.person_at is not None

    def _list(self, sent: Sent) -> Answer:
        """Answer with a page; it is built here if the list lags or the server returns small pages."""
        hidden = self._hidden()
        if not hidden and not self.climate.page_cap and not sent.shift:
            return self.server.call("GET", JOBS, sent.query)
        query = {name: values[0] for name, values in parse_qs(sent.query).items()}
        whole = self.server.call("GET", JOBS, f"order_by={query['order_by']}&page_size=10000")
        rows = [row for row in whole.json().get("data", []) if row["id"] not in hidden]
        size = int(query["page_size"])
        if self.climate.page_cap:
            size = min(size, self.climate.page_cap)
        first = int(query["page"]) * size + sent.shift
        return page_answer(rows[first : first + size], total=len(rows))

    def _hidden(self) -> set[str]:
        """Return the jobs that the next list lacks; asking is reading."""
        hidden = set()
        for job in self.history.jobs.values():
            if self.baton.now >= job.shows_at or self.peaceful:
                continue
            if job.hidden_reads:
                job.hidden_reads -= 1
                if not job.hidden_reads:
                    job.shows_at = self.baton.now
                hidden.add(job.id)
            elif not job.flaps or self.dice.random() < 0.5:
                hidden.add(job.id)
                if job.shown:
                    self.history.vanished.append(self.baton.now)
            job.shown = job.id not in hidden
        return hidden


def page_answer(rows: list[dict[str, Any]], *, total: int) -> Answer:
    """Return a page as the sandbox writes it."""
    body = msgspec.json.encode({"object": "list", "total": total} | ({"data": rows} if rows else {}))
    return Answer(OK, (("Content-Type", "application/json"), ("Content-Length", str(len(body)))), body)


def _created(job_id: str, metadata: dict[str, str], at: float, by: RunRecord | None) -> CreatedJob:
    run = dict(word.partition("=")[::2] for word in metadata.get(tags.RUN, "").split(" "))
    source = dict(word.partition("=")[::2] for word in metadata.get(tags.SOURCE, "").split(" "))
    work = metadata.get(tags.WORK)
    return CreatedJob(
        id=job_id,
        key=RunKey(work, run.get("rerun", "")) if work else None,
        name=metadata.get(tags.NAME, ""),
        project=metadata.get(tags.PROJECT, ""),
        attempt=int(run.get("attempt", 0)),
        cap=int(run.get("cap", 1)),
        most=int(run["most"].removesuffix("USD")) if "most" in run else None,
        op=run.get("op", ""),
        root=source.get("root", ""),
        replaces=frozenset(run.get("over", "").split(",")) - {""},
        at=at,
        by=by,
        shows_at=at,
    )


def _key(job: CreatedJob) -> str:
    return f"{job.key.work[3:9]}/{job.key.rerun or '-'} attempt {job.attempt}" if job.key else "foreign"


__all__ = ["PROJECT", "Climate", "Sent", "Workspace", "page_answer"]
