"""Lines of the ledger that no run wrote, through the command line: what they may do, and the way out of each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from reconciler.environment import Environment
from reconciler.ledger.line_format import encode
from reconciler.ledger.lines import CancelEnded, CancelIntended, CreateIntended, Line, NotificationClaimed
from reconciler.model.jobs import END_OF_TIME
from tests.cli.stage import Result, Sent, Stage
from tests.cli.team import Team

NEVER = END_OF_TIME - 1


def pair(job_id: str, reason: str = "removed") -> tuple[Line, Line]:
    """A cancel of ours that never was."""
    intended = CancelIntended(
        at=1.0, run_id="4711", job_id=job_id, name="tickets", reason=reason, actor="ada"
    )
    return intended, CancelEnded(at=2.0, run_id="4711", job_id=job_id, status="CANCELLED")


def forge(stage: Stage, *rows: str) -> Path:
    """Append rows to the ledger of the sandbox."""
    (file,) = (stage.root / ".reconciler").rglob("ledger.jsonl")
    with file.open("a") as ledger:
        ledger.writelines(f"{row}\n" for row in rows)
    return file


def creates(result: Result) -> list[Sent]:
    return [sent for sent in result.writes if sent.path == "/v1/batch/jobs"]


def stopped_by_a_person(stage: Stage) -> str:
    """A job of ours that a person cancelled in the console; its id."""
    stage.spec("tickets", requests=400)
    assert stage.run("apply", "--yes").code == 0
    job_id = str(stage.jobs()[0]["id"])
    stage.cancel_in_console(job_id)
    stage.advance(60)
    assert "cancelled by hand" in stage.run("plan").out
    return job_id


class Asked(Environment):
    """An environment with a terminal to ask on."""

    def terminal(self, stream: str) -> bool:
        return stream == "stdin"


def on_terminal(given: Environment) -> Environment:
    return Asked(**{name: getattr(given, name) for name in Environment.__dataclass_fields__})


def doubts(result: Result) -> list[object]:
    return [event["problem"] for event in result.events if event["event"] == "ledger.doubted"]


def test_a_forged_cancel_submits_nothing_unattended(stage: Stage, golden: Callable[..., None]) -> None:
    forge_at = stopped_by_a_person(stage)
    forge(stage, *map(encode, pair(forge_at)))
    planned, applied = stage.run("plan"), stage.run("apply", "--yes")
    assert creates(applied) == []
    waited = stage.run("apply", "--yes", "--wait", "--fail-on-attention")
    assert (waited.code, creates(waited)) == (6, [])
    golden(planned, applied)


def test_a_forged_cancel_is_believed_by_who_agrees_to_the_saved_plan_once(
    stage: Stage, golden: Callable[..., None]
) -> None:
    forge(stage, *map(encode, pair(stopped_by_a_person(stage))))
    planned = stage.run("plan", "-o", "plan.json", "--format", "markdown")
    applied = stage.run("apply", "plan.json")
    assert len(creates(applied)) == 1
    assert creates(stage.run("apply", "plan.json")) == []
    golden(planned, applied)


def test_a_forged_cancel_is_believed_by_who_says_yes_once(
    stage: Stage, golden: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    forge(stage, *map(encode, pair(stopped_by_a_person(stage))))
    answers = [False, True]
    monkeypatch.setattr("click.confirm", lambda *_, **__: answers.pop(0))
    declined = stage.run("apply", env=on_terminal)
    agreed = stage.run("apply", env=on_terminal)
    assert (len(creates(declined)), len(creates(agreed))) == (0, 1)
    assert creates(stage.run("apply", "--yes")) == []
    golden(declined, agreed)


def test_the_plan_as_json_says_on_whose_word_a_create_rests(stage: Stage) -> None:
    forge(stage, *map(encode, pair(stopped_by_a_person(stage))))
    document = json.loads(stage.run("plan", "--format", "json").out)
    ((create,),) = [decision["actions"] for decision in document["plan"]["decisions"]]
    assert (create["reason"], create["rests_on_ledger"]) == ("restored", "cancelled by ada, run 4711")


def test_a_plan_that_was_saved_before_the_lines_were_forged_is_no_agreement(stage: Stage) -> None:
    stage.spec("tickets", requests=400)
    stage.run("plan", "-o", "plan.json")
    stage.run("apply", "--yes")
    job_id = str(stage.jobs()[0]["id"])
    stage.cancel_in_console(job_id)
    stage.advance(60)
    forge(stage, *map(encode, pair(job_id)))
    result = stage.run("apply", "plan.json")
    assert (result.code, creates(result)) == (4, [])
    assert "hold (not_agreed)" in result.err


def test_a_cancel_of_ours_needs_an_agreement_too_unless_a_tag_shows_it(
    stage: Stage,
) -> None:
    """A job names the one that it replaced in its tags. Nothing but the ledger shows who cancelled a suspended one."""
    stage.spec("tickets", requests=400, model="sandbox-stuck", reuse=False)
    stage.run("apply", "--yes")
    stage.spec("tickets", requests=500, model="sandbox-stuck", reuse=False)
    stage.run("apply", "--yes")
    stage.advance(60)
    stage.spec("tickets", requests=400, model="sandbox-stuck", reuse=False)
    result = stage.run("apply", "--yes")
    assert "restored" in result.out
    assert len(creates(result)) == 1
    stage.advance(60)
    stage.spec("tickets", requests=400, model="sandbox-stuck", reuse=False, suspend=True)
    stage.run("apply", "--yes")
    stage.advance(60)
    stage.spec("tickets", requests=400, model="sandbox-stuck", reuse=False)
    result = stage.run("apply", "--yes")
    assert creates(result) == []
    assert "only by the ledger: cancelled by ada, run " in result.out


def claim(stage: Stage, at: float, lease: float) -> str:
    """A claim of the work of `tickets`."""
    document = json.loads(stage.run("plan", "--format", "json").out)
    decisions = {it["name"]: it["actions"][0] for it in document["plan"]["decisions"]}
    work = decisions["tickets"]["work"]
    return encode(
        CreateIntended(
            at=at, run_id="4711", op="0" * 24, name="tickets", work=work, rerun="", attempt=1, reason="new",
            lease=lease,
        )
    )  # fmt: skip


@pytest.mark.parametrize(("at", "lease"), [(NEVER, 0.0), (1.0, NEVER)], ids=["its time", "its lease"])
def test_a_claim_of_the_year_9999_is_named_and_holds_nothing(stage: Stage, at: float, lease: float) -> None:
    stage.spec("other")
    stage.run("apply", "--yes")
    (stage.root / "specs/other.yaml").unlink()
    (stage.root / "specs/data/other.jsonl").unlink()
    stage.spec("tickets")
    file = forge(stage, claim(stage, at, lease))
    number = len(file.read_text().splitlines())
    doctor = stage.run("doctor")
    result = stage.run("apply", "--yes", "--allow-empty")
    assert len(creates(result)) == 1
    problem = f"{file}:{number}: a time too far ahead, which holds nothing"
    assert doubts(result) == [problem]
    assert problem in doctor.out
    assert "check the clock of the host that wrote it" in doctor.out


def test_a_claim_within_an_hour_holds_its_work_and_says_until_when(stage: Stage) -> None:
    stage.spec("tickets")
    stage.run("validate")
    row = claim(stage, stage.clock, 1800.0)
    stage.write(".reconciler/sandbox/shop/ledger.jsonl", f"{row}\n")
    held = stage.run("apply", "--yes")
    assert (creates(held), doubts(held)) == ([], [])
    assert "its outcome is not known yet · until" in held.out
    stage.advance(1801)
    assert len(creates(stage.run("apply", "--yes"))) == 1


def test_a_notification_that_is_claimed_for_ever_is_sent(stage: Stage) -> None:
    hook = "import sys; open('received', 'a').write(sys.stdin.read())"
    command = json.dumps(["python3", "-c", hook])
    stage.write("reconciler.yaml", f"project: shop\non_end: {{command: {command}}}\n")
    stage.environ["PATH"] = "/usr/bin:/bin"
    stage.spec("tickets")
    stage.run("apply", "--yes")
    job_id = str(stage.jobs()[0]["id"])
    forge(stage, encode(NotificationClaimed(at=1.0, run_id="4711", job_id=job_id, lease=NEVER)))
    stage.advance(600)
    stage.run("apply", "--yes")
    assert job_id in (stage.root / "received").read_text()


NEWER = {
    "about anything": ('{"v": 2}', ("mine", "tickets")),
    "about a name": ('{"v": 2, "kind": "create_planned", "name": "tickets"}', ("tickets",)),
}


@pytest.mark.parametrize(("row", "held"), NEWER.values(), ids=NEWER.keys())
def test_a_line_of_a_newer_version_stops_no_command_and_holds_what_it_may_be_about(
    stage: Stage, row: str, held: tuple[str, ...]
) -> None:
    stage.spec("done")
    stage.run("apply", "--yes")
    stage.advance(60)
    file = forge(stage, row)
    number = len(file.read_text().splitlines())
    stage.spec("tickets")
    stage.spec("mine")
    for words in (["status"], ["history"], ["history", "verify"], ["ledger", "show"], ["outputs", "pull"]):
        assert stage.run(*words).code == 0, words
    result = stage.run("apply", "--yes")
    assert len(creates(result)) == 2 - len(held)
    for name in held:
        assert f"hold    {name}" in result.out.replace("! ", ""), result.out
    assert f"only by the ledger: {file}:{number} has version 2" in result.out
    assert doubts(result) == [f"{file}:{number}: written by a newer version of this tool, or by hand"]
    assert stage.run("plan", "-o", "plan.json").code == 0
    assert len(creates(stage.run("apply", "plan.json"))) == len(held)


def test_lines_forged_into_the_shared_ledger_submit_nothing_unattended_and_stop_nobody_for_ever(
    team: Team, clock: list[float]
) -> None:
    team.first.spec("tickets", requests=400)
    team.publish("one spec")
    team.first.run("apply", "--yes")
    job_id = str(team.first.jobs()[0]["id"])
    headers = {"Authorization": f"Bearer {team.first.environ['MISTRAL_API_KEY']}"}
    url = f"{team.first.environ['MISTRAL_BASE_URL']}/v1/batch/jobs/{job_id}/cancel"
    with httpx.Client() as client:
        assert client.post(url, headers=headers).status_code == 200
    clock[0] += 60
    team.forge(*map(encode, pair(job_id)))
    second = team.clone("second")
    result = second.run("apply", "--yes")
    assert (result.code, creates(result)) == (0, [])
    assert "only by the ledger: cancelled by ada, run 4711" in result.out
    assert "reconciler plan -o plan.json" in result.out
    team.forge('{"v": 2}')
    again = second.run("plan", "-o", "plan.json")
    (problem,) = doubts(again)
    assert re.match(r"reconciler-ledger/shop:\S+/2026-09/\S+\.jsonl:1: written by a newer", str(problem))
    assert len(creates(second.run("apply", "plan.json"))) == 1
    assert creates(second.run("apply", "--yes")) == []


def rolled_back(team: Team) -> str:
    """A shared ledger that lost what a clone knows, and a spec that is not submitted yet; the lost commit."""
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.run("apply", "--yes")
    known = team.first.git("rev-parse", "refs/reconciler/shop/fetched")
    begun = team.first.git("rev-list", "--max-parents=0", known)
    for ledger in (team.first.root / ".reconciler").rglob("ledger.jsonl"):
        ledger.unlink()
    team.first.git("push", "--quiet", "--force", "origin", f"{begun}:refs/heads/reconciler-ledger/shop")
    team.first.spec("new")
    team.publish("another spec")
    return known


def test_a_ledger_that_was_rolled_back_is_noticed_and_what_it_lost_still_counts(team: Team) -> None:
    known = rolled_back(team)
    planned = team.first.run("plan")
    said = f"the shared ledger lost 2 lines of {known[:10]}"
    assert doubts(planned) == [said]
    assert f"by the ledger: {said}" in planned.out
    result = team.first.run("apply", "--yes")
    assert creates(result) == []
    assert said in result.out
    assert "reconciler ledger pull --accept-rewrite" in team.first.run("doctor").out
    assert "tickets" not in result.out.partition("unchanged")[0]


@pytest.mark.parametrize("words", [("ledger", "pull"), ("ledger", "pull", "--accept-rewrite")])
def test_a_person_ends_the_hold_of_a_rolled_back_ledger_with_one_command(
    team: Team, words: tuple[str, ...]
) -> None:
    rolled_back(team)
    assert creates(team.first.run("apply", "--yes")) == []
    assert team.first.run(*words).code == 0
    result = team.first.run("apply", "--yes")
    assert (len(creates(result)), doubts(result)) == (1, [])
    assert team.first.run("history", "verify").code == 6, "the proof stays"


def test_lines_removed_by_a_later_commit_are_noticed_too(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.run("apply", "--yes")
    for ledger in (team.first.root / ".reconciler").rglob("ledger.jsonl"):
        ledger.unlink()
    tree = team.first.git("mktree")
    commit = team.first.git("commit-tree", tree, "-p", "refs/reconciler/shop/fetched", "-m", "tidy up")
    team.first.git("push", "--quiet", "origin", f"{commit}:refs/heads/reconciler-ledger/shop")
    team.first.spec("new")
    assert "the shared ledger lost" in str(doubts(team.first.run("plan")))
