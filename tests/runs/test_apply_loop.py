"""What a run counts against its budget."""

from __future__ import annotations

import pytest

from reconciler.errors import ReconcilerError
from reconciler.ledger.memory import Memory
from reconciler.planning.planner import plan
from reconciler.plans.outcomes import Cancelled, Created, Failed, Outcome, Skipped, Unknown
from reconciler.runs.apply_loop import requests_submitted
from tests.helpers.make import NOW, declared, job, seen, spec

A, B = spec("a"), spec("b", "w2")
ERROR = ReconcilerError("no")


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        (Created(name="a", job=job(A), op="1", recovered=False), 10),
        (Unknown(name="a", action="create", error=ERROR, until=None), 10),
        (Failed(name="a", action="create", error=ERROR, job=job(A)), 10),
        (Failed(name="a", action="create", error=ERROR), 0),
        (Skipped(name="a", action="create", why="the run was asked to stop"), 0),
        (Unknown(name="a", action="cancel", error=ERROR, until=None), 0),
        (Cancelled(name="a", job=job(A)), 0),
    ],
)
def test_requests_count_if_they_were_submitted_or_may_have_been(outcome: Outcome, counted: int) -> None:
    observed = seen((A, B))
    planned = plan(declared(A, B), observed, Memory(), now=NOW)
    assert requests_submitted(planned, observed, [outcome]) == counted
