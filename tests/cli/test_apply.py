"""`apply` through the command line, on the sandbox: the jobs that it creates, keeps and cancels, and its messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.model import Ancestry
from reconciler.vcs.git import Git
from tests.cli.stage import Fault, Stage

JOBS = "/v1/batch/jobs"


def creates(result_writes: list[object]) -> list[str]:
    return [str(sent) for sent in result_writes if str(sent).startswith(f"POST {JOBS} ")]


def test_first_apply_creates_and_the_second_changes_nothing(
    stage: Stage, golden: Callable[..., None]
) -> None:
    stage.spec("tickets", metadata={"team": "support"})
    first = stage.run("apply", "--yes")
    stage.advance(1)
    second = stage.run("apply", "--yes")
    golden(first, second)
    assert second.out.count("\n") == 1


def test_changed_input_is_named_and_replaces_the_running_job(
    stage: Stage, golden: Callable[..., None]
) -> None:
    stage.spec("tickets", requests=500, reuse=False)
    stage.run("apply", "--yes")
    stage.advance(2)
    stage.spec("tickets", requests=501, reuse=False)
    planned = stage.run("plan")
    applied = stage.run("apply", "--yes")
    golden(planned, applied)
    order = [sent.path for sent in applied.writes]
    assert order[-1].endswith("/cancel")


def test_removed_spec_is_cancelled(stage: Stage, golden: Callable[..., None]) -> None:
    stage.spec("tickets", requests=500)
    stage.spec("weekly", requests=500)
    stage.run("apply", "--yes")
    stage.advance(2)
    (stage.root / "specs/weekly.yaml").unlink()
    (stage.root / "specs/data/weekly.jsonl").unlink()
    golden(stage.run("apply", "--yes"))
    stage.advance(60)
    assert stage.live() == []


def test_rename_move_and_reordered_inputs_do_nothing(stage: Stage) -> None:
    for part in ("a", "b"):
        stage.lines(f"specs/parts/{part}.jsonl", 20, text=part)
    fields = "endpoint: /v1/chat/completions\nmodel: mistral-small-latest\n"
    rows = "".join(
        f'{{"custom_id": "{part}{n}", "body": {{"messages": [{{"role": "user", "content": "Hi"}}]}}}}\n'
        for part in "ab"
        for n in range(20)
    ).splitlines(keepends=True)
    stage.write("specs/parts/a.jsonl", "".join(rows[:20]))
    stage.write("specs/parts/b.jsonl", "".join(rows[20:]))
    stage.write("specs/one.yaml", f"name: one\n{fields}input_files: [parts/a.jsonl, parts/b.jsonl]\n")
    assert len(creates(list(stage.run("apply", "--yes").writes))) == 1
    (stage.root / "specs/one.yaml").unlink()
    (stage.root / "specs/parts/a.jsonl").rename(stage.root / "specs/parts/z.jsonl")
    stage.write("specs/deep/two.yaml", f"name: two\n{fields}input_files: [../parts/*.jsonl]\n")
    result = stage.run("apply", "--yes")
    assert (result.code, result.writes) == (0, [])
    assert "note: two: submitted as one" in result.out


def test_changed_metadata_creates_nothing_and_is_noted(stage: Stage) -> None:
    stage.spec("tickets", requests=500, metadata={"team": "a"})
    stage.run("apply", "--yes")
    stage.spec("tickets", requests=500, metadata={"team": "b"})
    result = stage.run("apply", "--yes")
    assert (result.code, result.writes) == (0, [])
    assert "settings changed" in result.out


def test_one_path_is_a_selection_and_cancels_nothing(stage: Stage) -> None:
    stage.spec("one", requests=500)
    stage.spec("two", requests=500)
    stage.run("apply", "--yes")
    for name in ("two.yaml", "data/two.jsonl"):
        (stage.root / "specs" / name).unlink()
    result = stage.run("apply", "specs/one.yaml", "--yes")
    assert (result.code, result.writes) == (0, [])
    assert "1 spec selected; 1 job not considered" in result.out
    assert stage.live() == ["one", "two"]


def test_old_checkout_leaves_the_newer_job_alone_and_says_so(stage: Stage) -> None:
    stage.spec("old", requests=500)
    before = stage.commit("one spec")
    stage.spec("new", requests=500)
    after = stage.commit("another person's new spec")
    stage.run("apply", "--yes")
    stage.git("checkout", "--quiet", before)
    result = stage.run("apply", "--yes")
    assert (result.code, result.writes) == (0, [])
    assert f"created from commit {after[:10]}, which this checkout does not contain" in result.out
    assert stage.live() == ["new", "old"]


def test_old_checkout_creates_nothing_for_a_name_that_a_newer_one_has_created(stage: Stage) -> None:
    stage.spec("tickets", requests=5)
    before = stage.commit("five requests")
    stage.spec("tickets", requests=4)
    stage.commit("four requests")
    stage.run("apply", "--yes")
    stage.advance(60)
    stage.git("checkout", "--quiet", before)
    result = stage.run("apply", "--yes")
    assert (result.code, result.writes) == (0, [])
    assert "which is newer than this checkout" in result.out


def test_only_its_whole_name_makes_a_commit_one_of_this_checkout(stage: Stage) -> None:
    first = stage.commit("one")
    second = stage.commit("two")
    words = {first, first[:12], first.upper(), "HEAD", "main"}
    assert Git(stage.root).ancestry(words) == Ancestry(contained=frozenset({first}))
    stage.git("checkout", "--quiet", first)
    assert Git(stage.root).ancestry({second, second[:12], "main"}) == Ancestry(
        contained=frozenset(), descendants=frozenset({second})
    )


def test_squashed_commit_holds_nothing_that_is_to_be_created(stage: Stage) -> None:
    stage.spec("tickets", requests=3)
    base = stage.commit("three requests")
    stage.spec("tickets", requests=4)
    stage.commit("four requests, on a branch")
    stage.run("apply", "--yes")
    stage.advance(60)
    stage.git("reset", "--quiet", "--soft", base)
    stage.commit("the same, squashed")
    stage.spec("tickets", requests=5)
    stage.commit("five requests")
    result = stage.run("apply", "--yes")
    assert len(creates(list(result.writes))) == 1


def test_accepted_create_with_a_lost_answer_is_recovered(stage: Stage, golden: Callable[..., None]) -> None:
    stage.spec("tickets")
    stage.faults.append(Fault("POST", JOBS, 502, "after"))
    result = stage.run("apply", "--yes")
    golden(result)
    assert len(stage.jobs()) == 1


@pytest.mark.parametrize("what", [502, "reset", "timeout"])
def test_create_that_never_arrived_is_sent_once_more_with_the_same_op(stage: Stage, what: int) -> None:
    stage.spec("tickets")
    stage.faults.append(Fault("POST", JOBS, what, "before"))
    result = stage.run("apply", "--yes")
    assert result.code == 0
    sent = [sent.body for sent in result.writes if sent.path == JOBS]
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert len(stage.jobs()) == 1


def test_create_that_stays_lost_is_unknown_and_exit_5(stage: Stage) -> None:
    stage.spec("tickets")
    stage.faults.append(Fault("POST", JOBS, 503, "before", times=99))
    result = stage.run("apply", "--yes")
    assert result.code == 5
    assert "run again after" in result.out
    assert "1 unknown" in result.out


@pytest.mark.parametrize("what", [429, "refused"])
def test_create_that_certainly_did_nothing_is_repeated(stage: Stage, what: int) -> None:
    stage.spec("tickets")
    stage.faults.append(Fault("POST", JOBS, what, "before", headers={"Retry-After": "3"}))
    result = stage.run("apply", "--yes")
    assert result.code == 0
    assert len(stage.jobs()) == 1


def test_rejected_create_fails_alone(stage: Stage, golden: Callable[..., None]) -> None:
    stage.spec("one")
    stage.spec("two")
    body = b'{"object":"error","message":"Batch billing is not enabled","type":"invalid_request_error"}'
    stage.faults.append(Fault("POST", JOBS, 402, body=body))
    result = stage.run("apply", "--yes")
    golden(result)
    assert result.code == 5


def test_replacement_that_fails_cancels_nothing(stage: Stage) -> None:
    stage.spec("tickets", requests=500, reuse=False)
    stage.run("apply", "--yes")
    stage.spec("tickets", requests=501, reuse=False)
    stage.faults.append(Fault("POST", JOBS, 422, body=b'{"detail":"no"}'))
    result = stage.run("apply", "--yes")
    assert result.code == 1
    assert "the job that replaces it was not created" in result.out
    assert stage.live() == ["tickets"]


def test_a_job_whose_replacement_may_exist_is_kept_and_the_reason_says_so(stage: Stage) -> None:
    stage.spec("tickets", requests=500, reuse=False)
    stage.run("apply", "--yes")
    stage.spec("tickets", requests=501, reuse=False)
    stage.faults.append(Fault("POST", JOBS, "timeout", times=99))
    result = stage.run("apply", "--yes")
    assert result.code == 5
    assert "the job that replaces it may not have been created" in result.out
    assert stage.live() == ["tickets"]


def test_cancel_of_a_job_that_ended_meanwhile_is_a_success(stage: Stage) -> None:
    stage.spec("tickets", requests=500)
    stage.spec("other")
    stage.run("apply", "--yes")
    stage.advance(2)
    for name in ("tickets.yaml", "data/tickets.jsonl"):
        (stage.root / "specs" / name).unlink()
    saved = stage.run("plan", "-o", "plan.json")
    assert saved.code == 0
    stage.faults.append(Fault("POST", f"{JOBS}/.*/cancel", 409, body=b'{"message":"job has ended"}'))
    stage.faults.append(Fault("GET", "/nothing", 500))
    # It ends between the listing and the cancel: the sandbox's clock jumps with the refused request.
    original = stage.clock

    def jump() -> float:
        cancelled = any(fault.times == 0 for fault in stage.faults[:1])
        return original + (60 if cancelled else 0)

    from dataclasses import replace

    result = stage.run("apply", "--yes", env=lambda env: replace(env, now=jump))
    assert result.code == 0
    assert "had ended" in result.out


def test_without_yes_and_without_a_terminal_nothing_is_asked_of_the_api(stage: Stage) -> None:
    stage.spec("tickets")
    result = stage.run("apply")
    assert (result.code, result.sent) == (64, [])
    assert "--yes" in result.err


def test_altered_tags_stop_all_creates(stage: Stage) -> None:
    for name in ("a", "b", "c"):
        stage.spec(name)
    body = (
        b'{"id":"11111111-0000-4000-8000-000000000000","object":"batch","input_files":[],"endpoint":"/v1/x",'
        b'"errors":[],"status":"QUEUED","created_at":1,"total_requests":0,"completed_requests":0,'
        b'"succeeded_requests":0,"failed_requests":0,"metadata":{"reconciler.project":"shop"}}'
    )
    stage.faults.append(Fault("POST", JOBS, 200, body=body))
    result = stage.run("apply", "--yes")
    assert result.code == 5
    assert "altered its tag" in result.out
    assert "1 created with altered tags, 2 not done" in result.out
    assert len([sent for sent in result.writes if sent.path == JOBS]) == 1


def test_ledger_deleted_between_runs_changes_nothing(stage: Stage) -> None:
    stage.spec("tickets", requests=500)
    stage.run("apply", "--yes")
    stage.forget()
    result = stage.run("apply", "--yes")
    assert (result.code, result.writes) == (0, [])


@pytest.mark.needs_ledger(
    "the job is on hold as `cancelled`, because the tool cannot know that it cancelled it"
)
def test_suspended_then_resumed_is_restored(stage: Stage) -> None:
    stage.spec("tickets", requests=500)
    stage.run("apply", "--yes")
    stage.spec("tickets", requests=500, suspend=True)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    stage.spec("tickets", requests=500)
    result = stage.run("plan")
    assert "restored" in result.out


def test_job_stopped_by_hand_stays_stopped(stage: Stage) -> None:
    stage.spec("tickets", requests=500)
    stage.run("apply", "--yes")
    job_id = str(stage.jobs()[0]["id"])
    assert stage.run("jobs", "cancel", job_id, "--yes").code == 0
    stage.advance(60)
    result = stage.run("apply", "--yes")
    assert result.writes == []
    by_command = "! hold    tickets  cancelled with `jobs cancel` · to go on with what has no answer"
    assert (by_command in result.out) is not stage.forgetful
    stage.forget()
    assert (
        "! hold    tickets  cancelled by hand, or by a run whose record is missing" in stage.run("plan").out
    )
    stage.spec("tickets", requests=500, rerun=2)
    assert len(creates(list(stage.run("apply", "--yes").writes))) == 1
