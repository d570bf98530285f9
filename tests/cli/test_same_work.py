"""Two specs, or two files of a family, with the same work: one job, in every command."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.cli.stage import Stage
from tests.helpers.requests_of import asked

NIGHTLY = """\
name: nightly-{stem}
endpoint: /v1/chat/completions
model: mistral-small-latest
for_each: {files: [nights/*.jsonl]}
"""


def creates(stage: Stage) -> int:
    """How many jobs this project ever submitted."""
    return sum(job["name"] != "" for job in stage.jobs())


def standings(stage: Stage) -> dict[str, tuple[str, str]]:
    plan = json.loads(stage.run("plan", "--format", "json").out)["plan"]
    return {it["name"]: (it["actions"][0]["action"], it["actions"][0]["reason"]) for it in plan["decisions"]}


@pytest.fixture
def nights(stage: Stage) -> Stage:
    """Two nights with equal files, and an unrelated spec."""
    stage.write("specs/nightly.yaml", NIGHTLY)
    for night in ("01", "02"):
        stage.lines(f"specs/nights/{night}.jsonl", 3, text="a quiet day")
    stage.spec("tickets")
    return stage


def test_two_equal_nights_in_every_command(nights: Stage) -> None:
    valid = nights.run("validate")
    assert valid.code == 0
    assert "nightly-02: this and `nightly-01` (specs/nightly.yaml:1) submit the same 3 requests" in valid.out
    assert "3 specs valid, 6 requests" in valid.out
    assert json.loads(nights.run("validate", "--format", "json").out)["requests"] == 6
    plan = nights.run("plan")
    assert plan.code == 0
    assert plan.err.count("share one job") == 1
    assert "hold    nightly-02  same work · its job will be that of `nightly-01`" in plan.out
    assert "2 to create, 1 on hold · would submit 6 requests" in plan.out
    applied = nights.run("apply", "--yes")
    assert (applied.code, creates(nights)) == (0, 2)
    assert nights.live() == ["nightly-01", "tickets"]
    again = nights.run("apply", "--yes")
    assert (again.code, again.writes) == (0, [])
    assert "3 unchanged: 2 running, 1 same work" in again.out
    status = nights.run("status")
    assert status.code == 0
    (line,) = (line for line in status.out.splitlines() if line.startswith("nightly-02"))
    assert "RUNNING" in line or "QUEUED" in line
    assert "same work: the job of `nightly-01`" in line
    assert standings(nights)["nightly-02"] == ("keep", "same_work")
    waited = nights.run("wait", "nightly-02")
    assert (waited.code, waited.writes) == (0, [])
    pulled = nights.run("outputs", "pull", "nightly-02")
    assert pulled.code == 0
    assert "note: nightly-02: same work as nightly-01, whose results are theirs too" in pulled.err
    assert "3 ok" in pulled.out
    assert nights.run("history", "nightly-01").code == 0
    assert nights.run("history", "verify").code == 0
    assert nights.run("plan", "--detailed-exitcode").code == 0


def test_the_words_and_the_requests_for_two_equal_nights(nights: Stage, golden: Callable[..., None]) -> None:
    golden(
        nights.run("plan"),
        nights.run("apply", "--yes"),
        nights.run("status"),
        nights.run("plan", "--format", "markdown"),
    )


def test_a_later_round_submits_the_work_no_second_time(nights: Stage) -> None:
    applied = nights.run("apply", "--yes", "--wait")
    assert applied.code == 0
    assert creates(nights) == 2
    assert "3 done" in applied.out


def test_the_night_that_owns_the_job_is_removed(nights: Stage) -> None:
    nights.run("apply", "--yes")
    (nights.root / "specs/nights/01.jsonl").unlink()
    applied = nights.run("apply", "--yes")
    assert (applied.code, applied.writes) == (0, [])
    assert standings(nights) == {
        "nightly-01": ("keep", "renamed"),
        "nightly-02": ("keep", "running"),
        "tickets": ("keep", "running"),
    }
    assert nights.live() == ["nightly-01", "tickets"]


def test_a_rename_of_one_submits_nothing(nights: Stage) -> None:
    nights.run("apply", "--yes")
    (nights.root / "specs/nights/01.jsonl").rename(nights.root / "specs/nights/03.jsonl")
    applied = nights.run("apply", "--yes")
    assert (applied.code, applied.writes) == (0, [])
    assert standings(nights)["nightly-03"] == ("keep", "same_work")


def test_a_rerun_of_one_is_one_more_job(stage: Stage) -> None:
    for name in ("one", "two"):
        stage.spec(name, input_files=["data/same.jsonl"])
        (stage.root / f"specs/data/{name}.jsonl").unlink()
    stage.lines("specs/data/same.jsonl", 3)
    stage.run("apply", "--yes")
    assert creates(stage) == 1
    stage.run("rerun", "one", "--to", "again")
    plan = stage.run("plan")
    assert "+ create  one  rerun" in plan.out
    stage.run("apply", "--yes")
    assert creates(stage) == 2
    assert standings(stage) == {"one": ("keep", "running"), "two": ("keep", "running")}


def test_a_cancel_by_hand_holds_both_and_a_rerun_of_both_is_one_job(stage: Stage) -> None:
    for name in ("one", "two"):
        stage.spec(name, input_files=["data/same.jsonl"])
        (stage.root / f"specs/data/{name}.jsonl").unlink()
    stage.lines("specs/data/same.jsonl", 3)
    stage.run("apply", "--yes")
    (job,) = stage.jobs()
    stage.cancel_in_console(job["id"])
    stage.advance(60)
    assert stage.run("apply", "--yes").writes == []
    assert standings(stage) == {"one": ("hold", "cancelled"), "two": ("hold", "cancelled")}
    assert stage.run("wait", "two").code == 6
    for name in ("one", "two"):
        stage.run("rerun", name, "--to", "again")
    stage.run("apply", "--yes")
    assert creates(stage) == 2


def canaries(stage: Stage, *, bad: bool = False, suspended: str = "") -> None:
    """Write two specs with the same ten requests and a canary of four."""
    for name in ("one", "two"):
        stage.spec(name, input_files=["data/same.jsonl"], canary={"requests": 4}, suspend=name == suspended)
        (stage.root / f"specs/data/{name}.jsonl").unlink()
    stage.lines("specs/data/same.jsonl", 10)
    file = stage.root / "specs/data/same.jsonl"
    file.write_text(file.read_text().replace('"r1"', '"r1!fail-400"' if bad else '"r1"'))


def test_the_rest_of_a_canary_under_the_other_name_answers_both(stage: Stage) -> None:
    canaries(stage)
    stage.run("apply", "--yes")
    stage.advance(60)
    canaries(stage, suspended="one")
    assert stage.run("apply", "--yes").code == 0
    canaries(stage)
    assert standings(stage) == {"one": ("keep", "same_work"), "two": ("keep", "running")}
    canaries(stage, suspended="one")
    assert stage.run("apply", "--yes").writes == []
    canaries(stage, suspended="two")
    assert standings(stage) == {"one": ("keep", "running"), "two": ("hold", "suspended")}
    assert stage.run("apply", "--yes").writes == []
    canaries(stage)
    stage.advance(60)
    assert standings(stage) == {"one": ("keep", "same_work"), "two": ("keep", "succeeded")}
    first, rest = asked(stage)
    assert sorted(first + rest) == sorted({*first, *rest}), "no request is submitted twice"
    assert stage.run("outputs", "pull").code == 0
    for name in ("one", "two"):
        rows = map(json.loads, (stage.root / f"outputs/{name}/results.jsonl").read_text().splitlines())
        assert [row["custom_id"] for row in rows if row["ok"]] == first + rest


def test_what_holds_the_owner_holds_the_other_with_the_same_words(stage: Stage) -> None:
    canaries(stage, bad=True)
    stage.run("apply", "--yes")
    stage.advance(60)
    for _ in range(2):
        decisions = json.loads(stage.run("plan", "--format", "json").out)["plan"]["decisions"]
        one, two = ({**it, "name": "", "declared_at": ""} for it in decisions)
        assert one == two
        assert one["standing"] == "canary_failed"
        assert stage.run("apply", "--yes").writes == []


def test_a_saved_plan_submits_the_work_once(nights: Stage) -> None:
    nights.run("plan", "-o", "plan.json")
    assert nights.run("apply", "plan.json").code == 0
    assert creates(nights) == 2
    assert nights.run("apply", "plan.json").writes == []


def test_a_selection_without_the_owner_submits_nothing(nights: Stage) -> None:
    plan = nights.run("plan", "--only", "nightly-02")
    assert "same work · its job will be that of `nightly-01`" in plan.out
    assert nights.run("apply", "--yes", "--only", "nightly-02").writes == []


def test_waiting_for_both_names_reads_the_newest_pages_only(nights: Stage) -> None:
    nights.run("apply", "--yes")
    waited = nights.run("wait")
    assert waited.code == 0
    whole = [sent for sent in waited.sent if "order_by=created" in sent.query and "page=0" in sent.query]
    assert len(whole) <= 4, "a whole list at the start and after each end, not in every poll"
