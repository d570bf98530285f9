"""The workflows at work: their own steps, a bare repository, squash merges, and the sandbox over HTTP."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.ci.conftest import KEY, Team
from tests.ci.hub import git
from tests.ci.runner import Ran

GOLDEN = Path(__file__).parent / "comments.md"

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the jobs run on Linux, and their lines with bash"),
    pytest.mark.timeout(240),
]


PLANNED: Final = {"validate": "success", "plan": "success", "preview": "skipped", "reconciler": "success"}


def applied(ran: Ran) -> tuple[str, str]:
    """Return the result and the exit code of the job that applied."""
    (job,) = {"apply", "hourly"} - {name for name, result in ran.jobs.items() if result == "skipped"}
    return ran.jobs[job], ran.codes[-1]


def settled(text: str) -> str:
    """Take out of a comment what differs from run to run."""
    text = re.sub(r"127\.0\.0\.1:\d+", "api.mistral.ai", text)
    text = re.sub(r"\b[0-9a-f]{7}\b(?=, clean| · \[run)", "a41c9e2", text)
    text = re.sub(r"\brun [0-9a-f]{12}\b", "run 0c4b3d2e1f00", text)
    text = re.sub(r"\b0000[0-9a-f]{4}\b", "4fb29d1c", text)
    return text.replace("\u200b", "")


@pytest.mark.thorough
def test_pull_request_comment_merge_apply_revert_cancel_restore(team: Team) -> None:  # noqa: PLR0915  a story
    story: list[tuple[str, str]] = []

    def tell(title: str, number: int) -> None:
        story.append((title, settled(team.comment(number))))

    # A first push, without any pull request: nothing is done until its plan is confirmed.
    for name, requests in (("tickets", 900), ("old-embeddings", 500), ("steady", 400)):
        team.spec(name, requests)
    first_commit = team.commit("the first specs")
    assert applied(team.pushed(first_commit)) == ("failure", "3")
    assert team.jobs() == []
    assert applied(team.confirmed(first_commit)) == ("success", "0")
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
    assert ran.jobs == PLANNED
    assert team.opened(second).jobs["plan"] == "success"
    tell("The pull request is planned", first)
    assert len(team.jobs()) == 3, "a plan creates no jobs"
    assert team.hub.kept(f"plan-{first}")["plan"]["target"]["project"] == "shop"
    assert "old-embeddings" in ran.page.replace("\\", "")

    # The first is merged, and done exactly.
    merged = team.hub.squash(first)
    team.advance(2)
    ran = team.pushed(merged)
    assert applied(ran) == ("success", "0")
    tell("It is merged", first)
    team.advance(1)
    assert team.live() == ["steady", "tickets"]
    assert len(team.jobs()) == 4

    # The second is merged, after something else was declared on main: that is held until its plan is confirmed.
    team.branch()
    team.spec("extra", 300)
    team.commit("straight to main")
    merged = team.hub.squash(second)
    assert applied(team.pushed(merged)) == ("failure", "3")
    assert team.live() == ["nightly", "steady", "tickets"]
    tell("Another is merged, beside a push without a plan", second)
    assert applied(team.pushed(merged, "schedule")) == ("failure", "3")
    assert applied(team.confirmed(merged)) == ("success", "0")
    assert team.live() == ["extra", "nightly", "steady", "tickets"]

    # A revert cancels, and the revert of the revert restores what this tool itself had cancelled.
    team.branch()
    team.remove("nightly")
    team.commit("no nightly job after all", "revert")
    third = team.hub.open_pull("revert")
    assert team.opened(third).jobs["plan"] == "success"
    assert applied(team.pushed(team.hub.squash(third))) == ("success", "0")
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
    assert applied(team.pushed(team.hub.squash(fourth))) == ("success", "0")
    tell("And restored", fourth)
    assert team.live() == ["extra", "nightly", "steady", "tickets"]

    # An apply of an old commit runs again: it is refused.
    before = {job["id"]: job["status"] for job in team.jobs()}
    ran = team.pushed(old)
    assert applied(ran) == ("failure", "4")
    assert {job["id"]: job["status"] for job in team.jobs()} == before

    assert KEY not in ran.log
    text = "".join(f"## {title}\n\n{comment}\n" for title, comment in story)
    if os.environ.get("BLESS"):
        GOLDEN.write_text(text, encoding="utf-8", newline="\n")
    assert GOLDEN.read_text(encoding="utf-8") == text


@pytest.mark.thorough
def test_pull_request_of_a_fork_sees_no_key_and_is_planned_against_the_snapshot(team: Team) -> None:
    team.spec("steady", 400)
    team.confirmed(team.commit("the first spec"))
    team.branch()
    team.spec("gift", 30)
    team.commit("a gift", "gift")
    number = team.hub.open_pull("gift", fork=True)
    ran = team.opened(number)
    assert ran.jobs == PLANNED | {"plan": "skipped", "preview": "success"}
    page = ran.page.replace("\\", "")
    assert page.startswith("### shop: would submit 30 requests (mistral-embed-2312) · cost ≈ $")
    assert "1 job in a snapshot, " in page
    assert team.hub.comments[number] == []
    # What a fork's run kept is not applied: after the merge, a person confirms a plan of the default branch.
    merged = team.hub.squash(number)
    assert applied(team.pushed(merged)) == ("failure", "3")
    assert applied(team.confirmed(merged)) == ("success", "0")
    assert team.live() == ["gift", "steady"]


def test_mistake_in_a_spec_is_found_without_secrets_and_nothing_is_planned(team: Team) -> None:
    team.write("specs/wrong.yaml", "name: wrong\nendpoint: /v1/embeddings\n")
    team.commit("a first commit")
    team.branch()
    team.write("specs/wrong.yaml", "name: wrong\nendpoint: /v1/embeddings\nmodle: x\n")
    team.commit("a mistake", "mistake")
    ran = team.opened(team.hub.open_pull("mistake"))
    assert ran.jobs == PLANNED | {"validate": "failure", "plan": "skipped", "reconciler": "failure"}
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
    assert ran.jobs == PLANNED | {"plan": "failure", "reconciler": "failure"}
    assert ran.codes == ["0", "3"]
    comment = team.comment(number).replace("\\", "")
    assert "### shop: held back by max_new_requests\n" in comment
    assert "held back · max_new_requests: create, new, 50 requests of mistral-embed-2312" in comment


@pytest.mark.thorough
def test_a_cancel_that_a_rename_has_made_wrong_is_not_done(team: Team) -> None:
    team.spec("going", 500)
    team.spec("steady", 400)
    team.confirmed(team.commit("the first specs"))
    team.branch()
    team.remove("going")
    team.commit("one less", "less")
    number = team.hub.open_pull("less")
    team.opened(number)
    assert "cancel" in team.comment(number)
    team.hub.squash(number)
    team.branch()
    team.spec("going-on", 500)
    data = (team.work / "specs/data/going-on.jsonl").read_text().replace("going-on ", "going ")
    team.write("specs/data/going-on.jsonl", data)
    assert applied(team.pushed(team.commit("the same work under another name"))) == ("success", "0")
    assert team.live() == ["going", "steady"]


@pytest.mark.thorough
def test_variable_stops_everything_but_the_check_of_the_specs(team: Team) -> None:
    team.runner.variables["RECONCILER"] = "off"
    team.spec("steady", 40)
    assert set(team.pushed(team.commit("the first spec")).jobs.values()) == {"skipped"}
    team.branch()
    team.spec("more", 4)
    team.commit("more", "more")
    ran = team.opened(team.hub.open_pull("more"))
    assert ran.jobs == PLANNED | {"plan": "skipped"}
    assert team.jobs() == []


@pytest.mark.thorough
def test_a_run_by_hand_applies_the_default_branch_and_no_other(team: Team) -> None:
    team.spec("steady", 4)
    main = team.commit("the first spec")
    team.branch()
    team.spec("sneaky", 9)
    sneaky = team.commit("not reviewed", "sneaky")
    assert set(team.by_hand("apply", sneaky, branch="sneaky").jobs.values()) == {"skipped"}
    assert team.jobs() == []
    assert applied(team.confirmed(main)) == ("success", "0")
    assert team.live() == ["steady"]


@pytest.mark.thorough
def test_a_merge_queue_of_two_pull_requests_is_checked_and_each_plan_is_applied(team: Team) -> None:
    team.spec("steady", 4)
    team.confirmed(team.commit("the first spec"))
    numbers = []
    for name in ("one", "two"):
        team.branch()
        team.spec(name, 10)
        team.commit(f"add {name}", name)
        numbers.append(team.hub.open_pull(name))
        assert team.opened(numbers[-1]).jobs == PLANNED
    commits = team.hub.queue(*numbers)
    for commit in commits:
        assert team.queued(commit).jobs == PLANNED | {"plan": "skipped"}
    for number, commit in zip(numbers, commits, strict=True):
        team.hub.merge_queued({number: commit})
        assert applied(team.pushed(commit)) == ("success", "0")
        assert "1 created" in team.comment(number)
    assert team.live() == ["one", "steady", "two"]


@pytest.mark.thorough
def test_the_merge_queue_rejects_what_is_wrong_only_together(team: Team) -> None:
    team.commit("settings")
    numbers = []
    for file in ("one", "two"):
        team.branch()
        team.spec("same", 10)
        (team.work / "specs/same.yaml").rename(team.work / f"specs/{file}.yaml")
        team.commit(f"add {file}", file)
        numbers.append(team.hub.open_pull(file))
        assert team.opened(numbers[-1]).jobs == PLANNED
    first, second = team.hub.queue(*numbers)
    assert team.queued(first).jobs["reconciler"] == "success"
    ran = team.queued(second)
    assert ran.jobs == {
        "validate": "failure",
        "plan": "skipped",
        "preview": "skipped",
        "reconciler": "failure",
    }
    assert "::error file=specs/two.yaml" in ran.log


@pytest.mark.thorough
def test_a_pull_request_that_changes_no_spec_gets_no_comment_and_passes_the_required_check(
    team: Team,
) -> None:
    team.settings("guards: {max_new_requests: 100}\n")
    team.spec("steady", 4)
    team.confirmed(team.commit("the first spec"))
    team.branch()
    team.spec("pending", 500)  # on the default branch, and refused by its guard: another matter
    team.commit("too much")
    team.branch()
    team.write("README.md", "# Batches\n")
    team.commit("a word", "words")
    number = team.hub.open_pull("words")
    ran = team.opened(number)
    assert ran.jobs == PLANNED
    assert "::notice::nothing is planned: the pull request changes no file that the specs use" in ran.log
    assert (team.hub.comments[number], [it["name"] for it in team.hub.artifacts][1:]) == ([], ["observed"])
    team.pushed(team.hub.squash(number))
    assert team.hub.comments[number] == []
    assert team.live() == ["steady"]


@pytest.mark.thorough
def test_a_pull_request_that_takes_its_change_back_has_its_comment_updated(team: Team) -> None:
    team.spec("steady", 4)
    team.confirmed(team.commit("the first spec"))
    team.branch()
    team.spec("more", 30)
    team.commit("more", "more")
    number = team.hub.open_pull("more")
    team.opened(number)
    assert "would submit 30 requests" in team.comment(number)
    team.remove("more")
    team.write("README.md", "# Batches\n")
    team.commit("less", "more")
    team.hub.update(number)
    assert team.opened(number).jobs == PLANNED
    assert "### shop: no changes" in team.comment(number)


@pytest.mark.thorough
def test_a_pull_request_into_another_branch_is_validated_and_not_planned(team: Team) -> None:
    team.spec("steady", 4)
    team.commit("the first spec")
    team.write("feature.md", "# A feature\n")
    team.commit("a feature", "feature")
    team.spec("more", 30)
    team.commit("more", "more")
    number = team.hub.open_pull("more", base="feature")
    assert team.opened(number).jobs == PLANNED | {"plan": "skipped"}
    assert team.hub.comments[number] == []
    team.write("specs/steady.yaml", "nmae: steady\n")
    team.commit("a mistake", "more")
    team.hub.update(number)
    assert team.opened(number).jobs["reconciler"] == "failure"


LARGE: Final = {"size": "success", "approve": "failure", "apply": "skipped", "hourly": "skipped"}


@pytest.mark.thorough
def test_a_large_plan_waits_for_its_approval_and_no_other_run_submits_it(team: Team) -> None:
    team.settings("approve_above: {requests: 20}\n")
    team.spec("steady", 20)
    ran = team.confirmed(team.commit("the first spec"))
    assert (ran.jobs, team.live()) == (LARGE | {"approve": "skipped", "apply": "success"}, ["steady"])
    team.branch()
    team.spec("large", 21)
    team.commit("much", "large")
    number = team.hub.open_pull("large")
    assert team.opened(number).jobs == PLANNED
    merged = team.hub.squash(number)
    assert team.pushed(merged).jobs == LARGE
    assert applied(team.pushed(merged, "schedule")) == ("failure", "3")
    assert team.live() == ["steady"]
    team.runner.approved.add("reconciler")
    ran = team.pushed(merged)
    assert ran.jobs == LARGE | {"approve": "success", "apply": "success"}
    assert team.live() == ["large", "steady"]
    assert "1 created" in team.comment(number)


@pytest.mark.thorough
def test_a_large_plan_that_is_confirmed_by_hand_waits_for_its_approval_too(team: Team) -> None:
    team.settings("approve_above: {requests: 20}\nguards: {max_new_requests: 50}\n")
    team.spec("large", 21)
    sha = team.commit("straight to the default branch")
    assert applied(team.pushed(sha)) == ("failure", "3")
    assert team.confirmed(sha).jobs == LARGE
    assert team.jobs() == []
    team.runner.approved.add("reconciler")
    assert applied(team.confirmed(sha)) == ("success", "0")
    assert team.live() == ["large"]


@pytest.mark.thorough
@pytest.mark.parametrize("default", ["master"])
def test_the_default_branch_may_have_any_name(team: Team, default: str) -> None:
    team.spec("steady", 4)
    assert applied(team.confirmed(team.commit("the first spec"))) == ("success", "0")
    team.branch()
    team.spec("more", 5)
    sha = team.commit("a branch of this name is not the default one", "main")
    assert team.runner.play(team.runner.push(sha, branch="main")) == {}
    assert team.by_hand("apply", sha, branch="main").jobs["apply"] == "skipped"
    number = team.hub.open_pull("main")
    assert team.opened(number).jobs == PLANNED
    assert applied(team.pushed(team.hub.squash(number))) == ("success", "0")
    assert team.live() == ["more", "steady"]
    assert default == team.hub.default


@pytest.mark.thorough
def test_the_history_is_verified_every_week_and_a_contradiction_fails_the_run(team: Team) -> None:
    team.spec("steady", 4)
    sha = team.commit("the first spec")
    team.confirmed(sha)
    weekly = team.runner.push(sha, name="schedule", cron="41 4 * * 1")
    assert {name: ran.jobs for name, ran in team.runner.play(weekly).items()} == {
        "verify": {"verify": "success"}
    }
    other = git(team.work, "commit-tree", f"{sha}^{{tree}}", "-m", "another past")
    git(team.work, "push", "--quiet", "--force", "origin", f"{other}:refs/heads/main")
    (ran,) = team.runner.play(team.runner.push(other, name="schedule", cron="41 4 * * 1")).values()
    assert (ran.jobs, ran.codes) == ({"verify": "failure"}, ["6"])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("place", "jobs", "artifact"),
    [
        ("", {"report": "skipped", "publish": "skipped"}, None),
        ("artifact", {"report": "success", "publish": "skipped"}, "report"),
        ("pages", {"report": "success", "publish": "success"}, "github-pages"),
    ],
)
def test_the_report_of_each_day_is_kept_or_published_as_the_variable_says(
    team: Team, place: str, jobs: dict[str, str], artifact: str | None
) -> None:
    team.runner.variables["RECONCILER_REPORT"] = place
    team.runner.approved.add("github-pages")
    team.spec("steady", 4)
    sha = team.commit("the first spec")
    team.confirmed(sha)
    before = len(team.hub.artifacts)
    daily = team.runner.play(team.runner.push(sha, name="schedule", cron="23 5 * * *"))
    assert {name: ran.jobs for name, ran in daily.items()} == {"report": jobs}
    assert [it["name"] for it in team.hub.artifacts[before:]] == ([artifact] if artifact else [])
    assert ("steady" in team.hub.page(artifact)) if artifact else True
    assert ("steady" in team.hub.site) is (place == "pages")


@pytest.mark.thorough
def test_rules_about_the_checkout_allow_what_a_merge_applies(team: Team) -> None:
    """Also in a pull request's branch, whose plan shows what its merge creates."""
    team.settings("apply: {only_from: [main], clean: true, pushed: true}\n")
    team.commit("Begin")
    team.spec("one", 10)
    number = team.hub.open_pull("topic") if team.commit("Add one", "topic") else 0
    assert team.opened(number).jobs["plan"] == "success"
    assert team.pushed(team.hub.squash(number)).jobs["apply"] == "success"
    assert team.live() == ["one"]


RULES = "message: Ask the platform team.\nmax_guards: {max_new_requests: 500}\nallowed_models: [mistral-embed-2312]\n"


@pytest.mark.thorough
def test_a_policy_of_another_repository_binds_the_plan_and_every_apply(team: Team) -> None:
    team.runner.variables["RECONCILER_POLICY"] = "acme/platform/policies/batches.yaml@v1"
    team.runner.secrets = {**team.runner.secrets, "RECONCILER_POLICY_TOKEN": "reads-the-policy"}
    place = "/repos/acme/platform/contents/policies/batches.yaml?ref=v1"
    team.hub.private[place] = ("reads-the-policy", RULES.encode())
    team.spec("small", 10)
    team.commit("Begin")
    team.settings("guards: {max_new_requests: 900}\n")
    team.spec("large", 600)
    number = team.hub.open_pull("large") if team.commit("Raise the budget", "large") else 0
    planned = team.opened(number)
    assert planned.jobs == PLANNED | {"validate": "failure", "plan": "skipped", "reconciler": "failure"}
    assert "the policy allows at most 500" in planned.log
    assert "(reconciler-policy.yaml:2). Ask the platform team." in planned.log
    merged = team.pushed(team.hub.squash(number))
    assert merged.jobs["apply"] == "failure"
    assert team.live() == []
    team.hub.private.clear()  # nothing is applied without the policy
    team.branch()
    team.settings()
    team.remove("large")
    sha = team.commit("Take it back")
    unread = team.pushed(sha, "schedule")
    assert unread.jobs["hourly"] == "failure"
    assert "The policy cannot be read" in unread.log
    assert team.live() == []
    team.hub.private[place] = ("reads-the-policy", RULES.encode())
    assert team.confirmed(sha).jobs["apply"] == "success"
    assert team.live() == ["small"]


@pytest.mark.thorough
def test_a_policy_binds_the_merge_queue_and_every_branch_and_forks_if_the_workflow_names_it(
    team: Team,
) -> None:
    name = "acme/platform/policies/batches.yaml"
    team.runner.variables["RECONCILER_POLICY"] = name
    team.hub.private[f"/repos/{name.replace('platform/', 'platform/contents/')}"] = ("", RULES.encode())
    team.spec("small", 10)
    team.commit("Begin")
    git(team.work, "push", "--quiet", "origin", "HEAD:refs/heads/release")
    team.settings("guards: {max_new_requests: 900}\n")
    team.commit("Raise the budget", "large")
    own, gift = team.hub.open_pull("large", base="release"), team.hub.open_pull("large", fork=True)
    (queued,) = team.hub.queue(team.hub.open_pull("large"))
    for ran in (team.opened(own), team.queued(queued)):
        assert (ran.jobs["validate"], ran.jobs["reconciler"]) == ("failure", "failure")
        assert "the policy allows at most 500" in ran.log
    assert team.opened(gift).jobs["validate"] == "success"
    file = team.work / ".github/workflows/plan.yml"
    team.write(".github/workflows/plan.yml", file.read_text().replace("${{ vars.RECONCILER_POLICY }}", name))
    team.commit("Name the policy", "large")
    named = team.opened(team.hub.open_pull("large", fork=True))
    assert (named.jobs["validate"], named.jobs["reconciler"]) == ("failure", "failure")
    assert "the policy allows at most 500" in named.log


def test_a_policy_that_is_named_in_another_form_stops_the_run(team: Team) -> None:
    team.spec("small", 10)
    sha = team.commit("Begin")
    for form in ("policy.yaml", "https://evil.example/policy.yaml", "acme/platform/a b"):
        team.runner.variables["RECONCILER_POLICY"] = form
        ran = team.pushed(sha, "schedule")
        assert ran.jobs["hourly"] == "failure"
        assert "is not OWNER/REPOSITORY/PATH" in ran.log
    assert team.live() == []
