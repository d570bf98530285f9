"""Jobs in the list that do not match the API's description: foreign ones, or perhaps ones of this project."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.cli.stage import Fault, Result, Stage
from tests.helpers.odd_forms import FORMS, OF_OURS, with_form

JOBS = "/v1/batch/jobs"
FEW: Final = ("errors null", "metadata as text", "an id as a number")
"""These run in every suite; all of them are read in `tests/workspace`."""
STRANGER: Final = {
    "id": "99999999-0000-4000-8000-000000000000",
    "object": "batch",
    "input_files": [],
    "endpoint": "/v1/chat/completions",
    "model": "mistral-small-latest",
    "errors": [],
    "status": "RUNNING",
    "created_at": 1_789_999_000,
    "total_requests": 3,
    "completed_requests": 0,
    "succeeded_requests": 0,
    "failed_requests": 0,
    "metadata": {"team": "search"},
}


def some(forms: dict[str, dict[str, object]]) -> list[object]:
    """A few forms, and the others if the suite is thorough."""
    return [
        pytest.param(form, id=name, marks=() if name in FEW else pytest.mark.thorough)
        for name, form in forms.items()
    ]


def listed(stage: Stage, alter: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """Change what every list shows from now on."""

    def altered(page: dict[str, Any]) -> dict[str, Any]:
        rows = alter(list(page.get("data") or ()))
        return page | {"data": rows, "total": len(rows)}

    stage.faults.append(Fault("GET", JOBS, 200, times=999, alter=altered))


def warnings(result: Result) -> list[str]:
    """The jobs that a command warned about."""
    return [str(it["job_id"]) for it in result.events if it["event"] == "jobs.row_unreadable"]


@pytest.mark.parametrize("form", some(FORMS))
def test_an_odd_job_of_somebody_else_is_skipped_and_named_once(stage: Stage, form: dict[str, object]) -> None:
    stage.spec("tickets")
    named = "row-1-of-page-1" if "id" in form else STRANGER["id"]
    listed(stage, lambda rows: [with_form(STRANGER, form), *rows])
    for command in (("plan",), ("status",), ("jobs", "list"), ("history",), ("outputs", "pull")):
        result = stage.run(*command)
        assert (command, result.code, warnings(result)) == (command, 0, [named])
    applied = stage.run("apply", "--yes")
    assert (applied.code, warnings(applied)) == (0, [named])
    assert [sent.path for sent in applied.writes] == ["/v1/files", JOBS]
    waited = stage.run("wait")
    assert (waited.code, warnings(waited)) == (0, [named])
    assert stage.run("plan").out.startswith("No changes.")


@pytest.mark.parametrize("forgotten", [False, True], ids=["with the ledger", "without a ledger"])
@pytest.mark.parametrize("form", some(OF_OURS))
def test_an_odd_job_of_ours_holds_its_name_and_stops_nothing_else(
    stage: Stage, form: dict[str, object], *, forgotten: bool
) -> None:
    stage.spec("tickets")
    stage.spec("untouched")
    stage.run("apply", "--yes")
    if forgotten:
        stage.forget()
    listed(stage, lambda rows: [with_form(row, form) for row in rows[:1]] + rows[1:])
    stage.spec("tickets", requests=4)
    stage.spec("other")
    applied = stage.run("apply", "--yes")
    assert applied.code == 0
    creates = [json.loads(sent.body) for sent in applied.writes if sent.path == JOBS]
    assert [it["metadata"]["reconciler.name"] for it in creates] == ["other"]
    assert re.search(r"hold    tickets +unreadable", applied.out)
    for command in ("plan", "status", "history", "wait"):
        result = stage.run(command)
        assert (command, result.code) == (command, 6 if command == "wait" else 0)
        assert len(warnings(result)) == 1
        assert result.writes == []


def test_the_words_for_an_odd_job_of_ours_beside_a_foreign_one(
    stage: Stage, golden: Callable[..., None]
) -> None:
    stage.spec("tickets")
    stage.spec("fine")
    stage.run("apply", "--yes")
    listed(stage, lambda rows: [STRANGER | {"error_file": ""}, rows[0] | {"errors": None}, *rows[1:]])
    golden(stage.run("plan"), stage.run("status"), stage.run("apply", "--yes"))


def test_a_job_of_which_nothing_shows_whose_it_is_holds_every_create(stage: Stage) -> None:
    stage.spec("tickets")
    stage.run("apply", "--yes")
    stage.forget()
    lost = {"metadata": "reconciler.project=shop reconciler.name=?"}
    listed(stage, lambda rows: [with_form(row, lost) for row in rows[:1]] + rows[1:])
    plan = stage.run("plan")
    assert plan.code == 0
    assert re.search(r"hold    tickets +unreadable · job 00000002-\S+ may be of this name", plan.out)
    assert stage.run("apply", "--yes").writes == []
    assert stage.run("wait").code == 6
    assert stage.run("status").code == 0


def test_lost_metadata_of_a_job_that_the_ledger_knows_holds_its_name(stage: Stage) -> None:
    stage.spec("tickets")
    stage.run("apply", "--yes")
    listed(stage, lambda rows: [with_form(row, {"metadata": []}) for row in rows[:1]] + rows[1:])
    stage.spec("other")
    applied = stage.run("apply", "--yes")
    assert re.search(r"hold    tickets +unreadable", applied.out)
    assert [sent.path for sent in applied.writes] == ["/v1/files", JOBS]


def test_no_snapshot_is_saved_while_a_job_cannot_be_read(stage: Stage) -> None:
    stage.spec("tickets")
    stage.run("apply", "--yes")
    listed(stage, lambda rows: [with_form(row, {"input_files": None}) for row in rows[:1]] + rows[1:])
    saved = stage.run("jobs", "snapshot", "observed.json")
    assert saved.code == 1
    assert "no snapshot was saved: job 00000002" in saved.err
    assert not (stage.root / "observed.json").exists()


def test_a_created_job_whose_answer_and_row_are_odd_is_found_by_its_op(stage: Stage) -> None:
    stage.spec("tickets")

    def odd(row: dict[str, Any]) -> dict[str, Any]:
        return row | {"errors": None}

    stage.faults.append(Fault("POST", JOBS, 200, alter=odd))
    listed(stage, lambda rows: [odd(row) for row in rows])
    applied = stage.run("apply", "--yes")
    assert [sent.path for sent in applied.writes] == ["/v1/files", JOBS]
    assert "the response was lost; found by its op" in applied.out
    stage.forget()
    assert stage.run("apply", "--yes").writes == []


def test_a_created_job_whose_id_cannot_be_read_is_left_to_the_next_run(stage: Stage) -> None:
    stage.spec("tickets")

    def odd(row: dict[str, Any]) -> dict[str, Any]:
        return row | {"id": 7}

    stage.faults.append(Fault("POST", JOBS, 200, alter=odd))
    listed(stage, lambda rows: [odd(row) for row in rows])
    applied = stage.run("apply", "--yes")
    assert applied.code == 5
    assert [sent.path for sent in applied.writes] == ["/v1/files", JOBS]
    stage.faults.clear()
    stage.advance(60)
    again = stage.run("apply", "--yes")
    assert (again.code, again.writes) == (0, [])
    assert len(stage.jobs()) == 1


@pytest.mark.parametrize("total", [-1, 1.5, "two", None, [1], 1e40, True])
def test_an_odd_total_is_named_and_stops_only_what_needs_a_complete_list(stage: Stage, total: object) -> None:
    stage.spec("tickets")
    assert stage.run("apply", "--yes").code == 0
    stage.advance(7200)
    stage.spec("more")
    stage.faults.append(Fault("GET", JOBS, 200, times=999, alter=lambda page: page | {"total": total}))
    for command in (("plan",), ("apply", "--yes"), ("history", "verify")):
        refused = stage.run(*command)
        assert (refused.code, refused.writes) == (1, [])
        assert f"the API says that its total is {json.dumps(total)}" in refused.err
        assert "hint: the tool decides nothing from an incomplete list" in refused.err
    listed = stage.run("jobs", "list")
    assert (listed.code, "tickets" in listed.out) == (0, True)
    assert [it["event"] for it in listed.events].count("jobs.list_incomplete") == 1
    assert "+ pulled tickets" in stage.run("outputs", "pull").out
