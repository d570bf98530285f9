"""Ends are claimed in the ledger, told, and what came of it is recorded.

A claim keeps all other runners that share the ledger away until its time is over. So an end is told once; it is told
again only where the hook failed, where the run died between the call and the line that records it, or where that
line could not be shared: the `id` in what is said tells the receiver. Without a ledger that lasts, nothing is told
twice either, because nothing is told: telling begins with the first line in a ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from reconciler.api.client import Writer
from reconciler.context import Run
from reconciler.errors import LedgerError
from reconciler.ledger import notifications
from reconciler.ledger.lines import EndClaimed, EndTold, Line, TellingBegan
from reconciler.model import Ours
from reconciler.notifications import due as ends

AT_ONCE: Final = 10
"""So many ends are claimed together: each claim of a shared ledger is a push."""
MOST_ROUNDS: Final = 1000
"""Of claims in one run."""
ENOUGH: Final = 3
"""Failures in a row after which the rest is left to the next run: the receiver is down."""
MARGIN_SECONDS: Final = 60.0

Call: TypeAlias = Callable[[bytes], str]
"""Tells one end; returns what went wrong, "" where nothing did."""


@dataclass(frozen=True, kw_only=True)
class Teller:
    """What it takes to tell ends."""

    run: Run[Writer]
    call: Call
    timeout_seconds: float
    since: float
    """Unix seconds: where the ledger does not say when telling began, it begins here."""

    def tell(self, jobs: Sequence[Ours]) -> None:
        """Tell every end that is due, as far as the hook takes them. Raises nothing that a run should end for."""
        try:
            if self._all(jobs):
                self.run.world.ledger.publish()
        except LedgerError as error:  # the next run tells and publishes what this one could not
            self.run.world.log("ledger.not_published", error=str(error))

    def _all(self, jobs: Sequence[Ours]) -> bool:
        """Return whether anything was written."""
        in_a_row = 0
        written = False
        tried: set[str] = set()
        for _ in range(MOST_ROUNDS):
            now = self.run.world.now()
            told = notifications.told(self.run.world.ledger.read())
            untried = [ours for ours in jobs if ours.job.id not in tried]
            due = ends.due(untried, told, since=self.since, now=now)[:AT_ONCE]
            first: list[Line] = []
            if told.since is None:
                first.append(TellingBegan(at=self.since, run_id=self.run.world.run_id))
            lease = len(due) * self.timeout_seconds + MARGIN_SECONDS
            claims = [
                EndClaimed(at=now, run_id=self.run.world.run_id, job_id=ours.job.id, lease=lease)
                for ours in due
            ]
            if not first and not claims:
                break
            if not self.run.world.ledger.claim([*first, *claims]):
                self.run.world.log("ledger.raced")
                continue
            written = True
            if first:
                self.run.world.log("ends.telling_began")
            for ours in due:
                if self.run.world.stop.is_set() or in_a_row >= ENOUGH:
                    return written
                tried.add(ours.job.id)
                failures = told.ends[ours.job.id].failures if ours.job.id in told.ends else 0
                in_a_row = in_a_row + 1 if self._one(ours, failures) else 0
        return written

    def _one(self, ours: Ours, failures: int) -> str:
        world = self.run.world
        said = ends.document(ours, self.run.target, run_id=world.run_id)
        began = world.monotonic()
        error = self.call(msgspec.json.encode(said))
        world.ledger.append(EndTold(at=world.now(), run_id=world.run_id, job_id=ours.job.id, error=error))
        about = {"name": ours.tags.name, "job_id": ours.job.id}
        if not error:
            elapsed = round((world.monotonic() - began) * 1000)
            world.log("end.told", **about, status=ours.job.status, elapsed_ms=elapsed)
        elif failures + 1 >= ends.MOST_FAILURES:
            world.log("end.given_up", **about, error=error, failures=failures + 1)
        else:
            world.log("end.not_told", **about, error=error, failures=failures + 1)
        return error
