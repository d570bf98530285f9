"""A create submits one job exactly once, even if its answer is lost, late or an error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.api.errors import (
    AuthError,
    MalformedAnswerError,
    OutcomeUnknownError,
    RateLimitedError,
    UnreachableError,
)
from reconciler.api.values import JobPage
from reconciler.errors import LedgerError
from reconciler.execution.create import CreateResult, create_job_once
from reconciler.ledger.fold import remember
from reconciler.ledger.lines import CreateConfirmed, CreateIntended, CreateUnknown
from reconciler.model import InlineRequests, JobSpec, OwnedJob, Source, Tags, Terms, tags
from reconciler.model.inputs import upload_of
from reconciler.planning.actions import Create, Reason
from reconciler.plans.outcomes import Created, Failed, Unknown
from tests.helpers.fakes import (
    ANSWERED,
    Api,
    Fate,
    Stage,
    busy,
    down,
    lost_after,
    lost_before,
    refused,
    run,
    run_in,
)
from tests.helpers.make import HEAD, NOW, PROJECT, job, spec

A: Final = spec("a", metadata={"team": "search"}, timeout_hours=7)
SETTLE: Final = 60.0
INTENT, POST, DONE = "CreateIntended", "POST a", "CreateConfirmed"


def order(of: JobSpec = A, attempt: int = 1) -> Create:
    return Create(spec=of, attempt=attempt, reason=Reason.NEW)


def job_for(*fates: Fate, settle: float = SETTLE, deadline: float = 900.0) -> tuple[Api, CreateResult]:
    api = Api(Stage())
    api.fates = list(fates)
    return api, create_job_once(run(api, settle=settle, deadline=deadline), order(), ("file-1",))


def steps(api: Api) -> list[str]:
    """What was written and sent, without the looking."""
    return [
        entry.rpartition(" ")[0] if entry[:1] == "C" else entry for entry in api.trace if entry[:4] != "list"
    ]


def ops(api: Api) -> set[object]:
    """The ops of all jobs that exist."""
    found = (tags.read(it) for it in api.jobs)
    return {it.tags.op for it in found if isinstance(it, OwnedJob)}


# Answers.


def test_an_answered_create_is_created() -> None:
    api, result = job_for(ANSWERED)
    assert isinstance(result, Created)
    assert not result.recovered
    assert result.job in api.jobs
    assert steps(api) == [INTENT, POST, DONE]
    assert api.stage.clock.slept == []


def test_the_intent_is_durable_before_anything_is_sent() -> None:
    for fates in (
        (ANSWERED,),
        (lost_after(),),
        (lost_before(), ANSWERED),
        (busy(1), ANSWERED),
        (down(), busy(1)),
    ):
        api, _ = job_for(*fates)
        reported = steps(api)
        for at, step in enumerate(reported):
            assert step != POST or reported[at - 1] == INTENT


def test_what_is_sent_is_what_the_spec_says() -> None:
    api, _ = job_for()
    (made,) = api.jobs
    assert (made.endpoint, made.model, made.agent_id, made.input_files) == (
        A.endpoint,
        A.model,
        None,
        ("file-1",),
    )
    read = tags.read(made)
    assert isinstance(read, OwnedJob)
    assert read.tags == Tags(
        project=PROJECT,
        name="a",
        run_key=A.run_key,
        inputs=read.tags.inputs,
        requests=10,
        input_prefixes=read.tags.input_prefixes,
        settings=A.settings,
        attempt=1,
        terms=Terms(max_attempts=2),
        op=read.tags.op,
        on_remove="cancel",
        recipe=A.recipe,
        source=Source(commit=HEAD, actor="ada"),
    )
    assert made.metadata["team"] == "search"


@pytest.mark.parametrize("written", [b"", b'[{"custom_id":"1","body":{}}]'])
def test_requests_in_a_spec_are_uploaded_in_its_order(written: bytes) -> None:
    canonical = b'[{"body":{},"custom_id":"1"}]'
    upload = upload_of(InlineRequests(body=canonical, written=written, count=1), "specs/a.yaml")
    assert upload is not None
    assert upload.content == (written or canonical)[1:-1] + b"\n"


def test_the_outcome_is_recorded() -> None:
    api, result = job_for()
    assert isinstance(result, Created)
    intent, done = api.stage.ledger.lines
    assert isinstance(intent, CreateIntended)
    assert isinstance(done, CreateConfirmed)
    assert (
        intent.op,
        intent.name,
        intent.work,
        intent.attempt,
        intent.reason,
        intent.commit,
        intent.actor,
    ) == (
        result.op,
        "a",
        A.run_key.work,
        1,
        "new",
        HEAD,
        "ada",
    )
    assert (done.op, done.job_id, done.work, done.recovered) == (
        result.op,
        result.job.id,
        A.run_key.work,
        False,
    )


def test_an_op_that_was_claimed_beforehand_is_used() -> None:
    api = Api(Stage())
    claimed = replace(run(api), ops={A.run_key: "f" * 24})
    result = create_job_once(claimed, order(), ())
    assert isinstance(result, Created)
    assert result.op == "f" * 24
    assert ops(api) == {"f" * 24}


def test_two_creates_have_two_ops() -> None:
    api = Api(Stage())
    one = run(api)
    create_job_once(one, order(), ())
    create_job_once(one, order(spec("b", "w2")), ())
    assert len(ops(api)) == 2


def test_a_create_that_is_refused_is_not_repeated() -> None:
    api, result = job_for(refused(AuthError("401: Unauthorized", status=401)))
    assert isinstance(result, Failed)
    assert isinstance(result.error, AuthError)
    assert steps(api) == [INTENT, POST, "CreateRefused"]
    assert api.jobs == []


# Lost answers.


def test_a_create_that_was_accepted_before_its_answer_was_lost_is_recovered() -> None:
    api, result = job_for(lost_after())
    assert isinstance(result, Created)
    assert result.recovered
    assert [it.id for it in api.jobs] == [result.job.id]
    assert steps(api) == [INTENT, POST, DONE]
    assert api.stage.clock.slept == []  # the list showed it at once
    assert api.stage.log.names == ["job.create_unknown"]


def test_an_answer_with_an_unknown_body_is_looked_up_too() -> None:
    api, result = job_for(Fate(error=MalformedAnswerError("an HTML page", status=200)))
    assert isinstance(result, Created)
    assert result.recovered
    assert len(api.jobs) == 1


@pytest.mark.parametrize("seconds", [0.5, 1, 5, 31, 59])
def test_a_list_that_lags_is_waited_for(seconds: float) -> None:
    api, result = job_for(lost_after(listed_after=seconds))
    assert isinstance(result, Created)
    assert result.recovered
    assert len(api.sent("POST")) == 1
    assert sum(api.stage.clock.slept) <= SETTLE


@pytest.mark.parametrize("seconds", [1, 20, 59])
def test_a_create_that_takes_effect_late_is_waited_for(seconds: float) -> None:
    api, result = job_for(lost_after(after=seconds))
    assert isinstance(result, Created)
    assert len(api.jobs) == 1


def test_waits_grow_and_end_with_the_settle_time() -> None:
    api, _ = job_for(lost_before())
    assert api.stage.clock.slept == [1, 2, 4, 8, 15, 15, 15]
    assert sum(api.stage.clock.slept) == SETTLE


def test_a_create_that_never_arrived_is_sent_once_more_with_the_same_op() -> None:
    api, result = job_for(lost_before(), ANSWERED)
    assert isinstance(result, Created)
    assert not result.recovered
    assert steps(api) == [INTENT, POST, INTENT, POST, DONE]
    assert {line.op for line in api.stage.ledger.lines if isinstance(line, CreateIntended)} == {result.op}
    assert api.stage.clock.now >= NOW + SETTLE  # not before it must have settled


def test_the_second_create_may_be_recovered_too() -> None:
    api, result = job_for(lost_before(), lost_after(listed_after=10))
    assert isinstance(result, Created)
    assert result.recovered
    assert len(api.jobs) == 1


def test_the_second_create_may_be_refused() -> None:
    api, result = job_for(lost_before(), refused())
    assert isinstance(result, Failed)
    assert steps(api) == [INTENT, POST, INTENT, POST, "CreateRefused"]


def test_a_lost_create_stays_unknown_if_the_server_takes_no_second_one() -> None:
    api, result = job_for(lost_before(), *[busy(100)] * 50, deadline=900.0)
    assert isinstance(result, Unknown)
    assert api.stage.ledger.kinds[-1] == "CreateUnknown"


def test_what_is_still_lost_after_two_creates_is_unknown() -> None:
    api, result = job_for(lost_before(), lost_before())
    assert isinstance(result, Unknown)
    assert steps(api) == [INTENT, POST, INTENT, POST, "CreateUnknown"]
    assert len(api.sent("POST")) == 2


def test_the_reported_time_is_the_time_until_which_the_next_plan_waits() -> None:
    api, result = job_for(lost_before(), lost_before())
    assert isinstance(result, Unknown)
    memory = remember(api.stage.ledger.lines, settle_seconds=SETTLE)
    assert [memory.settles_at(intent) for intent in memory.open_creates] == [result.until]


def test_nothing_is_sent_again_if_the_whole_list_cannot_be_read() -> None:
    api = Api(Stage())
    api.fates = [lost_before()]
    api.list_faults = [OutcomeUnknownError("502", status=502) for _ in range(50)]
    result = create_job_once(run(api), order(), ())
    assert isinstance(result, Unknown)
    assert len(api.sent("POST")) == 1


def test_a_look_that_fails_does_not_end_the_looking() -> None:
    api = Api(Stage())
    api.fates = [lost_after()]
    api.list_faults = [OutcomeUnknownError("502", status=502), RateLimitedError("429", status=429)]
    result = create_job_once(run(api), order(), ())
    assert isinstance(result, Created)
    assert api.stage.clock.slept == [1, 2]


def test_a_job_beyond_the_newest_page_is_found_in_the_whole_list() -> None:
    others = tuple(job(spec("x", f"x{at}"), f"x{at}", age=-at) for at in range(1, 121))
    api = Api(Stage(), *others)
    api.fates = [lost_after(listed_after=190.0)]
    result = create_job_once(run(api, settle=200.0), order(), ())
    assert isinstance(result, Created)
    assert result.recovered
    assert api.sent("list")[-1] == "list 1"
    assert len(api.sent("POST")) == 1


class Shifting(Api):
    """A list of several pages in which a job is missed once: others were deleted and created meanwhile."""

    missed = False

    def list_jobs(
        self,
        *,
        page: int,
        order_by: Literal["created", "-created"] = "created",
        **query: Any,  # noqa: ANN401 - as in Api
    ) -> JobPage:
        """Return a page; the first one that shows the job has another in its place."""
        shown = super().list_jobs(page=page, order_by=order_by, **query)
        sought = [it for it in shown.jobs if not it.id.startswith("x")]
        if order_by == "-created" or not sought or self.missed:
            return shown
        self.missed = True
        rest = tuple(it for it in shown.jobs if it not in sought)
        return structs.replace(shown, jobs=(*rest, job(spec("x", "other"), "xother", age=-500)))


def test_a_job_that_moved_while_the_whole_list_was_read_is_found() -> None:
    others = tuple(job(spec("x", f"x{at}"), f"x{at}", age=-at) for at in range(1, 121))
    api = Shifting(Stage(), *others)
    api.fates = [lost_after(listed_after=190.0)]
    result = create_job_once(run(api, settle=200.0), order(), ())
    assert api.missed
    assert isinstance(result, Created)
    assert len(api.sent("POST")) == 1


def test_another_creates_job_is_not_recovered() -> None:
    api = Api(Stage(), job(A, "j1", age=0))
    api.fates = [lost_before(), ANSWERED]
    result = create_job_once(run(api), order(), ())
    assert isinstance(result, Created)
    assert result.job.id != "j1"


def test_without_a_settle_time_one_look_decides() -> None:
    api, result = job_for(lost_after(), settle=0.0)
    assert isinstance(result, Created)
    api, result = job_for(lost_before(), ANSWERED, settle=0.0)
    assert isinstance(result, Created)
    assert steps(api) == [INTENT, POST, INTENT, POST, DONE]
    assert api.stage.clock.slept == []


# What certainly did nothing.


def test_a_server_that_is_busy_is_asked_again_when_it_says_so() -> None:
    api, result = job_for(busy(17), ANSWERED)
    assert isinstance(result, Created)
    assert steps(api) == [INTENT, POST, INTENT, POST, DONE]
    (slept,) = api.stage.clock.slept
    assert 17 <= slept < 18
    assert len(ops(api)) == 1


def test_a_server_that_is_busy_is_looked_at_before_it_is_asked_again() -> None:
    api, _ = job_for(busy(1), ANSWERED)
    reported = [entry for entry in api.trace if entry[:4] in ("POST", "list")]
    assert reported == ["POST a", "list 0", "POST a"]


def test_a_busy_answer_to_a_create_that_took_effect_is_recovered() -> None:
    api, result = job_for(replace(busy(1), made=True))
    assert isinstance(result, Created)
    assert result.recovered
    assert len(api.sent("POST")) == 1


def test_a_server_that_is_always_busy_is_given_up() -> None:
    api, result = job_for(*[busy(100)] * 50, deadline=900.0)
    assert isinstance(result, Failed)
    assert isinstance(result.error, RateLimitedError)
    assert 5 < len(api.sent("POST")) <= 9, "as often as the deadline allows"
    assert api.stage.clock.now <= NOW + 900
    assert api.stage.ledger.kinds[-1] == "CreateRefused"


def test_a_connection_that_comes_back_is_used() -> None:
    api, result = job_for(down(), down(), ANSWERED)
    assert isinstance(result, Created)
    assert len(api.jobs) == 1
    assert len(ops(api)) == 1


def test_a_certificate_that_is_not_trusted_is_not_tried_again() -> None:
    api, result = job_for(Fate(error=UnreachableError("certificate", transient=False), made=False))
    assert isinstance(result, Failed)
    assert len(api.sent("POST")) == 1


def test_a_server_that_is_busy_and_then_loses_the_answer_is_looked_up() -> None:
    api, result = job_for(busy(1), lost_after())
    assert isinstance(result, Created)
    assert result.recovered
    assert len(api.jobs) == 1


# The end of a run.


def test_nothing_is_sent_once_the_run_was_asked_to_stop_while_it_waited() -> None:
    api = Api(Stage())
    api.fates = [busy(5), ANSWERED]
    api.stage.clock.wakes = [lambda: setattr(api.stage.stop, "up", True)]
    result = create_job_once(run(api), order(), ())
    assert isinstance(result, Failed)
    assert len(api.sent("POST")) == 1
    assert api.jobs == []


def test_a_lost_create_stays_unknown_once_the_run_was_asked_to_stop() -> None:
    api = Api(Stage())
    api.fates = [lost_before(), ANSWERED]
    api.stage.clock.wakes = [lambda: setattr(api.stage.stop, "up", True)]
    result = create_job_once(run(api), order(), ())
    assert isinstance(result, Unknown)
    assert result.until == NOW + SETTLE
    assert api.stage.clock.slept == [1]  # it looks once and waits no longer
    assert len(api.sent("POST")) == 1
    memory = remember(api.stage.ledger.lines, settle_seconds=SETTLE)
    assert [memory.settles_at(intent) for intent in memory.open_creates] == [NOW + SETTLE]


def test_nothing_is_sent_after_the_deadline() -> None:
    api, result = job_for(lost_before(), ANSWERED, deadline=30.0)
    assert isinstance(result, Unknown)
    assert len(api.sent("POST")) == 1


def test_a_create_that_was_made_before_the_stop_is_still_recovered() -> None:
    api = Api(Stage())
    api.fates = [lost_after(listed_after=0.5)]
    api.stage.clock.wakes = [lambda: setattr(api.stage.stop, "up", True)]
    result = create_job_once(run(api), order(), ())
    assert isinstance(result, Created)


# Tags.


@pytest.mark.parametrize(
    "key", [tags.PROJECT, tags.NAME, tags.WORK, tags.INPUTS, tags.SETTINGS, tags.RUN, tags.SOURCE]
)
@pytest.mark.parametrize("value", [None, "altered"])
def test_tags_that_come_back_altered_are_reported(key: str, value: str | None) -> None:
    api, result = job_for(Fate(altered={key: value}))
    assert isinstance(result, Failed)
    assert f"altered its tag {key}" in str(result.error)
    assert api.stage.ledger.kinds[-1] == DONE  # the job exists, and its id is known


def test_a_recovered_job_with_altered_tags_is_reported_too() -> None:
    _, result = job_for(replace(lost_after(), altered={tags.SOURCE: None}))
    assert isinstance(result, Failed)


def test_the_users_own_metadata_may_come_back_as_the_server_likes() -> None:
    _, result = job_for(Fate(altered={"team": "SEARCH"}))
    assert isinstance(result, Created)


# The ledger.


def test_nothing_is_sent_if_the_intent_cannot_be_made_durable() -> None:
    api = Api(Stage())
    api.stage.ledger.works_for = 0
    result = create_job_once(run(api), order(), ())
    assert isinstance(result, Failed)
    assert isinstance(result.error, LedgerError)
    assert api.sent("POST") == []


def test_nothing_is_sent_again_if_the_intent_cannot_be_made_durable_again() -> None:
    """The outcome of the first create stays unknown too: it may have taken effect although no list shows a job."""
    api = Api(Stage())
    api.fates = [lost_before(), ANSWERED]
    api.stage.ledger.works_for = 1
    assert isinstance(create_job_once(run(api), order(), ()), Unknown)
    assert len(api.sent("POST")) == 1


@pytest.mark.parametrize("fate", [ANSWERED, refused(), lost_after()])
def test_an_outcome_that_cannot_be_written_down_is_still_the_outcome(fate: Fate) -> None:
    api = Api(Stage())
    api.fates = [fate]
    api.stage.ledger.works_for = 1
    result = create_job_once(run(api), order(), ())
    assert isinstance(result, Failed if fate.error and not fate.made else Created)
    assert "ledger.degraded" in api.stage.log.names


# Whatever happens.

fates = st.one_of(
    st.just(ANSWERED),
    st.just(refused()),
    st.just(busy(3)),
    st.just(down()),
    st.just(lost_before()),
    st.builds(
        lost_after, after=st.sampled_from((0.0, 20.0)), listed_after=st.sampled_from((0.0, 20.0, 39.0))
    ),
)


@given(st.lists(fates, max_size=6), st.integers(0, 6))
def test_at_most_one_job_is_ever_made_and_nothing_that_exists_is_denied(
    several: list[Fate], stop_in: int
) -> None:
    api = Api(Stage())
    api.fates = list(several)
    api.stage.clock.wakes = [*[lambda: None] * stop_in, lambda: setattr(api.stage.stop, "up", True)]
    result = create_job_once(run(api), order(), ())
    assert len(api.jobs) <= 1
    assert isinstance(result, Created | Unknown) or not api.jobs
    if isinstance(result, Created):
        assert [it.id for it in api.jobs] == [result.job.id]
    outcomes = [it for it in api.stage.ledger.kinds if it != INTENT]
    assert len(outcomes) == bool(api.sent("POST"))
    memory = remember(api.stage.ledger.lines, settle_seconds=SETTLE)
    assert bool(memory.open_creates) is isinstance(result, Unknown)
    assert set(memory.jobs) == ({it.id for it in api.jobs} if isinstance(result, Created) else set())


def test_a_lost_answer_is_said_with_its_error() -> None:
    api, _ = job_for(lost_before(), lost_before())
    unknown = api.stage.ledger.lines[-1]
    assert isinstance(unknown, CreateUnknown)
    assert unknown.error == "no answer in time"
    assert [facts["error"] for facts in api.stage.log.of("job.create_unknown")] == ["no answer in time"] * 2


def test_a_run_that_has_not_begun_to_apply_creates_nothing() -> None:
    api = Api(Stage())
    result = create_job_once(run_in(api.stage.world(), api), order(), ())
    assert isinstance(result, Failed)
    assert result.unsent
    assert (api.jobs, api.sent("POST")) == ([], [])
