"""`reconciler plan`: what it says, in which form, how it ends, and that it writes nothing."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable

import pytest
from markdown_it import MarkdownIt

from reconciler.environment import Environment
from tests.cli.schemas import conforming
from tests.cli.stage import UNSTEADY, Fault, Result, Stage

JOBS = "/v1/batch/jobs"
ESCAPE = "\x1b["


class Terminal(Environment):
    """A host whose streams are terminals."""

    def terminal(self, stream: str) -> bool:
        return bool(stream)


def on_a_terminal(env: Environment) -> Environment:
    return Terminal(**{field.name: getattr(env, field.name) for field in dataclasses.fields(env)})


def remove(stage: Stage, name: str) -> None:
    (stage.root / f"specs/{name}.yaml").unlink()
    (stage.root / f"specs/data/{name}.jsonl").unlink()


def everything(stage: Stage) -> None:
    """One of each: to create, to replace, to cancel, on hold, waiting, running, succeeded with failures."""
    stage.spec("tickets-fr", requests=900, reuse=False)
    stage.spec("old-embeddings", requests=5000)
    stage.spec("still-running", requests=5000)
    stage.spec("broken", model="sandbox-unknown-model")
    stage.spec("done")
    stage.spec("unsteady", requests=0, retry={"max_attempts": 1})
    stage.write(
        "specs/data/unsteady.jsonl",
        UNSTEADY,
    )
    stage.spec("patient", requests=5000, on_change="finish")
    stage.commit("first")
    stage.run("apply", "--yes")
    stage.advance(8)
    stage.spec("nightly-2026-11-21", requests=1200)
    stage.spec("tickets-fr", requests=901, reuse=False)
    stage.spec("patient", requests=5001, on_change="finish")
    remove(stage, "old-embeddings")


def test_nothing_to_do_is_one_line(stage: Stage) -> None:
    stage.spec("tickets", requests=500)
    stage.commit("one spec")
    stage.run("apply", "--yes")
    result = stage.run("plan")
    assert result.out.startswith("No changes. shop on the sandbox, no charges · main@")
    assert result.out.endswith(
        ", clean · 1 job in the workspace, 1 from this project · 1 unchanged: 1 running\n"
    )
    assert (result.out.count("\n"), result.code) == (1, 0)


def test_nothing_declared_and_nothing_there_is_one_line_too(stage: Stage) -> None:
    (stage.root / "specs").mkdir()
    assert stage.run("plan").out == (
        "No changes. shop on the sandbox, no charges · "
        "0 jobs in the workspace, 0 from this project · nothing is declared\n"
    )


def test_header_says_where_one_is(stage: Stage) -> None:
    stage.spec("tickets")
    target = "shop on the sandbox, no charges"
    assert stage.run("plan").out.startswith(f"{target} · 0 jobs in the workspace, 0 from this project\n")
    commit = stage.commit("one spec")[:7]
    assert stage.run("plan").out.startswith(
        f"{target} · main@{commit}, clean · 0 jobs in the workspace, 0 from this project\n"
    )
    stage.spec("tickets", requests=4)
    assert stage.run("plan").out.startswith(f"{target} · main@{commit}, uncommitted changes · ")
    stage.commit("a change")
    stage.git("checkout", "--quiet", commit)
    assert stage.run("plan").out.startswith(f"{target} · {commit}, clean · ")
    stage.git("checkout", "--quiet", "-b", "x`|<b>@y")
    assert f"x\\`\\|\\<b\\>\\@\u200by\\@\u200b{commit}" in stage.run("plan", "--format", "markdown").out


def test_every_kind_of_decision_has_its_line_its_reason_and_its_numbers(
    stage: Stage, golden: Callable[..., None]
) -> None:
    everything(stage)
    golden(stage.run("plan"), stage.run("plan", "--format", "markdown"), stage.run("status"))


@pytest.mark.thorough
def test_two_runs_print_the_same_bytes_in_every_form(stage: Stage) -> None:
    everything(stage)
    for form in ("text", "markdown", "json"):
        assert stage.run("plan", "--format", form).out == stage.run("plan", "--format", form).out


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_plan_reads_and_never_writes(stage: Stage, form: str) -> None:
    everything(stage)
    before = {path: path.read_bytes() for path in (stage.root / ".reconciler").rglob("ledger.jsonl")}
    result = stage.run("plan", "--format", form, "-o", "plan.json")
    assert result.sent
    assert result.writes == []
    assert before == {path: path.read_bytes() for path in (stage.root / ".reconciler").rglob("ledger.jsonl")}


def test_json_is_the_plan_file_and_as_its_schema_says(stage: Stage) -> None:
    everything(stage)
    result = stage.run("plan", "--format", "json", "-o", "plan.json")
    assert (stage.root / "plan.json").read_bytes() == result.out.encode()
    plan = conforming("plan", result.out)["plan"]
    assert [decision["name"] for decision in plan["decisions"]] == sorted(
        decision["name"] for decision in plan["decisions"]
    )
    assert plan["summary"].pop("cost")["at_most"] > 0
    assert plan["summary"] == {
        "cost_unknown": 0,
        "create": 1,
        "replace": 1,
        "cancel": 1,
        "hold": 2,
        "unchanged": 3,
        "attention": 2,
        "again": 1,
        "requests": 2101,
        "requests_unknown": 0,
        "requests_in_all": 2101,
        "lost_answers": 700,
        "upload_bytes": 204953,
    }


def test_warnings_are_the_diary_and_not_the_product(stage: Stage) -> None:
    stage.spec("tickets")
    stage.write("specs/data/forgotten.jsonl", '{"custom_id":"a","body":{"messages":[]}}\n')
    for form in ("text", "markdown", "json"):
        result = stage.run("plan", "--format", form)
        assert "specs/data/forgotten.jsonl: warning: no spec names this file" in result.err
        assert "forgotten" not in result.out


@pytest.mark.parametrize(
    ("environ", "terminal", "coloured"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": ""}, False, False),
    ],
)
def test_colour_is_for_terminals_and_who_forces_it(
    stage: Stage, environ: dict[str, str], terminal: bool, coloured: bool
) -> None:
    stage.spec("tickets")
    stage.environ.update(environ)
    world = on_a_terminal if terminal else lambda world: world
    result = stage.run("plan", env=world)
    assert (ESCAPE in result.out) is coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.out)
    assert "  + create  tickets  new · 3 requests" in plain
    assert ESCAPE not in plain


@pytest.mark.parametrize("form", ["json", "markdown"])
def test_machines_get_no_colour_even_if_it_is_forced(stage: Stage, form: str) -> None:
    stage.spec("tickets")
    stage.environ["FORCE_COLOR"] = "1"
    assert ESCAPE not in stage.run("plan", "--format", form, env=on_a_terminal).out


def test_forced_colour_reaches_errors_too(stage: Stage) -> None:
    stage.environ["FORCE_COLOR"] = "1"
    assert "\x1b[1;31merror:\x1b[0m the folder specs does not exist" in stage.run("plan").err


def test_detailed_exit_code_reports_pending_changes_alone(stage: Stage) -> None:
    stage.spec("tickets")
    assert stage.run("plan").code == 0
    assert stage.run("plan", "--detailed-exitcode").code == 2
    stage.run("apply", "--yes")
    assert stage.run("plan", "--detailed-exitcode").code == 0


def test_hold_alone_is_no_pending_change_and_attention_has_its_own_code(stage: Stage) -> None:
    stage.spec("tickets", model="sandbox-unknown-model")
    stage.run("apply", "--yes")
    stage.advance(1)
    held = stage.run("plan", "--detailed-exitcode")
    assert held.code == 0
    assert "! hold    tickets  failed 1 of 2 attempts: unknown model: sandbox-unknown-model" in held.out
    assert "1 on hold" in held.out
    assert "To apply exactly" not in held.out
    assert stage.run("plan", "--fail-on-attention").code == 6
    stage.spec("new")
    assert stage.run("plan", "--fail-on-attention", "--detailed-exitcode").code == 6
    assert stage.run("apply", "--yes", "--fail-on-attention").code == 6
    assert stage.run("status", "--fail-on-attention").code == 6


def test_failures_above_the_share_that_a_spec_allows_ask_for_a_look(stage: Stage) -> None:
    once = {"max_attempts": 1}
    stage.spec("tickets", retry=once)
    stage.write(
        "specs/data/tickets.jsonl",
        UNSTEADY,
    )
    stage.run("apply", "--yes")
    stage.advance(60)
    result = stage.run("plan", "--fail-on-attention")
    assert result.code == 6
    assert "! attention tickets  succeeded · 1 of 2 requests have no answer: 1 error" in result.out
    stage.spec("tickets", checks={"failed": 0.5}, retry=once)
    stage.write(
        "specs/data/tickets.jsonl",
        UNSTEADY,
    )
    result = stage.run("plan", "--fail-on-attention")
    assert (result.code, result.out[:11]) == (0, "No changes.")


def test_selection_is_said_and_the_next_command_selects_the_same(stage: Stage) -> None:
    for name in ("one", "two", "three"):
        stage.spec(name)
    stage.run("apply", "--yes")
    stage.spec("one", requests=4, reuse=False)
    stage.spec("two", requests=4)
    result = stage.run("plan", "specs/one.yaml")
    assert "1 spec selected; 2 jobs not considered" in result.out
    assert "two" not in result.out
    assert result.out.splitlines()[-1] == (
        "Not saved: `reconciler apply specs/one.yaml` plans again and asks. To save a plan that apply follows exactly: "
        "reconciler plan specs/one.yaml -o plan.json"
    )


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("specs/one.yaml",),
        ("-o", "saved"),
        ("-o", "my plan.json"),
        ("--config", "reconciler.yaml", "--sandbox"),
        ("--max-new-requests", "1_000", "--max-cancel-share", "1", "--max-cancels", "4"),
        ("--max-new-requests", "none", "--allow-empty", "--allow-created-elsewhere"),
    ],
)
def test_next_command_that_a_plan_names_applies_exactly_that_plan(
    stage: Stage, argv: tuple[str, ...]
) -> None:
    stage.spec("one")
    stage.spec("two")

    def follow(shown: str, promise: str) -> str:
        says, _, command = shown.splitlines()[-1].rpartition(": ")
        assert says.endswith(promise)
        words = [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', command)]
        assert words[0] == "reconciler"
        result = stage.run(*words[1:])
        assert result.code == 0, result.err
        return result.out

    shown = stage.run("plan", *argv).out
    if "-o" not in argv:
        shown = follow(shown, "plans again and asks. To save a plan that apply follows exactly")
    assert stage.live() == []
    follow(shown, "Saved. To apply exactly this plan")
    created = ["one"] if "specs/one.yaml" in argv else ["one", "two"]
    assert stage.live() == created


def test_no_next_command_is_named_if_a_guard_refuses(stage: Stage) -> None:
    stage.spec("one")
    result = stage.run("plan", "--max-new-requests", "2")
    assert "held back by max_new_requests: the plan submits 3 requests, more than 2" in result.out
    assert result.code == 3
    assert "Not saved" not in result.out


HOSTILE = (
    "\x1b[31mred\x07 | `code` @octocat #1 [a](http://evil.example) <b>x</b> www.evil.example\n| **b** |\u202e"
)
CREATED = {
    "object": "batch",
    "input_files": [],
    "endpoint": "/v1/chat/completions",
    "errors": [{"message": HOSTILE}],
    "status": "FAILED",
    "created_at": 1_789_999_000,
    "total_requests": 0,
    "completed_requests": 0,
    "succeeded_requests": 0,
    "failed_requests": 0,
}


def hostile_workspace(stage: Stage, form: str) -> Result:
    """Plan against a server whose every word means ill."""
    stage.environ["RECONCILER_SANDBOX_LENIENT"] = "1"
    stage.spec("tickets", model="evil|`model`<img>@all")
    stage.run("apply", "--yes")
    (job,) = stage.jobs()
    failed = {**CREATED, "id": job["id"], "metadata": job["metadata"], "model": HOSTILE}
    odd = {**CREATED, "id": "|<b>`@octocat#1", "status": HOSTILE, "metadata": {"reconciler.project": "shop"}}
    strange = {**failed, "id": "22222222-0000-4000-8000-000000000000", "status": HOSTILE}
    strange["metadata"] = {**strange["metadata"], "reconciler.name": "other"}
    body = json.dumps({"object": "list", "total": 3, "data": [failed, odd, strange]}).encode()
    stage.faults.append(Fault("GET", JOBS, 200, body=body))
    return stage.run("plan", "--format", form)


def test_hostile_words_do_nothing_to_a_terminal(stage: Stage) -> None:
    result = hostile_workspace(stage, "text")
    assert result.code == 0
    assert "red | `code` @octocat" in result.out
    for character in ("\x1b", "\x07", "\u202e"):
        assert character not in result.out + result.err


def test_hostile_words_become_no_markup(stage: Stage) -> None:
    result = hostile_workspace(stage, "markdown")
    assert result.code == 0
    page = MarkdownIt("commonmark").enable("table").render(result.out)
    kinds = set(re.findall(r"<(/?[a-z0-9]+)", page))
    assert kinds <= {"p", "/p", "strong", "/strong", "table", "/table", "thead", "/thead", "tbody", "/tbody"} | {
        "tr", "/tr", "th", "/th", "td", "/td", "br", "h3", "/h3", "ul", "/ul", "li", "/li"
    } | {"details", "/details", "summary", "/summary"}  # fmt: skip
    assert "red | `code`" in page
    # What GitHub makes of names and numbers after the page is rendered.
    assert not re.search(r"@\w|#\d|www\.", page)
    for table in re.findall(r"(?:^\|.*\n)+", result.out, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


def test_hostile_words_stay_what_they_are_in_json(stage: Stage) -> None:
    result = hostile_workspace(stage, "json")
    plan = conforming("plan", result.out)["plan"]
    assert any("octocat" in action.get("detail", "") for it in plan["decisions"] for action in it["actions"])
    assert "\x1b" not in result.out


def test_uncommitted_and_untracked_files_are_noted_if_jobs_are_created_from_them(stage: Stage) -> None:
    stage.spec("tickets")
    stage.commit("one spec")
    stage.spec("tickets", requests=4)
    stage.spec("new")
    result = stage.run("plan")
    assert "uncommitted changes" in result.out
    assert (
        "note: specs/data/tickets.jsonl has uncommitted changes; other machines will not see them"
        in result.out
    )
    assert "note: specs/new.yaml has uncommitted changes" in result.out
    assert "note: specs/tickets.yaml" not in result.out


def test_plan_is_refused_on_half_a_list(stage: Stage) -> None:
    stage.spec("tickets")
    body = b'{"object":"list","total":2,"data":[]}'
    stage.faults.append(Fault("GET", JOBS, 200, body=body, times=99))
    result = stage.run("plan")
    assert (result.code, result.out) == (1, "")
    assert "the list of jobs is incomplete" in result.err
    assert [event["event"] for event in result.events].count("jobs.list_incomplete") == 2


@pytest.mark.parametrize("out", ["no/such/folder/plan.json", "specs"])
def test_plan_file_that_cannot_be_written_is_an_error(stage: Stage, out: str) -> None:
    stage.spec("tickets")
    result = stage.run("plan", "-o", out)
    assert (result.code, result.out) == (1, "")
    assert f"{out} cannot be written" in result.err


def test_plan_file_replaces_an_older_one_whole_and_leaves_nothing_else(stage: Stage) -> None:
    stage.spec("tickets")
    stage.run("plan", "-o", "plan.json")
    stage.write("plan.json", "x" * 100_000)
    stage.run("plan", "-o", "plan.json")
    conforming("plan", (stage.root / "plan.json").read_text(encoding="utf-8"))
    assert {path.name for path in stage.root.iterdir()} == {
        ".reconciler",
        "plan.json",
        "reconciler.yaml",
        "specs",
    }
