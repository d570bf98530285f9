"""`ledger: git`: two clones with a bare remote between them, and the sandbox over HTTP as their one workspace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from reconciler.environment import Environment
from tests.cli.dies import apply_dies
from tests.cli.stage import Fault, Result, Sent, Stage
from tests.cli.team import SETTINGS, Team
from tests.helpers.thorough import thorough


class Before(httpx.BaseTransport):
    """Does something before each request."""

    def __init__(self, inner: httpx.BaseTransport, do: Callable[[], None]) -> None:
        self._inner = inner
        self._do = do

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._do()
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def creates(result: Result) -> list[Sent]:
    return [sent for sent in result.writes if sent.path == "/v1/batch/jobs"]


def test_fresh_clone_knows_what_another_has_created_even_if_the_record_is_deleted(
    team: Team, clock: list[float]
) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    assert team.first.run("apply", "--yes").code == 0
    clock[0] += 60
    assert team.first.run("apply", "--yes").code == 0  # sees it succeed, and remembers
    job_id = str(team.first.jobs()[0]["id"])
    delete(team.first, job_id)
    second = team.clone("second")
    result = second.run("apply", "--yes", "--allow-other-workspace")
    assert (result.code, creates(result)) == (0, [])
    assert "record gone" in result.out


def test_reverted_removal_is_restored_from_another_clone(team: Team, clock: list[float]) -> None:
    spec = team.first.spec("tickets", requests=500)
    team.publish("one spec")
    team.first.run("apply", "--yes")
    text = spec.read_text()
    spec.unlink()
    (team.first.root / "specs/data/tickets.jsonl").rename(team.first.root / "tickets.jsonl")
    team.publish("removed")
    assert "no longer declared" in team.first.run("apply", "--yes", "--allow-empty").out
    clock[0] += 60
    spec.write_text(text)
    (team.first.root / "tickets.jsonl").rename(team.first.root / "specs/data/tickets.jsonl")
    team.publish("and back")
    second = team.clone("second")
    second.clock = team.first.clock = clock[0]
    assert "restored" in second.run("plan").out


def test_unreachable_remote_refuses_before_anything_is_created(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.git("remote", "set-url", "origin", str(team.first.root / "nowhere.git"))
    result = team.first.run("apply", "--yes")
    assert (result.code, result.sent) == (1, [])
    assert "--local-ledger" in result.err
    weaker = team.first.run("apply", "--yes", "--local-ledger")
    assert weaker.code == 0
    assert any(event["event"] == "ledger.local_only" for event in weaker.events)


def test_runner_that_was_overtaken_plans_again_and_creates_nothing_twice(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    second = team.clone("second")
    overtaken: list[Result] = []

    def overtake() -> None:
        """While the first run reads the workspace, the second one applies."""
        if not overtaken:
            overtaken.append(second.run("apply", "--yes"))

    def world(env: Environment) -> Environment:
        return replace(env, wrap_transport=lambda inner: Before(env.wrap_transport(inner), overtake))

    result = team.first.run("apply", "--yes", env=world)
    assert overtaken[0].code == 0
    assert (result.code, creates(result)) == (0, [])
    assert len(team.first.jobs()) == 1


def test_an_edit_on_another_runner_waits_for_the_lost_create_of_a_killed_one(
    team: Team, clock: list[float]
) -> None:
    spec = team.first.spec("tickets", requests=500)
    team.publish("one spec")
    apply_dies(team.first)
    spec.write_text(spec.read_text().replace("small", "medium"))
    team.publish("another model")
    second = team.clone("second")
    second.git("fetch", "--quiet", "--unshallow")
    nothing = json.dumps({"object": "list", "total": 0, "data": []}).encode()
    second.faults = [Fault("GET", "/v1/batch/jobs", 200, body=nothing, times=99)]
    held = second.run("apply", "--yes")
    assert (held.code, held.writes) == (0, [])
    assert "its outcome is not known yet" in held.out
    second.faults = []
    replaced = second.run("apply", "--yes")
    assert (replaced.code, len(creates(replaced))) == (0, 1)
    clock[0] += 60
    assert sorted(job["status"] for job in second.jobs()) == ["CANCELLED", "SUCCESS"]


def test_a_remote_that_refuses_the_push_is_no_race_and_nothing_is_created(team: Team, tmp_path: Path) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    hook = tmp_path / "origin.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'error: GH013: Repository rule violations found' >&2\nexit 1\n")
    hook.chmod(0o755)
    result = team.first.run("apply", "--yes")
    assert (result.code, result.writes) == (1, [])
    assert [sent.path for sent in result.sent] == [
        "/v1/batch/jobs",
        "/v1/models",
    ], "it does not plan again"
    assert "a rule or a hook of the remote declines it: GH013: Repository rule violations found" in result.err
    assert "hint: no job was created; ask the remote's administrator" in result.err
    assert "other runners" not in result.err
    doctor = team.first.run("doctor").out
    assert (
        "ledger push            origin lets this runner push (`git push --dry-run`); its rules and hooks were not"
        in doctor
    )


def test_doctor_finds_a_remote_that_takes_no_push(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.git("config", "remote.origin.pushurl", "/nowhere.git")
    doctor = team.first.run("doctor")
    assert doctor.code == 1
    assert "failed   ledger push            the ledger cannot be pushed: fatal: '/nowhere.git'" in doctor.out


@pytest.mark.thorough
def test_lines_taken_from_the_shared_ledger_are_reported_without_the_api(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.run("apply", "--yes")
    assert team.first.run("history", "verify", "--offline").code == 0
    tree = team.first.git("mktree")
    commit = team.first.git("commit-tree", tree, "-p", "refs/reconciler/shop/fetched", "-m", "tidy up")
    team.first.git("push", "--quiet", "origin", f"{commit}:refs/heads/reconciler-ledger/shop")
    assert "0 new lines" in team.first.run("ledger", "pull").out
    result = team.first.run("history", "verify", "--offline")
    assert (result.code, result.sent) == (6, [])
    assert f"commit {commit[:10]} of the shared ledger removed lines" in result.out


def test_history_is_the_same_in_a_fresh_clone_and_offline_as_of_the_last_fetch(team: Team) -> None:
    team.first.spec("tickets", requests=500)
    team.publish("one spec")
    team.first.run("apply", "--yes")
    second = team.clone("second")
    assert "no matching jobs" in second.run("history", "--offline").out
    table = team.first.run("history").out
    assert second.run("history").out == table
    offline = second.run("history", "--offline", "--format", "json")
    assert (json.loads(offline.out)["records"][0]["reason"], offline.sent) == ("new", [])


def test_a_rewritten_past_of_the_shared_ledger_is_proved_by_who_had_fetched_it(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.run("apply", "--yes")
    assert team.first.run("history", "verify").code == 0
    rewritten = team.first.git("rev-parse", "refs/reconciler/shop/fetched")
    tree = team.first.git("mktree")
    commit = team.first.git("commit-tree", tree, "-m", "begin anew")
    team.first.git("push", "--quiet", "--force", "origin", f"{commit}:refs/heads/reconciler-ledger/shop")
    result = team.first.run("history", "verify")
    assert result.code == 6
    assert f"no longer contains {rewritten[:10]}" in result.out
    team.first.run("apply", "--yes")  # a later apply does not hide the change
    assert team.first.run("history", "verify").code == 6
    second = team.clone("second")
    assert "past_changed" not in second.run("history", "verify").out


@pytest.mark.thorough
def test_a_ledger_that_was_rolled_back_behind_a_push_is_missed_by_who_had_pushed(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.run("apply", "--yes")
    pushed = team.first.git("rev-parse", "refs/reconciler/shop/fetched")
    begun = team.first.git("rev-list", "--max-parents=0", pushed)
    assert begun != pushed
    team.first.git("push", "--quiet", "--force", "origin", f"{begun}:refs/heads/reconciler-ledger/shop")
    result = team.first.run("history", "verify")
    assert result.code == 6
    assert f"no longer contains {pushed[:10]}" in result.out


@pytest.mark.thorough
def test_a_shared_ledger_that_was_deleted_is_missed_by_who_had_pushed(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.run("apply", "--yes")
    pushed = team.first.git("rev-parse", "refs/reconciler/shop/fetched")
    team.first.git("push", "--quiet", "origin", ":refs/heads/reconciler-ledger/shop")
    for _ in range(2):
        result = team.first.run("history", "verify")
        assert result.code == 6
        assert f"no longer contains {pushed[:10]}" in result.out
    team.first.spec("tickets", requests=3)
    team.publish("more requests")
    team.first.run("apply", "--yes")  # begins the ledger anew, and does not hide that it was deleted
    assert team.first.run("history", "verify").code == 6


def test_a_branch_that_a_person_made_under_the_ledgers_name_stops_every_run_and_is_kept(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.git("push", "--quiet", "origin", "HEAD:refs/heads/reconciler-ledger/shop")
    for words in (("plan",), ("apply", "--yes"), ("history",)):
        result = team.first.run(*words)
        assert (result.code, result.sent) == (1, [])
        assert "error: the branch reconciler-ledger/shop of origin is not a ledger" in result.err
        assert "hint: nothing was created; a ledger needs this name: rename that branch" in result.err
    assert "failed   ledger push            the branch reconciler-ledger/shop" in team.first.run("doctor").out
    assert team.first.run("apply", "--yes", "--local-ledger").code == 0


def test_a_later_verify_reads_only_what_was_pushed_since(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.run("apply", "--yes")
    assert team.first.run("history", "verify").code == 0
    (note,) = team.first.root.glob(".reconciler/*/shop/verified")
    assert note.read_text() == team.first.git("rev-parse", "refs/reconciler/shop/fetched")


@pytest.mark.thorough
def test_twelve_projects_of_one_repository_apply_at_once_and_none_loses_a_race(team: Team) -> None:
    """A runner each, in a process of its own, with the clone that a CI system makes."""
    projects = [f"team-{number}" for number in range(12)]
    for number, name in enumerate(projects, start=2):
        team.first.write(f"{name}/reconciler.yaml", f"project: {name}\nledger: git\n")
        spec = team.first.spec("tickets", requests=number)  # not the same work twice in one workspace
        for path in (spec, team.first.root / "specs/data/tickets.jsonl"):
            team.first.write(f"{name}/{path.relative_to(team.first.root)}", path.read_text())
            path.unlink()
    (team.first.root / "reconciler.yaml").unlink()
    team.publish("twelve teams")
    environ = {**os.environ, **team.first.environ, "RECONCILER_LOG_LEVEL": "info"}
    command = [sys.executable, "-m", "reconciler", "apply", "--yes", "--log-format", "json"]
    roots = [team.clone(name).root / name for name in projects]
    running = [
        subprocess.Popen(command, cwd=root, env=environ, stdout=-1, stderr=-1, text=True) for root in roots
    ]
    ended = [(*process.communicate(), process.returncode) for process in running]
    assert [code for *_, code in ended] == [0] * len(projects), ended
    events = [
        json.loads(row)["event"] for _, err, _ in ended for row in err.splitlines() if row.startswith("{")
    ]
    assert events.count("job.created") == len(projects)
    assert {"ledger.conflict", "ledger.not_published"}.isdisjoint(events)
    team.first.write("reconciler.yaml", SETTINGS)
    assert len(team.first.jobs()) == len(projects)


def test_a_remote_that_is_not_there_is_reported_in_gits_own_first_words(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.git("remote", "set-url", "origin", "file:///nowhere/at-all.git")
    result = team.first.run("plan")
    assert result.code == 1
    assert (
        "the ledger cannot be fetched from origin: fatal: '/nowhere/at-all.git' does not appear" in result.err
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for ssh is a shell script")
@pytest.mark.parametrize(("failures", "code"), [(1, 0), (2, 1)])
def test_a_remote_that_cannot_be_reached_for_a_moment_is_asked_once_more(
    team: Team, tmp_path: Path, failures: int, code: int
) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    asked, ssh = tmp_path / "asked", tmp_path / "ssh"
    ssh.write_text(
        f"#!/bin/sh\necho x >> {asked}\n"
        f"if [ $(wc -l < {asked}) -le {failures} ]; then\n"
        "  echo 'ssh: connect to host example.org port 22: Connection timed out' >&2; exit 255\nfi\n"
        'for last; do :; done\nexec sh -c "$last"\n'
    )
    ssh.chmod(0o755)
    team.first.git("remote", "set-url", "origin", f"ssh://example.org{tmp_path}/origin.git")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_SSH_COMMAND", str(ssh))
        result = team.first.run("plan")
    assert (result.code, asked.read_text().count("x")) == (code, 2)
    assert ("the ledger cannot be fetched from origin: ssh: connect to host" in result.err) is (code == 1)


def test_lines_taken_from_the_shared_ledger_are_missed_by_everybody(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.run("apply", "--yes")
    tree = team.first.git("mktree")
    commit = team.first.git("commit-tree", tree, "-p", "refs/reconciler/shop/fetched", "-m", "tidy up")
    team.first.git("push", "--quiet", "origin", f"{commit}:refs/heads/reconciler-ledger/shop")
    second = team.clone("second")
    result = second.run("history", "verify")
    assert result.code == 6
    assert f"commit {commit[:10]} of the shared ledger removed lines" in result.out


def test_no_work_tree_and_no_index_is_touched(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    team.first.run("apply", "--yes")
    assert team.first.git("status", "--porcelain") == ""
    assert "create_confirmed" in team.first.run("ledger", "show").out


# Git's lock files, as a git that was killed leaves them behind.


def lock(path: Path) -> Path:
    """Leave a lock file behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def behind(team: Team) -> Stage:
    """A clone that has fetched the ledger once, and has something to fetch."""
    team.first.spec("tickets")
    team.publish("one spec")
    second = team.clone("second")
    assert second.run("apply", "--yes").code == 0
    team.first.spec("more")
    team.publish("another spec")
    assert team.first.run("apply", "--yes").code == 0
    second.git("fetch", "--quiet", "origin", "main")
    second.git("reset", "--quiet", "--hard", "FETCH_HEAD")
    second.write("reconciler.yaml", SETTINGS)
    return second


def says_what_to_do(result: Result, path: Path, name: str, *, remote: bool = False) -> None:
    """The message names the file and how to delete it, and no other cause."""
    assert f"git's lock file {name} is in the way" in result.err, result.err
    way_out = "in the repository of origin, delete the file there" if remote else f", delete it: rm {path}"
    assert f"if no git command is running{' ' if remote else ''}{way_out}" in result.err
    for other in ("credentials", "--local-ledger", "other runners"):
        assert other not in result.err
    assert path.exists(), "a lock file is never deleted by this tool"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "ref"),
    [
        (("apply", "--yes"), "incoming"),
        (("plan",), "fetched"),
        thorough(("plan",), "incoming"),
        thorough(("apply", "--yes"), "fetched"),
        *(
            thorough(words, ref)
            for words in (("ledger", "pull"), ("history",))
            for ref in ("incoming", "fetched")
        ),
    ],
)
def test_a_lock_in_the_clone_is_named_with_the_way_out(team: Team, words: tuple[str, ...], ref: str) -> None:
    second = behind(team)
    path = lock(second.root / f".git/refs/reconciler/shop/{ref}.lock")
    result = second.run(*words)
    assert (result.code, result.writes) == (1, [])
    says_what_to_do(result, path, f".git/refs/reconciler/shop/{ref}.lock")
    path.unlink()
    assert second.run(*words).code == 0


@pytest.mark.thorough
def test_a_lock_of_a_linked_worktree_is_named_with_its_own_path(team: Team, tmp_path: Path) -> None:
    behind(team)
    team.first.git("worktree", "add", "--quiet", str(tmp_path / "linked"))
    linked = team.stage(tmp_path / "linked")
    linked.write("reconciler.yaml", SETTINGS)
    team.first.git("update-ref", "-d", "refs/reconciler/shop/incoming")
    path = lock(team.first.root / ".git/refs/reconciler/shop/incoming.lock")
    says_what_to_do(linked.run("plan"), path, str(path))


@pytest.mark.thorough
def test_a_lock_in_a_remote_that_is_a_folder_is_named(team: Team, tmp_path: Path) -> None:
    second = behind(team)
    second.spec("new")
    path = lock(tmp_path / "origin.git/refs/heads/reconciler-ledger/shop.lock")
    result = second.run("apply", "--yes")
    assert (result.code, result.writes) == (1, [])
    says_what_to_do(result, path, f"{path} of the remote origin", remote=True)
    path.unlink()
    assert second.run("apply", "--yes").code == 0


@pytest.mark.thorough
def test_a_lock_that_a_running_git_may_hold_is_waited_for(team: Team, tmp_path: Path) -> None:
    second = behind(team)
    second.spec("new")
    path = lock(tmp_path / "origin.git/refs/heads/reconciler-ledger/shop.lock")

    def sleep(_: float) -> None:
        path.unlink(missing_ok=True)

    result = second.run("apply", "--yes", env=lambda env: replace(env, sleep=sleep))
    assert (result.code, len(creates(result))) == (0, 1), result.err


@pytest.mark.thorough
def test_a_lock_that_stays_is_not_waited_for_without_end(team: Team, tmp_path: Path) -> None:
    second = behind(team)
    second.spec("new")
    path = lock(tmp_path / "origin.git/refs/heads/reconciler-ledger/shop.lock")
    result = second.run("apply", "--yes")
    assert (result.code, result.writes) == (1, [])
    says_what_to_do(result, path, f"{path} of the remote origin", remote=True)
    assert second.clock - 1_790_000_000 < 15


@pytest.mark.thorough
def test_the_proof_of_a_rewritten_past_is_not_lost_at_a_lock(team: Team) -> None:
    second = behind(team)
    knew = second.git("rev-parse", "refs/reconciler/shop/fetched")
    commit = second.git("commit-tree", second.git("mktree"), "-m", "begin anew")
    second.git("push", "--quiet", "--force", "origin", f"{commit}:refs/heads/reconciler-ledger/shop")
    path = lock(second.root / f".git/refs/reconciler/shop/lost/{knew[:12]}.lock")
    result = second.run("plan")
    assert result.code == 1
    says_what_to_do(result, path, f".git/refs/reconciler/shop/lost/{knew[:12]}.lock")
    path.unlink()
    assert f"no longer contains {knew[:10]}" in second.run("history", "verify").out


def delete(stage: Stage, job_id: str) -> None:
    """Delete a job's record, as any holder of the key can."""
    headers = {"Authorization": f"Bearer {stage.environ['MISTRAL_API_KEY']}"}
    url = f"{stage.environ['MISTRAL_BASE_URL']}/v1/batch/jobs/{job_id}"
    with httpx.Client() as client:
        assert client.delete(url, headers=headers).status_code == 200
