"""Check the lists that a run reads against the workspace: an accepted list holds every job that surely showed."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

import msgspec

from tests.simulation import lies
from tests.simulation.faults import Fault
from tests.simulation.history import History, RunRecord
from tests.simulation.process import Process
from tests.simulation.server import OK, Answer
from tests.simulation.workspace import Sent


@dataclass
class _Reading:
    """One attempt to read the whole list."""

    began: float
    reported: set[object] = field(default_factory=set)
    """The ids of its rows, whatever they are."""
    pages: int = 0
    lies: set[Fault] = field(default_factory=set)


SMALLER: Final = frozenset({Fault.SHIFTED, Fault.TOTAL_LOW})
"""Together they look like a workspace with fewer jobs: no client can see the difference."""
UNNAMED: Final = lies.ODD_ID
"""With a page that shifts, a row with this id may be one that another page shows: it makes up for one that is lost."""
_READING: ContextVar[_Reading | None] = ContextVar("_READING", default=None)
"""The pool threads that read later pages inherit it."""


class Listings:
    """Watches one run read the list."""

    def __init__(self, history: History, process: Process, record: RunRecord) -> None:
        self._history = history
        self._process = process
        self._record = record
        process.events_received.append(self._on_event)

    def on_sent(self, sent: Sent) -> None:
        """Note that a reading begins with its first page."""
        if sent.is_list and sent.query.startswith("page=0&") and "order_by=created" in sent.query:
            _READING.set(_Reading(self._process.baton.now))

    def on_answer(self, sent: Sent, answer: Answer, fault: Fault | None = None) -> None:
        """Note what a page says, and how it lies."""
        reading = _READING.get()
        if reading and fault:
            reading.lies.add(fault)
        if sent.is_list and reading and answer.status == OK and "order_by=created" in sent.query:
            reading.pages += 1
            reading.reported |= {row["id"] for row in msgspec.json.decode(answer.body).get("data", ())}

    def _on_event(self, event: str) -> None:
        reading = _READING.get()
        if event != "jobs.listed" or reading is None:
            return
        self._record.looked = reading.began
        if reading.lies >= SMALLER or (Fault.SHIFTED in reading.lies and UNNAMED in reading.reported):
            return
        missing = [
            job
            for job in self._history.jobs.values()
            if job.shows_at < reading.began
            and job.at < reading.began
            and job.deleted_at is None
            and job.id not in reading.reported | self._record.nameless
        ]
        # Between two pages rows may shift; one page is read in one moment.
        shifts = reading.pages > 1 and any(when >= reading.began for when in self._history.vanished)
        if missing and not shifts:
            self._history.violated(
                "incomplete_list_leads_to_no_write",
                f"{self._record.name} took a list for whole that lacks {missing[0].id[:8]}",
            )
