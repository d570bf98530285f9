"""The workflows at work: their own steps, a bare repository, squash merges, and the sandbox over HTTP."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.ci.conftest import KEY, Team
from tests.ci.hub import git

GOLDEN = Path(__file__).parent / "comments.md"

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the jobs run on Linux, and their lines with bash"),
    pytest.mark.timeout(240),
]


def settled(text: str) -> str:
    """Take out of a comment what differs from run to run."""
    text = re.sub(r"127\.0\.0\.1:\d+", "api.mistral.ai", text)
    text = re.sub(r"\b[0-9a-f]{7}\b(?=, clean| · \[run)", "a41c9e2", text)
    text = re.sub(r"\b0000[0-9a-f]{4}\b", "4fb29d1c", text)
    return text.replace("\u200b", "")


@pytest.mark.thorough
def test_pull_request_comment_merge_apply_revert_cancel_restore(team: Team) -> None:  # noqa: PLR0915  a story
    story: list[tuple[str, str]] = []

    def tell(title: str, number: int) -> None:
        story.append((title, settled(team.comment(number))))

    # A first push, without any pull request: applied, held by the guards.
    for name, requests in (("tickets", 900), ("old-embeddings", 500), ("steady", 400)):
        team.spec(name, requests)
    ran = team.pushed(team.commit("the first specs"))
    assert (ran.jobs, ran.codes) == ({"apply": "success"}, ["0"])
    assert team.live() == ["old-embeddings", "steady", "tickets"]

    # Two branches of the same main, each planned.
    team.branch()
    team.spec("tickets", 901)
    team.remove("old-embeddings")
    team.commit("more tickets, no old embeddings", "tickets")
    team.branch()
    team.spec("nightly", 1200)
    team.commit("a nightly job", "nightly")
    first, second = team.hub.open_pull("tickets"), team.hub.open_pull("nightly")
    team.advance(2)
    ran = team.opened(first)
    assert ran.jobs == {"validate": "success", "plan": "success", "preview": "skipped"}
    assert team.opened(second).jobs["plan"] == "success"
    tell("The pull request is planned", first)
    assert len(team.jobs()) == 3, "a plan creates no jobs"
    assert team.hub.kept(f"plan-{first}")["plan"]["target"]["project"] == "shop"
    assert "old-embeddings" in ran.page.replace("\\", "")

    # The first is merged, and done exactly.
    merged = team.hub.squash(first)
    team.advance(2)
    ran = team.pushed(merged)
    assert (ran.jobs, ran.codes) == ({"apply": "success"}, ["0"])
    tell("It is merged", first)
    team.advance(1)
    assert team.live() == ["steady", "tickets"]
    assert len(team.jobs()) == 4

    # The second is merged, after something else was declared on main: that is listed, and left to the next hour.
    team.branch()
    team.spec("extra", 300)
    team.commit("straight to main")
    merged = team.hub.squash(second)
    ran = team.pushed(merged)
    assert ran.codes == ["0"]
    assert team.live() == ["nightly", "steady", "tickets"]
    tell("Another is merged, beside a push without a plan", second)
    ran = team.pushed(merged, "schedule")
    assert ran.codes == ["0"]
    assert team.live() == ["extra", "nightly", "steady", "tickets"]

    # A revert cancels, and the revert of the revert restores what this tool itself had cancelled.
    team.branch()
    team.remove("nightly")
    team.commit("no nightly job after all", "revert")
    third = team.hub.open_pull("revert")
    assert team.opened(third).jobs["plan"] == "success"
    assert team.pushed(team.hub.squash(third)).codes == ["0"]
    tell("It is reverted", third)
    team.advance(1)
    assert "nightly" not in team.live()
    old = merged
    team.branch()
    team.spec("nightly", 1200)
    team.commit("and yet", "restore")
    fourth = team.hub.open_pull("restore")
    assert team.opened(fourth).jobs["plan"] == "success"
    assert "restored" in team.comment(fourth)
    assert team.pushed(team.hub.squash(fourth)).codes == ["0"]
    tell("And restored", fourth)
    assert team.live() == ["extra", "nightly", "steady", "tickets"]

    # An apply of an old commit runs again: it cancels nothing.
    before = {job["id"]: job["status"] for job in team.jobs()}
    ran = team.pushed(old)
    assert {job["id"]: job["status"] for job in team.jobs()} == before

    assert KEY not in ran.log
    text = "".join(f"## {title}\n\n{comment}\n" for title, comment in story)
    if os.environ.get("BLESS"):
        GOLDEN.write_text(text, encoding="utf-8", newline="\n")
    assert GOLDEN.read_text(encoding="utf-8") == text


@pytest.mark.thorough
def test_pull_request_of_a_fork_sees_no_key_and_is_planned_against_the_snapshot(team: Team) -> None:
    team.spec("steady", 400)
    team.pushed(team.commit("the first spec"))
    team.branch()
    team.spec("gift", 30)
    team.commit("a gift", "gift")
    number = team.hub.open_pull("gift", fork=True)
    ran = team.opened(number)
    assert ran.jobs == {"validate": "success", "plan": "skipped", "preview": "success"}
    page = ran.page.replace("\\", "")
    assert page.startswith("### shop: would submit 30 requests (mistral-embed)\n")
    assert "1 job in a snapshot, " in page
    assert team.hub.comments[number] == []
    # What a fork's run kept is not applied: after the merge, what is declared is applied, held by the guards.
    merged = team.hub.squash(number)
    ran = team.pushed(merged)
    assert ran.codes == ["0"]
    assert f"There was no plan for {team.hub.pulls[number]['head']['sha'][:7]}" in team.comment(number)
    assert team.live() == ["gift", "steady"]


def test_mistake_in_a_spec_is_found_without_secrets_and_nothing_is_planned(team: Team) -> None:
    team.write("specs/wrong.yaml", "name: wrong\nendpoint: /v1/embeddings\n")
    team.commit("a first commit")
    team.branch()
    team.write("specs/wrong.yaml", "name: wrong\nendpoint: /v1/embeddings\nmodle: x\n")
    team.commit("a mistake", "mistake")
    ran = team.opened(team.hub.open_pull("mistake"))
    assert ran.jobs == {"validate": "failure", "plan": "skipped", "preview": "skipped"}
    assert "::error file=specs/wrong.yaml,line=3," in ran.log


@pytest.mark.thorough
def test_plan_that_a_guard_refuses_fails_its_check(team: Team) -> None:
    team.write(
        "reconciler.yaml", (team.work / "reconciler.yaml").read_text() + "guards: {max_new_requests: 5}\n"
    )
    team.commit("settings")
    team.branch()
    team.spec("large", 50)
    team.commit("too much", "large")
    number = team.hub.open_pull("large")
    ran = team.opened(number)
    assert (ran.jobs["plan"], ran.codes) == ("failure", ["0", "3"])
    comment = team.comment(number).replace("\\", "")
    assert "### shop: refused by max_new_requests · would submit 50 requests (mistral-embed)\n" in comment


@pytest.mark.thorough
def test_stale_plan_is_refused_with_the_difference_in_the_comment(team: Team) -> None:
    team.spec("going", 500)
    team.spec("steady", 400)
    team.pushed(team.commit("the first specs"))
    team.branch()
    team.remove("going")
    team.commit("one less", "less")
    number = team.hub.open_pull("less")
    team.opened(number)
    # Meanwhile another pull request, whose change makes this cancel wrong, is merged.
    merged = team.hub.squash(number)
    git(team.work, "fetch", "--quiet", "origin", "main")
    git(team.work, "checkout", "--quiet", "--detach", "origin/main")
    team.spec("going-on", 500)
    data = (team.work / "specs/data/going-on.jsonl").read_text().replace("going-on ", "going ")
    team.write("specs/data/going-on.jsonl", data)
    sha = team.commit("the same work under another name")
    team.hub.pulls[number]["merge_commit_sha"] = sha
    ran = team.pushed(sha)
    assert merged != sha
    assert (ran.jobs, ran.codes) == ({"apply": "failure"}, ["4"])
    comment = team.comment(number).replace("\\", "")
    assert "### apply failed: the saved plan no longer holds, and nothing was done: cancel going: " in comment
    assert team.live() == ["going", "steady"]


@pytest.mark.thorough
def test_variable_stops_everything_but_the_check_of_the_specs(team: Team) -> None:
    team.runner.variables["RECONCILER"] = "off"
    team.spec("steady", 40)
    assert team.pushed(team.commit("the first spec")).jobs == {"apply": "skipped"}
    team.branch()
    team.spec("more", 4)
    team.commit("more", "more")
    ran = team.opened(team.hub.open_pull("more"))
    assert ran.jobs == {"validate": "success", "plan": "skipped", "preview": "skipped"}
    assert team.jobs() == []


@pytest.mark.thorough
def test_a_run_by_hand_applies_the_default_branch_and_no_other(team: Team) -> None:
    team.spec("steady", 4)
    main = team.commit("the first spec")
    team.branch()
    team.spec("sneaky", 9)
    sneaky = team.commit("not reviewed", "sneaky")
    assert team.pushed(sneaky, "workflow_dispatch", "sneaky").jobs == {"apply": "skipped"}
    assert team.jobs() == []
    assert team.pushed(main, "workflow_dispatch").jobs == {"apply": "success"}
    assert team.live() == ["steady"]
