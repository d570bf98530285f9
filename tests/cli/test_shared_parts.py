"""Two runners with a shared ledger and a work in parts: the rest of a canary and retries are submitted once."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace

import httpx
import pytest

from reconciler.environment import Environment
from tests.cli.stage import Stage
from tests.cli.team import SETTINGS, Team
from tests.cli.test_shared_ledger import Before, creates
from tests.helpers.thorough import thorough


class KilledError(BaseException):
    """The run ends at once: nothing in the product catches it."""


@dataclass
class Killing(httpx.BaseTransport):
    """Ends the run at its n-th request, which arrives or does not."""

    inner: httpx.BaseTransport
    left: int
    arrives: bool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.left -= 1
        if not self.left and self.arrives:
            self.inner.handle_request(request).read()
        if self.left <= 0:
            raise KilledError
        return self.inner.handle_request(request)

    def close(self) -> None:
        self.inner.close()


def asked(stage: Stage) -> list[list[str]]:
    """The custom_ids that each job was asked, the oldest first."""
    headers = {"Authorization": f"Bearer {stage.environ['MISTRAL_API_KEY']}"}
    found = []
    with httpx.Client(base_url=stage.environ["MISTRAL_BASE_URL"], headers=headers) as client:
        for job in sorted(stage.jobs(), key=lambda job: (job["created_at"], job["id"])):
            files = client.get(f"/v1/batch/jobs/{job['id']}").json()["input_files"]
            texts = [client.get(f"/v1/files/{file}/content").text for file in files]
            found.append([json.loads(line)["custom_id"] for line in "".join(texts).splitlines()])
    return found


def later(clock: list[float], *stages: Stage, seconds: float = 120) -> None:
    """Let time pass everywhere."""
    clock[0] += seconds
    for stage in stages:
        stage.clock = clock[0]


def work(team: Team, kind: str) -> None:
    """Publish a work of twelve requests that is submitted in two parts: a canary, or a job and its retry."""
    canary = {"requests": 4} if kind == "canary" else None
    team.first.spec("a", requests=12, canary=canary, retry={"max_attempts": 2})
    if kind == "retry":
        file = team.first.root / "specs/data/a.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows[:3]:
            row["custom_id"] += "!fail-429"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    team.publish("one work")


PARTS = {"canary": [4, 8], "retry": [12, 3]}


def asked_often_enough(stage: Stage, kind: str) -> bool:
    """Whether every request was asked as often as the spec allows, and not more often."""
    counts = Counter(custom_id for part in asked(stage) for custom_id in part)
    return (
        all(number == 1 + custom_id.endswith("!fail-429") for custom_id, number in counts.items())
        and [len(part) for part in asked(stage)] == PARTS[kind]
    )


@pytest.mark.parametrize("kind", ["canary", thorough("retry")])
def test_another_runner_submits_the_second_part_with_the_results_that_it_fetches(
    team: Team, clock: list[float], kind: str
) -> None:
    work(team, kind)
    assert team.first.run("apply", "--yes").code == 0
    second = team.clone("second")
    later(clock, team.first, second)
    assert len(creates(second.run("apply", "--yes"))) == 1
    assert creates(team.first.run("apply", "--yes")) == []
    later(clock, team.first, second)
    for stage in (team.first, second):
        assert creates(stage.run("apply", "--yes")) == []
    assert asked_often_enough(second, kind)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("at", range(1, 7))
def test_of_two_runners_at_once_one_submits_the_second_part(
    team: Team, clock: list[float], kind: str, at: int
) -> None:
    work(team, kind)
    team.first.run("apply", "--yes")
    second = team.clone("second")
    later(clock, team.first, second)
    requests: list[int] = []

    def overtake() -> None:
        """Before the request with that number of the first run, the second run applies."""
        requests.append(1)
        if len(requests) == at:
            second.run("apply", "--yes")

    def world(env: Environment) -> Environment:
        return replace(env, wrap_transport=lambda inner: Before(env.wrap_transport(inner), overtake))

    team.first.run("apply", "--yes", env=world)
    assert len(requests) >= at
    for _ in range(2):
        later(clock, team.first, second)
        second.run("apply", "--yes")
    assert asked_often_enough(second, kind)


@pytest.mark.thorough
@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("at", range(1, 9))
def test_a_runner_that_is_killed_at_the_second_part_leaves_it_to_the_other(
    team: Team, clock: list[float], kind: str, at: int, *, arrives: bool
) -> None:
    work(team, kind)
    team.first.run("apply", "--yes")
    second = team.clone("second")
    later(clock, team.first, second)

    def world(env: Environment) -> Environment:
        return replace(
            env, wrap_transport=lambda inner: Killing(env.wrap_transport(inner), left=at, arrives=arrives)
        )

    with suppress(KilledError):
        team.first.run("apply", "--yes", env=world)
    for _ in range(4):  # a lease of the run that was killed has to pass
        second.run("apply", "--yes")
        later(clock, team.first, second, seconds=1200)
    assert asked_often_enough(second, kind)


def test_an_unattended_runner_goes_on_with_the_plan_that_another_one_began(
    team: Team, clock: list[float]
) -> None:
    work(team, "canary")
    team.first.run("plan", "-o", "plan.json")
    assert team.first.run("apply", "--only-agreed", "plan.json").code == 0
    second = team.clone("second")
    later(clock, team.first, second)
    assert len(creates(second.run("apply", "--only-agreed"))) == 1
    assert asked_often_enough(second, "canary")


@pytest.mark.thorough
def test_the_numbers_of_a_work_reach_a_runner_without_its_results(team: Team, clock: list[float]) -> None:
    work(team, "retry")
    for _ in range(3):
        team.first.run("apply", "--yes")
        later(clock, team.first)
    second = team.clone("second")
    second.clock = clock[0]
    second.run("jobs", "snapshot", "seen.json")
    second.write("reconciler.yaml", SETTINGS)
    shown = second.run("plan", "--observed", "seen.json")
    assert "3 of 12 requests have no answer: 3 http_429" in shown.out
    assert not any("content" in sent.path for sent in shown.sent)
