"""`reconciler ci` without the workflows around it: in which runs it starts, and which requests it sends to GitHub."""

from __future__ import annotations

import io
import json
import re
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from reconciler.plans import plan_file
from reconciler.vcs.github import Artifact, GitHub, GitHubError
from tests.api.server import Server, sends
from tests.ci.hub import FORK_ID, REPOSITORY, Hub, new_hub, serving
from tests.cli.stage import Fault, Stage

MARKER = "<!-- reconciler -->"
EVERYTHING = {"actions": "read", "contents": "read", "issues": "write", "pull-requests": "write"}
HEAD = "a" * 40


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with serving(new_hub(tmp_path)) as hub:
        hub.comments[1] = []
        yield hub


def github(hub: Hub, **permissions: str) -> GitHub:
    token = hub.grant(permissions or EVERYTHING)
    return GitHub(api=hub.url, repository=REPOSITORY, token=token, sleep=lambda _: None)


def test_there_is_one_comment_and_it_is_changed(hub: Hub) -> None:
    for text in ("first", "second"):
        github(hub).comment(1, MARKER, text)
    assert [it["body"] for it in hub.comments[1]] == [f"{MARKER}\nsecond"]


def test_comment_of_another_author_with_our_marker_is_left_alone(hub: Hub) -> None:
    theirs: dict[str, Any] = {"id": 7, "user": {"type": "User"}, "body": f"{MARKER}\nall is well"}
    hub.comments[1] = [theirs, *({**theirs, "id": 8 + at, "body": "a word"} for at in range(150))]
    for text in ("first", "second"):
        github(hub).comment(1, MARKER, text)
    assert hub.comments[1][0]["body"] == f"{MARKER}\nall is well"
    assert [it["body"] for it in hub.comments[1][151:]] == [f"{MARKER}\nsecond"]


def keep(hub: Hub, tmp_path: Path, text: str, **more: Any) -> None:  # noqa: ANN401  the hub's own arguments
    (tmp_path / "file.json").write_text(text)
    hub.upload("plan-1", tmp_path / "file.json", **{"head_sha": HEAD, "head_branch": "topic", **more})


def test_newest_artifact_of_our_own_branches_is_found_and_a_forks_is_not(hub: Hub, tmp_path: Path) -> None:
    keep(hub, tmp_path, "old")
    keep(hub, tmp_path, "new")
    keep(hub, tmp_path, "planted", home=FORK_ID)
    found = github(hub).artifacts("plan-1")
    assert [github(hub).file(it) for it in found] == [b"new", b"old"]


def test_token_does_not_go_where_the_archive_is(hub: Hub, tmp_path: Path) -> None:
    """The hub's store of archives fails a request that carries one."""
    keep(hub, tmp_path, "text")
    assert github(hub).file(Artifact(id=1)) == b"text"


def test_expired_and_similar_ones_do_not_count(hub: Hub, tmp_path: Path) -> None:
    keep(hub, tmp_path, "text")
    hub.artifacts[0]["expired"] = True
    assert github(hub).artifacts("plan-1") == []
    assert github(hub).artifacts("plan-11") == []


def damaged(method: int) -> bytes:
    """An archive whose compressed data is another's, with the right checksum of the archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("plan.json", "text " * 1000)
    data = bytearray(made.getvalue())
    data[50:60] = b"\xff" * 10
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive",
        b"PK\x05\x06" + bytes(18),
        *map(damaged, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)),
    ],
)
def test_archive_that_holds_no_single_file_is_refused(hub: Hub, tmp_path: Path, data: bytes) -> None:
    keep(hub, tmp_path, "text")
    hub.artifacts[0]["data"] = data
    with pytest.raises(GitHubError, match="does not contain exactly one file"):
        github(hub).file(Artifact(id=1))


def test_pull_requests_that_were_merged_since_a_time_come_in_the_order_of_their_merges(hub: Hub) -> None:
    at = [f"2026-11-2{day}T12:00:00Z" for day in range(10)]
    states = [
        ("main", at[7]),
        ("main", at[5]),
        ("main", None),
        ("main", at[1]),
        ("topic", at[6]),
        ("main", at[3]),
    ]
    for number, (base, merged_at) in enumerate(states, start=1):
        hub.pulls[number] = {
            "number": number,
            "head": {"sha": HEAD},
            "base": {"ref": base},
            "state": "closed",
            "updated_at": at[9],
            "merged_at": merged_at,
        }
    assert [it.number for it in github(hub).merged_since("main", at[3])] == [6, 2, 1]


def test_one_issue_is_opened_changed_and_closed_and_a_persons_is_left_alone(hub: Hub) -> None:
    ours = github(hub, issues="write")
    theirs = {
        "id": 1,
        "number": 1,
        "user": {"type": "User"},
        "state": "open",
        "changes": 0,
        "body": f"{MARKER}\nplease",
    }
    hub.issues.append(theirs)
    for text in ("", "first", "first", "second", "", "", "third"):
        ours.issue(MARKER, "title", text)
    assert [(it["state"], it["body"], it["changes"]) for it in hub.issues] == [
        ("open", f"{MARKER}\nplease", 0),
        ("closed", f"{MARKER}\nsecond", 2),
        ("open", f"{MARKER}\nthird", 0),
    ]


def test_refusals_are_reported_and_reads_are_tried_again(hub: Hub) -> None:
    with pytest.raises(GitHubError, match="403"):
        github(hub, actions="read").comment(1, MARKER, "text")
    waited: list[float] = []
    nowhere = GitHub(api="http://127.0.0.1:9", repository=REPOSITORY, token=MARKER, sleep=waited.append)
    with pytest.raises(GitHubError, match="GET actions/artifacts"):
        nowhere.artifacts("plan-1")
    assert waited == [1, 2]


def test_elsewhere_it_says_what_is_missing(stage: Stage) -> None:
    result = stage.run("ci", "plan")
    assert result.code == 64
    assert "this is not a GitHub Actions job: GITHUB_EVENT_PATH, GITHUB_OUTPUT" in result.err


def job(stage: Stage, hub: Hub, event: object, **more: str) -> None:
    """Make the stage a job of GitHub Actions."""
    stage.environ |= {
        "GITHUB_API_URL": hub.url,
        "GITHUB_EVENT_PATH": str(stage.write("event.json", json.dumps(event))),
        "GITHUB_OUTPUT": str(stage.root / "github-output"),
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_RUN_ID": "1",
        "GITHUB_SERVER_URL": "https://github.com",
        "RECONCILER_TOKEN": hub.grant(EVERYTHING),
        "RUNNER_TEMP": str(stage.root / "temp"),
        **more,
    }


def merge(stage: Stage, hub: Hub, plan: str = "", *, event: str = "push", **more: str) -> str:
    """Commit the stage as the merge of pull request 1, make it a job of that, and return the commit.

    Args:
        stage: the project.
        hub: the remote.
        plan: the content of the plan that the pull request kept; "" for none.
        event: what started the job.
        more: variables.
    """
    before = hub.git("rev-parse", "--verify", "--quiet", "main") if hub.git("branch") else "0" * 40
    sha = stage.commit("the merge of a pull request")
    stage.git("push", "--quiet", "--force", str(hub.origin), "HEAD:refs/heads/main")
    hub.late = stage.clock - time.time()
    times = {"updated_at": hub.now, "merged_at": hub.now}
    head = {"head": {"sha": "b" * 40}, "base": {"ref": "main"}}
    hub.pulls[1] = {"number": 1, "state": "closed", "merge_commit_sha": sha, **times, **head}
    if plan:
        hub.upload("plan-1", stage.write("../plan.json", plan), head_sha="b" * 40, head_branch="topic")
    started = {"GITHUB_EVENT_NAME": event, "GITHUB_SHA": sha, "GITHUB_REF": "refs/heads/main"}
    about = {"repository": {"default_branch": "main"}, **({"before": before} if event == "push" else {})}
    job(stage, hub, about, **started, MISTRAL_API_KEY="k", **more)
    return sha


def saved(stage: Stage) -> str:
    """Plan, and return the content of the saved plan."""
    stage.run("plan", "-o", "plan.json")
    text = (stage.root / "plan.json").read_text(encoding="utf-8")
    (stage.root / "plan.json").unlink()
    return text


def test_without_a_key_and_without_a_snapshot_the_reason_is_said(stage: Stage, hub: Hub) -> None:
    job(stage, hub, {"repository": {"default_branch": "main"}})
    result = stage.run("ci", "plan")
    assert result.code == 1
    assert result.out.startswith("::error::there is no API key and no snapshot (add the secret")
    assert (stage.root / "github-output").read_text() == "exit-code=1\n"


@pytest.mark.skipif(sys.platform == "win32", reason="the command is a shell script")
def test_a_plan_is_made_with_the_key_that_a_command_prints(
    stage: Stage, hub: Hub, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = tmp_path_factory.mktemp("outside") / "print-key"
    program.write_text("#!/bin/sh\necho not-a-real-key-0123456789\n")
    program.chmod(0o755)
    stage.spec("one")
    job(stage, hub, {"repository": {"default_branch": "main"}}, RECONCILER_KEY_COMMAND=str(program))
    stage.environ |= {
        "MISTRAL_API_KEY": "",
        "RECONCILER_SANDBOX": "0",
    }  # what the action passes without the input
    stage.faults.append(Fault("GET", "/v1/batch/jobs", 401, times=9))
    result = stage.run("ci", "plan")
    assert {it.headers["authorization"] for it in result.sent} == {"Bearer not-a-real-key-0123456789"}
    assert "no API key" not in result.out


def test_snapshot_of_another_branch_is_none(stage: Stage, hub: Hub) -> None:
    hub.upload("observed", stage.write("x.json", "{}"), head_sha=HEAD, head_branch="topic")
    job(stage, hub, {"repository": {"default_branch": "main"}})
    assert stage.run("ci", "plan").code == 1


@pytest.mark.parametrize("name", ["Prod", "a b", "x-->", "../x"])
def test_name_that_could_be_more_than_a_name_is_refused(stage: Stage, hub: Hub, name: str) -> None:
    job(stage, hub, {}, RECONCILER_NAME=name)
    result = stage.run("ci", "plan")
    assert result.code == 64
    assert "invalid input name: " in result.err


@pytest.mark.parametrize(
    "text",
    [
        *(
            "{",
            "[]",
            "null",
            '"x"',
            "[" * 5000,
            '{"pull_request": 1}',
            '{"pull_request": {}}',
            '{"repository": "x"}',
        ),
        *('{"pull_request": {"number": "7", "head": {"sha": "aaaaaaa"}}}', '{"pull_request": {"number": 7}}'),
        *(
            '{"pull_request": {"number": 7, "head": {"sha": "../x"}}}',
            '{"pull_request": {"number": 7, "head": []}}',
        ),
    ],
)
def test_event_that_is_none_is_named_with_the_next_step(stage: Stage, hub: Hub, text: str) -> None:
    job(stage, hub, {})
    path = stage.write("event.json", text)
    result = stage.run("ci", "plan")
    assert result.code == 1
    assert f"error: the event file {path} cannot be read: " in result.err
    assert "  hint: run the CI job again" in result.err


def test_event_that_cannot_be_opened_is_named(stage: Stage, hub: Hub) -> None:
    job(stage, hub, {}, GITHUB_EVENT_PATH=str(stage.root))
    assert f"the event file {stage.root} cannot be read: it is a folder" in stage.run("ci", "plan").err


@pytest.mark.parametrize(
    "answer",
    [{}, [1], [{}], "x", 7, None, [{"number": 1, "head": {}}], {"artifacts": [{}]}, {"artifacts": 1}],
)
def test_an_answer_of_github_that_is_none_is_an_error_and_nothing_is_applied(
    stage: Stage, hub: Hub, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    stage.spec("one")
    merge(stage, hub)
    monkeypatch.setattr(hub, "answer", lambda *_: (200, answer))
    result = stage.run("ci", "apply")
    assert (result.code, result.writes) == (1, [])
    assert "GET git/ref/heads/main" in result.out
    assert "the answer is not what GitHub describes" in result.out
    for ask in (github(hub).artifacts, lambda name: github(hub).comment(1, MARKER, name)):
        with pytest.raises(GitHubError, match="the answer is not what GitHub describes"):
            ask("plan-1")


def test_printed_text_begins_no_workflow_command_and_nothing_of_ours_is_shown(stage: Stage, hub: Hub) -> None:
    stage.spec("one")
    job(stage, hub, {}, MISTRAL_API_KEY="a-key-that-is-shown-nowhere")
    result = stage.run("ci", "validate")
    assert result.code == 0
    first, second = result.out.splitlines()
    assert first.startswith("::stop-commands::")
    assert second == f"::{first.removeprefix('::stop-commands::')}::"
    assert "a-key-that-is-shown-nowhere" not in result.out + result.err
    assert stage.environ["RECONCILER_TOKEN"] not in result.out + result.err


def test_commands_see_the_key_only_where_it_is_needed_and_the_token_never(stage: Stage, hub: Hub) -> None:
    from reconciler.cli.session.find_ledgers import ledger_credentials
    from reconciler.cli.session.github_job import GithubJob, environment

    other = {"RECONCILER_KEY_COMMAND": "print-key", "RECONCILER_HEADERS": "X-Gateway-Key: x"}
    job(stage, hub, {}, MISTRAL_API_KEY="a-key-that-is-shown-nowhere", **other)
    here = GithubJob.on(stage.world([]))
    token = stage.environ["RECONCILER_TOKEN"]
    for key in (True, False):
        seen = environment(here, key=key)
        assert {it in seen for it in ("MISTRAL_API_KEY", *other)} == {key}
        assert token not in seen.values()
        assert bool(ledger_credentials(seen)) is key
        assert "GIT_CONFIG_VALUE_0" not in seen


def test_apply_reports_the_comment_and_keeps_a_snapshot(stage: Stage, hub: Hub) -> None:
    stage.spec("one")
    merge(stage, hub, saved(stage))
    result = stage.run("ci", "apply")
    assert result.code == 0
    (comment,) = hub.comments[1]
    assert comment["body"].startswith(f"{MARKER}\n### shop: 1 created\n")
    outputs = dict(line.split("=", 1) for line in (stage.root / "github-output").read_text().splitlines())
    assert outputs.keys() == {"observed", "observed-name", "exit-code"}
    assert hub.asked == [
        f"GET /repos/{REPOSITORY}/git/ref/heads/main",
        f"GET /repos/{REPOSITORY}/pulls",
        f"GET /repos/{REPOSITORY}/actions/artifacts",
        f"GET /repos/{REPOSITORY}/actions/artifacts/1/zip",
        f"GET /repos/{REPOSITORY}/issues/1/comments",
        f"POST /repos/{REPOSITORY}/issues/1/comments",
    ]
    # An outcome is written once: that of a later run is about another merge.
    stage.run("ci", "apply")
    assert hub.comments[1] == [comment]


ADA, BOB, CY = ({"login": login} for login in ("ada", "bob", "cy"))
REVIEWS: Final[Mapping[str, tuple[list[tuple[dict[str, str] | None, str]], list[str]]]] = {
    "none": ([], []),
    "one": ([(ADA, "APPROVED")], ["ada"]),
    "two": ([(ADA, "APPROVED"), (BOB, "APPROVED")], ["ada", "bob"]),
    "one who approved twice": ([(ADA, "APPROVED"), (ADA, "APPROVED")], ["ada"]),
    "approved after changes": ([(ADA, "CHANGES_REQUESTED"), (ADA, "APPROVED")], ["ada"]),
    "changes after an approval": (
        [(ADA, "APPROVED"), (BOB, "APPROVED"), (ADA, "CHANGES_REQUESTED")],
        ["bob"],
    ),
    "a comment after an approval": ([(ADA, "APPROVED"), (ADA, "COMMENTED")], ["ada"]),
    "only comments": ([(ADA, "COMMENTED"), (BOB, "DISMISSED"), (CY, "PENDING")], []),
    "a deleted account": ([(None, "APPROVED"), (CY, "APPROVED")], ["cy"]),
    "on the second page": ([*([(BOB, "COMMENTED")] * 100), (CY, "APPROVED")], ["cy"]),
}


@pytest.mark.parametrize("who", REVIEWS)
def test_an_approver_is_whose_last_review_approves(hub: Hub, who: str) -> None:
    reviews, approvers = REVIEWS[who]
    hub.reviews[1] = [{"user": user, "state": state} for user, state in reviews]
    assert github(hub).approvers(1) == approvers


def pushed(stage: Stage, hub: Hub, *, event: str = "push") -> None:
    """Make the stage a job of the merge of pull request 1, which adds a spec, on top of another commit."""
    stage.spec("one")
    plan = saved(stage)
    (stage.root / "specs/one.yaml").rename(stage.root / "one.yaml")
    stage.commit("base")
    stage.git("push", "--quiet", "--force", str(hub.origin), "HEAD:refs/heads/main")
    (stage.root / "one.yaml").rename(stage.root / "specs/one.yaml")
    hub.reviews[1] = [{"user": ADA, "state": "APPROVED"}, {"user": BOB, "state": "APPROVED"}]
    merge(stage, hub, plan, event=event)


def noted(stage: Stage) -> tuple[object, object]:
    """Apply, and return the pull request and the approvers that the tags of the only job name."""
    assert stage.run("ci", "apply").code == 0
    stage.forget()
    (record,) = json.loads(stage.run("history", "--format", "json").out)["records"]
    return record["pull"], record["approver"]


def test_a_job_names_the_pull_request_of_the_push_and_who_approved_it(stage: Stage, hub: Hub) -> None:
    pushed(stage, hub)
    assert noted(stage) == ("1", "ada, bob")


@pytest.mark.parametrize("event", ["schedule", "workflow_dispatch"])
def test_a_run_that_no_push_started_names_no_pull_request(stage: Stage, hub: Hub, event: str) -> None:
    pushed(stage, hub, event=event)
    assert noted(stage) == (None, None)


def test_a_push_of_several_pull_requests_names_none(stage: Stage, hub: Hub) -> None:
    pushed(stage, hub)
    hub.pulls[2] = {**hub.pulls[1], "number": 2}
    assert noted(stage) == (None, None)


def test_a_pull_request_of_an_earlier_push_is_not_of_this_one(stage: Stage, hub: Hub) -> None:
    pushed(stage, hub)
    hub.pulls[2] = {**hub.pulls[1], "number": 2, "merge_commit_sha": hub.git("rev-parse", "main^")}
    assert noted(stage) == ("1", "ada, bob")


def test_reviews_that_cannot_be_read_stop_nothing(
    stage: Stage, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed(stage, hub)
    answer = hub.answer
    refused = (403, {"message": "Resource not accessible by integration"})
    monkeypatch.setattr(hub, "answer", lambda *asked: refused if "/reviews" in asked[1] else answer(*asked))
    assert noted(stage) == ("1", None)


def test_apply_saves_no_snapshot_if_the_settings_say_so(stage: Stage, hub: Hub) -> None:
    with (stage.root / "reconciler.yaml").open("a") as file:
        file.write("snapshot: false\n")
    stage.spec("one")
    merge(stage, hub, saved(stage))
    assert stage.run("ci", "apply").code == 0
    assert len(stage.jobs()) == 1
    assert (stage.root / "github-output").read_text() == "exit-code=0\n"
    assert not list((stage.root / "temp").rglob("observed.json"))


def test_if_the_plan_cannot_be_looked_up_nothing_is_applied_in_its_place(stage: Stage, hub: Hub) -> None:
    stage.spec("one")
    merge(stage, hub, saved(stage))
    hub.grants.clear()
    result = stage.run("ci", "apply")
    assert result.code == 1
    assert "::error::GET git/ref/heads/main: 401 Unauthorized (run the CI job again; " in result.out
    assert stage.jobs() == []


def test_plan_that_cannot_be_read_is_not_replaced_by_what_is_declared(stage: Stage, hub: Hub) -> None:
    stage.spec("one")
    merge(stage, hub, "{}")
    result = stage.run("ci", "apply")
    assert (result.code, stage.jobs(), hub.comments[1]) == (3, [], [])
    assert "::warning::plan-1.json agrees to nothing: this is not a plan file" in result.out
    (issue,) = hub.issues
    assert "no agreed plan contains what is declared now for one" in issue["body"]


def test_a_plan_for_another_project_agrees_to_nothing_and_stops_no_other(stage: Stage, hub: Hub) -> None:
    stage.spec("one")
    old = saved(stage)
    settings = stage.root / "reconciler.yaml"
    settings.write_text(settings.read_text().replace("project: shop", "project: shop-two"))
    merge(stage, hub, old)
    assert (stage.run("ci", "apply").code, stage.jobs()) == (3, [])
    merge(stage, hub, saved(stage))
    assert stage.run("ci", "apply").code == 0
    assert len(stage.jobs()) == 1


@pytest.mark.parametrize("event", ["push", "schedule", "workflow_dispatch"])
def test_a_merge_that_this_checkout_does_not_contain_agrees_to_nothing(
    stage: Stage, hub: Hub, event: str
) -> None:
    stage.spec("one")
    merge(stage, hub, saved(stage), event=event)
    hub.pulls[1]["merge_commit_sha"] = "c" * 40
    assert stage.run("ci", "apply").code == 3
    assert stage.jobs() == []


def test_a_commit_that_is_not_the_newest_is_refused(stage: Stage, hub: Hub) -> None:
    stage.spec("one")
    merge(stage, hub, saved(stage))
    newest = hub.git("commit-tree", "main^{tree}", "-p", "main", "-m", "another merge")
    hub.git("update-ref", "refs/heads/main", newest)
    result = stage.run("ci", "apply")
    assert (result.code, result.writes) == (4, [])
    assert f"main is at {newest[:7]}: nothing was done" in result.out


@pytest.mark.parametrize("ref", ["refs/heads/topic", "refs/tags/main", "refs/pull/1/merge", ""])
def test_only_the_default_branch_is_applied(stage: Stage, hub: Hub, ref: str) -> None:
    stage.spec("one")
    merge(stage, hub, saved(stage))
    stage.environ["GITHUB_REF"] = ref
    result = stage.run("ci", "apply")
    assert (result.code, result.writes, hub.asked) == (4, [], [])
    assert "only main is applied" in result.out


def test_comment_that_cannot_be_written_changes_nothing_else(stage: Stage, hub: Hub) -> None:
    stage.spec("one")
    event = {"pull_request": {"number": 1, "head": {"sha": HEAD, "repo": {"full_name": REPOSITORY}}}}
    job(stage, hub, event, MISTRAL_API_KEY="k")
    hub.grants.clear()
    result = stage.run("ci", "plan")
    assert result.code == 0
    assert (
        "::warning::the comment was not written: GET issues/1/comments?per_page=100&page=1: 401" in result.out
    )
    assert "plan-name=plan-1\n" in (stage.root / "github-output").read_text()


def test_apply_fetches_results_to_where_the_input_says_and_nowhere_else(stage: Stage, hub: Hub) -> None:
    stage.spec("one")
    merge(stage, hub, saved(stage), event="schedule")
    lost = stage.run("ci", "apply")
    assert (
        lost.code,
        "::notice::results are lost with this runner: `results` is the folder" in lost.out,
    ) == (0, True)
    stage.environ["RECONCILER_RESULTS"] = "results"
    assert not list((stage.root / "results").rglob("*.jsonl"))
    stage.advance(60)
    result = stage.run("ci", "apply")
    assert result.code == 0
    assert list((stage.root / "results").rglob("*.jsonl"))
    *_, last = result.out.splitlines()
    assert re.fullmatch("::[0-9a-f]{32}::", last), "what is printed about results is no command"


def make_project(stage: Stage) -> None:
    """Two specs, one of which has its input beside the spec folder, a link, and files that no spec names."""
    stage.git("init", "--quiet", "--template=", "--initial-branch=trunk")
    stage.spec("one")
    stage.lines("data/far.jsonl", 2)
    stage.lines("vendor/real.jsonl", 2, text="real")
    (stage.root / "data/link.jsonl").symlink_to("../vendor/real.jsonl")
    kind = "endpoint: /v1/chat/completions\nmodel: mistral-small-2603\n"
    for name in ("far", "link"):
        stage.write(f"specs/{name}.yaml", f"name: {name}\n{kind}input_files: [../data/{name}.jsonl]\n")
    stage.write("README.md", "# Batches\n")
    stage.write("src/app.py", "print()\n")
    stage.commit("base")


@pytest.fixture
def project(stage: Stage) -> Stage:
    """What `make_project` makes."""
    stage.prepare(make_project)
    return stage


def touch(path: str) -> Callable[[Stage], object]:
    return lambda stage: stage.write(path, (stage.root / path).read_text() + "\n")


CHANGES: Final[Mapping[str, tuple[Callable[[Stage], object], bool]]] = {
    "a page": (touch("README.md"), False),
    "code": (touch("src/app.py"), False),
    "a new file": (lambda stage: stage.write("src/new.py", ""), False),
    "another project's spec": (lambda stage: stage.write("other/specs/a.yaml", "name: a\n"), False),
    "a spec": (touch("specs/one.yaml"), True),
    "a new spec": (lambda stage: stage.spec("three"), True),
    "defaults": (lambda stage: stage.write("specs/_defaults.yaml", "timeout_hours: 12\n"), True),
    "the settings": (touch("reconciler.yaml"), True),
    "an input beside the specs": (lambda stage: stage.lines("data/far.jsonl", 3), True),
    "the file behind a link": (lambda stage: stage.lines("vendor/real.jsonl", 3, text="real"), True),
    "a file that is gone": (lambda stage: (stage.root / "src/app.py").unlink(), True),
    "an input that is wrong": (lambda stage: stage.write("data/far.jsonl", "{"), True),
    "a spec that is wrong": (lambda stage: stage.write("specs/wrong.yaml", "nmae: x\n"), True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_pull_request_is_planned_if_it_concerns_the_specs(project: Stage, hub: Hub, change: str) -> None:
    made, concerns = CHANGES[change]
    base = project.git("rev-parse", "HEAD")
    made(project)
    project.commit(change)
    pull = {"number": 1, "head": {"sha": HEAD, "repo": {"full_name": REPOSITORY}}, "base": {"sha": base}}
    job(project, hub, {"pull_request": pull}, MISTRAL_API_KEY="k")
    done = project.run("ci", "plan")
    assert bool(hub.comments[1]) is concerns
    assert ("plan-name=" in (project.root / "github-output").read_text()) is (concerns and done.code == 0)
    assert done.code == (1 if "wrong" in change else 0)


@pytest.mark.parametrize("base", ["", "0" * 40, "--output=/dev/null", "HEAD", "f" * 40])
def test_a_base_that_git_does_not_know_concerns_the_specs(project: Stage, hub: Hub, base: str) -> None:
    pull = {"number": 1, "head": {"sha": HEAD, "repo": {"full_name": REPOSITORY}}, "base": {"sha": base}}
    job(project, hub, {"pull_request": pull}, MISTRAL_API_KEY="k")
    assert project.run("ci", "plan").code == 0
    assert hub.comments[1]


@pytest.mark.parametrize(
    ("settings", "event", "requests", "approval"),
    [
        ("", "push", 9, ""),
        ("approve_above: {requests: 9}\n", "push", 9, ""),
        ("approve_above: {requests: 8}\n", "push", 9, "required"),
        ("approve_above: {requests: 0}\n", "push", 9, "required"),
        ("approve_above: {requests: 8}\n", "push", None, ""),
        ("approve_above: {cost: 100.00}\n", "push", 9, ""),
        ("approve_above: {cost: 0.01}\n", "push", 9, "required"),
        ("approve_above: {requests: 8, cost: 100.00}\n", "push", 9, "required"),
        ("approve_above: {requests: 9, cost: 0.01}\n", "push", 9, "required"),
        ("approve_above: {cost: 0.01}\n", "push", None, ""),
        ("approve_above: {requests: 99}\n", "workflow_dispatch", None, ""),
        ("", "workflow_dispatch", None, ""),
    ],
)
def test_an_approval_is_required_for_a_larger_plan_and_for_one_that_is_not_known(  # noqa: PLR0917  a row a case
    stage: Stage, hub: Hub, settings: str, event: str, requests: int | None, approval: str
) -> None:
    with (stage.root / "reconciler.yaml").open("a") as file:
        file.write(settings)
    plan = ""
    if requests:
        stage.lines("specs/data/one.jsonl", requests)
        stage.write(
            "specs/one.yaml",
            "name: one\nendpoint: /v1/chat/completions\nmodel: mistral-small-2603\ninput_files: [data/one.jsonl]\n",
        )
        plan = saved(stage)
    merge(stage, hub, plan, event=event)
    assert stage.run("ci", "size").code == 0
    assert (stage.root / "github-output").read_text() == f"approval={approval}\nexit-code=0\n"


@pytest.mark.parametrize(("limit", "approval"), [(11, "required"), (12, "")])
def test_an_approval_is_asked_about_all_requests_that_may_follow_a_canary(
    stage: Stage, hub: Hub, limit: int, approval: str
) -> None:
    with (stage.root / "reconciler.yaml").open("a") as file:
        file.write(f"approve_above: {{requests: {limit}}}\n")
    stage.spec("one", requests=12, canary={"requests": 4})
    merge(stage, hub, saved(stage))
    assert stage.run("ci", "size").code == 0
    assert f"approval={approval}\n" in (stage.root / "github-output").read_text()


def test_an_approval_is_required_for_a_plan_whose_cost_is_not_known(stage: Stage, hub: Hub) -> None:
    with (stage.root / "reconciler.yaml").open("a") as file:
        file.write("approve_above: {cost: 1000.00}\n")
    stage.spec("one", model="sandbox-unknown-model")
    merge(stage, hub, saved(stage))
    assert stage.run("ci", "size").code == 0
    assert "approval=required\n" in (stage.root / "github-output").read_text()


@pytest.mark.parametrize(("limit", "approval"), [("0.60", "required"), ("1.20", "")])
def test_an_approval_is_asked_about_the_cost_of_all_that_may_follow_a_canary(
    stage: Stage, hub: Hub, limit: str, approval: str
) -> None:
    with (stage.root / "reconciler.yaml").open("a") as file:
        file.write(f"approve_above: {{cost: {limit}}}\n")
    stage.spec("one", requests=12, canary={"requests": 4}, model="mistral-small-2603")
    merge(stage, hub, saved(stage))
    assert stage.run("ci", "size").code == 0
    assert f"approval={approval}\n" in (stage.root / "github-output").read_text()


def test_a_plan_that_cannot_be_read_needs_no_approval_since_it_agrees_to_nothing(
    stage: Stage, hub: Hub
) -> None:
    with (stage.root / "reconciler.yaml").open("a") as file:
        file.write("approve_above: {requests: 8}\n")
    merge(stage, hub, "{}")
    result = stage.run("ci", "size")
    assert result.code == 0
    assert "plan-1.json agrees to nothing: this is not a plan file" in result.out


@pytest.mark.parametrize(
    ("guard", "approved", "code"),
    [
        ("", "false", 3),
        ("", "true", 0),
        ("2", "true", 3),
        ("2", "false", 3),
        ("100", "false", 3),
        ("100", "true", 0),
    ],
)
def test_an_apply_without_an_approval_keeps_within_the_smaller_limit(
    stage: Stage, hub: Hub, guard: str, approved: str, code: int
) -> None:
    stage.spec("one")
    plan = saved(stage)
    with (stage.root / "reconciler.yaml").open("a") as file:
        file.write(
            "approve_above: {requests: 1}\n" + (f"guards: {{max_new_requests: {guard}}}\n" if guard else "")
        )
    merge(stage, hub, plan, event="schedule", RECONCILER_APPROVED=approved)
    assert stage.run("ci", "apply").code == code
    assert len(stage.jobs()) == (code == 0)


def test_an_agreed_plan_is_parsed_once(stage: Stage, hub: Hub) -> None:
    stage.spec("one")
    plan = saved(stage)
    with (stage.root / "reconciler.yaml").open("a") as file:
        file.write("approve_above: {requests: 99}\n")
    merge(stage, hub, plan)
    plan_file.decode.cache_clear()
    assert stage.run("ci", "apply").code == 0
    assert len(stage.jobs()) == 1
    assert plan_file.decode.cache_info().misses == 1


def test_an_approval_of_one_merge_is_none_of_an_earlier_large_plan(stage: Stage, hub: Hub) -> None:
    stage.spec("one")
    plan = saved(stage)
    with (stage.root / "reconciler.yaml").open("a") as file:
        file.write("approve_above: {requests: 1}\n")
    earlier = stage.commit("a large plan that was not approved")
    merge(stage, hub, plan, RECONCILER_APPROVED="true")
    hub.pulls[1]["merge_commit_sha"] = earlier
    result = stage.run("ci", "apply")
    assert (result.code, stage.jobs()) == (3, [])
    assert "plan-1.json exceeds approve_above, and was not approved for this run" in result.out


@pytest.mark.parametrize(
    ("guard", "limit", "created"),
    [("", 4, 0), ("guards: {max_new_requests: 2}\n", 4, 0), ("", 6, 3), ("", 5, 0)],
)
def test_a_large_plan_is_not_submitted_in_parts_by_several_runs(
    stage: Stage, hub: Hub, guard: str, limit: int, created: int
) -> None:
    for name in ("one", "two", "three"):
        stage.spec(name, requests=2)
    plan = saved(stage)
    with (stage.root / "reconciler.yaml").open("a") as file:
        file.write(f"approve_above: {{requests: {limit}}}\n{guard}")
    merge(stage, hub, plan, event="schedule")
    codes = [stage.run("ci", "apply").code for _ in range(3)]
    assert (len(stage.jobs()), {bool(code) for code in codes}) == (created, {created == 0})


@pytest.mark.parametrize("data", [b"x\r\n\r\n", b"HTTP/1.1 2xx\r\n\r\n", b""])
def test_an_answer_of_github_that_is_no_http_is_an_error_after_three_tries(data: bytes) -> None:
    waited: list[float] = []
    with Server(sends(data)) as server:
        broken = GitHub(api=server.url, repository=REPOSITORY, token=MARKER, sleep=waited.append)
        with pytest.raises(GitHubError, match="GET git/ref/heads/main"):
            broken.tip("main")
    assert waited == [1, 2]


@pytest.mark.parametrize("api", ["nowhere", "http://[", "http://127.0.0.1:9/é", "http://127.0.0.1:99999"])
def test_an_address_of_github_that_is_none_is_an_error(api: str) -> None:
    broken = GitHub(api=api, repository=REPOSITORY, token=MARKER, sleep=lambda _: None)
    with pytest.raises(GitHubError, match="GET git/ref/heads/main"):
        broken.tip("main")
