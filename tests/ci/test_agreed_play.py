"""What runs without a person do: what reviews agreed to, and nothing else. Played with the workflows' own steps."""

from __future__ import annotations

import re
import sys

import pytest

from tests.ci.conftest import Team
from tests.ci.runner import Ran

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform == "win32", reason="the jobs run on Linux, and their lines with bash"),
    pytest.mark.timeout(240),
]

REFUSED = ("failure", "3")
DONE = ("success", "0")


def applied(ran: Ran) -> tuple[str, str]:
    """The result of the job that applies, and its exit code."""
    ran_jobs = [ran.jobs[name] for name in ("apply", "hourly") if ran.jobs[name] != "skipped"]
    return (ran_jobs[0], ran.codes[-1])


def requests(team: Team) -> dict[str, int]:
    """The names of all jobs that were ever created, and their requests."""
    tags = [job["metadata"] for job in team.jobs()]
    return {
        it["reconciler.name"]: int(re.findall(r"requests=(\d+)", it["reconciler.inputs"])[0]) for it in tags
    }


def reviewed(team: Team, name: str, count: int) -> int:
    """Open a pull request with one spec, and let it be planned."""
    team.branch()
    team.spec(name, count)
    team.commit(f"add {name}", name)
    number = team.hub.open_pull(name)
    assert team.opened(number).jobs["reconciler"] == "success"
    return number


def open_issues(team: Team) -> list[str]:
    return [str(it["body"]) for it in team.hub.issues if it["state"] == "open"]


def start(team: Team) -> None:
    team.spec("steady", 4)
    ran = team.confirmed(team.commit("the first spec"))
    assert applied(ran) == DONE, ran.log
    assert team.live() == ["steady"]


def test_what_grew_after_the_review_is_refused_at_the_merge_and_every_hour_with_one_issue(team: Team) -> None:
    start(team)
    number = reviewed(team, "tickets", 10)
    assert "would submit 10 requests" in team.comment(number)
    team.hub.squash(number)
    team.branch()
    team.spec("tickets", 5000)
    merged = team.commit("the file grows before the apply of the merge")
    assert applied(team.pushed(merged)) == REFUSED
    for _ in range(3):
        assert applied(team.pushed(merged, "schedule")) == REFUSED
    assert requests(team) == {"steady": 4}
    (issue,) = open_issues(team)
    assert "tickets" in issue
    assert "run the workflow `plan`" in issue
    assert [it["changes"] for it in team.hub.issues] == [0]
    # The way out: a plan that is shown and confirmed. Then the issue is closed.
    assert applied(team.confirmed(merged)) == DONE
    assert requests(team) == {"steady": 4, "tickets": 5000}
    assert applied(team.pushed(merged, "schedule")) == DONE
    assert open_issues(team) == []


def test_two_pull_requests_that_are_merged_before_either_is_applied_are_both_applied_once(team: Team) -> None:
    start(team)
    first, second = reviewed(team, "one", 10), reviewed(team, "two", 20)
    early = team.hub.squash(first)
    last = team.hub.squash(second)
    assert applied(team.pushed(early)) == ("failure", "4")
    assert applied(team.pushed(last)) == DONE
    assert requests(team) == {"steady": 4, "one": 10, "two": 20}
    assert all("2 created" in team.comment(number) for number in (first, second))
    assert applied(team.pushed(last, "schedule")) == DONE
    assert len(team.jobs()) == 3


def test_a_merge_queue_of_two_in_one_push_is_applied_once(team: Team) -> None:
    start(team)
    numbers = [reviewed(team, "one", 10), reviewed(team, "two", 20)]
    commits = team.hub.queue(*numbers)
    last = team.hub.merge_queued(dict(zip(numbers, commits, strict=True)))
    assert applied(team.pushed(last)) == DONE
    assert requests(team) == {"steady": 4, "one": 10, "two": 20}


@pytest.mark.parametrize("how", ["expired", "old", "never planned", "straight to the default branch"])
def test_without_a_plan_nothing_is_done_until_one_is_confirmed(team: Team, how: str) -> None:
    start(team)
    if how == "straight to the default branch":
        team.branch()
        team.spec("more", 10)
        merged = team.commit("straight to the default branch")
    else:
        number = reviewed(team, "more", 10)
        if how == "expired":
            for artifact in team.hub.artifacts:
                artifact["expired"] = True
        if how == "old":
            for artifact in team.hub.artifacts:
                artifact["created_at"] = "2026-01-01T00:00:00Z"
        if how == "never planned":
            team.hub.artifacts.clear()
        merged = team.hub.squash(number)
    assert applied(team.pushed(merged)) == REFUSED
    assert applied(team.pushed(merged, "schedule")) == REFUSED
    assert requests(team) == {"steady": 4}
    assert len(open_issues(team)) == 1
    assert applied(team.confirmed(merged)) == DONE
    assert requests(team) == {"steady": 4, "more": 10}


def test_a_confirmed_digest_that_no_plan_has_is_refused(team: Team) -> None:
    start(team)
    team.branch()
    team.spec("more", 10)
    sha = team.commit("straight to the default branch")
    for digest in ("sha256:" + "0" * 64, "latest", "sha256:"):
        assert applied(team.by_hand("apply", sha, plan=digest)) == ("failure", "1")
    assert requests(team) == {"steady": 4}


def test_a_repeated_apply_of_an_old_commit_is_refused(team: Team) -> None:
    start(team)
    number = reviewed(team, "zeta", 9)
    old = team.hub.squash(number)
    team.branch()
    team.remove("zeta")
    team.commit("not after all", "undo")
    undo = team.hub.open_pull("undo")
    team.opened(undo)
    new = team.hub.squash(undo)
    assert applied(team.pushed(new)) == DONE
    ran = team.pushed(old)
    assert applied(ran) == ("failure", "4")
    assert f"main is at {new[:7]}" in ran.log
    assert requests(team) == {"steady": 4}


def test_a_run_by_hand_on_another_branch_does_nothing(team: Team) -> None:
    start(team)
    team.branch()
    team.spec("sneaky", 9)
    sneaky = team.commit("not reviewed", "sneaky")
    assert set(team.by_hand("apply", sneaky, branch="sneaky").jobs.values()) == {"skipped"}
    assert requests(team) == {"steady": 4}


def failing(team: Team, attempts: int) -> str:
    """Push a spec whose jobs fail straight to the default branch, and return the commit."""
    team.write(
        "specs/nightly.yaml",
        "name: nightly\nendpoint: /v1/embeddings\nmodel: sandbox-unknown\ninput_files: [data/nightly.jsonl]\n"
        f"retry: {{max_attempts: {attempts}, on: [FAILED]}}\n",
    )
    team.write("specs/data/nightly.jsonl", '{"custom_id": "1", "body": {"input": ["a"]}}\n')
    return team.commit("a spec that fails")


def test_a_retry_and_the_next_hour_need_no_review_and_a_failed_job_fails_the_scheduled_run(
    team: Team,
) -> None:
    sha = failing(team, 2)
    assert applied(team.confirmed(sha)) == DONE
    team.advance(3600)
    assert applied(team.pushed(sha, "schedule")) == DONE
    assert len(team.jobs()) == 2
    team.advance(3600)
    ran = team.pushed(sha, "schedule")
    assert applied(ran) == ("failure", "6")
    assert len(team.jobs()) == 2
    (issue,) = open_issues(team)
    assert "nightly" in issue


def test_a_cap_raised_by_a_direct_push_submits_nothing_until_a_plan_with_it_is_confirmed(team: Team) -> None:
    start(team)
    assert applied(team.confirmed(failing(team, 1))) == DONE
    raised = failing(team, 5)
    team.advance(3600)
    for event in ("push", "schedule", "schedule"):
        assert applied(team.pushed(raised, event)) == REFUSED
    assert len(team.jobs()) == 2
    (issue,) = open_issues(team)
    assert "nightly: retry.max_attempts was raised from 1 to 5" in issue.replace("\\", "")
    assert applied(team.confirmed(raised)) == DONE
    assert len(team.jobs()) == 3
    # The cap of the newest job counts.
    team.advance(3600)
    assert applied(team.pushed(raised, "schedule")) == DONE
    assert len(team.jobs()) == 4


def test_the_rest_of_a_reviewed_canary_needs_no_further_review(team: Team) -> None:
    start(team)
    team.branch()
    team.spec("tickets", 12)
    spec = team.work / "specs/tickets.yaml"
    spec.write_text(spec.read_text() + "canary: {requests: 4}\n")
    team.commit("twelve tickets, four first", "tickets")
    number = team.hub.open_pull("tickets")
    team.opened(number)
    assert "would submit 4 requests now, at most 12 in all" in team.comment(number)
    merged = team.hub.squash(number)
    assert applied(team.pushed(merged)) == DONE
    team.hub.artifacts.clear()
    team.advance(3600)
    for _ in range(2):
        assert applied(team.pushed(merged, "schedule")) == DONE
        team.advance(3600)
    parts = [job for job in team.jobs() if job["metadata"]["reconciler.name"] == "tickets"]
    assert sorted(job["total_requests"] for job in parts) == [4, 8]
