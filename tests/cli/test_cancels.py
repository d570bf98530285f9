"""Who stopped a job: what a person cancelled stays cancelled until `rerun` changes, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cli.stage import HI, Fault, Result, Stage, read_whole

JOBS = "/v1/batch/jobs"
CANCEL = f"{JOBS}/[^/]*/cancel"


def creates(result: Result) -> list[str]:
    return [str(sent) for sent in result.writes if sent.path == JOBS]


def first_job(stage: Stage) -> str:
    return str(stage.jobs()[0]["id"])


def held(result: Result) -> bool:
    return creates(result) == [] and "! hold" in result.out and "restored" not in result.out


def cancelled_by_a_person(stage: Stage) -> None:
    """Work A is submitted, and a person cancels it in the console."""
    stage.spec("tickets", requests=500)
    assert stage.run("apply", "--yes").code == 0
    stage.cancel_in_console(first_job(stage))
    stage.advance(60)
    assert held(stage.run("apply", "--yes"))


def test_a_b_a_does_not_undo_a_persons_cancel(stage: Stage, golden: Callable[..., None]) -> None:
    cancelled_by_a_person(stage)
    stage.spec("tickets", requests=400)
    assert held(stage.run("apply", "--yes")), "neither does an edit"
    stage.spec("tickets", requests=500)
    again = stage.run("apply", "--yes")
    assert held(again)
    golden(again)


def test_a_b_a_does_not_undo_it_while_b_runs(stage: Stage) -> None:
    cancelled_by_a_person(stage)
    stage.spec("tickets", requests=400)
    stage.run("apply", "--yes")
    stage.spec("tickets", requests=500)
    assert creates(stage.run("apply", "--yes")) == []


def test_a_rerun_there_and_back_does_not_undo_a_persons_cancel(stage: Stage) -> None:
    cancelled_by_a_person(stage)
    stage.spec("tickets", requests=500, rerun=2)
    assert len(creates(stage.run("apply", "--yes"))) == 1
    stage.advance(600)
    stage.spec("tickets", requests=500)
    assert held(stage.run("apply", "--yes"))


def test_a_git_revert_does_not_undo_a_persons_cancel(stage: Stage) -> None:
    stage.spec("tickets", requests=500)
    stage.commit("A")
    cancelled_by_a_person(stage)
    stage.spec("tickets", requests=400)
    stage.commit("B")
    stage.run("apply", "--yes")
    stage.advance(600)
    stage.git("revert", "--no-edit", "HEAD")
    assert held(stage.run("apply", "--yes"))


def test_an_apply_of_an_old_commit_does_not_undo_a_persons_cancel(stage: Stage) -> None:
    stage.spec("tickets", requests=500)
    old = stage.commit("A")
    cancelled_by_a_person(stage)
    stage.spec("tickets", requests=400)
    stage.commit("B")
    stage.run("apply", "--yes")
    stage.advance(600)
    stage.git("checkout", "--quiet", old)
    assert held(stage.run("apply", "--yes"))


def test_another_specs_name_does_not_undo_a_persons_cancel(stage: Stage) -> None:
    cancelled_by_a_person(stage)
    stage.spec("tickets", requests=400)
    stage.run("apply", "--yes")
    stage.advance(600)
    (stage.root / "specs/data/tickets.jsonl").rename(stage.root / "specs/data/labels.jsonl")
    stage.spec("tickets", requests=400)
    stage.lines("specs/data/labels.jsonl", 500, text="tickets")
    stage.write(
        "specs/labels.yaml",
        """\
        name: labels
        endpoint: /v1/chat/completions
        model: mistral-small-latest
        input_files: [data/labels.jsonl]
        """,
    )
    assert held(stage.run("apply", "--yes"))


@pytest.mark.parametrize("forget", [False, True])
def test_a_replaced_job_comes_back_by_the_ledger_or_by_its_replacements_tag(
    stage: Stage, *, forget: bool
) -> None:
    stage.spec("tickets", requests=500)
    stage.run("apply", "--yes")
    old = first_job(stage)
    stage.spec("tickets", requests=400, reuse=False)
    replaced = stage.run("apply", "--yes")
    assert f"over={old}" in next(sent.body.decode() for sent in replaced.writes if sent.path == JOBS)
    stage.advance(600)
    if forget:
        stage.forget()
    stage.spec("tickets", requests=500, reuse=False)
    assert "restored" in stage.run("plan").out
    stage.spec("tickets", requests=500)
    assert "submits 100 of 500 requests, reuses 400" in stage.run("plan").out


def test_without_a_ledger_a_later_job_does_not_undo_a_persons_cancel(stage: Stage) -> None:
    cancelled_by_a_person(stage)
    stage.spec("tickets", requests=400)
    stage.run("apply", "--yes")
    stage.advance(600)
    stage.forget()
    stage.spec("tickets", requests=500)
    assert held(stage.run("apply", "--yes"))


def suspended_in_vain(stage: Stage, fault: Fault) -> Result:
    """Our own cancel is intended and does not take effect."""
    stage.spec("tickets", requests=500)
    stage.run("apply", "--yes")
    stage.spec("tickets", requests=500, suspend=True)
    stage.faults.append(fault)
    result = stage.run("apply", "--yes")
    stage.faults.clear()
    return result


@pytest.mark.parametrize("what", [503, "timeout", "reset"])
def test_a_cancel_of_ours_that_the_api_never_accepted_does_not_excuse_a_persons(
    stage: Stage, what: int
) -> None:
    failed = suspended_in_vain(stage, Fault("POST", CANCEL, what, times=99))
    assert failed.code == 5 if what != 503 else failed.code in (1, 5)
    assert stage.live() == ["tickets"]
    stage.cancel_in_console(first_job(stage))
    stage.advance(60)
    stage.run("apply", "--yes")  # still suspended: records how the job has ended
    stage.spec("tickets", requests=500)
    assert held(stage.run("apply", "--yes"))


class Killed(BaseException):
    """The process is gone; nothing after this line runs."""


def test_a_cancel_whose_apply_was_killed_before_it_was_sent_does_not_excuse_a_persons(
    stage: Stage, golden: Callable[..., None]
) -> None:
    import httpx

    class Dies(httpx.BaseTransport):
        def __init__(self, inner: httpx.BaseTransport) -> None:
            self.inner = inner

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/cancel"):
                raise Killed
            return self.inner.handle_request(request)

    from dataclasses import replace

    stage.spec("tickets", requests=500)
    stage.run("apply", "--yes")
    stage.spec("tickets", requests=500, suspend=True)
    with pytest.raises(Killed):
        stage.run("apply", "--yes", env=lambda env: replace(env, wrap_transport=Dies))
    stage.cancel_in_console(first_job(stage))
    stage.advance(60)
    stage.spec("tickets", requests=500)
    resumed = stage.run("apply", "--yes")
    assert held(resumed)
    golden(resumed)


def test_a_cancel_that_the_api_refused_leaves_a_job_that_a_person_may_stop(stage: Stage) -> None:
    suspended_in_vain(stage, Fault("POST", CANCEL, 403, times=99, body=b'{"message":"no"}'))
    stage.cancel_in_console(first_job(stage))
    stage.advance(60)
    stage.spec("tickets", requests=500)
    assert held(stage.run("apply", "--yes"))


def test_a_person_who_cancels_while_the_plan_is_read_has_cancelled(stage: Stage) -> None:
    stage.spec("tickets", requests=500)
    stage.run("apply", "--yes")
    job_id = first_job(stage)
    stage.spec("tickets", requests=500, suspend=True)

    from dataclasses import replace

    import httpx

    class CancelsAfterTheList(httpx.BaseTransport):
        def __init__(self, inner: httpx.BaseTransport) -> None:
            self.inner = inner

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = self.inner.handle_request(request)
            if request.url.path == JOBS:
                answer = read_whole(answer)
                stage.cancel_in_console(job_id)
            return answer

    result = stage.run("apply", "--yes", env=lambda env: replace(env, wrap_transport=CancelsAfterTheList))
    assert result.code == 0
    stage.advance(60)
    stage.spec("tickets", requests=500)
    assert held(stage.run("apply", "--yes"))


def twins(stage: Stage, name: str) -> list[str]:
    """Let a second runner without a common ledger create the same work; return both ids, the oldest first."""
    job = next(job for job in stage.jobs() if job["name"] == name)
    metadata = dict(job["metadata"])
    metadata["reconciler.run"] = metadata["reconciler.run"].replace("op=", "op=f")
    stage.advance(1)
    with stage.console() as client:
        lines = [{"custom_id": str(at), "body": HI} for at in range(500)]
        body = {"model": job["model"], "endpoint": job["endpoint"], "requests": lines, "metadata": metadata}
        made = client.post(JOBS, json=body)
        made.raise_for_status()
        return [str(job["id"]), str(made.json()["id"])]


def test_of_twins_that_a_rerun_waits_for_one_lives_after_the_next_apply(
    stage: Stage, golden: Callable[..., None]
) -> None:
    stage.spec("tickets", requests=500)
    stage.run("apply", "--yes")
    old, young = twins(stage, "tickets")
    stage.spec("tickets", requests=500, rerun=2)
    result = stage.run("apply", "--yes")
    assert [sent.path for sent in result.writes] == [f"{JOBS}/{young}/cancel"]
    assert [job["id"] for job in stage.jobs() if job["status"] in ("QUEUED", "RUNNING")] == [old]
    golden(result)


def test_of_twins_that_changed_work_waits_for_one_lives_after_the_next_apply(stage: Stage) -> None:
    stage.spec("tickets", requests=500, on_change="finish")
    stage.run("apply", "--yes")
    _, young = twins(stage, "tickets")
    stage.spec("tickets", requests=400, on_change="finish")
    result = stage.run("apply", "--yes")
    assert [sent.path for sent in result.writes] == [f"{JOBS}/{young}/cancel"]
