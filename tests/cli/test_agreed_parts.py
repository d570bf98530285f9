"""A plan of a canary is an agreement to its rest and its retries, within what the plan shows, and to nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.stage import Result, Stage
from tests.cli.test_requests import apply, canary
from tests.helpers.requests_of import asked


def creates(result: Result) -> int:
    """How many jobs a command created."""
    return sum(sent.path == "/v1/batch/jobs" for sent in result.writes)


def saved(stage: Stage) -> None:
    """Save the plan of a canary of four of twelve requests."""
    canary(stage)
    shown = stage.run("plan", "-o", "plan.json")
    assert "submits 4 of 12 requests now, at most 12 in all" in shown.out
    assert "would submit 4 requests now, at most 12 in all" in shown.out


def test_a_saved_plan_of_a_canary_is_applied_until_the_work_is_complete(stage: Stage) -> None:
    saved(stage)
    for parts in ([4], [4, 8], [4, 8]):
        applied = stage.run("apply", "plan.json")
        assert applied.code == 0, applied.err
        stage.advance(60)
        assert [len(part) for part in asked(stage)] == parts


def test_a_waiting_apply_of_a_saved_plan_submits_the_rest_of_its_canary(stage: Stage) -> None:
    saved(stage)
    assert stage.run("apply", "plan.json", "--wait").code == 0
    assert [len(part) for part in asked(stage)] == [4, 8]


@pytest.mark.parametrize("plans", [("plan.json",), ()])
def test_an_unattended_run_submits_the_rest_of_an_agreed_canary(stage: Stage, plans: tuple[str, ...]) -> None:
    saved(stage)
    assert stage.run("apply", "--only-agreed", "plan.json").code == 0
    stage.advance(60)
    assert stage.run("apply", "--only-agreed", *plans).code == 0
    assert [len(part) for part in asked(stage)] == [4, 8]


@pytest.mark.parametrize("plans", [("plan.json",), ()])
@pytest.mark.parametrize(
    ("pushed", "why"),
    [
        ("retry: {max_attempts: 3}\n", "retry.max_attempts was raised from"),
        ("rerun: again\n", "no agreed plan contains"),
    ],
)
def test_what_was_pushed_after_the_canary_was_agreed_to_is_held(
    stage: Stage, plans: tuple[str, ...], pushed: str, why: str
) -> None:
    saved(stage)
    assert stage.run("apply", "--only-agreed", "plan.json").code == 0
    stage.advance(60)
    spec = stage.root / "specs/a.yaml"
    spec.write_text(spec.read_text() + pushed)
    held = stage.run("apply", "--only-agreed", *plans)
    assert (held.code, creates(held)) == (3, 0)
    assert why in held.err + held.out


FIELDS: dict[str, Any] = {
    "canary": {"requests": 4},
    "retry": {"max_attempts": 2, "on": ["missing"]},
    "checks": {"failed": 0.1},
}
PUSHED = {
    "a failure is retried that was not": (
        {"retry": {"max_attempts": 2, "on": ["missing", "http_4xx"]}},
        "http_4xx was added to retry.on",
    ),
    "the canary is removed": ({"canary": None}, "canary.requests was lowered from 4 to 0"),
    "the canary is smaller": (
        {"canary": {"requests": 1}, "checks": {"failed": 0.3, "invalid": 0.2}},
        (
            "checks.failed was raised from 0.1 to 0.3, checks.invalid was raised from 0 to 0.2, "
            "canary.requests was lowered from 4 to 1"
        ),
    ),
    "more may fail": ({"checks": {"failed": 1}}, "checks.failed was raised from 0.1 to 1"),
}


def failed_canary(stage: Stage, **pushed: Any) -> None:  # noqa: ANN401 - any fields of a spec
    """Write the spec of a canary, one of whose four requests fails; `pushed` are its fields since."""
    canary(stage, bad=1, **(FIELDS | pushed))


@pytest.mark.parametrize("agreed", [True, False])
@pytest.mark.parametrize(("pushed", "why"), PUSHED.values(), ids=PUSHED)
def test_settings_that_let_a_failed_canary_go_on_need_an_agreement(
    stage: Stage, pushed: dict[str, object], why: str, agreed: bool
) -> None:
    failed_canary(stage)
    stage.run("apply", "--yes")
    stage.advance(60)
    assert creates(stage.run("apply", "--only-agreed")) == 0
    failed_canary(stage, **pushed)
    assert stage.run("plan", "-o", "plan.json").code == 0
    done = stage.run("apply", "--only-agreed", *(["plan.json"] if agreed else []))
    assert (done.code, creates(done)) == ((0, 1) if agreed else (3, 0))
    assert agreed or f"a: {why}" in done.err


def test_stricter_settings_let_the_rest_of_a_canary_go_on(stage: Stage) -> None:
    failed_canary(stage, checks={"failed": 0.5})
    stage.run("apply", "--yes")
    stage.advance(60)
    failed_canary(stage, checks={"failed": 0.4}, retry={"max_attempts": 1, "on": ["missing", "http_4xx"]})
    assert stage.run("apply", "--only-agreed").code == 0
    assert [len(part) for part in asked(stage)] == [4, 8]


@pytest.mark.parametrize("reviewed", [True, False])
def test_a_canary_that_a_reviewed_plan_removed_while_it_ran_does_not_hold_the_rest(
    stage: Stage, *, reviewed: bool
) -> None:
    failed_canary(stage)
    stage.run("apply", "--yes")
    failed_canary(stage, canary=None)
    shown = stage.run("plan", "-o", "plan.json")
    assert "note: canary.requests was lowered from 4 to 0" in shown.out
    stage.advance(60)
    done = stage.run("apply", "--only-agreed", *(["plan.json"] if reviewed else []))
    assert creates(done) == reviewed


@pytest.mark.parametrize("budget", ["max_new_requests", "max_requests_per_day"])
def test_a_budget_is_asked_once_about_a_canary_and_its_rest(stage: Stage, budget: str) -> None:
    canary(stage)
    for limit in (11, 12):
        stage.write("reconciler.yaml", f"project: shop\nguards: {{{budget}: {limit}}}\n")
        first = apply(stage)
        assert (first.code, creates(first)) == ((3, 0) if limit == 11 else (0, 1))
    apply(stage)
    assert [len(part) for part in asked(stage)] == [4, 8]


def test_a_waiting_apply_counts_the_rest_of_a_canary_once(stage: Stage) -> None:
    canary(stage)
    assert stage.run("apply", "--yes", "--wait", "--max-new-requests", "12").code == 0
    assert [len(part) for part in asked(stage)] == [4, 8]


def test_the_quota_counts_what_is_submitted_now(stage: Stage) -> None:
    canary(stage)
    stage.write("reconciler.yaml", "project: shop\nlimits: {max_pending: 4}\n")
    apply(stage)
    assert [len(part) for part in asked(stage)] == [4]
    held = apply(stage)
    assert "8 requests and 0 pending requests of this project exceed limits.max_pending (4)" in held.out


def test_a_reviewed_raise_of_the_attempts_of_a_running_job_is_an_agreement(stage: Stage) -> None:
    stage.spec("a", requests=1, model="sandbox-unknown", retry={"max_attempts": 1, "on": ["FAILED"]})
    stage.run("apply", "--yes")
    stage.spec("a", requests=1, model="sandbox-unknown", retry={"max_attempts": 2, "on": ["FAILED"]})
    shown = stage.run("plan", "-o", "plan.json")
    assert "note: a: retry.max_attempts was raised from 1 to 2" in shown.out
    (decision,) = json.loads((stage.root / "plan.json").read_text())["plan"]["decisions"]
    assert decision["settings"]["retry"]["max_attempts"] == 2
    stage.advance(60)
    assert stage.run("apply", "--only-agreed").code == 3
    assert stage.run("apply", "--only-agreed", "plan.json").code == 0
    assert len(asked(stage)) == 2
