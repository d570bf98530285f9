"""A saved plan: `apply` executes it exactly or not at all, any machine can show it, and its content is checked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.environment import Environment
from tests.cli.schemas import conforming
from tests.cli.stage import Fault, Result, Stage

JOBS = "/v1/batch/jobs"


def creates(result: Result) -> list[str]:
    return [
        json.loads(sent.body)["metadata"]["reconciler.name"] for sent in result.writes if sent.path == JOBS
    ]


def cancels(result: Result) -> list[str]:
    return [sent.path.split("/")[-2] for sent in result.writes if sent.path.endswith("/cancel")]


def remove(stage: Stage, name: str) -> None:
    (stage.root / f"specs/{name}.yaml").unlink()
    (stage.root / f"specs/data/{name}.jsonl").unlink()


def sealed(plan: dict[str, Any]) -> bytes:
    """Return a plan file whose digest is right, whatever it says."""
    text = json.dumps(plan, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f'{{"digest":"sha256:{digest}","plan":{text}}}'.encode("utf-8", "surrogatepass")


def altered(stage: Stage, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the saved plan and seal it again."""
    plan = json.loads((stage.root / "plan.json").read_text(encoding="utf-8"))["plan"]
    change(plan)
    (stage.root / "plan.json").write_bytes(sealed(plan))


def make_busy(stage: Stage) -> None:
    """Three live jobs; then one input changes, one spec goes, one comes, and that is saved as a plan."""
    for name in ("changing", "going", "staying"):
        stage.spec(name, requests=500, reuse=False)
    stage.run("apply", "--yes")
    stage.advance(2)
    stage.spec("changing", requests=501, reuse=False)
    stage.spec("coming", requests=500)
    remove(stage, "going")
    saved = stage.run("plan", "-o", "plan.json")
    assert saved.out.endswith("Saved. To apply exactly this plan: reconciler apply plan.json\n")


@pytest.fixture
def busy(stage: Stage) -> Stage:
    """What `make_busy` makes."""
    stage.prepare(make_busy)
    return stage


def test_saved_plan_is_applied_exactly_and_asks_nothing(busy: Stage, golden: Callable[..., None]) -> None:
    result = busy.run("apply", "plan.json")
    golden(result)
    assert sorted(creates(result)) == ["changing", "coming"]
    assert len(cancels(result)) == 2
    busy.advance(1)
    assert busy.live() == ["changing", "coming", "staying"]


def test_job_that_merely_runs_on_makes_no_plan_stale(stage: Stage) -> None:
    stage.spec("tickets", requests=500)
    stage.spec("other")
    stage.run("apply", "--yes")
    remove(stage, "tickets")
    assert "QUEUED, not validated yet" in stage.run("plan", "-o", "plan.json").out
    stage.advance(3)
    result = stage.run("apply", "plan.json")
    assert (result.code, len(cancels(result))) == (0, 1)
    assert "RUNNING, 100 of 500 answered" in result.out


def test_progress_that_makes_an_action_unnecessary_is_skipped_and_said(busy: Stage) -> None:
    busy.advance(60)
    result = busy.run("apply", "plan.json")
    assert (result.code, cancels(result), sorted(creates(result))) == (0, [], ["changing", "coming"])
    assert "skipped, no longer needed: cancel going: it no longer runs" in result.out
    assert "skipped, no longer needed: cancel changing: it no longer runs" in result.out


def test_plan_that_was_applied_already_does_nothing_and_says_why(busy: Stage) -> None:
    busy.run("apply", "plan.json")
    busy.advance(1)
    result = busy.run("apply", "plan.json")
    assert (result.code, result.writes) == (0, [])
    assert "skipped, no longer needed: create coming: already submitted, running" in result.out
    assert "skipped, no longer needed: create changing: already submitted, running" in result.out


def test_job_that_was_cancelled_meanwhile_is_skipped(busy: Stage) -> None:
    going = next(job["id"] for job in busy.jobs() if job["name"] == "going")
    busy.run("jobs", "cancel", going, "--yes")
    result = busy.run("apply", "plan.json")
    assert result.code == 0
    assert going not in cancels(result)
    assert "skipped, no longer needed: cancel going: it no longer runs" in result.out


def test_work_that_another_runner_created_meanwhile_is_not_created_again(busy: Stage) -> None:
    busy.run("apply", "specs/coming.yaml", "--yes")
    result = busy.run("apply", "plan.json")
    assert (result.code, creates(result)) == (0, ["changing"])
    assert "create coming: already submitted, running" in result.out


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_input_that_changed_after_saving_makes_it_stale_and_nothing_is_written(
    busy: Stage, form: str
) -> None:
    busy.spec("coming", requests=499)
    result = busy.run("apply", "plan.json", "--format", form)
    assert (result.code, result.writes) == (4, [])
    assert "the saved plan no longer holds, and nothing was done" in result.err
    assert "create coming: now create (new, work v1:" in result.err
    assert "review a fresh plan" in result.err
    assert sorted(busy.live()) == ["changing", "going", "staying"]


@pytest.mark.parametrize(
    ("fields", "difference"),
    [
        ({"timeout_hours": 168}, "timeout_hours was 24, now 168"),
        ({"metadata": {"cost_centre": "cc-666"}}, "metadata.cost_centre was cc-1, now cc-666"),
        ({"metadata": {}}, "metadata.cost_centre was cc-1, now none"),
        ({"metadata": {"cost_centre": "cc-1", "owner": "mallory"}}, "metadata.owner was none, now mallory"),
        ({"retry": {"max_attempts": 10}}, "retry.max_attempts was 2, now 10"),
        (
            {"retry": {"on": ["FAILED"]}},
            "retry.on was TIMEOUT_EXCEEDED, http_429, http_5xx, missing, now FAILED",
        ),
        ({"checks": {"failed": 1}}, "checks.failed was 0.0, now 1.0"),
        ({"on_remove": "keep"}, "on_remove was cancel, now keep"),
        ({"on_change": "finish"}, "on_change was auto, now finish"),
        ({"model": "mistral-large-latest"}, "model was mistral-small-latest, now mistral-large-latest"),
        ({"model": None, "agent_id": "ag_1"}, "model was mistral-small-latest, now none; agent_id was none"),
    ],
)
def test_field_of_a_planned_job_that_changed_after_saving_makes_it_stale_and_is_named(
    stage: Stage, fields: dict[str, Any], difference: str
) -> None:
    stage.spec("coming", metadata={"cost_centre": "cc-1"})
    stage.run("plan", "-o", "plan.json")
    stage.spec("coming", **{"metadata": {"cost_centre": "cc-1"}, **fields})
    result = stage.run("apply", "plan.json")
    assert (result.code, result.writes) == (4, [])
    assert f"create coming: {difference}" in result.err or f"; {difference}" in result.err


def test_what_is_said_of_a_planned_job_is_what_is_sent(stage: Stage) -> None:
    stage.spec("coming", metadata={"cost_centre": "cc-1"}, timeout_hours=48, retry={"max_attempts": 3})
    shown = stage.run("plan", "-o", "plan.json").out
    assert "new · 3 requests · at most $0.24 · mistral-small-latest on /v1/chat/completions" in shown
    assert "      settings: timeout_hours=48, metadata.cost_centre=cc-1, retry.max_attempts=3\n" in shown
    (create,) = conforming("plan", stage.run("plan", "--format", "json").out)["plan"]["decisions"][0][
        "actions"
    ]
    (sent,) = (sent for sent in stage.run("apply", "plan.json").writes if sent.path == JOBS)
    body = json.loads(sent.body)
    assert (create["model"], create["endpoint"], create["settings"]["timeout_hours"]) == (
        body["model"],
        body["endpoint"],
        body["timeout_hours"],
    )
    own = {key: value for key, value in body["metadata"].items() if not key.startswith("reconciler.")}
    assert create["settings"]["metadata"] == own


def test_settings_of_a_job_that_runs_already_make_no_plan_stale(stage: Stage) -> None:
    stage.spec("running", requests=500)
    stage.run("apply", "--yes")
    stage.spec("coming")
    stage.run("plan", "-o", "plan.json")
    stage.spec("running", requests=500, timeout_hours=48)
    result = stage.run("apply", "plan.json")
    assert (result.code, creates(result)) == (0, ["coming"])


def test_plan_that_another_runner_made_stale_is_refused_with_the_difference(stage: Stage) -> None:
    stage.spec("coming", requests=500, on_change="finish")
    stage.run("plan", "-o", "plan.json")
    stage.spec("coming", requests=400, on_change="finish")
    stage.run("apply", "--yes")  # from another checkout, with other inputs
    stage.spec("coming", requests=500, on_change="finish")
    result = stage.run("apply", "plan.json")
    assert (result.code, result.writes) == (4, [])
    assert "the saved plan no longer holds, and nothing was done: create coming: now hold (waiting)" in (
        result.err.replace("keep (running), ", "")
    )


def test_spec_that_came_back_makes_its_cancel_stale(busy: Stage) -> None:
    busy.spec("going", requests=500)
    result = busy.run("apply", "plan.json")
    assert (result.code, result.writes) == (4, [])
    assert "cancel going: now keep (running)" in result.err


def test_spec_that_went_after_saving_makes_its_create_stale(busy: Stage) -> None:
    remove(busy, "coming")
    result = busy.run("apply", "plan.json")
    assert (result.code, result.writes) == (4, [])
    assert "create coming: now there is nothing to do" in result.err


def test_an_attempt_that_failed_meanwhile_is_repeated_by_the_plan_as_often_as_it_says(stage: Stage) -> None:
    stage.spec("tickets", model="sandbox-unknown", retry={"max_attempts": 3, "on": ["FAILED"]})
    stage.run("plan", "-o", "plan.json")
    stage.run("apply", "--yes")
    for jobs in (2, 3, 3):
        stage.advance(5)
        stage.run("apply", "plan.json")
        assert len(stage.jobs()) == jobs
    assert "create tickets: now hold (failed)" in stage.run("apply", "plan.json").err


def test_action_that_is_not_in_the_file_is_listed_and_not_done(busy: Stage) -> None:
    busy.spec("later", requests=500)
    remove(busy, "staying")
    result = busy.run("apply", "plan.json")
    assert result.code == 0
    assert "not in the saved plan, left alone: cancel staying" in result.out
    assert "not in the saved plan, left alone: create later" in result.out
    busy.advance(1)
    assert busy.live() == ["changing", "coming", "staying"]


def test_what_differs_harmlessly_is_said_in_markdown_too(busy: Stage) -> None:
    busy.spec("later", requests=500)
    result = busy.run("apply", "plan.json", "--format", "markdown")
    assert result.code == 0
    assert "not in the saved plan, left alone: create later" in result.out


def test_plan_of_a_selection_is_applied_as_that_selection(stage: Stage) -> None:
    for name in ("one", "two", "three"):
        stage.spec(name)
    stage.run("plan", "specs/one.yaml", "-o", "plan.json")
    result = stage.run("apply", "plan.json")
    assert (result.code, creates(result)) == (0, ["one"])
    assert "1 spec selected; 0 jobs not considered" in result.out
    assert "two" not in result.out


@pytest.mark.parametrize(
    ("key", "value", "reported"),
    [
        ("project", "other", "project other on the sandbox, and this is project shop on the sandbox"),
        ("base_url", "https://api.mistral.ai", "project shop on the sandbox"),
        ("sandbox", False, "project shop on localhost, and this is project shop on the sandbox"),
    ],
)
def test_plan_of_another_target_is_refused(busy: Stage, key: str, value: object, reported: str) -> None:
    altered(busy, lambda plan: plan["target"].update({key: value}))
    result = busy.run("apply", "plan.json")
    assert (result.code, result.writes) == (4, [])
    assert reported in result.err


def test_plan_of_the_sandbox_is_not_applied_to_the_real_api(busy: Stage) -> None:
    body = b'{"object":"list","total":0}'
    busy.faults.append(Fault("GET", JOBS, 200, body=body, times=99))
    busy.environ["MISTRAL_API_KEY"] = "a-key-that-is-never-sent"
    result = busy.run("apply", "plan.json", "--no-sandbox")
    assert (result.code, result.writes) == (4, [])
    assert "the plan was made for project shop on the sandbox" in result.err


CORRUPTIONS: dict[str, Callable[[bytes], bytes]] = {
    "a flipped letter": lambda data: data.replace(b"coming", b"homing", 1),
    "a changed number": lambda data: data.replace(b'"requests": 501', b'"requests": 502'),
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "not JSON": lambda _: b"project: shop\n",
    "not a plan": lambda _: b'{"some": "json"}',
    "a list": lambda _: b"[]",
    "not UTF-8": lambda _: b"\xff\xfe\x00",
    "deep": lambda _: b'{"digest":"sha256:0","plan":' + b"[" * 100_000,
    "deep and whole": lambda _: b'{"digest":"","plan":{"a":' + b"[" * 90_000 + b"]" * 90_000 + b"}}",
    "no plan in it": lambda _: b'{"digest":"sha256:0","plan":7}',
}


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("command", ["show", "apply"])
def test_file_that_is_not_what_was_saved_is_refused(busy: Stage, command: str, name: str) -> None:
    file = busy.root / "plan.json"
    file.write_bytes(CORRUPTIONS[name](file.read_bytes()))
    result = busy.run(command, "plan.json")
    assert (result.code, result.out, result.sent) == (1, "", [])
    assert result.err.startswith("error: plan.json: ")
    assert "  hint: create it again: reconciler plan -o plan.json" in result.err


@pytest.mark.parametrize(
    "path", ["../prices.jsonl", "/etc/passwd", "specs/../../x", "C:\\x", "\\\\host\\x", "..\\x"]
)
@pytest.mark.parametrize("where", ["declared_at", "uploads"])
def test_plan_that_names_files_outside_of_the_project_is_refused(busy: Stage, path: str, where: str) -> None:
    def lead_out(plan: dict[str, Any]) -> None:
        decision = next(it for it in plan["decisions"] if it["name"] == "coming")
        if where == "uploads":
            decision["actions"][0]["uploads"][0]["path"] = path
        else:
            decision["declared_at"] = f"{path}:1"

    altered(busy, lead_out)
    for command in ("show", "apply"):
        result = busy.run(command, "plan.json")
        assert (result.code, result.sent) == (1, [])
        assert "the plan file names a file outside the project: " in result.err


def test_saved_plan_holds_what_each_action_relies_on_and_what_was_there_before(busy: Stage) -> None:
    plan = conforming("plan", (busy.root / "plan.json").read_text(encoding="utf-8"))["plan"]
    actions = {it["name"]: it["actions"] for it in plan["decisions"]}
    (coming,), (going,) = actions["coming"], actions["going"]
    assert coming["precondition"] == "no job has this work and rerun"
    assert (going["precondition"], going["job"]["status"]) == ("the job is queued or running", "RUNNING")
    create = next(it for it in actions["changing"] if it["action"] == "create")
    assert create["changes"][0]["before"] == "500 requests"
    assert create["changes"][0]["after"].startswith("501 requests")


@pytest.mark.parametrize("version", ["2.0", "0.9", "", None, 7, "99"])
def test_plan_of_another_major_version_is_refused(busy: Stage, version: object) -> None:
    altered(busy, lambda plan: plan.update(format_version=version))
    for command in ("show", "apply"):
        result = busy.run(command, "plan.json")
        assert (result.code, result.sent) == (1, [])
        assert "this version reads 1" in result.err


def test_plan_of_a_later_minor_version_is_read_and_what_is_unknown_is_ignored(busy: Stage) -> None:
    def later(plan: dict[str, Any]) -> None:
        plan.update(format_version=plan["format_version"].partition(".")[0] + ".99", news={"a": [1]})
        plan["decisions"][0]["colour"] = "blue"

    altered(busy, later)
    assert "coming" in busy.run("show", "plan.json").out
    assert busy.run("apply", "plan.json").code == 0


@pytest.mark.thorough
def test_huge_file_is_refused_without_being_read_whole(stage: Stage) -> None:
    with (stage.root / "plan.json").open("wb") as file:
        file.truncate(10**9)
    result = stage.run("show", "plan.json")
    assert result.code == 1
    assert "this is not a plan file: it is too large" in result.err


@pytest.mark.parametrize("command", ["show", "apply"])
def test_missing_file_and_folder_are_reported_as_they_were_named(stage: Stage, command: str) -> None:
    (stage.root / "folder.json").mkdir()
    assert "error: nowhere.json: No such file" in stage.run(command, "nowhere.json").err
    assert stage.run(command, "nowhere.json").code == 1
    assert "error: folder.json: " in stage.run(command, "folder.json").err


def test_plan_file_needs_no_other_file(busy: Stage) -> None:
    for argv in (("plan.json", "specs"), ("specs/coming.yaml", "plan.json"), ("plan.json", "plan.json")):
        result = busy.run("apply", *argv, "--yes")
        assert (result.code, result.sent) == (64, [])
        assert "plan.json is a plan file, which cannot be combined with other arguments" in result.err


def test_plan_file_may_have_any_name_but_a_specs(busy: Stage) -> None:
    shutil.copy(busy.root / "plan.json", busy.root / "saved")
    assert busy.run("apply", "saved").code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs")
def test_plan_may_come_through_a_pipe(busy: Stage) -> None:
    reads, writes = os.pipe()
    os.write(writes, (busy.root / "plan.json").read_bytes())
    os.close(writes)
    try:
        assert "coming" in busy.run("show", f"/dev/fd/{reads}").out
    finally:
        os.close(reads)


@pytest.mark.skipif(sys.platform == "win32", reason="no descriptors with names")
def test_plan_is_written_to_a_descriptor_that_is_named(stage: Stage) -> None:
    stage.spec("tickets")
    reads, writes = os.pipe()
    try:
        result = stage.run("plan", "-o", f"/dev/fd/{writes}", "--format", "json")
        assert result.out
        assert os.read(reads, 1 << 16) == result.out.encode()
    finally:
        os.close(reads)
        os.close(writes)


def nowhere(root: Path) -> Callable[[Environment], Environment]:
    """A machine with an empty folder and nothing in its environment, from which nothing can be asked."""
    root.mkdir()
    return lambda _: Environment(environ={}, cwd=root)


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_plan_is_shown_without_key_config_specs_and_network(busy: Stage, tmp_path: Path, form: str) -> None:
    planned = busy.run("plan", "--format", form)
    shutil.copy(busy.root / "plan.json", tmp_path / "carried.json")
    result = busy.run("show", "../carried.json", "--format", form, env=nowhere(tmp_path / "empty"))
    assert result.code == 0
    assert result.err == ""
    if form == "json":
        assert result.out == (tmp_path / "carried.json").read_text(encoding="utf-8")
        conforming("plan", result.out)
    else:
        assert planned.out.startswith(result.out)
        assert planned.out.removeprefix(result.out) in (
            "",
            (
                "Not saved: `reconciler apply` plans again and asks. "
                "To save a plan that apply follows exactly: reconciler plan -o plan.json\n"
            ),
        )


def test_show_has_the_exit_codes_of_plan(busy: Stage) -> None:
    assert busy.run("show", "plan.json").code == 0
    assert busy.run("show", "plan.json", "--detailed-exitcode").code == 2
    assert busy.run("show", "plan.json", "--fail-on-attention").code == 0
    altered(busy, lambda plan: plan["summary"].update(attention=1))
    assert busy.run("show", "plan.json", "--fail-on-attention").code == 6


EVIL = "\x1b]0;owned\x07\x1b[2Jred\r\nerror: all is well\u202e\u2028|`x`<img src=x>@all"


def poison(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Put hostile text into every text of a plan that is not a word of the format."""
    if isinstance(value, dict):
        return {
            key: it if key in ("action", "format_version", "base_url") else poison(it)
            for key, it in value.items()
        }
    if isinstance(value, list):
        return [poison(it) for it in value]
    return f"{value}{EVIL}" if isinstance(value, str) else value


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_hostile_text_in_a_plan_file_does_nothing_when_it_is_shown(busy: Stage, form: str) -> None:
    plan = json.loads((busy.root / "plan.json").read_text(encoding="utf-8"))["plan"]
    plan["decisions"][0]["notes"] = ["a note"]
    plan["guards"] = [{"guard": "empty", "message": "m", "hint": "h"}]
    lines = len(busy.run("show", "plan.json", "--format", form).out.splitlines())
    (busy.root / "plan.json").write_bytes(sealed(poison(plan)))
    result = busy.run("show", "plan.json", "--format", form)
    assert result.code == 0
    assert "red error: all is well" in result.out
    assert not set("\x1b\x07\r\u202e\u2028") & set(result.out)
    assert not any(line.startswith("error:") for line in result.out.splitlines())
    assert len(result.out.splitlines()) <= lines + 6
    if form == "markdown":
        assert "<img" not in result.out.replace("\\<", "")
        assert "@a" not in result.out


def test_hostile_text_in_a_plan_file_does_nothing_when_it_is_applied(busy: Stage) -> None:
    plan = json.loads((busy.root / "plan.json").read_text(encoding="utf-8"))["plan"]
    poisoned = poison(plan)
    poisoned["target"] = plan["target"]
    (busy.root / "plan.json").write_bytes(sealed(poisoned))
    result = busy.run("apply", "plan.json")
    assert (result.code, result.writes) == (4, [])
    assert not set("\x1b\x07\r\u202e\u2028") & set(result.out + result.err)


@pytest.mark.parametrize("until", [0, -1, 1e300, -1e300, 253_402_300_800])
def test_time_that_no_calendar_has_gives_no_traceback(stage: Stage, until: float) -> None:
    stage.spec("tickets", suspend=True)
    stage.run("plan", "-o", "plan.json")
    altered(stage, lambda plan: plan["decisions"][0]["actions"][0].update(until=until))
    for form in ("text", "markdown"):
        result = stage.run("show", "plan.json", "--format", form)
        assert result.code == 0
        assert "suspended" in result.out


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401  any JSON
    """Yield the path of every value inside another."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_plan_file_with_anything_anywhere_gives_no_traceback(busy: Stage, data: st.DataObject) -> None:
    if "whole" not in busy.environ:
        busy.environ["whole"] = (busy.root / "plan.json").read_text(encoding="utf-8")
    plan = json.loads(busy.environ["whole"])["plan"]
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(list(places(plan))))
        target = plan
        for step in way:
            target = target[step]
        if data.draw(st.booleans()):
            target[last] = data.draw(json_values)
        else:
            del target[last]
    (busy.root / "plan.json").write_bytes(sealed(plan))
    for form in ("text", "markdown", "json"):
        assert busy.run("show", "plan.json", "--format", form).code in (0, 1)
    result = busy.run("apply", "plan.json", env=lambda env: env)
    assert result.code in (0, 1, 4)


def test_a_plan_shows_how_often_what_waits_may_be_submitted_and_an_unattended_run_keeps_to_that(
    stage: Stage,
) -> None:
    stage.write("reconciler.yaml", "project: shop\nlimits: {max_pending: 1000}\n")
    stage.spec("a", requests=800)
    stage.run("apply", "--yes")
    stage.spec("b", requests=800, retry={"max_attempts": 3})
    assert "settings: retry.max_attempts=3" in stage.run("plan", "-o", "plan.json").out
    stage.run("wait")
    stage.spec("b", requests=800, retry={"max_attempts": 5})
    held = stage.run("apply", "--only-agreed", "plan.json")
    assert (held.code, held.writes) == (3, [])
    assert "b: retry.max_attempts was raised from 3 to 5" in held.err
    stage.spec("b", requests=800, retry={"max_attempts": 3})
    assert stage.run("apply", "--only-agreed", "plan.json").code == 0
    assert len(stage.jobs()) == 2


@pytest.mark.parametrize("options", [(), ("--only-agreed",)])
def test_what_no_plan_contains_takes_no_room_of_the_quota(stage: Stage, options: tuple[str, ...]) -> None:
    stage.write("reconciler.yaml", "project: shop\nlimits: {max_pending: 1000}\n")
    stage.spec("small", requests=300)
    assert stage.run("plan", "-o", "plan.json").code == 0
    stage.spec("large", requests=900)
    applied = stage.run("apply", *options, "plan.json")
    assert applied.code == (3 if options else 0)
    assert "max_pending" not in applied.out
    assert stage.live() == ["small"]
