"""A snapshot of the workspace: one machine plans from it without key and network, and another applies that plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.schemas import conforming
from tests.cli.stage import HI, Result, Stage

SECRETS = ("the-users-own-pair", "a-strangers-pair", "a-key-that-is-nowhere", "a very private prompt")


def sealed(snapshot: dict[str, Any]) -> bytes:
    text = json.dumps(snapshot, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f'{{"digest":"sha256:{digest}","snapshot":{text}}}'.encode()


def altered(stage: Stage, change: Callable[[dict[str, Any]], None]) -> None:
    file = stage.root / "seen.json"
    snapshot = json.loads(file.read_text(encoding="utf-8"))["snapshot"]
    change(snapshot)
    file.write_bytes(sealed(snapshot))


def remove(stage: Stage, name: str) -> None:
    (stage.root / f"specs/{name}.yaml").unlink()
    (stage.root / f"specs/data/{name}.jsonl").unlink()


def make_seen(stage: Stage) -> None:
    """Three live jobs and a job of another project, in a snapshot; then one spec changes, one goes, one comes."""
    stage.write("reconciler.yaml", "project: other\n")
    stage.spec("theirs", requests=400, metadata={"pair": SECRETS[1]})
    stage.run("apply", "--yes")
    remove(stage, "theirs")
    stage.write("reconciler.yaml", "project: shop\n")
    for name in ("changing", "going", "staying"):
        stage.spec(name, requests=500, metadata={"pair": SECRETS[0]}, reuse=False)
    stage.lines("specs/data/staying.jsonl", 500, text=SECRETS[3])
    stage.run("apply", "--yes")
    stage.advance(2)
    saved = stage.run("jobs", "snapshot", "seen.json")
    assert (saved.code, saved.out, saved.writes) == (0, "3 jobs of 4 saved\n", [])
    stage.spec("changing", requests=501, metadata={"pair": SECRETS[0]}, reuse=False)
    stage.spec("coming", requests=500)
    remove(stage, "going")


@pytest.fixture
def seen(stage: Stage) -> Stage:
    """What `make_seen` makes."""
    stage.prepare(make_seen)
    return stage


def keyless(stage: Stage, *argv: str) -> Result:
    """Run a command without a key, a ledger or access to the API."""
    environ = dict(stage.environ)
    kept = stage.root / ".reconciler"
    kept.rename(stage.root.parent / "kept")
    try:
        result = stage.run(*argv)
        assert not kept.exists()
    finally:
        (stage.root.parent / "kept").rename(kept)
        stage.environ = environ
    assert result.sent == []
    return result


def test_plan_against_a_snapshot_is_the_plan_against_the_workspace(seen: Stage) -> None:
    here = conforming("plan", seen.run("plan", "--format", "json").out)["plan"]
    there = conforming("plan", keyless(seen, "plan", "--observed", "seen.json", "--format", "json").out)[
        "plan"
    ]
    assert there.pop("observed_at") == "2026-09-21T14:13:22Z"
    (change,) = here["decisions"][0]["actions"][0]["changes"]
    assert change.pop("requests")["added"] == 1  # a plan from a snapshot reads no results
    assert [it["kind"] for it in here.pop("models")] == ["alias"]  # nor does it ask what an alias means
    assert here == there


def test_ended_jobs_are_in_a_snapshot_as_in_the_workspace(stage: Stage) -> None:
    stage.spec("done", requests=5)
    stage.spec(
        "late", model="sandbox-stuck", requests=4, timeout_hours=1, reuse=False, retry={"max_attempts": 1}
    )
    stage.run("apply", "--yes")
    stage.advance(7200)
    stage.run("jobs", "snapshot", "seen.json")
    here = stage.run("plan", "--format", "json")
    there = keyless(stage, "plan", "--observed", "seen.json", "--format", "json")
    plans = [conforming("plan", it.out)["plan"] for it in (here, there)]
    for plan in plans:
        plan.pop("observed_at", None)
    assert plans[0] == plans[1]
    assert all(f'"reason": "{it}"' in here.out for it in ("succeeded", "partial"))


def test_what_is_left_of_a_job_that_timed_out_is_a_bound_in_a_plan_from_a_snapshot(stage: Stage) -> None:
    stage.spec("late", model="sandbox-stuck", requests=4, timeout_hours=1, retry={"max_attempts": 2})
    stage.run("apply", "--yes")
    stage.advance(7200)
    stage.run("jobs", "snapshot", "seen.json")
    keyless(stage, "plan", "--observed", "seen.json", "-o", "plan.json")
    (decision,) = json.loads((stage.root / "plan.json").read_text())["plan"]["decisions"]
    (create,) = decision["actions"]
    bound = {key: create[key] for key in ("action", "reason", "requests", "of", "at_most")}
    assert bound == {"action": "create", "reason": "retry", "requests": 2, "of": 4, "at_most": True}
    assert stage.run("apply", "plan.json").code == 0
    assert len(stage.jobs()) == 2


def test_header_says_how_old_the_snapshot_is(seen: Stage) -> None:
    seen.advance(2 * 3600 + 5 * 60)
    result = keyless(seen, "plan", "--observed", "seen.json")
    assert "4 jobs in a snapshot, 2 h 5 min old, 3 from this project" in result.out
    assert "follows exactly: reconciler plan --observed seen.json -o plan.json\n" in result.out
    assert "asks" not in result.out, "without the snapshot, apply would plan something else"
    assert "in a snapshot, 2 h 5 min old" in keyless(
        seen, "plan", "--observed", "seen.json", "--format", "markdown"
    ).out  # fmt: skip


def test_plan_made_without_a_key_is_applied_like_any_other(seen: Stage) -> None:
    keyless(seen, "plan", "--observed", "seen.json", "-o", "plan.json")
    result = seen.run("apply", "plan.json")
    assert result.code == 0
    seen.advance(1)
    assert seen.live() == ["changing", "coming", "staying", "theirs"]


def test_plan_of_an_old_snapshot_is_stale_if_the_workspace_changed(seen: Stage) -> None:
    keyless(seen, "plan", "--observed", "seen.json", "-o", "plan.json")
    seen.spec("going", requests=500)
    result = seen.run("apply", "plan.json")
    assert (result.code, result.writes) == (4, [])
    assert "cancel going: now keep (running)" in result.err


@pytest.mark.needs_ledger(
    "the job is on hold as `cancelled`, because the tool cannot know that it cancelled it"
)
def test_what_the_ledger_knew_is_in_the_snapshot(seen: Stage) -> None:
    text = (seen.root / "specs/staying.yaml").read_text()
    data = (seen.root / "specs/data/staying.jsonl").read_text()
    remove(seen, "staying")
    seen.run("apply", "--yes", "--max-cancel-share", "1")
    seen.advance(5)
    seen.run("jobs", "snapshot", "seen.json")
    seen.write("specs/staying.yaml", text)
    (seen.root / "specs/data/staying.jsonl").write_text(data)
    plan = conforming("plan", keyless(seen, "plan", "--observed", "seen.json", "--format", "json").out)[
        "plan"
    ]
    (staying,) = (it["actions"] for it in plan["decisions"] if it["name"] == "staying")
    assert [(it["action"], it["reason"]) for it in staying] == [("create", "part")]


@pytest.mark.parametrize("how", [(), ("--only-agreed",)])
def test_a_job_that_succeeded_is_left_out_once_it_is_removed_and_an_agreed_plan_does_not_submit_it_again(
    stage: Stage, how: tuple[str, ...]
) -> None:
    for name in ("done", "past", "staying"):
        stage.spec(name, requests=5)
    stage.run("apply", "--yes")
    stage.advance(2 * 86_400)
    text, data = (stage.root / "specs/past.yaml").read_text(), stage.root / "specs/data/past.jsonl"
    lines = data.read_text()
    remove(stage, "past")
    remove(stage, "done")
    saved = stage.run("jobs", "snapshot", "seen.json")
    assert saved.out == "2 jobs of 3 saved\n", "one stays, to recognise the workspace"
    stage.write("specs/past.yaml", text)
    data.write_text(lines)
    stage.spec("coming", requests=7)
    planned = keyless(stage, "plan", "--observed", "seen.json", "-o", "plan.json")
    assert "2 to create" in planned.out, "the plan is an upper bound"
    applied = stage.run("apply", *how, "plan.json")
    assert applied.code == 0
    assert sorted(job["metadata"]["reconciler.name"] for job in stage.jobs()) == [
        "coming",
        "done",
        "past",
        "staying",
    ]


def test_snapshot_holds_no_secrets_and_conforms_to_its_schema(seen: Stage) -> None:
    text = (seen.root / "seen.json").read_text(encoding="utf-8")
    snapshot = conforming("snapshot", text)["snapshot"]
    assert len(snapshot["jobs"]) == 3
    assert snapshot["created_at"] == "2026-09-21T14:13:22Z"
    assert all(key.startswith("reconciler.") for job in snapshot["jobs"] for key in job["metadata"])
    assert not [secret for secret in SECRETS if secret in text]


def test_strangers_jobs_are_a_number_in_it(stage: Stage) -> None:
    import httpx

    from reconciler.sandbox import BUILT_IN_KEY
    from reconciler.sandbox.app import make_app
    from reconciler.sandbox.store import Store

    stage.spec("mine")
    stage.run("apply", "--yes")
    with Store(stage.root / ".reconciler/sandbox/sandbox.db") as store:
        transport = httpx.WSGITransport(make_app(store, now=lambda: stage.clock, ids=stage.uuid))
        headers = {"Authorization": f"Bearer {BUILT_IN_KEY}"}
        with httpx.Client(transport=transport, base_url="http://sandbox", headers=headers) as client:
            body = {
                "model": "mistral-small-latest",
                "endpoint": "/v1/chat/completions",
                "requests": [{"custom_id": str(number), "body": HI} for number in range(500)],
                "metadata": {"team": SECRETS[1]},
            }
            assert client.post("/v1/batch/jobs", json=body).status_code == 200
    stage.advance(2)
    stage.run("jobs", "snapshot", "seen.json")
    text = (stage.root / "seen.json").read_text(encoding="utf-8")
    snapshot = conforming("snapshot", text)["snapshot"]
    assert (len(snapshot["jobs"]), snapshot["other_jobs"]) == (1, 1)
    assert 0 < snapshot["other_pending"] <= 500
    assert SECRETS[1] not in text
    assert "2 jobs in a snapshot" in keyless(stage, "plan", "--observed", "seen.json").out


@pytest.mark.parametrize(
    ("key", "value", "reported"),
    [
        ("project", "other", "the snapshot is of project other on the sandbox, and this is project shop on"),
        ("base_url", "https://api.mistral.ai", "the snapshot is of project shop on the sandbox"),
        ("sandbox", False, "of project shop on localhost, and this is project shop on the sandbox"),
    ],
)
def test_snapshot_of_another_target_is_refused(seen: Stage, key: str, value: object, reported: str) -> None:
    altered(seen, lambda snapshot: snapshot["target"].update({key: value}))
    result = keyless(seen, "plan", "--observed", "seen.json", "-o", "plan.json")
    assert (result.code, result.out) == (1, "")
    assert reported in result.err
    assert not (seen.root / "plan.json").exists()


CORRUPTIONS: dict[str, Callable[[bytes], bytes]] = {
    "a changed number": lambda data: data.replace(b'"total_requests":500', b'"total_requests":5'),
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "not JSON": lambda _: b"project: shop\n",
    "a list": lambda _: b"[]",
    "a plan": lambda data: data.replace(b'"snapshot"', b'"plan"'),
    "no snapshot in it": lambda _: b'{"digest":"sha256:0","snapshot":7}',
    "deep": lambda _: b'{"digest":"sha256:0","snapshot":' + b"[" * 100_000,
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_file_that_is_not_what_was_saved_is_refused(seen: Stage, name: str) -> None:
    file = seen.root / "seen.json"
    file.write_bytes(CORRUPTIONS[name](file.read_bytes()))
    result = keyless(seen, "plan", "--observed", "seen.json")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: seen.json: ")
    assert "  hint: create it again: reconciler jobs snapshot observed.json" in result.err


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.pop("jobs"),
        lambda it: it.update(created_at="yesterday"),
        lambda it: it.update(created_at="2026-99-99T00:00:00Z"),
        lambda it: it["jobs"][0].update(total_requests=-1),
        lambda it: it["jobs"][0].update(created_at=1e300),
        lambda it: it["jobs"][0].update(id="two words"),
    ],
)
def test_snapshot_with_nonsense_in_it_is_refused(seen: Stage, change: Callable[[Any], object]) -> None:
    altered(seen, lambda it: (change(it), None)[1])
    result = keyless(seen, "plan", "--observed", "seen.json")
    assert (result.code, result.out) == (1, "")
    assert "does not contain a complete snapshot" in result.err


def test_other_major_version_is_refused_and_a_later_minor_one_is_read(seen: Stage) -> None:
    altered(seen, lambda it: it.update(format_version="2.99", news=[1]))
    assert keyless(seen, "plan", "--observed", "seen.json").code == 0
    altered(seen, lambda it: it.update(format_version="3.0"))
    result = keyless(seen, "plan", "--observed", "seen.json")
    assert (result.code, "this version reads 2.0" in result.err) == (1, True)


def test_missing_file_is_named(stage: Stage, tmp_path: Path) -> None:
    assert not (tmp_path / "nowhere.json").exists()
    result = stage.run("plan", "--observed", "nowhere.json")
    assert (result.code, result.sent) == (1, [])
    assert "error: nowhere.json: No such file" in result.err


def test_tags_that_would_read_better_cleaned_stay_unreadable(seen: Stage) -> None:
    """A snapshot must not make sense of what the workspace makes none of, nor carry it to a terminal."""

    def smuggle(it: dict[str, Any]) -> None:
        job = next(job for job in it["jobs"] if job["metadata"]["reconciler.name"] == "going")
        job["metadata"]["reconciler.name"] = "go\x1b[2Jing"
        job["status"] = "RUN\u202eNING"

    altered(seen, smuggle)
    result = keyless(seen, "plan", "--observed", "seen.json")
    assert result.code == 0
    assert not set("\x1b\u202e") & set(result.out)
    assert "cancel  going" not in result.out
