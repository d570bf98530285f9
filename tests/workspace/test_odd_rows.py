"""Rows of the list that do not match the API's description: what a page keeps, and what a plan makes of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from reconciler.api.errors import MalformedAnswerError
from reconciler.api.odd_rows import read_job_page
from reconciler.api.values import JobPage
from reconciler.api.wire import NO_MATCH
from reconciler.ledger.memory import Memory
from reconciler.model import Job, JobSpec, Observed, Phase, Target
from reconciler.planning.actions import Plan
from reconciler.planning.planner import plan
from reconciler.workspace import take_snapshot
from reconciler.workspace.listing import whole
from reconciler.workspace.observe import Watched, with_remembered
from tests.helpers.fakes import Api, Stage, run
from tests.helpers.make import NOW, PROJECT, SUCCEEDED, created, declared, job, memory, reported, spec
from tests.helpers.odd_forms import FORMS, OF_OURS, with_form

A, B = spec("a"), spec("b", "w2")
API_STATUS = {Phase.ACTIVE: "RUNNING", Phase.SUCCEEDED: "SUCCESS"}


def row(of: Job) -> dict[str, Any]:
    """A job as the API returns it."""
    fields: dict[str, Any] = msgspec.to_builtins(of)
    del fields["phase"]
    numbers = dict.fromkeys(("completed_requests", "succeeded_requests", "failed_requests"), 0)
    required = {"errors": [], "input_files": [], "total_requests": 0, **numbers}
    return {**required, **fields, "status": API_STATUS[of.phase]}


def page(*rows: object) -> JobPage:
    return read_job_page(msgspec.json.encode({"object": "list", "total": len(rows), "data": rows}))


class Shown(Api):
    """A workspace whose list is one page."""

    def __init__(self, shown: JobPage) -> None:
        super().__init__(Stage())
        self._shown = shown

    def list_jobs(self, *, page: int, **_: object) -> JobPage:
        return self._shown if page == 0 else JobPage(jobs=(), total=self._shown.total)


def observed(shown: JobPage, *specs: JobSpec, remembered: Memory) -> Observed:
    looking = run(Shown(shown))
    wanted = frozenset(key for it in specs for key in it.run_keys)
    adopted = frozenset(it.adopt.job for it in specs if it.adopt)
    watched = Watched(project=PROJECT, wanted=wanted, adopted=adopted)
    return with_remembered(looking, watched, remembered, whole(looking))


def planned(shown: JobPage, *specs: JobSpec, remembered: Memory | None = None) -> Plan:
    known = remembered or memory()
    return plan(declared(*specs), observed(shown, *specs, remembered=known), known, now=NOW)


def strangers(**changes: object) -> dict[str, Any]:
    return row(job(A, "theirs")) | {"metadata": {"team": "search"}} | changes


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_an_odd_row_hides_no_other_row(form: dict[str, object]) -> None:
    shown = page(strangers(id="first"), with_form(strangers(), form), strangers(id="last"))
    assert [it.id for it in shown.jobs] == ["first", "last"]
    (odd,) = shown.odd
    assert (odd.number, odd.has_lost_tags) == (2, False)
    assert odd.job.id == ("" if "id" in form else "theirs")
    assert next(iter(form)) in odd.unreadable
    assert odd.problem


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_an_odd_job_of_somebody_else_changes_no_decision(form: dict[str, object]) -> None:
    shown = page(row(job(B, "j1")), with_form(strangers(), form))
    assert reported(planned(shown, A, B)) == {"a": ("create new 1",), "b": ("keep j1 running",)}


@pytest.mark.parametrize("form", OF_OURS.values(), ids=OF_OURS.keys())
@pytest.mark.parametrize("phase", [Phase.ACTIVE, SUCCEEDED])
def test_an_odd_job_of_ours_holds_its_name(form: dict[str, object], phase: Phase) -> None:
    shown = page(with_form(row(job(A, "j1", phase)), form))
    found = planned(shown, A, B)
    named = "row-1-of-page-1" if "id" in form else "j1"
    assert reported(found) == {"a": (f"hold {named} unreadable!",), "b": ("create new 1",)}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_an_odd_job_that_the_ledger_knows_holds_its_name(form: dict[str, object]) -> None:
    if "id" in form:
        pytest.skip("without its id, the ledger does not know it")
    shown = page(with_form(row(job(A, "j1")) | {"metadata": {}}, form))
    known = memory(created(A, "j1"))
    assert reported(planned(shown, A, remembered=known)) == {"a": ("hold j1 unreadable!",)}


@pytest.mark.parametrize("lost", ["reconciler.project=shop", ["reconciler.name", "a"], 7])
def test_lost_tags_of_this_tool_hold_every_create(lost: object) -> None:
    shown = page(row(job(B, "j2")), row(job(A, "j1")) | {"metadata": lost, "model": "reconciler.x"})
    assert reported(planned(shown, A, B)) == {
        "a": ("hold j1 unreadable!",),
        "b": ("keep j2 running",),
        "job-j1": ("hold j1 unreadable!",),
    }


@pytest.mark.parametrize("nothing", [None, 7, "job", [], True])
def test_a_row_that_is_no_job_at_all_counts_and_holds_nothing(nothing: object) -> None:
    shown = page(nothing, row(job(B, "j2")))
    assert (len(shown.odd), shown.total) == (1, 2)
    assert reported(planned(shown, A, B)) == {"a": ("create new 1",), "b": ("keep j2 running",)}


def test_a_job_of_another_project_that_is_odd_still_counts_as_its_work() -> None:
    shown = page(row(job(A, "j1", project="other")) | {"errors": None})
    (other,) = observed(shown, A, remembered=memory()).other_projects
    assert (other.project, other.job.phase) == ("other", Phase.UNKNOWN)


def test_an_odd_job_that_a_spec_adopts_holds_the_spec() -> None:
    from tests.helpers.make import adopting, untagged

    shown = page(row(untagged(A, "j1")) | {"errors": None})
    assert reported(planned(shown, adopting(A))) == {"a": ("hold j1 unknown_status!",)}


def test_a_snapshot_counts_an_odd_job_of_somebody_else_and_its_requests() -> None:
    other = row(job(B, "j1", project="other")) | {"errors": None, "total_requests": 500}
    listed = whole(run(Shown(page(row(job(A, "j2")), other))))
    target = Target(base_url="https://api.mistral.ai", project=PROJECT)
    taken = take_snapshot.make(listed.jobs, (), target=target, now=NOW, odd=listed.odd)
    assert (len(taken.jobs), taken.other_jobs, taken.other_pending) == (1, 1, 500)


class Unlisted(Shown):
    """A workspace whose list shows no job of ours, and whose answer about one does not match."""

    def get_job(self, job_id: str) -> Job:  # noqa: ARG002
        raise MalformedAnswerError(f"{NO_MATCH}: Expected `array`")


def test_a_job_that_only_the_ledger_knows_and_that_cannot_be_read_holds_its_name() -> None:
    known = memory(created(A, "j1"))
    looking = run(Unlisted(page(row(job(B, "j2")))))
    wanted = frozenset((*A.run_keys, *B.run_keys))
    seen = with_remembered(looking, Watched(project=PROJECT, wanted=wanted), known, whole(looking))
    decided = plan(declared(A, B), seen, known, now=NOW)
    assert reported(decided) == {"a": ("hold j1 unreadable!",), "b": ("keep j2 running",)}
    (found,) = seen.unreadable
    assert found.problem.endswith(": Expected `array`")


def test_a_page_without_a_total_is_still_refused() -> None:
    with pytest.raises(MalformedAnswerError):
        read_job_page(msgspec.json.encode({"data": [strangers(errors=None)]}))


def test_a_row_is_reported_once_in_a_run() -> None:
    looking = run(Shown(page(strangers(errors=None))))
    for _ in range(3):
        whole(looking)
    assert looking.reported == {"theirs"}
