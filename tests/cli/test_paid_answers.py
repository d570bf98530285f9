"""Answers that were paid for are not submitted again, whatever the counters of their job say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.stage import Fault, Stage

JOBS = "/v1/batch/jobs"
JOB = f"{JOBS}/[^/]+"
OUTPUT = "0000000f-0000-4000-8000-00000000000f"


def ended_early(stage: Stage, **facts: object) -> dict[str, Any]:
    """The one job of the workspace, as if it had ended early and its counters had been lost."""
    (job,) = stage.jobs()
    shown_job = {key: value for key, value in job.items() if key not in ("project", "name")}
    lost = dict.fromkeys(("completed_requests", "succeeded_requests", "failed_requests"), 0)
    return {"object": "batch", **shown_job, **lost, "errors": [], "output_file": OUTPUT, **facts}


def shown(stage: Stage, *jobs: object) -> None:
    """Let the list show these jobs from now on."""
    body = json.dumps({"object": "list", "total": len(jobs), "data": jobs}).encode()
    stage.faults[:] = [
        Fault("GET", JOBS, 200, body=body, times=99),
        Fault("GET", JOB, 404, body=b'{"detail":"no such job"}', times=99),
    ]


@pytest.mark.parametrize("status", ["TIMEOUT_EXCEEDED", "FAILED"])
@pytest.mark.parametrize("total", [5, 0])
def test_a_job_with_an_output_file_is_not_retried_whatever_its_counters_say(
    stage: Stage, status: str, total: int
) -> None:
    stage.spec(
        "tickets", requests=5, retry={"max_attempts": 2, "on": ["FAILED", "TIMEOUT_EXCEEDED"]}, reuse=False
    )
    stage.run("apply", "--yes")
    early = ended_early(stage, status=status, total_requests=total)
    shown(stage, early)
    plan = stage.run("plan")
    assert "submits at most 5 of 5 requests" in plan.out
    applied = stage.run("apply", "--yes")
    assert (applied.code, applied.writes) == (0, [])
    assert stage.run("apply", "--yes", "--fail-on-attention").code == 6
    shown(stage)  # the record is deleted
    gone = stage.run("apply", "--yes", "--allow-other-workspace")
    assert gone.writes == []
    assert "ended early with some answers, by the ledger" in gone.out


def test_a_job_without_an_answer_is_retried(stage: Stage) -> None:
    stage.spec("tickets", requests=5, retry={"max_attempts": 2, "on": ["FAILED"]})
    stage.run("apply", "--yes")
    shown(stage, ended_early(stage, status="FAILED", output_file=None))
    assert "retry · attempt 2 · 5 requests" in stage.run("plan").out
