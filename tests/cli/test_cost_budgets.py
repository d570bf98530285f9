"""Budgets of costs through the whole command line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.ledger.line_format import decode_block
from reconciler.ledger.lines import CreateConfirmed, CreateIntended, Line
from tests.cli.dies import apply_dies
from tests.cli.processes import JOBS, KEY, POSIX, Shop, finish, gated
from tests.cli.stage import Fault, Result, Stage
from tests.cli.team import SETTINGS, Team
from tests.cli.test_two_runners import git

MODEL = "mistral-small-2603"
DAY = 86_400


def most(metadata: dict[str, str]) -> int:
    """Return the most that a job can cost, in micros, as its tags say."""
    (word,) = (word for word in metadata["reconciler.run"].split() if word.startswith("most="))
    return int(word.removeprefix("most=").removesuffix("USD"))


def reserved(stage: Stage) -> dict[str, int]:
    """Return what the jobs of the workspace reserve, by name."""
    return {job["name"]: most(job["metadata"]) for job in stage.jobs()}


def chat(stage: Stage, name: str, *, requests: int = 3, canary: int = 0) -> None:
    """Declare a job whose bound is known."""
    stage.spec(name, model=MODEL, requests=requests, canary={"requests": canary} if canary else None)


def budget(stage: Stage, guard: str, micros: float, settings: str = "project: shop\n") -> None:
    """Set a budget."""
    stage.write("reconciler.yaml", f"{settings}guards: {{{guard}: {micros / 1_000_000:.6f}}}\n")


def created(result: Result) -> list[str]:
    """Return the names of the jobs that a command created."""
    return [str(event["name"]) for event in result.events if event["event"] == "job.created"]


def ledger(stage: Stage) -> list[Line]:
    (file,) = (stage.root / ".reconciler").rglob("ledger.jsonl")
    return list(decode_block(file.read_bytes()))


def cost_of_one(stage: Stage) -> int:
    """Create `a`, and return what it reserves."""
    chat(stage, "a")
    assert stage.run("apply", "--yes").code == 0
    return reserved(stage)["a"]


@pytest.mark.needs_ledger("the lines are looked at")
def test_a_create_reserves_its_bound_in_its_tags_and_in_the_ledger(stage: Stage) -> None:
    bound = cost_of_one(stage)
    lines = [it for it in ledger(stage) if isinstance(it, CreateIntended | CreateConfirmed)]
    assert bound > 0
    assert {(it.most, it.currency) for it in lines} == {(bound, "USD")}
    assert len(lines) >= 2


@pytest.mark.needs_ledger("it has the usage")
@pytest.mark.parametrize("guard", ["max_cost_per_day", "max_cost_per_month"])
def test_a_budget_has_room_again_once_results_are_pulled(stage: Stage, guard: str) -> None:
    bound = cost_of_one(stage)
    chat(stage, "b")
    budget(stage, guard, bound * 1.5)
    held = stage.run("apply", "--yes")
    assert (held.code, created(held)) == (3, [])
    assert "a 00000002 counts as $" in held.out
    assert "until its results are pulled" in held.out
    stage.advance(60)
    again = stage.run("apply", "--yes")
    assert (again.code, created(again)) == (3, [])
    assert "hint: pull results: reconciler outputs pull a; or pass --max-cost-per" in again.out
    assert stage.run("outputs", "pull", "a").code == 0
    assert created(stage.run("apply", "--yes")) == ["b"]


def test_what_is_never_pulled_counts_for_a_day(stage: Stage) -> None:
    bound = cost_of_one(stage)
    chat(stage, "b")
    budget(stage, "max_cost_per_day", bound * 1.5)
    for seconds, names in ((DAY - 120, []), (300, ["b"])):
        stage.advance(seconds)
        assert created(stage.run("apply", "--yes")) == names


def test_yes_overrides_no_budget_and_the_option_of_each_does(stage: Stage) -> None:
    bound = cost_of_one(stage)
    for guard in ("max_cost", "max_cost_per_day", "max_cost_per_month"):
        chat(stage, guard)
        budget(stage, guard, 1)
        option = f"--{guard.replace('_', '-')}"
        held = stage.run("apply", "--yes")
        assert held.code == 3
        assert re.search(
            rf"= hold +{guard} .* held back · {guard}: create, .*, at most \$[0-9.]+\n", held.out
        )
        for other in {"--max-cost", "--max-cost-per-day", "--max-cost-per-month"} - {option}:
            assert stage.run("apply", "--yes", other, "none").code == 3
        assert created(stage.run("apply", "--yes", option, f"{bound * 9 / 1_000_000:.6f}")) == [guard]


@pytest.mark.parametrize("text", ["", "-1", "1e3", "5,00", "$5", "nan", "many"])
def test_what_is_no_amount_is_refused(stage: Stage, text: str) -> None:
    refused = stage.run("plan", "--max-cost", text)
    assert (refused.code, refused.sent) == (64, [])
    assert "neither an amount such as 5.00 nor `none`" in refused.err


def test_a_price_that_is_not_known_is_refused_under_a_budget(stage: Stage) -> None:
    stage.spec("odd", model="sandbox-unknown-model")
    assert created(stage.run("apply", "--yes", "--max-cost", "none")) == ["odd"]
    stage.spec("other", model="sandbox-unknown-model")
    refused = stage.run("apply", "--yes", "--max-cost", "1000000")
    assert (refused.code, created(refused)) == (3, [])
    assert "what other can cost is not known" in refused.out


def test_a_create_that_the_api_refuses_gives_its_reservation_back(stage: Stage) -> None:
    bound = cost_of_one(stage)
    chat(stage, "b")
    chat(stage, "c")
    budget(stage, "max_cost_per_day", bound * 2.5)
    stage.faults = [Fault("POST", JOBS, 422, body=b'{"detail": "no"}')]
    refused = stage.run("apply", "--yes", "--only", "b")
    assert created(refused) == []
    assert created(stage.run("apply", "--yes", "--only", "c")) == ["c"]


def test_each_part_reserves_its_own_bound_and_a_plan_is_asked_about_all_of_them(stage: Stage) -> None:
    bound = cost_of_one(stage)
    chat(stage, "canary", requests=12, canary=3)
    budget(stage, "max_cost", bound * 3)
    assert stage.run("apply", "--yes").code == 3
    budget(stage, "max_cost", bound * 5)
    assert created(stage.run("apply", "--yes")) == ["canary"]
    assert reserved(stage)["canary"] < bound * 1.5


def test_another_runner_keeps_to_the_reservation_of_a_killed_one_until_it_has_settled(
    team: Team, clock: list[float]
) -> None:
    settings = SETTINGS.replace("settle_seconds: 0", "settle_seconds: 60, deadline_seconds: 100")
    team.first.write("reconciler.yaml", settings)
    bound = cost_of_one_of(team)
    chat(team.first, "b")
    chat(team.first, "c")
    budget(team.first, "max_cost_per_day", bound * 2.5, settings)
    team.publish("two more, with a budget")
    second = team.clone("second")
    second.environ["RECONCILER_LOG_LEVEL"] = "info"
    budget(second, "max_cost_per_day", bound * 2.5, settings)
    apply_dies(team.first, arrives=False)
    for seconds, names in ((0, []), (150, []), (20, ["c"])):
        clock[0] += seconds
        second.clock = clock[0]
        assert created(second.run("apply", "--yes", "--only", "c")) == names


def cost_of_one_of(team: Team) -> int:
    chat(team.first, "a")
    team.publish("one spec")
    assert team.first.run("apply", "--yes").code == 0
    return reserved(team.first)["a"]


@POSIX
@pytest.mark.thorough
@pytest.mark.timeout(180)
def test_eight_processes_at_once_with_the_shared_ledger_keep_to_a_budget(tmp_path: Path) -> None:
    names = [f"job-{number}" for number in range(8)]
    settings = "project: shop\nledger: git\nlimits: {settle_seconds: 0}\n"
    with gated(tmp_path) as (gate, url):
        first = Shop(tmp_path / "first", url)
        first.write("reconciler.yaml", settings)
        first.write(".gitignore", ".reconciler/\n")
        for name in ("first", *names):
            line = '{"custom_id": "%d", "body": {"max_tokens": 100, "messages": [{"role": "user", "content": "%s"}]}}\n'
            first.write(f"specs/{name}.jsonl", "".join(line % (number, name) for number in range(20)))
            fields = f"endpoint: /v1/chat/completions\nmodel: {MODEL}\ninput_files: [{name}.jsonl]\n"
            first.write(f"specs/{name}.yaml", f"name: {name}\n{fields}")
        git(tmp_path, "init", "--quiet", "--bare", "origin.git")
        git(first.root, "init", "--quiet", "-b", "main")
        git(first.root, "remote", "add", "origin", str(tmp_path / "origin.git"))
        assert first.run("apply", "--yes", "--only", "first").code == 0
        (bound,) = costs(url)
        limit = int(bound * 4.5)
        first.write("reconciler.yaml", f"{settings}guards: {{max_cost_per_day: {limit / 1_000_000:.6f}}}\n")
        git(first.root, "add", ".")
        git(first.root, "commit", "--quiet", "-m", "Specs")
        git(first.root, "push", "--quiet", "origin", "HEAD:main")
        shops = []
        for number in range(8):
            shutil.copytree(first.root, tmp_path / f"clone-{number}", dirs_exist_ok=True)
            shop = Shop(tmp_path / f"clone-{number}", url)
            shop.write("reconciler.yaml", (first.root / "reconciler.yaml").read_text())
            shops.append(shop)
        gate.close(f"GET {JOBS}")
        processes = [
            shop.start("apply", "--yes", "--only", name) for shop, name in zip(shops, names, strict=True)
        ]
        gate.wait_for(f"GET {JOBS}", 1 + len(shops))
        gate.open()
        done = [finish(process) for process in processes]
        found = costs(url)
        assert sum(found) <= limit
        assert len(found) == 4
        assert sorted(it.code for it in done) == [0] * 3 + [3] * 5
        assert sum("ledger.conflict" in it.err for it in done) > 0


def costs(url: str) -> list[int]:
    """Return what every job of the workspace can cost."""
    listed = httpx.get(f"{url}{JOBS}", headers={"Authorization": f"Bearer {KEY}"}, params={"page_size": 1000})
    return [most(job["metadata"]) for job in listed.json().get("data", [])]


@pytest.mark.needs_ledger("it has the usage")
def test_a_job_whose_answers_may_still_come_keeps_its_reservation(stage: Stage, served: str) -> None:
    stage.environ = {"USER": "ada", "MISTRAL_API_KEY": "any", "MISTRAL_BASE_URL": served}
    stage.spec("a", model=MODEL, retry={"max_attempts": 1})
    sent = stage.run("apply", "--yes").writes[-1]
    bound = most(json.loads(sent.body)["metadata"])
    ended: dict[str, Any] = {
        "status": "TIMEOUT_EXCEEDED",
        "started_at": int(stage.clock),
        "completed_at": int(stage.clock),
        "succeeded_requests": 0,
        "failed_requests": 0,
        "output_file": None,
        "error_file": None,
    }

    def without_answers(page: dict[str, Any]) -> dict[str, Any]:
        return page | {"data": [row | ended for row in page["data"]]}

    stage.faults = [Fault("GET", JOBS, 200, alter=without_answers, times=99)]
    assert "0 ok, 3 missing" in stage.run("outputs", "pull").out
    chat(stage, "b")
    budget(stage, "max_cost_per_month", bound * 1.5)
    assert "b  held back · max_cost_per_month" in stage.run("plan").out
    stage.advance(2 * 3600)
    stage.run("outputs", "pull")
    assert "create  b" in stage.run("plan").out
