"""`history` gives the same numbers online, offline and in every format; `history verify` finds contradictions."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.schemas import conforming
from tests.cli.stage import HI, UNSTEADY, Result, Stage

JOBS = "/v1/batch/jobs"


def records(result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = conforming("history", result.out)["records"]
    return found


def ledger(stage: Stage) -> Path:
    return next((stage.root / ".reconciler").rglob("ledger.jsonl"))


def summarise(stage: Stage, job: dict[str, Any], tokens: int) -> None:
    """Lay a summary of pulled results beside the project, as `outputs pull` does."""
    document = {
        "v": 1, "tool": "0", "project": "shop", "name": job["name"], "job_id": job["id"], "work": "v1:0", "rerun": "",
        "attempt": 1, "status": job["status"], "endpoint": job["endpoint"], "model": job["model"],
        "created_at": job["created_at"], "started_at": job["started_at"], "completed_at": job["completed_at"],
        "pulled_at": 0.0, "inputs": "local", "trouble": {}, "files": [],
        "requests": {"total": 3, "ok": 3, "failed": 0, "missing": 0, "failures": {}},
        "tokens": {"prompt": tokens - 1, "completion": 1, "total": tokens, "answers": 3},
    }  # fmt: skip
    stage.write(f"outputs/{job['name']}/jobs/{job['id']}/summary.json", json.dumps(document))


def fifty(stage: Stage) -> None:
    """Fifty jobs: 40 succeed, 4 of them in part; 8 fail, 3 of them twice; one is stopped by hand, one times out."""
    for number in range(36):
        stage.spec(f"fine-{number:02}", requests=2 + number)
    for number in range(4):
        stage.spec(f"partly-{number}", checks={"failed": 0.5})
        stage.write(f"specs/data/partly-{number}.jsonl", UNSTEADY.replace('"a"', f'"a{number}"'))
    for number in range(8):
        attempts = 2 if number < 3 else 1
        stage.spec(
            f"broken-{number}", model="sandbox-unknown-x", retry={"max_attempts": attempts, "on": ["FAILED"]}
        )
    stage.spec("stopped", requests=5000)
    stage.run("apply", "--yes", "--only", "stopped")
    stage.advance(5)
    (job,) = stage.jobs()
    stage.run("jobs", "cancel", str(job["id"]), "--yes")
    stage.spec("stuck", model="sandbox-stuck-x", timeout_hours=1, requests=10, retry={"max_attempts": 1})


@pytest.mark.thorough
@pytest.mark.needs_ledger("the reason of a cancel is unknown")
def test_fifty_jobs_are_reported_alike_by_everything(stage: Stage) -> None:
    fifty(stage)
    waited = stage.run("apply", "--yes", "--wait", "--format", "json")
    assert waited.code == 6
    report = conforming("apply", waited.out)
    sandbox = {str(job["id"]): job for job in stage.jobs()}
    assert len(sandbox) == 53
    newest = {str(job["name"]): job for job in sandbox.values()}
    assert len(newest) == 50
    status = conforming("status", stage.run("status", "--format", "json").out)
    waited = report["waited"]["rows"]  # before results were pulled, which say what jobs cost
    assert [row | {"cost": None} for row in status["rows"]] == [row | {"cost": None} for row in waited]
    assert {row["name"]: row["state"] for row in status["rows"]} == {
        name: job["status"] for name, job in newest.items()
    } | {"stuck": "on hold"}, "half of its requests are answered, so that its requests decide"
    reported = records(stage.run("history", "--format", "json"))
    offline = records(stage.run("history", "--offline", "--format", "json"))
    assert len(reported) == len(offline) == 53
    for found in (reported, offline):
        for record in found:
            job = sandbox[record["job_id"]]
            same = ("status", "created_at", "started_at", "completed_at", "model", "endpoint", "name")
            assert {key: record[key] for key in same} == {key: job[key] for key in same}
            assert record["succeeded_requests"] == job["succeeded_requests"]
            assert record["failed_requests"] == job["failed_requests"]
            # `or 3`: if the API has not counted the requests, the ledger's count applies
            assert record["total_requests"] == (job["total_requests"] or 3)
    assert {tuple(it["sources"][:2]) for it in reported} == {("list", "ledger")}
    assert {it["sources"][0] for it in offline} == {"ledger"}
    assert sum(it["status"] == "SUCCESS" for it in reported) == 40
    (stopped,) = (it for it in reported if it["name"] == "stopped")
    assert (stopped["cancel_reason"], stopped["cancelled_by"]) == ("by_hand", "ada")
    assert [it["reason"] for it in reported if it["name"] == "broken-0"] == ["new", "retry"]
    assert stage.run("history", "verify").code == 0
    pulled = conforming("outputs", stage.run("outputs", "pull", "--format", "json").out)["jobs"]
    assert {it["job_id"] for it in pulled} == set(sandbox)
    tokens = 0
    for it in pulled:
        job = sandbox[it["job_id"]]
        found = json.loads((stage.root / it["path"] / "summary.json").read_text())
        assert it["status"] == job["status"]
        counts = found["requests"] or {
            "ok": 0,
            "failed": 0,
        }  # a job without any file has nothing to be counted
        assert (counts["ok"], counts["failed"]) == (job["succeeded_requests"], job["failed_requests"])
        tokens += found["tokens"]["total"] if found["tokens"] else 0
    after = records(stage.run("history", "--format", "json"))
    assert sum(it["total_tokens"] or 0 for it in after) == tokens > 0
    assert [it["succeeded_requests"] for it in after] == [it["succeeded_requests"] for it in reported]


@pytest.mark.needs_ledger("nothing is known offline")
def test_offline_needs_neither_key_nor_network(stage: Stage) -> None:
    stage.spec("one")
    stage.run("apply", "--yes", "--wait")
    stage.environ.pop("RECONCILER_SANDBOX")
    assert stage.run("history").code == 1
    result = stage.run("history", "--offline", "--sandbox")
    assert (result.code, result.sent) == (0, [])
    assert "SUCCESS" in result.out
    other = stage.run("history", "--offline")
    assert (other.code, other.sent, other.out) == (
        0,
        [],
        "no matching jobs of project shop; the ledger has 0 jobs\n",
    )


def cells(table: str) -> dict[str, str]:
    """Return the first row of a table, by column."""
    head, row, *_ = table.splitlines()
    starts = [match.start() for match in re.finditer(r"(?:^|(?<=  ))\S", head)]
    return {
        head[start:end].strip(): row[start:end].strip()
        for start, end in zip(starts, [*starts[1:], None], strict=True)
    }


def test_tables_fit_into_a_terminal_and_say_what_they_leave_out(stage: Stage) -> None:
    stage.environ["CI_JOB_URL"] = "https://ci.example.com/acme/shop/-/jobs/1234567890"
    stage.environ["GITLAB_CI"] = "true"
    stage.spec("tickets-of-the-support-team", requests=2000, retry={"max_attempts": 2})
    stage.spec("broken", model="sandbox-unknown-with-a-name-that-is-longer-than-usual")
    stage.commit("Begin")
    stage.run("apply", "--yes")
    stage.advance(90_000)
    stage.run("apply", "--yes")
    wide = ""
    for argv in ((), ("broken",)):
        lines = stage.run("history", *argv).out.splitlines()
        assert max(map(len, lines)) <= 100, argv
        assert lines[-1].endswith("--format wide"), argv
        wide = stage.run("history", *argv, "--format", "wide").out
        assert "more column" not in wide
    assert "jobs/1234567890" in wide


def test_a_legend_explains_only_marks_of_columns_that_are_there(stage: Stage) -> None:
    stage.commit("Begin")
    stage.spec("a")
    stage.spec("a-name-that-is-longer-than-is-usual-so-that-few-columns-fit-beside-it")
    stage.run("apply", "--yes")
    seen = set()
    for argv in (("--name", "a"), (), ("--format", "wide")):
        head, *_, last = stage.run("history", *argv).out.splitlines()
        shown = "COMMIT" in head
        assert ("* created with uncommitted changes" in stage.run("history", *argv).out) == shown, last
        seen.add(shown)
    assert seen == {True, False}


def test_help_of_history_lists_the_options_of_the_table(stage: Stage) -> None:
    text = stage.run("history", "--help").out
    for option in ("--since", "--status", "--format", "verify"):
        assert option in text


@pytest.mark.needs_ledger("nothing is known offline")
def test_unknown_numbers_are_a_question_mark_and_not_zero(stage: Stage) -> None:
    stage.spec("one", requests=500)
    stage.run("apply", "--yes")
    stage.advance(3)
    (record,) = records(stage.run("history", "--offline", "--format", "json"))
    assert (record["status"], record["succeeded_requests"], record["total_tokens"]) == (None, None, None)
    assert record["total_requests"] == 500
    unknown = {"STATUS", "OK", "FAILED", "QUEUE", "RUN", "TOKENS", "COST", "RUN URL", "COMMIT"}
    unknown |= {"BRANCH", "REPOSITORY", "PULL", "PLAN", "EVENT", "APPROVER", "RESULTS"}
    shown = cells(stage.run("history", "--offline", "--format", "wide").out)
    assert {name for name, cell in shown.items() if cell == "?"} == unknown
    assert shown["TOTAL"] == "500"
    assert cells(stage.run("history", "--offline").out) == {
        name: cell
        for name, cell in shown.items()
        if name not in unknown - {"STATUS", "OK", "FAILED"} | {"CANCELLED", "OF WORK"}
    }
    (row,) = csv.DictReader(io.StringIO(stage.run("history", "--offline", "--format", "csv").out))
    assert (row["status"], row["failed_requests"], row["total_requests"]) == ("", "", "500")
    stage.forget()
    (record,) = records(stage.run("history", "--format", "json"))
    assert (record["reason"], record["actor"], record["sources"]) == (None, "ada", ["list"])


@pytest.mark.needs_ledger("the list alone knows the jobs")
def test_tokens_are_those_of_pulled_results(stage: Stage) -> None:
    stage.spec("one")
    stage.spec("two")
    stage.run("apply", "--yes", "--wait")
    jobs = {str(job["name"]): job for job in stage.jobs()}
    summarise(stage, jobs["one"], tokens=41)
    stranger = {**jobs["one"], "id": "00000000-0000-4000-8000-ffffffffffff"}
    summarise(stage, stranger, tokens=1000)
    reported = {it["name"]: it for it in records(stage.run("history", "--format", "json"))}
    assert len(reported) == 2
    assert (reported["one"]["total_tokens"], reported["two"]["total_tokens"]) == (41, None)
    assert reported["one"]["sources"] == ["list", "ledger", "results"]
    (stage.root / "outputs").rename(stage.root / "elsewhere")
    assert [it["total_tokens"] for it in records(stage.run("history", "--format", "json"))] == [None, None]
    stage.environ["RECONCILER_RESULTS"] = "elsewhere"
    found = records(stage.run("history", "--format", "json"))
    assert [it["total_tokens"] for it in found] == [41, None]


def test_filters(stage: Stage) -> None:
    stage.spec("nightly-a")
    stage.spec("nightly-b", model="sandbox-unknown-x")
    stage.commit("two")
    stage.run("apply", "--yes")
    stage.advance(86_400 * 3)
    stage.spec("weekly")
    stage.run("apply", "--yes", "--wait")

    def named(*argv: str) -> list[str]:
        return [it["name"] for it in records(stage.run("history", *argv, "--format", "json"))]

    assert named("--name", "nightly-*") == ["nightly-a", "nightly-b"]
    assert named("--name", "*-a", "--name", "weekly") == ["nightly-a", "weekly"]
    assert named("--status", "failed") == ["nightly-b"]
    assert named("--since", "2d") == ["weekly"]
    assert named("--until", "2026-09-23") == ["nightly-a", "nightly-b"]
    assert named("--since", "2026-09", "--until", "2026-09-22T00:00:00+02:00") == ["nightly-a", "nightly-b"]
    assert stage.run("history", "--since", "yesterday").code == 64
    assert stage.run("history", "weekly", "--since", "2d").code == 64


def test_json_lines_are_the_records_and_conform(stage: Stage) -> None:
    stage.spec("one")
    stage.spec("two")
    stage.run("apply", "--yes")
    lines = stage.run("history", "--format", "jsonl").out.splitlines()
    assert [conforming("history", line)["name"] for line in lines] == ["one", "two"]
    for line in stage.run("history", "one", "--format", "jsonl").out.splitlines():
        conforming("history", line)


@pytest.mark.parametrize(
    "actor", ["=cmd|' /C calc'!A0", "@SUM(1)", "-2+3", "+1", " =1", "a\nb,c", "|x|<b>`[y](z)"]
)
def test_neither_csv_nor_markdown_nor_a_terminal_acts_on_what_came_from_outside(
    stage: Stage, actor: str
) -> None:
    stage.spec("one")
    stage.environ["USER"] = actor
    stage.environ["CI_JOB_URL"] = "https://ci.example.com/\x1b[31m|7"
    stage.run("apply", "--yes")
    rows = list(csv.reader(io.StringIO(stage.run("history", "--format", "csv").out)))
    assert len(rows) == 2
    assert len(rows[0]) == len(rows[1])
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in rows[1])
    table = stage.run("history", "--format", "markdown").out
    assert len(table.splitlines()) == 3
    assert table.splitlines()[2].replace("\\|", "").count("|") == table.splitlines()[0].count("|")
    for form in ("table", "csv", "markdown"):
        assert "\x1b" not in stage.run("history", "--format", form).out


@pytest.mark.needs_ledger("the reason of a create and the person who cancels are unknown")
def test_one_specs_story_is_reported_with_its_commits(stage: Stage) -> None:
    stage.spec("tale", model="sandbox-unknown-x", retry={"max_attempts": 2, "on": ["FAILED"]})
    first = stage.commit("Begin the tale")
    stage.run("apply", "--yes", "--wait")
    stage.advance(3600)
    stage.spec("tale", requests=5000)
    stage.commit("Another model")
    stage.run("apply", "--yes")
    stage.advance(10)
    (stage.root / "specs/tale.yaml").unlink()
    (stage.root / "specs/data/tale.jsonl").unlink()
    stage.spec("other")
    stage.commit("No more tale")
    stage.run("apply", "--yes", "--max-cancel-share", "1")
    stage.advance(5)
    result = stage.run("history", "tale", "--format", "json")
    story = conforming("history", result.out)
    assert story["files"] == ["specs/tale.yaml"]
    jobs = [it for it in story["entries"] if it["source"] != "git"]
    assert [(it["what"], it["detail"].split(" · ")[0]) for it in jobs] == [
        ("created", "new"),
        ("ended", "FAILED"),
        ("created", "retry"),
        ("ended", "FAILED"),
        ("created", "changed"),
        ("started", ""),
        ("cancel_asked", "removed"),
        ("ended", "CANCELLED"),
    ]
    commits = [it["detail"] for it in story["entries"] if it["source"] == "git"]
    assert sorted(commits) == ["Another model", "Begin the tale", "No more tale"]
    assert jobs[0]["commit"] == first
    text = stage.run("history", "tale").out
    assert text.startswith("tale · specs/tale.yaml\n")
    assert "cancel asked" in text


@pytest.mark.needs_ledger("refused creates are unknown")
def test_a_story_knows_what_was_refused_and_what_a_name_was_before(stage: Stage) -> None:
    stage.spec("old", file="x")
    stage.run("apply", "--yes", "--wait")
    stage.spec("refused", model="sandbox-refused-x")
    stage.run("apply", "--yes")
    entries = conforming("history", stage.run("history", "refused", "--format", "json").out)["entries"]
    assert [it["what"] for it in entries] == ["create_refused"]
    text = (stage.root / "specs/x.yaml").read_text().replace('name: "old"', 'name: "new"')
    stage.write("specs/x.yaml", text)
    assert "as old" in stage.run("history", "new").out
    unknown = stage.run("history", "nwe")
    assert unknown.code == 1
    assert "no job named nwe was found" in unknown.err


@pytest.mark.needs_ledger("a create whose answer was lost is unknown")
def test_a_create_whose_answer_is_lost_for_good_is_in_the_history(stage: Stage) -> None:
    from tests.cli.stage import Fault

    stage.spec("lost")
    stage.faults.append(Fault("POST", JOBS, 502, times=9))
    stage.run("apply", "--yes")
    (record,) = records(stage.run("history", "--format", "json"))
    assert (record["status"], record["job_id"], record["name"]) == ("CREATE_UNKNOWN", None, "lost")


# verify


def checks(result: Result, severity: str = "wrong") -> list[tuple[str, str]]:
    found = conforming("verify", result.out)["findings"]
    return [(it["check"], it["name"]) for it in found if it["severity"] == severity]


def job_for(stage: Stage, *names: str) -> str:
    for name in names:
        stage.spec(name)
    commit = stage.commit("specs")
    stage.run("apply", "--yes", "--wait")
    return commit


@pytest.mark.needs_ledger("the ledger has no lines")
def test_everything_adds_up(stage: Stage) -> None:
    job_for(stage, "one", "two")
    result = stage.run("history", "verify")
    assert (result.code, result.out) == (0, "2 jobs, 6 ledger lines, 1 commit: no contradictions\n")
    offline = stage.run("history", "verify", "--offline")
    assert (offline.code, offline.sent) == (0, [])


def copy_of(stage: Stage, job: dict[str, Any], **tags: str) -> None:
    """Create a job with the tags of another one, as a stranger might."""
    from reconciler.sandbox.app import make_app
    from reconciler.sandbox.store import Store

    metadata = {**job["metadata"], **{f"reconciler.{key}": value for key, value in tags.items()}}
    body = {
        "endpoint": job["endpoint"],
        "model": "mistral-small-latest",
        "requests": [{"custom_id": "a", "body": HI}],
    }
    import httpx

    from reconciler.sandbox import BUILT_IN_KEY

    with Store(stage.root / ".reconciler/sandbox/sandbox.db") as store:
        app = make_app(store, now=lambda: stage.clock)
        with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://localhost") as client:
            client.headers["Authorization"] = f"Bearer {BUILT_IN_KEY}"
            client.post(JOBS, json={**body, "metadata": metadata}).raise_for_status()


def test_a_job_without_a_spec_is_found(stage: Stage) -> None:
    job_for(stage, "one")
    (job,) = stage.jobs()
    run = job["metadata"]["reconciler.run"].replace("op=", "op=00")
    copy_of(stage, job, name="smuggled", run=run, work=f"v1:{'0' * 64}")
    result = stage.run("history", "verify", "--format", "json")
    assert (result.code, checks(result)) == (6, [("not_declared", "smuggled")])


@pytest.mark.needs_ledger("there is no file to delete")
def test_a_lost_ledger_is_no_contradiction_if_git_declares_the_jobs(stage: Stage) -> None:
    job_for(stage, "one")
    stage.spec("two")  # not committed
    stage.run("apply", "--yes", "--wait")
    for file in ledger(stage).parent.iterdir():
        file.unlink()
    result = stage.run("history", "verify", "--format", "json")
    assert (result.code, checks(result)) == (0, [])
    assert checks(result, "note") == [("not_declared", "two")]


def test_one_op_on_two_jobs_and_tags_that_contradict_the_ledger_are_found(stage: Stage) -> None:
    job_for(stage, "one")
    (job,) = stage.jobs()
    copy_of(stage, job, name="twin")
    found = checks(stage.run("history", "verify", "--format", "json"))
    assert found == [("twice", "one"), ("twice", "twin")]


@pytest.mark.needs_ledger("a deleted record leaves no trace")
def test_a_record_that_vanished_is_found(stage: Stage) -> None:
    job_for(stage, "one", "two")
    one = next(job for job in stage.jobs() if job["name"] == "one")
    delete(stage, str(one["id"]))
    result = stage.run("history", "verify", "--format", "json")
    assert (result.code, checks(result)) == (6, [("vanished", "one")])
    assert checks(stage.run("history", "verify", "--offline", "--format", "json")) == []


def delete(stage: Stage, job_id: str) -> None:
    import httpx

    from reconciler.sandbox import BUILT_IN_KEY
    from reconciler.sandbox.app import make_app
    from reconciler.sandbox.store import Store

    with Store(stage.root / ".reconciler/sandbox/sandbox.db") as store:
        app = make_app(store, now=lambda: stage.clock)
        with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://localhost") as client:
            client.headers["Authorization"] = f"Bearer {BUILT_IN_KEY}"
            client.delete(f"{JOBS}/{job_id}").raise_for_status()


def test_a_commit_that_is_not_in_the_repository_is_found(stage: Stage) -> None:
    job_for(stage, "one")
    stage.git("commit", "--quiet", "--amend", "--message=other")
    result = stage.run("history", "verify", "--format", "json")
    assert (result.code, checks(result, "note")) == (0, [("commit_missing", "")])
    stage.git("reflog", "expire", "--expire=now", "--all")
    stage.git("gc", "--quiet", "--prune=now")
    result = stage.run("history", "verify", "--format", "json")
    assert (result.code, checks(result)) == (6, [("commit_missing", "")])


@pytest.mark.needs_ledger("there are no lines to read")
def test_unreadable_lines_of_the_ledger_are_reported(stage: Stage) -> None:
    job_for(stage, "one")
    assert checks(stage.run("history", "verify", "--format", "json"), "note") == []
    with ledger(stage).open("a") as file:
        file.write('garbage\n\n{"x": 1}\n{"v": 1, "kind": "crea')
    result = stage.run("history", "verify", "--format", "json")
    assert (result.code, checks(result, "note")) == (0, [("not_a_line", "")])
    assert "3 lines of the ledger cannot be read" in stage.run("history", "verify").out


def altered(line: str) -> str:
    return line.replace('"actor":"ada"', '"actor":"eve"')


@pytest.mark.needs_ledger("there is no file to change")
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda rows: [altered(row) for row in rows], {"contradiction"}),
        (lambda rows: [row for row in rows if "create_intended" not in row], {"no_intent"}),
        (lambda rows: [*rows[1:], rows[0]], set()),
        (lambda rows: [*rows, rows[0]], set()),
    ],
    ids=["altered", "taken away", "reordered", "appended"],
)
def test_a_ledger_that_contradicts_itself_or_the_jobs_is_found(
    stage: Stage, change: Callable[[list[str]], list[str]], found: set[str]
) -> None:
    job_for(stage, "one")
    path = ledger(stage)
    rows = path.read_text().splitlines()
    path.write_text("".join(f"{row}\n" for row in change(rows)))
    result = stage.run("history", "verify", "--format", "json")
    assert {check for check, _ in checks(result)} == found
    assert result.code == (6 if found else 0)


def actor(stage: Stage, **more: object) -> str:
    """Return who creates a job in a fresh project, according to its history."""
    stage.spec("who")
    stage.run("apply", "--yes", env=lambda env: dataclasses.replace(env, **more))  # type: ignore[arg-type]
    (record,) = json.loads(stage.run("history", "--format", "json").out)["records"]
    return str(record["actor"])


@pytest.mark.parametrize(
    ("environ", "configured", "expected"),
    [
        ({"USER": "ada"}, "Ada Newcomer", "ada"),
        ({"USER": ""}, "Ada Newcomer", "Ada Newcomer"),
        ({}, "Ada Newcomer", "Ada Newcomer"),
        ({}, "", "root"),
        ({"USERNAME": "grace"}, "Ada Newcomer", "grace"),
    ],
)
def test_the_actor_is_the_user_else_gits_user_else_the_operating_systems(
    stage: Stage, environ: dict[str, str], configured: str, expected: str
) -> None:
    stage.commit("nothing yet")
    stage.git("config", "user.name", configured)
    del stage.environ["USER"]
    stage.environ |= environ
    assert actor(stage, user=lambda: "root") == expected


# Audit: which pull request, which plan, who approved it, where the results are.


@pytest.mark.needs_ledger("the audit trail is in the ledger")
def test_a_job_names_the_pull_request_the_plan_the_event_and_the_approver(stage: Stage) -> None:
    stage.environ |= {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "push",
        "RECONCILER_ACTOR": "ada",
        "RECONCILER_PULL": "12",
        "RECONCILER_APPROVER": "grace",
        "RECONCILER_RUN_URL": "https://ci.example.org/5",
    }
    stage.spec("nightly", metadata={"cost_center": "4711"})
    stage.commit("a spec")
    stage.run("plan", "-o", "plan.json")
    digest = json.loads((stage.root / "plan.json").read_text())["digest"].removeprefix("sha256:")[:16]
    assert stage.run("apply", "plan.json").code == 0
    expected = {
        "pull": "12", "plan": digest, "event": "push", "approver": "grace", "actor": "ada", "branch": "main",
        "run_url": "https://ci.example.org/5", "project": "shop",
    }  # fmt: skip
    (online,) = records(stage.run("history", "--format", "json"))
    assert {key: online[key] for key in expected} == expected
    assert online["user_metadata"] == {"cost_center": "4711"}
    (offline,) = records(stage.run("history", "--offline", "--format", "json"))
    assert {key: offline[key] for key in expected} == expected | {"branch": None}
    assert offline["user_metadata"] is None
    story = stage.run("history", "nightly").out
    assert f"pull request 12 · plan {digest} · push · approved by grace" in " ".join(story.split())
    stage.forget()
    (tagged,) = records(stage.run("history", "--format", "json"))
    assert {key: tagged[key] for key in expected} == expected


def test_a_table_has_a_column_for_a_key_of_the_metadata(stage: Stage) -> None:
    stage.spec("one", metadata={"cost_center": "4711"})
    stage.spec("two")
    stage.run("apply", "--yes")
    head, *rows = stage.run("history", "--metadata", "cost_center").out.splitlines()
    assert head.split()[:3] == ["CREATED", "NAME", "COST_CENTER"]
    assert sorted(row.split()[1:3] for row in rows[:2]) == [["one", "4711"], ["two", "-"]]


def test_the_place_of_results_is_known_once_they_are_pulled(stage: Stage) -> None:
    stage.spec("one")
    stage.run("apply", "--yes", "--wait")
    (before,) = records(stage.run("history", "--format", "json"))
    assert before["results"] is None
    stage.run("outputs", "pull")
    (after,) = records(stage.run("history", "--format", "json"))
    assert after["results"] == f"outputs/one/jobs/{after['job_id']}"
    assert (stage.root / after["results"] / "summary.json").exists()


def test_a_bucket_of_results_that_cannot_be_listed_is_a_note(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nresults: az://bucket/outputs\n")
    stage.spec("one")
    stage.run("apply", "--yes")
    shown = stage.run("history")
    assert shown.code == 0
    assert "note: the place of results is not shown: " in shown.err


def test_all_projects_of_the_workspace_are_shown_together(stage: Stage) -> None:
    stage.spec("one")
    stage.run("apply", "--yes")
    stage.write("reconciler.yaml", "project: lab\n")
    stage.spec("one", model="mistral-large-latest")
    stage.run("apply", "--yes")
    both = records(stage.run("history", "--all-projects", "--format", "json"))
    assert sorted((it["project"], it["name"]) for it in both) == [("lab", "one"), ("shop", "one")]
    head = stage.run("history", "--all-projects").out.splitlines()[0]
    assert head.split()[:3] == ["CREATED", "NAME", "PROJECT"]
    assert [it["project"] for it in records(stage.run("history", "--format", "json"))] == ["lab"]
    refused = stage.run("history", "--all-projects", "--offline")
    assert (refused.code, "needs the list of jobs" in refused.err) == (64, True)


def test_stats_sums_jobs_by_month_name_model_and_a_key_of_the_metadata(stage: Stage) -> None:
    """The sums are counted from the list of jobs, in which every number is known, but for tokens."""
    stage.spec("one", requests=2, metadata={"team": "a"})
    stage.spec("two", requests=3, metadata={"team": "b"})
    stage.spec("three", retry={"max_attempts": 1})
    stage.write("specs/data/three.jsonl", UNSTEADY)
    stage.run("apply", "--yes", "--wait")
    (first,) = [job for job in stage.jobs() if job["name"] == "one"]
    summarise(stage, first, tokens=70)
    document = conforming(
        "history", stage.run("history", "--stats", "--metadata", "team", "--format", "json").out
    )
    listed = records(stage.run("history", "--format", "json"))
    assert {title: [row["key"] for row in rows] for title, rows in document["by"].items()} == {
        "month": [time.strftime("%Y-%m", time.gmtime(stage.jobs()[0]["created_at"]))],
        "name": ["one", "three", "two"],
        "model": ["mistral-small-latest"],
        "team": ["-", "a", "b"],
    }
    for field, column in (
        ("requests", "total_requests"),
        ("answered", "succeeded_requests"),
        ("failed", "failed_requests"),
        ("tokens", "total_tokens"),
    ):
        wanted = sum(record[column] or 0 for record in listed)
        assert document["total"][field] == wanted
        assert all(sum(row[field] for row in rows) == wanted for rows in document["by"].values())
    assert document["total"]["tokens"] >= 70
    assert document["total"]["tokens_unknown"] == sum(record["total_tokens"] is None for record in listed) > 0
    shown = stage.run("history", "--stats").out
    assert f"≥ {document['total']['tokens']}" in shown
    assert "outputs pull" in shown


def test_stats_has_no_formats_of_jobs_and_no_name(stage: Stage) -> None:
    for extra in (("one",), ("--format", "csv"), ("--format", "jsonl")):
        result = stage.run("history", "--stats", *extra)
        assert result.code == 64, result
        assert "--stats cannot be combined" in result.err
