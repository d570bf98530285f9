"""A neighbour who may push to the shared ledger and has no key: lines of the right form that no run wrote."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Final

from reconciler.ledger.line_format import encode
from reconciler.ledger.lines import (
    CancelEnded,
    CancelIntended,
    CreateIntended,
    Ended,
    Line,
    NotificationClaimed,
)
from reconciler.model import Job, JobSpec, Phase
from reconciler.model.jobs import END_OF_TIME
from tests.simulation.bucket import Bucket
from tests.simulation.history import PROJECT, CreatedJob, History
from tests.simulation.ledgers import Remote
from tests.simulation.process import START

ENDLESS: Final = END_OF_TIME - 10
FORGER: Final = "4711"
"""The run that the lines name."""


class Forger:
    """The neighbour.

    Args:
        history: the jobs that may be lied about.
        remote: where the lines go.
        dice: decide which.
    """

    def __init__(self, history: History, remote: Remote | Bucket, dice: random.Random) -> None:
        self._history = history
        self._remote = remote
        self._dice = dice

    def forge(self, specs: Sequence[JobSpec], now: float) -> None:
        """Append some lines.

        Args:
            specs: those that are declared.
            now: virtual time.
        """
        jobs = [job for job in self._history.jobs.values() if job.project == PROJECT and job.by]
        ways = ["newer", "newer"]
        ways += ["claim"] * 3 if specs else []
        ways += ["cancel"] * 6 + ["notification"] if jobs else []
        gone = [job for job in jobs if job.deleted_at is not None and not job.altered]
        ways += ["end"] * 3 if gone else []
        stopped = [job for job in jobs if job.person_at is not None]
        match self._dice.choice(ways):
            case "newer":
                name = self._dice.choice(("", "alpha", "beta"))
                self._push(json.dumps({"v": 2, "kind": "x", "name": name}))
            case "claim":
                self._push(encode(self._claim(self._dice.choice(specs), START + now)))
            case "cancel":
                self._push(*map(encode, self._cancel(self._dice.choice(stopped or jobs), START + now)))
            case "end":
                self._push(encode(self._end(self._dice.choice(gone), START + now)))
            case _:
                job = self._dice.choice(jobs)
                claim = NotificationClaimed(at=1.0, run_id=FORGER, job_id=job.id, lease=ENDLESS)
                self._push(encode(claim))

    def _push(self, *rows: str) -> None:
        self._remote.add(*rows)
        self._history.faults["a line of the ledger is forged"] += 1

    def _claim(self, spec: JobSpec, at: float) -> CreateIntended:
        """Claim a create: for ever, by its time or by its lease, or for an hour."""
        at, lease = self._dice.choice(((ENDLESS, 0.0), (at, ENDLESS), (at, 3600.0), (1.0, 0.0)))
        op = f"{self._dice.getrandbits(96):024x}"
        ops = [op, *(job.op for job in self._history.jobs.values() if job.project == PROJECT and job.by)]
        return CreateIntended(
            at=at, run_id=FORGER, op=self._dice.choice(ops), name=spec.name, work=spec.run_key.work,
            rerun=spec.rerun, attempt=1, reason="new", lease=lease,
        )  # fmt: skip

    def _cancel(self, job: CreatedJob, at: float) -> tuple[Line, Line]:
        """Say that the tool cancelled a job."""
        self._history.forged.add(job.id)
        reason = self._dice.choice(("removed", "suspended", "superseded", "superseded", "duplicate"))
        at = self._dice.choice((at, at, 1.0, ENDLESS))
        intended = CancelIntended(
            at=at, run_id=FORGER, job_id=job.id, name=job.name, reason=reason, actor="eve"
        )
        return intended, CancelEnded(at=at + 1, run_id=FORGER, job_id=job.id, status="CANCELLED")

    def _end(self, job: CreatedJob, at: float) -> Ended:
        """Say that a job whose record is gone had failed, or had done other work."""
        self._history.forged.add(job.id)
        assert job.key is not None
        failed = Job(id=job.id, phase=Phase.FAILED, status="FAILED", endpoint="/v1/embeddings", created_at=1)
        return Ended(
            at=self._dice.choice((at, 1.0)),
            run_id=FORGER,
            job=failed,
            name=job.name,
            work=self._dice.choice((job.key.work, "v1:" + "0" * 64)),
            rerun=job.key.rerun,
            attempt=self._dice.choice((job.attempt, 1)),
        )
