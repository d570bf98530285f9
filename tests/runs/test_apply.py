"""One run from reading the workspace to settling its creates, on the fake API."""

from __future__ import annotations

from typing import Literal

import pytest
from msgspec import structs

from reconciler.api.values import CreateJob, JobPage
from reconciler.errors import LedgerError, StalePlanError
from reconciler.ledger.fold import remember
from reconciler.ledger.lines import CreateIntended, CreateRefused, Ended
from reconciler.model import Job, JobSpec, Observed, Phase, UploadedFile, tags
from reconciler.planning.actions import Hold
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Created, Failed, Outcome
from reconciler.plans.planned_run import PlannedRun
from reconciler.runs import gather
from reconciler.runs.apply import MAX_ROUNDS, plan_and_apply
from reconciler.workspace.snapshot import Snapshot
from tests.helpers.fakes import ANSWERED, Api, Fate, Row, Stage, busy, lost_after, lost_before, refused, run
from tests.helpers.make import (
    FAILED,
    NOW,
    SUCCEEDED,
    created,
    declared,
    ended,
    intended,
    job,
    op_of,
    owned,
    reported,
    spec,
)

FILE = "0f9d1b6e-0000-4000-8000-00000000000"


def remote(name: str, work: str) -> JobSpec:
    """A spec whose input is uploaded already."""
    return spec(name, inputs=(UploadedFile(id=f"{FILE}{work}"),))


A, B = remote("a", "1"), remote("b", "2")
STRANGERS = remote("theirs", "3")


class Asked:
    """Agrees, or not, and keeps what it was shown."""

    def __init__(self, *, agrees: bool = True) -> None:
        self.agrees = agrees
        self.shown: list[dict[str, tuple[str, ...]]] = []

    def __call__(self, planned: PlannedRun) -> bool:
        self.shown.append(reported(planned.plan))
        return self.agrees


def applied_with(
    api: Api, *specs: JobSpec, asked: Asked | None = None, saved: PlanDoc | None = None
) -> tuple[PlannedRun, tuple[Outcome, ...]]:
    return plan_and_apply(run(api), declared(*specs), asked or Asked(), saved=saved)


def applied(api: Api, *specs: JobSpec, asked: Asked | None = None) -> tuple[Outcome, ...]:
    return applied_with(api, *specs, asked=asked)[1]


def peace(api: Api, *specs: JobSpec) -> bool:
    """Whether the next run has nothing to do."""
    return applied(api, *specs) == ()


def names(api: Api) -> list[object]:
    return [it.metadata[tags.NAME] for it in api.jobs]


class SlowApi(Api):
    """An API that takes a minute and a half to answer, after it has looked."""

    def list_jobs(
        self,
        *,
        page: int,
        page_size: int = 100,
        order_by: Literal["created", "-created"] = "created",
        **_: object,
    ) -> JobPage:
        shown = super().list_jobs(page=page, page_size=page_size, order_by=order_by)
        self.stage.clock.now += 90
        return shown


def test_what_settles_after_a_snapshot_was_made_is_not_settled() -> None:
    """The snapshot may be from before the job showed, however old it is by the time of the plan."""
    yesterday = Snapshot(
        at=NOW - 86_400,
        other_projects=(),
        jobs=(),
        other_jobs=0,
        other_pending=0,
        ledger=(intended(A, "00000009", at=NOW - 86_410),),
    )
    found = gather.from_snapshot(run(Api(Stage())), declared(A), yesterday)
    assert reported(found.plan) == {"a": ("hold - unsettled",)}


def test_what_settles_while_the_list_is_read_is_not_settled() -> None:
    """The list may be from before the job showed, however late it is by the time of the decision."""
    api, asked = SlowApi(Stage()), Asked()
    api.stage.ledger.append(intended(A, "00000009"))
    assert applied(api, A, asked=asked) == ()
    assert asked.shown == [{"a": ("hold - unsettled",)}]
    assert [type(it) for it in applied(api, A)] == [Created]


def test_nothing_to_do_asks_for_no_agreement_twice_and_sends_nothing() -> None:
    api, asked = Api(Stage(), job(A)), Asked()
    assert applied(api, A, asked=asked) == ()
    assert asked.shown == [{"a": ("keep j1 running",)}]
    assert api.trace == ["list 0"]


def test_what_was_not_agreed_to_is_not_done() -> None:
    api = Api(Stage())
    assert applied(api, A, asked=Asked(agrees=False)) == ()
    assert api.jobs == []


def test_the_time_that_a_person_takes_to_agree_does_not_count() -> None:
    api, asked = Api(Stage()), Asked()
    api.fates = [busy(5), ANSWERED]

    def after_an_hour(planned: PlannedRun) -> bool:
        api.stage.clock.now += 3600
        return asked(planned)

    _, outcomes = plan_and_apply(run(api), declared(A), after_an_hour)
    assert [type(outcome) for outcome in outcomes] == [Created]


def test_a_run_creates_and_the_next_has_nothing_to_do() -> None:
    api = Api(Stage())
    assert [type(it) for it in applied(api, A, B)] == [Created, Created]
    assert peace(api, A, B)
    assert names(api) == ["a", "b"]


@pytest.mark.parametrize(
    "fate", [ANSWERED, lost_after(), lost_after(after=20), lost_after(listed_after=20), busy(3)]
)
def test_for_every_fate_of_the_answer_one_job_is_made(fate: Fate) -> None:
    api = Api(Stage())
    api.fates = [fate]
    (outcome,) = applied(api, A)
    assert isinstance(outcome, Created)
    assert peace(api, A)
    assert names(api) == ["a"]


def test_a_run_ends_when_the_list_shows_what_it_made() -> None:
    """A later run without our ledger sees only the list."""
    api = Api(Stage())
    api.fates = [Fate(listed_after=20)]
    applied(api, A)
    assert api.stage.clock.now >= NOW + 20
    api.stage.ledger.lines.clear()
    assert peace(api, A)
    assert names(api) == ["a"]


def test_a_run_does_not_wait_for_the_list_for_ever() -> None:
    api = Api(Stage())
    api.fates = [Fate(listed_after=10_000)]
    applied(api, A)
    assert NOW + 60 <= api.stage.clock.now < NOW + 120
    assert "jobs.not_listed_yet" in api.stage.log.names


def test_a_lost_create_holds_the_next_run_until_the_reported_time() -> None:
    api = Api(Stage())
    api.fates = [lost_before(), lost_before()]
    assert len(applied(api, A)) == 1
    api.fates = [ANSWERED]
    assert [type(it) for it in applied(api, A)] == [Created]
    assert names(api) == ["a"]


def test_a_run_that_died_after_its_create_is_taken_up_by_the_next() -> None:
    api = Api(Stage(), job(A, "j1", op="00000009"))
    api.stage.ledger.append(intended(A, "00000009"))
    assert peace(api, A)
    assert api.stage.log.of("run.previous_interrupted") == [{"earlier_run_id": "r1", "creates": 1}]


def test_a_run_that_died_before_its_create_showed_is_waited_for() -> None:
    api = Api(Stage())
    api.stage.ledger.append(intended(A, "00000009"))
    asked = Asked()
    assert applied(api, A, asked=asked) == ()
    assert asked.shown == [{"a": ("hold - unsettled",)}]
    api.stage.clock.now += 60
    assert [type(it) for it in applied(api, A)] == [Created]


@pytest.mark.parametrize("age", [0, 59])
def test_a_job_that_neither_list_nor_get_shows_yet_is_waited_for(age: float) -> None:
    """Its record may lag as the list does: no message says that it was deleted, or suggests to change `rerun`."""
    api, asked = Api(Stage()), Asked()
    api.stage.ledger.append(created(A, "late", at=NOW - age))
    planned, outcomes = applied_with(api, A, asked=asked)
    assert (outcomes, planned.refusals) == ((), ())
    assert asked.shown == [{"a": ("hold - unsettled",)}]
    (hold,) = planned.plan.of(Hold)
    assert hold.until == NOW - age + 60
    api.stage.clock.now = hold.until
    applied(api, A, asked=asked)
    assert asked.shown[1:] == [{"a": ("hold - record_gone!",)}]
    assert api.jobs == []


@pytest.mark.parametrize("phase", [SUCCEEDED, FAILED])
def test_a_job_that_was_seen_to_end_does_not_lag(phase: Phase) -> None:
    api, asked = Api(Stage()), Asked(agrees=False)
    api.stage.ledger.append(created(A, "seen", at=NOW - 5), ended(A, "seen", phase, at=NOW - 1))
    applied(api, A, asked=asked)
    assert "unsettled" not in str(asked.shown)


def test_how_jobs_ended_is_remembered_once() -> None:
    api = Api(Stage(), job(A, "j1", SUCCEEDED), job(B, "j2", FAILED))
    applied(api, A, B)
    applied(api, A, B)
    assert [line for line in api.stage.ledger.lines if isinstance(line, Ended)] == api.stage.ledger.lines
    assert api.stage.ledger.kinds == ["Ended", "Ended"]
    api.rows.clear()
    api.rows.append(Row(job(remote("x", "9"), "j3", SUCCEEDED)))
    asked = Asked()
    applied(api, A, B, asked=asked)
    assert asked.shown == [{"a": ("keep - record_gone",), "b": ("hold - failed!",)}]


def test_of_two_runners_twins_the_older_stays() -> None:
    theirs = job(A, "a-theirs", age=0)  # of one second, and the smaller id

    class Raced(Api):
        def create_job(self, job: CreateJob) -> Job:
            self.rows.append(Row(theirs))
            return super().create_job(job)

    api = Raced(Stage())
    applied(api, A)
    assert [it.phase.value for it in api.jobs] == ["ACTIVE", "STOPPING"]
    assert peace(api, A)


# A ledger that others see.


def test_creates_are_claimed_before_anything_is_sent() -> None:
    api = Api(Stage())
    api.stage.ledger.shared = True
    applied(api, A, B)
    assert [entry.split()[0] for entry in api.trace if entry[:4] != "list"][:3] == [
        "CreateIntended",
        "CreateIntended",
        "CreateIntended",
    ]
    claims = api.stage.ledger.lines[:2]
    assert all(isinstance(line, CreateIntended) and line.lease == 900 for line in claims)
    assert {line.op for line in claims if isinstance(line, CreateIntended)} == {
        line.op for line in api.stage.ledger.lines if isinstance(line, CreateIntended)
    }
    assert remember(api.stage.ledger.lines, settle_seconds=60).open_creates == ()


def test_a_claim_that_was_not_used_is_taken_back() -> None:
    api = Api(Stage())
    api.stage.ledger.shared = True
    api.fates = [Fate(altered={tags.NAME: "b"}), ANSWERED]
    outcomes = applied(api, A, B)
    assert [type(it).__name__ for it in outcomes] == ["Failed", "Skipped"]
    assert remember(api.stage.ledger.lines, settle_seconds=60).open_creates == ()
    taken_back = [line.op for line in api.stage.ledger.lines if isinstance(line, CreateRefused)]
    assert len(taken_back) == 1  # and not that of the job that was made


def test_a_claim_that_was_refused_is_closed() -> None:
    api = Api(Stage())
    api.stage.ledger.shared = True
    api.fates = [refused()]
    (outcome,) = applied(api, A)
    assert isinstance(outcome, Failed)
    assert remember(api.stage.ledger.lines, settle_seconds=60).open_creates == ()


def test_a_runner_that_was_raced_plans_again_and_does_only_what_was_agreed_to() -> None:
    api, asked = Api(Stage()), Asked()

    def somebody_buys_a() -> None:
        api.rows.append(Row(job(A, "theirs", age=0)))
        api.stage.ledger.lines.append(created(A, "theirs"))

    api.stage.ledger.races = [somebody_buys_a]
    outcomes = applied(api, A, B, asked=asked)
    assert [it.name for it in outcomes] == ["b"]
    assert names(api) == ["a", "b"]
    assert len(asked.shown) == 1
    assert "ledger.conflict" in api.stage.log.names


def test_what_another_runner_has_begun_is_left_to_it_and_the_rest_is_done() -> None:
    api = Api(Stage())
    api.stage.ledger.races = [lambda: api.stage.ledger.lines.append(intended(A, op_of("x")))]
    planned, outcomes = applied_with(api, A, B)
    assert [it.name for it in outcomes] == ["b"]
    assert names(api) == ["b"]
    assert planned.remarks == ("left to the runner that wrote first: create a: now hold (unsettled)",)


def test_a_saved_plan_that_no_longer_holds_does_nothing() -> None:
    api = Api(Stage(), job(A, phase=FAILED))
    saved = applied_with(Api(Stage()), A, B, asked=Asked(agrees=False))[0].document
    with pytest.raises(StalePlanError, match=r"nothing was done: create a: now hold \(failed\)"):
        applied_with(api, A, B, saved=saved)
    assert len(api.jobs) == 1


def test_a_runner_that_is_always_raced_gives_up() -> None:
    api = Api(Stage())
    api.stage.ledger.races = [lambda: None] * 50
    with pytest.raises(LedgerError, match=f"{MAX_ROUNDS} times"):
        applied(api, A)
    assert api.jobs == []


# Lists of several pages.


class Slipping(Api):
    """Just before its second page is read for the first time, a record is deleted and another one made."""

    def list_jobs(self, *, page: int, **rest: object) -> JobPage:
        if page == 1 and "list 1" not in self.trace:
            del self.rows[0]
            self.rows.append(Row(job(STRANGERS, "late", age=0, project="other")))
        return super().list_jobs(page=page, **rest)  # type: ignore[arg-type]


def test_a_job_that_slips_from_one_page_to_the_one_before_is_not_created_again() -> None:
    """The total stays the same, so that only a second look can show it."""
    others = [job(STRANGERS, f"old-{n:03}", SUCCEEDED, age=1000 - n, project="other") for n in range(100)]
    api = Slipping(Stage(), *others, job(A, "ours", age=10), job(STRANGERS, "young", age=5, project="other"))
    assert applied(api, A) == ()
    assert "ours" in {it.id for it in api.jobs}


def test_one_page_is_read_once() -> None:
    api = Api(Stage())
    applied(api, A)
    assert api.trace.index("POST a") == api.trace.index("list 0") + 2


def test_the_commit_of_a_job_is_in_question_under_the_name_that_its_work_has_now() -> None:
    renamed, since = owned(A, "j1", FAILED, commit="c1", age=20), owned(B, "j2", FAILED, commit="c2", age=10)
    moved = structs.replace(renamed, tags=structs.replace(renamed.tags, name=B.name))
    seen = Observed(owned=(moved, since))
    assert gather.commits_in_question(declared(A), seen) == {"c1", "c2"}
