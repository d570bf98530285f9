"""Execution of a plan: creates come before cancels, every action has an outcome, and no other action is taken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from msgspec.structs import replace

from reconciler.api.errors import ApiError, NotFoundError, OutcomeUnknownError, RejectedError
from reconciler.api.values import CreateJob
from reconciler.errors import ExitCode, LedgerError, ReconcilerError
from reconciler.execution.apply import Applier
from reconciler.execution.cancel import cancel_job
from reconciler.ledger.fold import remember
from reconciler.ledger.lines import CancelIntended
from reconciler.ledger.memory import Memory
from reconciler.model import Job, JobSpec, Phase, UploadedFile, tags
from reconciler.planning.actions import Cancel, Create, Plan
from reconciler.planning.planner import plan
from reconciler.plans.outcomes import Cancelled, Created, Failed, Outcome, Skipped, Unknown, exit_codes
from tests.helpers.fakes import (
    ANSWERED,
    Api,
    Fate,
    Stage,
    lost_after,
    lost_before,
    refused,
    run,
)
from tests.helpers.make import (
    ACTIVE,
    CANCELLED,
    FAILED,
    HEAD,
    NOW,
    STOPPING,
    SUCCEEDED,
    TIMED_OUT,
    UNKNOWN,
    declared,
    job,
    seen,
    spec,
)
from tests.helpers.worlds import World as Generated
from tests.helpers.worlds import worlds

FILE: Final = "0f9d1b6e-0000-4000-8000-00000000000"


def remote(name: str, work: str) -> JobSpec:
    """A spec whose input is uploaded already."""
    return spec(name, inputs=(UploadedFile(id=f"{FILE}{work}"),))


A, B = remote("a", "1"), remote("b", "2")
OLD: Final = remote("a", "0")
NOWHERE: Final = Path("nowhere")


def applied(api: Api, *specs: JobSpec, root: Path = NOWHERE, settle: float = 60.0) -> tuple[Outcome, ...]:
    decided = plan(declared(*specs), seen(specs, *api.jobs), Memory(), now=NOW)
    return Applier(run(api, settle=settle, root=root)).apply(decided)


def reported(outcomes: Sequence[Outcome]) -> list[str]:
    words = []
    for it in outcomes:
        match it:
            case Created():
                words.append(f"{'recovered' if it.recovered else 'created'} {it.name}")
            case Cancelled():
                words.append(f"cancelled {it.job.id}{' too late' if it.too_late else ''}")
            case Failed() | Unknown() | Skipped():
                words.append(f"{type(it).__name__.lower()} {it.action} {it.name}")
    return words


def codes(outcomes: Sequence[Outcome]) -> set[ExitCode]:
    return exit_codes(outcomes)


# Whole plans.


def test_nothing_to_do_sends_nothing() -> None:
    api = Api(Stage(), job(A))
    assert applied(api, A) == ()
    assert api.trace == []


def test_a_plan_is_carried_out_in_its_order() -> None:
    api = Api(Stage(), job(remote("gone", "9"), "j9"), job(OLD, "j0"))
    outcomes = applied(api, A, B)
    assert reported(outcomes) == ["created a", "cancelled j0", "created b", "cancelled j9"]
    assert codes(outcomes) == {ExitCode.OK}


def test_a_replacement_is_created_before_the_old_job_is_cancelled() -> None:
    api = Api(Stage(), job(OLD, "j0"))
    applied(api, A)
    assert [entry for entry in api.trace if entry[:4] in ("POST", "canc")] == ["POST a", "cancel j0"]


@pytest.mark.parametrize(
    ("fates", "outcome"),
    [
        ((refused(),), "failed create a"),
        ((lost_before(), lost_before()), "unknown create a"),
        ((Fate(altered={tags.RUN: None}),), "failed create a"),
    ],
)
def test_the_old_job_runs_on_if_its_replacement_was_not_created(
    fates: tuple[Fate, ...], outcome: str
) -> None:
    api = Api(Stage(), job(OLD, "j0"))
    api.fates = list(fates)
    outcomes = applied(api, A)
    assert reported(outcomes) == [outcome, "skipped cancel a"]
    assert api.jobs[0].phase is ACTIVE
    assert api.sent("cancel") == []


def in_turn(api: Api, wanted: JobSpec) -> Plan:
    """A replacement for which there is no room beside the old job."""
    decided = plan(declared(wanted), seen((wanted,), *api.jobs), Memory(), now=NOW)
    (decision,) = decided.decisions
    actions = tuple(
        replace(action, cancel_before_create=True) if isinstance(action, Cancel) else action
        for action in decision.actions
    )
    return replace(decided, decisions=(replace(decision, actions=actions),))


def test_without_room_for_both_the_old_job_is_cancelled_first_and_has_stopped_before_the_create() -> None:
    api = Api(Stage(), job(OLD, "j0"))
    api.stage.clock.wakes = [lambda: None, lambda: api.end("j0", CANCELLED)]
    outcomes = Applier(run(api)).apply(in_turn(api, A))
    assert reported(outcomes) == ["cancelled j0", "created a"]
    assert [it for it in api.trace if it[:3] in ("POS", "can", "get")] == [
        "get j0",
        "cancel j0",
        "get j0",
        "get j0",
        "POST a",
    ]
    assert api.stage.clock.slept == [1.0, 2.0]


def test_nothing_is_cancelled_first_if_the_input_of_its_replacement_cannot_be_sent() -> None:
    api = Api(Stage(), job(OLD, "j0"))
    outcomes = Applier(run(api)).apply(in_turn(api, spec("a", "w1")))
    assert reported(outcomes) == ["skipped create a", "skipped cancel a"]
    assert isinstance(outcomes[0], Skipped)
    assert outcomes[0].why.startswith("its input could not be uploaded: ")
    assert api.sent("cancel") == []


def test_nothing_is_created_if_the_job_that_it_replaces_could_not_be_cancelled_first() -> None:
    api = Api(Stage(), job(OLD, "j0"))
    api.cancel_faults["j0"] = (RejectedError("403", status=403), False)
    outcomes = Applier(run(api)).apply(in_turn(api, A))
    assert reported(outcomes) == ["failed cancel a", "skipped create a"]
    assert api.sent("POST") == []


def test_nothing_is_created_while_what_it_replaces_has_not_stopped() -> None:
    api = Api(Stage(), job(OLD, "j0"))
    outcomes = Applier(run(api, deadline=120)).apply(in_turn(api, A))
    assert reported(outcomes) == ["cancelled j0", "skipped create a"]
    assert isinstance(outcomes[1], Skipped)
    assert outcomes[1].why == "j0, which it replaces, has not stopped yet: run again"
    assert 120 <= api.stage.clock.monotonic() - 1000 < 121
    assert codes(outcomes) == {ExitCode.PARTIAL}


def test_the_old_job_is_cancelled_if_its_replacement_was_recovered() -> None:
    api = Api(Stage(), job(OLD, "j0"))
    api.fates = [lost_after()]
    assert reported(applied(api, A)) == ["recovered a", "cancelled j0"]


def test_failures_of_one_name_do_not_stop_another() -> None:
    api = Api(Stage(), job(remote("gone", "9"), "j9"))
    api.fates = [refused(), ANSWERED]
    outcomes = applied(api, A, B)
    assert reported(outcomes) == ["failed create a", "created b", "cancelled j9"]
    assert codes(outcomes) == {ExitCode.PARTIAL}


def test_an_unknown_create_says_until_when() -> None:
    api = Api(Stage())
    api.fates = [lost_before(), lost_before()]
    (outcome,) = applied(api, A)
    assert isinstance(outcome, Unknown)
    assert outcome.until == api.stage.clock.now


def test_what_was_created_is_reported_with_its_job_and_its_op() -> None:
    api = Api(Stage())
    (outcome,) = applied(api, A)
    assert isinstance(outcome, Created)
    assert outcome.job == api.jobs[0]
    assert f"op={outcome.op}" in str(api.jobs[0].metadata[tags.RUN])
    (facts,) = api.stage.log.of("job.created")
    assert (facts["name"], facts["job_id"], facts["op"], facts["reason"], facts["attempt"]) == (
        "a",
        outcome.job.id,
        outcome.op,
        "new",
        1,
    )


@given(worlds())
def test_every_create_and_cancel_of_a_plan_has_one_outcome(world: Generated) -> None:
    api = Api(Stage(), *world.jobs)
    decided = world.plan()
    applier = Applier(run(api))
    outcomes = applier.apply(decided)
    assert len(outcomes) == len(decided.of(Create)) + len(decided.of(Cancel))
    # The files are not there, so nothing is created, and what would be replaced runs on.
    assert api.sent("POST") == []
    stays = {it.name for it in decided.decisions if it.of(Create)}
    stopped = {entry.removeprefix("cancel ") for entry in api.sent("cancel")}
    assert stopped == {
        cancel.owned.job.id for it in decided.decisions if it.name not in stays for cancel in it.of(Cancel)
    }


# Altered tags.


def test_tags_that_come_back_altered_stop_all_further_creates() -> None:
    specs = tuple(remote(name, str(at)) for at, name in enumerate("abcd"))
    api = Api(Stage(), job(remote("gone", "9"), "j9"))
    api.fates = [ANSWERED, Fate(altered={tags.NAME: "other"})]
    outcomes = applied(api, *specs)
    assert reported(outcomes) == [
        "created a",
        "failed create b",
        "skipped create c",
        "skipped create d",
        "cancelled j9",
    ]
    assert len(api.sent("POST")) == 2
    assert [facts["key"] for facts in api.stage.log.of("job.tags_altered")] == [tags.NAME]


def test_a_job_whose_tags_were_altered_was_written_all_the_same() -> None:
    api = Api(Stage())
    api.fates = [Fate(altered={tags.NAME: "other"})]
    outcomes = applied(api, A)
    assert len(api.jobs) == 1
    assert codes(outcomes) == {ExitCode.PARTIAL}  # and not "nothing was written"


# Cancels.


def test_a_cancel_is_on_the_record_before_it_is_sent() -> None:
    api = Api(Stage(), job(A))
    assert reported(applied(api)) == ["cancelled j1"]
    assert api.trace == ["get j1", "CancelIntended j1", "cancel j1", "CancelEnded j1"]
    intent = api.stage.ledger.lines[0]
    assert isinstance(intent, CancelIntended)
    assert (intent.name, intent.reason, intent.commit, intent.actor) == ("a", "removed", HEAD, "ada")
    assert remember(api.stage.ledger.lines, settle_seconds=60).cancels == {"j1": "removed"}


@pytest.mark.parametrize("phase", [SUCCEEDED, FAILED, TIMED_OUT])
@pytest.mark.parametrize(
    "error", [RejectedError("409: it has ended", status=409), OutcomeUnknownError("502")]
)
def test_a_cancel_of_a_job_that_has_ended_is_a_success_that_says_so(phase: Phase, error: ApiError) -> None:
    api = Api(Stage(), job(A))
    decided = plan(declared(), seen((), *api.jobs), Memory(), now=NOW)
    api.end("j1", phase)
    api.cancel_faults = {"j1": (error, False)}
    outcomes = Applier(run(api)).apply(decided)
    assert reported(outcomes) == ["cancelled j1 too late"]
    assert codes(outcomes) == {ExitCode.OK}


@pytest.mark.parametrize("phase", [STOPPING, CANCELLED])
def test_a_cancel_whose_answer_was_lost_took_effect_if_the_job_says_so(phase: Phase) -> None:
    api = Api(Stage(), job(A))
    decided = plan(declared(), seen((), *api.jobs), Memory(), now=NOW)
    api.end("j1", phase)
    api.cancel_faults = {"j1": (OutcomeUnknownError("502"), True)}
    assert reported(Applier(run(api)).apply(decided)) == ["cancelled j1"]
    assert api.sent("get") == ["get j1"]


@pytest.mark.parametrize("phase", [ACTIVE, UNKNOWN])
def test_a_cancel_that_was_refused_while_the_job_runs_on_has_failed(phase: Phase) -> None:
    api = Api(Stage(), job(A))
    decided = plan(declared(), seen((), *api.jobs), Memory(), now=NOW)
    api.end("j1", phase)
    api.cancel_faults = {"j1": (RejectedError("403: Forbidden", status=403), False)}
    outcomes = Applier(run(api)).apply(decided)
    assert reported(outcomes) == ["failed cancel a"]
    assert codes(outcomes) == {ExitCode.FAILED}
    assert remember(api.stage.ledger.lines, settle_seconds=60).cancels == {}
    assert api.stage.log.names == ["job.cancel_failed"]


def test_a_cancel_of_an_unknown_job_has_failed() -> None:
    api = Api(Stage())
    with pytest.raises(NotFoundError):
        cancel_job(run(api), job(A), name="a", reason="by_hand")
    assert api.trace == ["get j1"]


class StopsMeanwhile(Api):
    """A job that stops between the look at it and the cancel, which fails."""

    becomes = CANCELLED

    def cancel_job(self, job_id: str) -> Job:
        self.trace.append(f"cancel {job_id}")
        self.end(job_id, self.becomes)
        raise OutcomeUnknownError("503", transient=True)


@pytest.mark.parametrize("phase", [STOPPING, CANCELLED, SUCCEEDED])
def test_a_cancel_that_failed_is_not_repeated_and_not_ours_if_the_job_has_stopped(phase: Phase) -> None:
    api = StopsMeanwhile(Stage(), job(A))
    api.becomes = phase
    assert codes(applied(api)) == {ExitCode.OK}
    assert api.sent("cancel") == ["cancel j1"]
    assert remember(api.stage.ledger.lines, settle_seconds=60).cancels == {}


def test_a_cancel_that_failed_is_repeated_after_a_look_at_the_job() -> None:
    api = Api(Stage(), job(A))
    api.cancel_faults = {"j1": (OutcomeUnknownError("503", transient=True), False)}
    api.stage.clock.wakes = [api.cancel_faults.clear]
    assert reported(applied(api)) == ["cancelled j1"]
    assert [it for it in api.trace if it.startswith(("get", "cancel"))] == [
        "get j1",
        "cancel j1",
        "get j1",
        "cancel j1",
    ]
    assert remember(api.stage.ledger.lines, settle_seconds=60).cancels == {"j1": "removed"}


def test_a_cancel_that_finds_the_job_cancelled_is_not_ours() -> None:
    class Late(Api):
        def cancel_job(self, job_id: str) -> Job:
            self.end(job_id, CANCELLED)
            return self.get_job(job_id)

    api = Late(Stage(), job(A))
    assert reported(applied(api)) == ["cancelled j1"]
    assert remember(api.stage.ledger.lines, settle_seconds=60).cancels == {}


def test_a_cancel_is_not_sent_if_its_intent_cannot_be_made_durable() -> None:
    api = Api(Stage(), job(A))
    api.stage.ledger.works_for = 0
    outcomes = applied(api)
    assert reported(outcomes) == ["failed cancel a"]
    assert api.sent("cancel") == []


def test_a_cancel_whose_outcome_cannot_be_written_down_is_still_a_cancel() -> None:
    api = Api(Stage(), job(A))
    api.stage.ledger.works_for = 1
    assert reported(applied(api)) == ["cancelled j1"]
    assert api.stage.log.names == ["ledger.degraded", "job.cancelled"]


def test_a_cancel_by_hand_is_on_the_record_too() -> None:
    api = Api(Stage(), job(A))
    left = cancel_job(run(api), api.jobs[0], name="a", reason="by_hand")
    assert left.phase is STOPPING
    assert remember(api.stage.ledger.lines, settle_seconds=60).cancels == {"j1": "by_hand"}


# The ledger and the wish to stop.


def test_a_create_is_not_sent_if_its_intent_cannot_be_made_durable() -> None:
    api = Api(Stage())
    api.stage.ledger.works_for = 0
    (outcome,) = applied(api, A)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, LedgerError)
    assert api.jobs == []
    assert codes([outcome]) == {ExitCode.FAILED}


def test_nothing_is_begun_once_the_run_was_asked_to_stop() -> None:
    api = Api(Stage(), job(OLD, "j0"), job(remote("gone", "9"), "j9"))
    api.stage.stop.up = True
    outcomes = applied(api, A, B)
    assert reported(outcomes) == [
        "skipped create a",
        "skipped cancel a",
        "skipped create b",
        "skipped cancel gone",
    ]
    assert api.trace == []


def test_what_is_under_way_is_finished_once_the_run_was_asked_to_stop() -> None:
    class Interrupted(Api):
        def create_job(self, job: CreateJob) -> Job:
            self.stage.stop.up = True
            return super().create_job(job)

    api = Interrupted(Stage())
    outcomes = applied(api, A, B)
    assert reported(outcomes) == ["created a", "skipped create b"]
    assert api.stage.ledger.kinds == ["CreateIntended", "CreateConfirmed"]
    assert codes(outcomes) == {ExitCode.PARTIAL}


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ((), ExitCode.OK),
        ((Created,), ExitCode.OK),
        ((Cancelled,), ExitCode.OK),
        ((Created, Failed), ExitCode.PARTIAL),
        ((Cancelled, Skipped), ExitCode.PARTIAL),
        ((Unknown,), ExitCode.PARTIAL),
        ((Failed,), ExitCode.FAILED),
        ((Skipped,), ExitCode.FAILED),
        ((Failed, Skipped), ExitCode.FAILED),
    ],
)
def test_the_outcomes_say_how_the_command_ends(kinds: tuple[type[Outcome], ...], code: ExitCode) -> None:
    error = ReconcilerError("no")
    made: dict[type[Outcome], Outcome] = {
        Created: Created(name="a", job=job(A), op="o", recovered=False),
        Cancelled: Cancelled(name="a", job=job(A)),
        Failed: Failed(name="a", action="create", error=error),
        Unknown: Unknown(name="a", action="create", error=error, until=None),
        Skipped: Skipped(name="a", action="create", why="so"),
    }
    assert exit_codes([made[kind] for kind in kinds]) == {code}
