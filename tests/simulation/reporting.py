"""The hook of `on_end`, which may be down, slow, or called without a recorded answer; and the promises about it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from reconciler.documents.notification import EndDoc
from reconciler.ledger.line_format import decode
from reconciler.ledger.lines import NotificationDelivered
from tests.simulation.history import History, RunRecord
from tests.simulation.process import Process

TIMEOUT: Final = 5.0
"""The longest that a call takes, in virtual seconds."""


@dataclass(frozen=True)
class OnEnd:
    """What one run calls for an end."""

    process: Process
    record: RunRecord
    history: History
    dice: random.Random
    faults: float
    """Share of calls that fail, half of them after the hook received them."""

    def __call__(self, said: bytes) -> str:
        """Call the hook; return its error, if any."""
        job_id = msgspec.json.decode(said, type=EndDoc).job_id
        self.process.step(f"tells the end of {job_id[:8]}")
        for promise in (what_is_recorded_as_reported_is_not_reported_again, one_run_reports_an_end_at_a_time):
            for wrong in promise(job_id, self.record, self.history):
                self.history.violated(promise.__name__, f"{self.record.name}: {wrong}")
        fate = self.dice.random() / self.faults if self.faults else 1.0
        self.history.faults["a hook fails"] += fate < 1
        if fate < 0.5:
            return "connection refused"
        self.history.counts["reported"] += 1
        self.history.reported.add(job_id)
        self.history.reporting[job_id] = self.record.name
        try:
            self.process.wait(self.dice.choice((0.0, 0.0, 1.0, TIMEOUT)))
        finally:
            self.history.reporting.pop(job_id, None)
        return "it did not end in time" if fate < 1 else ""


def what_is_recorded_as_reported_is_not_reported_again(
    job_id: str, by: RunRecord, history: History
) -> Iterator[str]:
    """Once a line that the run can see records that an end was delivered, the run does not report it again."""
    for row in by.ledger() if history.bounds or not by.shared else ():
        line = decode(row) if job_id in row else None
        if isinstance(line, NotificationDelivered) and not line.error:
            yield f"{line.run_id} has reported the end of {job_id[:8]}"


def one_run_reports_an_end_at_a_time(job_id: str, by: RunRecord, history: History) -> Iterator[str]:
    """With one writer, or claims, no run reports an end while another run is reporting it."""
    if history.setup.one_writer and history.bounds and job_id in history.reporting:
        yield f"{history.reporting[job_id]} is reporting the end of {job_id[:8]}"
