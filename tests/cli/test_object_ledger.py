"""`ledger: s3://…`: clones with a bucket in memory between them, and the sandbox over HTTP as their one workspace."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.environment import Environment
from tests.cli.dies import apply_dies
from tests.cli.stage import Result, Stage
from tests.cli.team import Team
from tests.cli.test_cost_budgets import budget, chat, created, reserved
from tests.cli.test_forged_ledger import doubts
from tests.cli.test_shared_ledger import Before, creates

PLACE = "s3://bucket/ledger"
SETTINGS = f"project: shop\nledger: {PLACE}\nlimits: {{settle_seconds: 0}}\n"


@pytest.fixture
def group(bucket: Any, workspace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Team:  # noqa: ANN401
    """Clones that share a ledger in a bucket, which is empty."""
    assert not bucket.store
    return Team(tmp_path, capsys, workspace, SETTINGS)


def segments(bucket: Any) -> list[str]:  # noqa: ANN401 - fsspec has no types
    return sorted(path for path in bucket.store if "/segments/" in path)


def test_a_fresh_clone_knows_what_another_created_and_needs_no_git_remote(group: Team, bucket: Any) -> None:  # noqa: ANN401
    group.first.spec("tickets")
    group.publish("one spec")
    assert group.first.run("apply", "--yes").code == 0
    second = group.clone("second")
    second.git("remote", "remove", "origin")
    again = second.run("apply", "--yes")
    assert (again.code, creates(again)) == (0, [])
    shown = second.run("ledger", "show").out
    assert shown == group.first.run("ledger", "show").out
    assert "create_confirmed" in shown
    host = second.environ["MISTRAL_BASE_URL"].partition("://")[2].replace(":", "_")
    assert segments(bucket) == [f"/bucket/ledger/{host}/shop/segments/{number:08}.jsonl" for number in (1, 2)]
    assert "reconciler-ledger" not in group.first.git("ls-remote", "origin")


def test_a_runner_that_was_overtaken_plans_again_and_creates_nothing_twice(group: Team) -> None:
    group.first.spec("tickets")
    group.publish("one spec")
    second = group.clone("second")
    second.random.seed(8)  # otherwise both runs have the same id, nonce and op
    overtaken: list[Result] = []
    requests = iter(range(1, 99))

    def overtake() -> None:
        """When the first run has read the ledger, and reads the models, the second one applies."""
        if next(requests) == 2:
            overtaken.append(second.run("apply", "--yes"))

    def world(env: Environment) -> Environment:
        return replace(env, wrap_transport=lambda inner: Before(env.wrap_transport(inner), overtake))

    group.first.environ["RECONCILER_LOG_LEVEL"] = "info"
    result = group.first.run("apply", "--yes", env=world)
    assert overtaken[0].code == 0
    assert (result.code, creates(result)) == (0, [])
    assert "ledger.conflict" in {event["event"] for event in result.events}
    assert len(group.first.jobs()) == 1


def test_another_runner_keeps_to_the_reservation_of_a_killed_one_until_it_has_settled(
    group: Team, clock: list[float]
) -> None:
    chat(group.first, "a")
    group.publish("one spec")
    assert group.first.run("apply", "--yes").code == 0
    bound = reserved(group.first)["a"]
    chat(group.first, "b")
    chat(group.first, "c")
    settings = SETTINGS.replace("settle_seconds: 0", "settle_seconds: 60, deadline_seconds: 100")
    budget(group.first, "max_cost_per_day", bound * 2.5, settings)
    group.publish("two more, with a budget")
    second = group.clone("second")
    second.environ["RECONCILER_LOG_LEVEL"] = "info"
    budget(second, "max_cost_per_day", bound * 2.5, settings)
    apply_dies(group.first, arrives=False)
    for seconds, names in ((0, []), (150, []), (20, ["c"])):
        clock[0] += seconds
        second.clock = clock[0]
        assert created(second.run("apply", "--yes", "--only", "c")) == names


def test_lines_that_the_bucket_lost_are_noticed_and_still_count(group: Team, bucket: Any) -> None:  # noqa: ANN401
    group.first.spec("tickets")
    group.publish("one spec")
    group.first.run("apply", "--yes")
    for file in (group.first.root / ".reconciler").rglob("ledger.jsonl"):
        file.unlink()
    for path in segments(bucket):
        bucket.rm_file(path)
    group.first.spec("new")
    group.publish("another spec")
    planned = group.first.run("plan")
    assert str(doubts(planned)[0]).startswith("the shared ledger lost 3 lines of 2-")
    assert creates(group.first.run("apply", "--yes")) == []
    verified = group.first.run("history", "verify")
    assert verified.code == 6
    assert "it no longer has segment 2 as this host read it" in verified.out
    assert "3 new lines" in group.first.run("ledger", "pull").out
    assert len(creates(group.first.run("apply", "--yes"))) == 1
    assert len(segments(bucket)) == 2, "the lost lines, and what the apply did"


def test_a_changed_segment_stops_a_fresh_clone_and_verify_names_it(group: Team, bucket: Any) -> None:  # noqa: ANN401
    group.first.spec("tickets")
    group.publish("one spec")
    group.first.run("apply", "--yes")
    assert group.first.run("history", "verify").code == 0
    first = segments(bucket)[0]
    bucket.pipe_file(first, bucket.cat_file(first).replace(b"tickets", b"another"))
    second = group.clone("second")
    for words in (("plan",), ("apply", "--yes"), ("history",)):
        result = second.run(*words)
        assert (result.code, result.sent) == (1, [])
        assert (
            "segments/00000002.jsonl was changed: it does not continue segment 1 as it is now" in result.err
        )
    verified = group.first.run("history", "verify")
    assert verified.code == 6
    assert "segments/00000002.jsonl of the shared ledger was changed" in verified.out
    assert group.first.run("history", "verify", "--offline").code == 0, "from what this clone has read"


def test_history_offline_shows_what_was_fetched_last(group: Team, bucket: Any) -> None:  # noqa: ANN401
    group.first.spec("tickets", requests=500)
    group.publish("one spec")
    group.first.run("apply", "--yes")
    second = group.clone("second")
    assert "no matching jobs" in second.run("history", "--offline").out
    table = group.first.run("history").out
    assert second.run("history").out == table
    bucket.store.clear()
    offline = second.run("history", "--offline", "--format", "json")
    assert json.loads(offline.out)["records"][0]["reason"] == "new"


def test_doctor_checks_that_nothing_is_created_twice(group: Team) -> None:
    group.first.spec("tickets")
    group.publish("one spec")
    found = group.first.run("doctor").out
    assert f"ok       ledger push            {PLACE}/" in found
    assert "this runner may create objects, and none twice" in found


@pytest.mark.parametrize(
    "place", ["gs://bucket/ledger", "az://bucket/x", "file:///x", "s3://", "s3://b/?x=1", "remote"]
)
def test_another_place_for_a_ledger_is_refused_with_the_reason(stage: Stage, place: str) -> None:
    stage.write("reconciler.yaml", f"project: shop\nledger: {place}\n")
    refused = stage.run("plan")
    assert (refused.code, refused.sent) == (1, [])
    assert "reconciler.yaml:2:9: ledger:" in refused.err
    assert "no other store is known to create an object only once" in refused.err


def test_the_sandbox_and_local_ledger_leave_the_bucket_alone(group: Team, bucket: Any) -> None:  # noqa: ANN401
    group.first.spec("tickets")
    group.publish("one spec")
    weaker = group.first.run("apply", "--yes", "--local-ledger")
    (event,) = (it for it in weaker.events if it["event"] == "ledger.local_only")
    assert event["remote"] == PLACE
    assert group.first.run("plan", "--sandbox").code == 0
    assert not bucket.store
