"""The other commands, what they have in common, and how a wrong command line ends."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from jsonschema import Draft202012Validator

from reconciler.cli.commands.schema import NAMES
from reconciler.cli.main import COMMANDS, cli
from reconciler.environment import Environment
from tests.cli.schemas import FOLDER, conforming
from tests.cli.stage import UNSTEADY, Fault, Stage

JOBS = "/v1/batch/jobs"
KEY = "a-key-for-the-tests"
NOBODY = "00000000-0000-4000-8000-ffffffffffff"


def commands(group: click.Group = cli, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every command's words."""
    yield names
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from commands(command, (*names, name))
            else:
                yield (*names, name)


EVERY = list(commands())


# status


def all_states(stage: Stage) -> None:
    stage.spec("cancelled", requests=5000)
    stage.spec("done")
    stage.spec("failed", model="sandbox-unknown-x")
    stage.spec("partly", retry={"max_attempts": 1})
    stage.write(
        "specs/data/partly.jsonl",
        UNSTEADY,
    )
    stage.spec("running", requests=5000)
    stage.spec("stopping", requests=5000)
    stage.spec("stuck", model="sandbox-stuck-x", timeout_hours=1, retry={"max_attempts": 1}, reuse=False)
    stage.spec("suspended", suspend=True)
    stage.spec("changed", requests=5000)
    stage.run("apply", "--yes")
    stage.advance(10)
    ids = {str(job["name"]): str(job["id"]) for job in stage.jobs()}
    stage.run("jobs", "cancel", ids["cancelled"], "--yes")
    stage.advance(3600)
    stage.spec("queued", requests=5001)
    stage.spec("stopping", requests=5002, reuse=False)
    stage.spec("running", requests=5003, reuse=False)
    stage.spec("changed", requests=5004, reuse=False)
    stage.run("apply", "--yes")
    stage.advance(1.2)
    ids = {str(job["name"]): str(job["id"]) for job in stage.jobs()}
    stage.run("jobs", "cancel", ids["stopping"], "--yes")
    stage.advance(0.1)
    stage.spec("changed", requests=5005, reuse=False)
    stage.spec("new")


def test_status_shows_every_state(stage: Stage, golden: Callable[..., None]) -> None:
    all_states(stage)
    results = [stage.run("status", "--format", form) for form in ("text", "markdown", "json")]
    golden(*results)
    rows = {row["name"]: row for row in conforming("status", results[2].out)["rows"]}
    assert {name: (row["state"], row["reason"], row["attention"]) for name, row in rows.items()} == {
        "cancelled": ("CANCELLED", "cancelled", True),
        "changed": ("to replace", "changed", False),
        "done": ("SUCCESS", "succeeded", False),
        "failed": ("FAILED", "failed", True),
        "new": ("to create", "new", False),
        "partly": ("SUCCESS", "succeeded", True),
        "queued": ("RUNNING", "running", False),
        "running": ("RUNNING", "running", False),
        "stopping": ("CANCELLATION_REQUESTED", "stopping", False),
        "stuck": ("TIMEOUT_EXCEEDED", "partial", True),
        "suspended": ("suspended", "suspended", False),
    }


def test_status_may_be_of_a_selection_and_of_nothing(stage: Stage) -> None:
    (stage.root / "specs").mkdir()
    assert stage.run("status").out == "nothing is declared\n"
    stage.spec("one")
    stage.spec("two")
    assert [line.split()[0] for line in stage.run("status", "specs/two.yaml").out.splitlines()] == [
        "NAME",
        "two",
    ]


def test_status_reads_and_never_writes_or_refuses(stage: Stage) -> None:
    stage.spec("one", requests=500)
    stage.run("apply", "--yes")
    (stage.root / "specs/one.yaml").unlink()
    (stage.root / "specs/data/one.jsonl").unlink()
    result = stage.run("status")
    assert (result.code, result.writes) == (0, [])


# jobs


def foreign(stage: Stage) -> str:
    """Create a job under another project; return its id."""
    stage.spec("theirs", requests=5000)
    stage.write("reconciler.yaml", "project: theirs\n")
    stage.run("apply", "--yes")
    stage.write("reconciler.yaml", "project: shop\n")
    (stage.root / "specs/theirs.yaml").unlink()
    (stage.root / "specs/data/theirs.jsonl").unlink()
    (job,) = stage.jobs()
    return str(job["id"])


def test_jobs_are_listed_for_the_project_or_for_everybody(stage: Stage) -> None:
    theirs = foreign(stage)
    stage.spec("mine", requests=500)
    stage.run("apply", "--yes")
    stage.advance(3)
    mine = stage.run("jobs", "list")
    assert theirs not in mine.out
    assert re.search(r"\S+  mine  RUNNING  100 of 500  0       3 s  mistral-small-latest", mine.out)
    everybody = stage.run("jobs", "list", "--all")
    assert "PROJECT" in everybody.out
    assert re.search(rf"{theirs}  theirs   theirs  RUNNING", everybody.out)
    listed = conforming("jobs", stage.run("jobs", "list", "--all", "--format", "json").out)["jobs"]
    assert [(job["project"], job["name"]) for job in listed] == [("theirs", "theirs"), ("shop", "mine")]


def test_jobs_can_be_listed_by_status(stage: Stage) -> None:
    stage.spec("short")
    stage.spec("long", requests=500)
    stage.run("apply", "--yes")
    stage.advance(3)

    def names(*argv: str) -> list[str]:
        return [
            job["name"]
            for job in json.loads(stage.run("jobs", "list", "--format", "json", *argv).out)["jobs"]
        ]

    assert names("--status", "success") == ["short"]
    assert names("--status", "RUNNING") == ["long"]
    assert sorted(names("--status", "running", "--status", "SUCCESS")) == ["long", "short"]
    assert names("--status", "FAILED") == []


def test_no_jobs_is_said_and_where_others_may_be(stage: Stage) -> None:
    assert stage.run("jobs", "list").out == "no jobs of project shop; --all includes other projects\n"
    assert stage.run("jobs", "list", "--all").out == "no jobs\n"


def test_one_job_is_shown_with_all_that_is_known(stage: Stage) -> None:
    stage.spec("tickets", metadata={"team": "support"})
    stage.run("apply", "--yes")
    stage.advance(60)
    (job,) = stage.jobs()
    text = stage.run("jobs", "get", str(job["id"])).out
    for expected in (
        job["id"],
        "SUCCESS",
        "support",
        "reconciler.run",
        "output_file",
        "2026-09-21T14:13:20Z",
    ):
        assert str(expected) in text
    assert conforming("jobs", stage.run("jobs", "get", str(job["id"]), "--format", "json").out) == job


@pytest.mark.parametrize("verb", [("get",), ("cancel", "--yes")])
def test_job_that_does_not_exist_and_id_that_is_none_are_reported(
    stage: Stage, verb: tuple[str, ...]
) -> None:
    missing = stage.run("jobs", *verb, NOBODY)
    assert (missing.code, missing.out) == (1, "")
    assert "404" in missing.err
    assert "hint: check the id" in missing.err
    odd = stage.run("jobs", *verb, "../files")
    assert (odd.code, odd.writes) == (64, [])
    assert [sent.path for sent in odd.sent] == [JOBS], "nothing but the list is read"
    assert "no job of this project is named ../files, and no id begins with it" in odd.err


def test_a_job_is_found_by_the_beginning_of_its_id_if_that_is_unique(stage: Stage) -> None:
    for name in ("a", "b"):
        stage.spec(name, requests=500)
    stage.run("apply", "--yes")
    first, second = (str(job["id"]) for job in stage.jobs())
    assert first in stage.run("jobs", "get", first[:8]).out
    none = stage.run("jobs", "get", "ffff")
    assert (none.code, none.err.splitlines()[0]) == (
        64,
        "error: no job of this project is named ffff, and no id begins with it",
    )
    both = stage.run("jobs", "cancel", "0000", "--yes")
    assert (both.code, both.writes) == (64, [])
    assert f"0000 means 2 jobs: {first} (QUEUED), {second} (QUEUED)" in both.err
    done = stage.run("jobs", "cancel", second[:8], second, "--yes")
    assert (done.code, done.out) == (0, f"{second} CANCELLATION_REQUESTED\n")


def test_a_name_of_ours_means_its_live_job_to_cancel_and_its_newest_job_to_get(stage: Stage) -> None:
    stage.spec("support-a", requests=500)
    stage.spec("support-b", requests=500)
    stage.run("apply", "--yes")
    first = {str(job["name"]): str(job["id"]) for job in stage.jobs()}
    assert first["support-b"] in stage.run("jobs", "get", "support-b").out
    typo = stage.run("jobs", "cancel", "suport-b", "--yes")
    assert (typo.code, typo.writes) == (64, [])
    assert "hint: did you mean support-b?" in typo.err
    done = stage.run("jobs", "cancel", "support-b", "--yes")
    assert (done.code, done.out) == (0, f"{first['support-b']} CANCELLATION_REQUESTED\n")
    assert stage.live() == ["support-a"]
    stage.advance(60)
    ended = stage.run("jobs", "cancel", "support-b", "--yes")
    assert (ended.code, ended.writes) == (64, [])
    assert f"no job named support-b is queued or running: the newest is {first['support-b']}" in ended.err


def test_a_name_of_several_live_jobs_lists_them_and_cancels_none(stage: Stage) -> None:
    stage.spec("twice", requests=500)
    stage.run("apply", "--yes")
    stage.spec("twice", requests=501, on_change="finish")
    for file in (stage.root / ".reconciler").rglob("ledger.jsonl"):
        file.unlink()
    with stage.console() as client:  # another runner created the same name at the same time
        (there,) = client.get(JOBS).json()["data"]
        body = {key: there[key] for key in ("endpoint", "model", "metadata", "input_files")}
        assert client.post(JOBS, json=body).status_code == 200
    ids = [str(job["id"]) for job in stage.jobs()]
    result = stage.run("jobs", "cancel", "twice", "--yes")
    assert (result.code, result.writes) == (64, [])
    assert f"twice means 2 jobs: {ids[0]} (QUEUED), {ids[1]} (" in result.err
    assert "hint: pass the id of one" in result.err


def test_a_name_of_another_project_is_not_a_name_of_ours(stage: Stage) -> None:
    theirs = foreign(stage)
    name = next(str(job["name"]) for job in stage.jobs() if job["id"] == theirs)
    result = stage.run("jobs", "cancel", name, "--yes", "--foreign")
    assert (result.code, result.writes) == (64, [])


def test_cancel_by_hand_prints_the_state_of_the_job(stage: Stage) -> None:
    stage.spec("tickets", requests=500)
    stage.run("apply", "--yes")
    (job,) = stage.jobs()
    result = stage.run("jobs", "cancel", str(job["id"]), "--yes")
    assert (result.code, result.out) == (0, f"{job['id']} CANCELLATION_REQUESTED\n")


def test_cancel_of_a_job_that_has_ended_is_a_success_that_says_so(stage: Stage) -> None:
    stage.spec("tickets")
    stage.run("apply", "--yes")
    stage.advance(60)
    (job,) = stage.jobs()
    result = stage.run("jobs", "cancel", str(job["id"]), "--yes")
    assert (result.code, result.out) == (0, f"{job['id']} SUCCESS\n")
    assert stage.run("plan").out.startswith("No changes.")


def test_foreign_job_is_cancelled_only_with_an_option(stage: Stage) -> None:
    theirs = foreign(stage)
    stage.spec("mine", requests=500)
    stage.run("apply", "--yes")
    mine = next(str(job["id"]) for job in stage.jobs() if job["name"] == "mine")
    result = stage.run("jobs", "cancel", mine, theirs, "--yes")
    assert (result.code, result.writes) == (1, [])
    assert f"job {theirs} belongs to project theirs; nothing was cancelled" in result.err
    assert stage.run("jobs", "cancel", mine, theirs, mine, "--yes", "--foreign").code == 0
    stage.advance(1)
    assert stage.live() == []


def test_one_cancel_that_fails_does_not_stop_the_others(stage: Stage) -> None:
    for name in ("a", "b", "c"):
        stage.spec(name, requests=500)
    stage.run("apply", "--yes")
    ids = [str(job["id"]) for job in stage.jobs()]
    refusal = b'{"detail":"not now"}'
    stage.faults.append(Fault("POST", f"{JOBS}/{ids[1]}/cancel", 403, body=refusal))
    result = stage.run("jobs", "cancel", *ids, "--yes")
    assert result.code == 5
    assert [line.split()[0] for line in result.out.splitlines()] == [ids[0], ids[2]]
    assert "403: not now" in result.err
    stage.faults.append(Fault("POST", f"{JOBS}/.*/cancel", 403, body=refusal))
    assert stage.run("jobs", "cancel", ids[1], "--yes").code == 1


def test_cancel_by_hand_asks_and_needs_a_terminal_for_it(stage: Stage) -> None:
    result = stage.run("jobs", "cancel", NOBODY)
    assert (result.code, result.sent) == (64, [])
    assert "hint: pass --yes" in result.err


# validate


def test_validate_needs_no_key_and_counts_what_it_read(stage: Stage) -> None:
    stage.environ.clear()
    stage.spec("one")
    stage.spec("two", requests=1200)
    result = stage.run("validate")
    assert (result.code, result.out, result.err) == (0, "2 specs valid, 1,203 requests\n", "")
    assert conforming("validate", stage.run("validate", "--format", "json").out) == {
        "specs": 2,
        "requests": 1203,
        "uncounted": 0,
        "problems": [],
    }


def test_validate_reports_every_problem_with_its_place(stage: Stage) -> None:
    stage.spec("one", timeout_hour=3, model="a b")
    stage.spec("two", endpoint=None)
    result = stage.run("validate")
    assert (result.code, result.out) == (1, "")
    assert "specs/one.yaml:3:8: model: not a model name" in result.err
    assert "did you mean `timeout_hours`?" in result.err
    assert "specs/two.yaml:1:1: `endpoint` is missing" in result.err
    assert result.err.splitlines()[-1] == "3 problems in 2 files"
    reported = conforming("validate", stage.run("validate", "--format", "json").out)["problems"]
    assert [(it["path"], it["line"], it["column"]) for it in reported] == [
        ("specs/one.yaml", 3, 8),
        ("specs/one.yaml", 5, 1),
        ("specs/two.yaml", 1, 1),
    ]


def test_validate_annotates_the_lines_of_a_pull_request(stage: Stage) -> None:
    stage.spec("one", input_files=["data/one.jsonl", "data/per%cent,of:all.jsonl"])
    stage.write(
        "specs/data/one.jsonl", '{"custom_id":"a","body":{"messages":[{"role":"user","content":"Hi"}]}}\n[]\n'
    )
    stage.write("specs/data/per%cent,of:all.jsonl", "")
    result = stage.run("validate", "--format", "github")
    assert result.code == 1
    assert result.out.splitlines() == [
        (
            "::error file=specs/data/one.jsonl,line=2::not an object (each line is one request: "
            '`{"custom_id": "1", "body": {…}}`)'
        ),
        "::error file=specs/data/per%25cent%2Cof%3Aall.jsonl::the file is empty (write one request per line)",
    ]
    assert result.err == "2 problems in 2 files\n"


def test_validate_annotates_nothing_if_nothing_is_wrong(stage: Stage) -> None:
    stage.spec("one")
    result = stage.run("validate", "--format", "github")
    assert (result.code, result.out) == (0, "")


def test_validate_reports_warnings_and_is_content(stage: Stage) -> None:
    stage.spec("one", endpoint="/v1/things")
    result = stage.run("validate")
    assert result.code == 0
    assert "specs/one.yaml:2:11: warning: " in result.out
    (problem,) = conforming("validate", stage.run("validate", "--format", "json").out)["problems"]
    assert problem["warning"] is True


def test_validate_reports_mistakes_of_the_settings_as_json_too(stage: Stage) -> None:
    stage.write("reconciler.yaml", "projct: shop\n")
    result = stage.run("validate", "--format", "json")
    assert result.code == 1
    reported = conforming("validate", result.out)["problems"]
    assert {it["path"] for it in reported} == {"reconciler.yaml"}


def test_validate_of_a_selection_says_what_it_selected_and_that_all_was_read(stage: Stage) -> None:
    stage.spec("one")
    stage.spec("two", requests=1200)
    assert stage.run("validate", "specs/one.yaml").out == (
        "1 spec selected, 3 requests; all 2 specs are valid\n"
    )


# schema


@pytest.mark.parametrize("name", NAMES)
def test_schema_is_printed_as_it_travels(stage: Stage, name: str) -> None:
    result = stage.run("schema", name)
    assert result.code == 0
    Draft202012Validator.check_schema(json.loads(result.out))
    assert json.loads(result.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_schema_can_be_printed() -> None:
    assert {path.name.partition(".")[0] for path in FOLDER.iterdir()} == set(NAMES)


def test_schema_without_a_name_is_the_specs(stage: Stage) -> None:
    assert stage.run("schema").out == stage.run("schema", "job").out


def test_apply_writes_json_as_its_schema_says(stage: Stage) -> None:
    stage.spec("tickets", requests=500)
    stage.spec("wrong", model="sandbox-refused")
    first = stage.run("apply", "--yes", "--format", "json")
    report = conforming("apply", first.out)
    assert (first.code, report["exit_code"]) == (5, 5)
    assert [(it["name"], it["outcome"]) for it in report["outcomes"]] == [
        ("tickets", "created"),
        ("wrong", "create_failed"),
    ]
    (stage.root / "specs/wrong.yaml").unlink()
    (stage.root / "specs/data/wrong.jsonl").unlink()
    again = conforming("apply", stage.run("apply", "--yes", "--format", "json").out)
    assert (again["outcomes"], again["exit_code"]) == ([], 0)


# sandbox


@pytest.mark.needs_ledger("reset has no ledger to delete")
def test_reset_forgets_jobs_and_ledger_of_the_sandbox_alone(stage: Stage) -> None:
    stage.spec("tickets")
    stage.run("apply", "--yes")
    other = stage.write(".reconciler/api.mistral.ai/shop/ledger.jsonl", "")
    assert stage.run("sandbox", "reset").out == "the sandbox is empty\n"
    assert stage.run("sandbox", "reset").out == "the sandbox was empty\n"
    assert stage.jobs() == []
    assert other.exists()
    assert "1 to create" in stage.run("plan").out


def test_reset_that_cannot_be_done_is_reported(stage: Stage) -> None:
    stage.write(".reconciler/sandbox", "a file where a folder should be")
    result = stage.run("sandbox", "reset")
    assert result.code == 1
    assert "cannot be removed" in result.err


def test_port_that_is_taken_and_speed_that_is_none_are_reported(stage: Stage, served: str) -> None:
    port = served.rpartition(":")[2]
    taken = stage.run("sandbox", "serve", "--port", port)
    assert (taken.code, taken.out) == (1, "")
    assert f"error: the sandbox cannot listen on 127.0.0.1, port {port}: " in taken.err
    assert stage.run("sandbox", "serve", "--port", "0", "--speed", "nan").code == 1


# the command line itself


@pytest.mark.parametrize(
    "argv",
    [
        ("frobnicate",),
        ("plan", "--frobnicate"),
        ("plan", "--format", "xml"),
        ("plan", "--log-level", "loud"),
        ("plan", "--max-cancels", "-1"),
        ("plan", "--max-cancels", "many"),
        ("plan", "--max-cancel-share", "2"),
        ("plan", "--max-new-requests", "many"),
        ("plan", "nowhere.yaml"),
        ("plan", "reconciler.yaml"),
        ("plan", "specs/data/one.jsonl"),
        ("plan", "specs/data"),
        ("plan", "--sandbox", "--base-url", "http://127.0.0.1:1"),
        ("apply",),
        ("show",),
        ("show", "a", "b"),
        ("schema", "everything"),
        ("jobs",),
        ("jobs", "get"),
        ("jobs", "get", "a", "b"),
        ("jobs", "cancel"),
        ("jobs", "cancel", NOBODY),
        ("sandbox",),
        ("sandbox", "serve", "--port", "99999"),
        ("sandbox", "serve", "--speed", "0"),
        ("--sandbox", "plan"),
        (),
    ],
    ids=" ".join,
)
def test_wrong_command_line_ends_with_64_and_says_why(stage: Stage, argv: tuple[str, ...]) -> None:
    stage.spec("one")
    result = stage.run(*argv)
    assert (result.code, result.out, result.sent) == (64, "", [])
    assert "rror: " in result.err or "Usage: " in result.err
    assert "Traceback" not in result.err


def test_command_that_is_nearly_one_is_guessed(stage: Stage) -> None:
    assert "No such command 'aply'. Did you mean 'apply'?" in stage.run("aply").err


def test_option_before_the_command_is_reported_its_place(stage: Stage) -> None:
    assert "options follow the command" in stage.run("--sandbox", "plan").err


def test_budget_that_is_none_is_reported(stage: Stage) -> None:
    reported = stage.run("plan", "--max-new-requests", "many").err
    assert "'many' is neither a number of requests nor `none`" in reported


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_there_for_every_command(stage: Stage, words: tuple[str, ...], option: str) -> None:
    result = stage.run(*words, option)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage: {' '.join(['reconciler', *words])}")
    for line in result.out.splitlines():
        assert len(line) <= 100


def test_every_command_is_known_here() -> None:
    assert {words[0] for words in EVERY if words} == set(COMMANDS)


WORD = re.compile(r"\w[\w.-]*\w|\w")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_a_command_says_in_fewer_words_what_its_own_help_says(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    help_text = (command and command.help) or ""
    words, first = WORD.findall(COMMANDS[name]), iter(WORD.findall(help_text.split("\n")[0]))
    assert all(word in first for word in words)  # the same words, in their order


HELP_ALONE = """\
import sys
from reconciler.cli.main import COMMANDS, run
assert run(["--help"]) == 0
commands = {f"reconciler.cli.commands.{name}" for name in COMMANDS}
print(sorted({"msgspec", "yaml", "httpx", "structlog", "rich", *commands} & set(sys.modules)), file=sys.stderr)
"""


def test_the_list_of_commands_imports_none_of_them() -> None:
    done = subprocess.run([sys.executable, "-c", HELP_ALONE], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert [line.split()[0] for line in done.stdout.split("Commands:\n")[1].splitlines()] == list(COMMANDS)


# where to work


def test_no_settings_file_is_reported_with_what_to_write(stage: Stage, tmp_path: Path) -> None:
    (stage.root / "reconciler.yaml").unlink()
    for words in (("plan",), ("validate",), ("status",), ("jobs", "list"), ("sandbox", "reset")):
        result = stage.run(*words)
        assert (result.code, result.out) == (1, "")
        assert f"error: no reconciler.yaml in {tmp_path} or above it" in result.err
        assert (
            "  hint: run `reconciler init` in the repository's root, or create reconciler.yaml there:\n"
            "        project: my-team" in result.err
        )


@pytest.mark.parametrize(
    "words", [("plan",), ("apply", "--yes"), ("status",), ("jobs", "list")], ids=" ".join
)
def test_no_key_is_reported_with_where_it_comes_from(stage: Stage, words: tuple[str, ...]) -> None:
    stage.spec("one")
    stage.environ.clear()
    result = stage.run(*words)
    assert (result.code, result.out, result.sent) == (1, "", [])
    assert result.err == (
        "error: no API key\n"
        "  hint: set MISTRAL_API_KEY or RECONCILER_KEY_COMMAND, or pass a file that contains the key with "
        "--api-key-file; --sandbox needs no key\n"
    )


OTHER_CONFIG = (
    "plan",
    "status",
    "validate",
    "render",
    "jobs list",
    "history",
    "wait",
    "ledger show",
    "doctor",
)


@pytest.mark.parametrize("words", OTHER_CONFIG)
def test_the_environment_chooses_the_settings_as_the_option_does(stage: Stage, words: str) -> None:
    stage.spec("one")
    stage.write(
        "dev/specs/two.yaml", (stage.root / "specs/one.yaml").read_text().replace('name: "one"', "name: two")
    )
    stage.lines("dev/specs/data/one.jsonl", 4)
    config = stage.write("dev.yaml", "project: r-dev\nspecs: dev/specs\n")
    by_option = stage.run(*words.split(), "--config", config.name)
    stage.environ["RECONCILER_CONFIG"] = config.name
    by_environment = stage.run(*words.split())
    assert by_environment.code == by_option.code
    assert by_environment.out == by_option.out.replace(" --config dev.yaml", "")
    stage.environ["RECONCILER_CONFIG"] = "nowhere.yaml"
    wrong = stage.run(*words.split())
    assert (wrong.code, wrong.out) == (1, "")
    assert "nowhere.yaml does not exist\n  hint: correct or unset RECONCILER_CONFIG" in wrong.err
    assert stage.run(*words.split(), "--config", config.name).out == by_option.out
    stage.environ["RECONCILER_CONFIG"] = ""
    if words in ("plan", "status", "validate", "render", "jobs list", "history"):
        assert stage.run(*words.split()).out != by_environment.out


def test_off_a_terminal_stderr_is_for_a_mail_of_cron(stage: Stage) -> None:
    stage.spec("one")
    stage.spec("broken", model="sandbox-refused")
    del stage.environ["RECONCILER_LOG_LEVEL"]
    quiet = stage.run("apply", "--yes", "--only", "one")
    assert (quiet.code, quiet.err) == (0, "")
    failed = stage.run("apply", "--yes", "--only", "broken")
    assert {event["level"] for event in failed.events} <= {"warning", "error"}
    assert "job.create_failed" in {event["event"] for event in failed.events}
    stage.environ["RECONCILER_LOG_LEVEL"] = "INFO"
    assert "plan.computed" in {event["event"] for event in stage.run("plan").events}
    assert stage.run("plan", "--log-level", "error").err == ""
    stage.environ["RECONCILER_LOG_LEVEL"] = "loud"
    wrong = stage.run("plan")
    assert (wrong.code, wrong.err) == (
        64,
        "error: RECONCILER_LOG_LEVEL is 'loud'\n  hint: use one of debug, info, warning, error\n",
    )


def test_settings_are_found_from_below_and_paths_are_from_here(stage: Stage) -> None:
    stage.spec("deep", file="a/b/deep", input_files=["../../data/deep.jsonl"])
    stage.spec("one")

    def below(env: Environment) -> Environment:
        from dataclasses import replace

        return replace(env, cwd=stage.root / "specs/a/b")

    assert "2 to create" in stage.run("plan", env=below).out
    assert "1 spec selected" in stage.run("plan", "deep.yaml", env=below).out
    assert stage.run("plan", "-o", "plan.json", env=below).code == 0
    assert (stage.root / "specs/a/b/plan.json").exists()


@pytest.mark.needs_ledger("the file of the ledger is deleted")
def test_other_settings_file_is_another_environment(stage: Stage) -> None:
    stage.spec("one", requests=500)
    stage.write("staging.yaml", "project: shop-staging\n")
    stage.run("apply", "--yes")
    result = stage.run("plan", "--config", "staging.yaml")
    assert result.out.startswith("shop-staging on the sandbox")
    assert "1 job in the workspace, 0 from this project" in result.out
    assert (stage.root / ".reconciler/sandbox/shop/ledger.jsonl").exists()
    missing = stage.run("plan", "--config", "production.yaml")
    assert missing.code == 1
    assert "production.yaml" in missing.err


def reached(stage: Stage, *argv: str, world: str = "") -> str:
    """Return the host that a plan was made on, from its own header."""
    stage.faults.append(Fault("GET", JOBS, 200, body=b'{"object":"list","total":0}'))
    result = stage.run("plan", *argv)
    assert result.code == 0, result.err
    found = re.search(r"shop on (\S+)", result.out)
    assert found
    return found[1] + world


def test_base_url_is_the_flags_then_the_environments_then_mistrals(stage: Stage) -> None:
    stage.spec("one")
    stage.environ = {"MISTRAL_API_KEY": KEY}
    assert reached(stage) == "api.mistral.ai"
    stage.environ["MISTRAL_BASE_URL"] = "https://environment.example/"
    assert reached(stage) == "environment.example"
    assert reached(stage, "--base-url", "https://flag.example") == "flag.example"
    stage.environ["MISTRAL_BASE_URL"] = ""
    assert reached(stage) == "api.mistral.ai"


@pytest.mark.parametrize("value", ["1", "true", "YES", " on "])
def test_sandbox_is_the_flags_then_the_environments(stage: Stage, value: str) -> None:
    stage.spec("one")
    stage.environ = {"MISTRAL_API_KEY": KEY, "RECONCILER_SANDBOX": value}
    assert "on the sandbox, no charges" in stage.run("plan").out
    assert reached(stage, "--no-sandbox") == "api.mistral.ai"
    assert reached(stage, "--base-url", "https://flag.example") == "flag.example"
    stage.environ["MISTRAL_BASE_URL"] = "https://environment.example"
    assert "on the sandbox, no charges" in stage.run("plan").out


@pytest.mark.parametrize("value", ["", "0", "false", "no", "off"])
def test_sandbox_that_is_switched_off_is_off(stage: Stage, value: str) -> None:
    stage.spec("one")
    stage.environ = {"MISTRAL_API_KEY": KEY, "RECONCILER_SANDBOX": value}
    assert reached(stage) == "api.mistral.ai"
    assert "on the sandbox, no charges" in stage.run("plan", "--sandbox").out


@pytest.mark.parametrize("speed", ["fast", "0", "-1", "nan", ""])
def test_sandbox_speed_that_is_none_is_reported(stage: Stage, speed: str) -> None:
    stage.spec("one")
    stage.environ["RECONCILER_SANDBOX_SPEED"] = speed
    result = stage.run("plan")
    assert result.code == 64
    assert "hint: give a positive number" in result.err


@pytest.mark.parametrize(
    ("url", "reported"),
    [
        ("http://api.example", "the API key would cross the network unencrypted"),
        ("https://me:secret@api.example", "the base URL contains credentials"),
        ("https://api.example/v1", "ends in /v1"),
        ("https://api.example?key=1", "contains a query or a fragment"),
        ("ftp://api.example", "is not an HTTPS address"),
        ("api.example", "is not an HTTPS address"),
    ],
)
def test_base_url_that_no_key_may_go_to_is_refused(stage: Stage, url: str, reported: str) -> None:
    stage.spec("one")
    stage.environ = {"MISTRAL_API_KEY": KEY}
    for how in ("flag", "environment"):
        argv = ("--base-url", url) if how == "flag" else ()
        stage.environ["MISTRAL_BASE_URL"] = "" if how == "flag" else url
        result = stage.run("plan", *argv)
        assert (result.code, result.sent) == (1, [])
        assert reported in result.err
        assert "secret" not in result.err


@pytest.mark.needs_ledger("a wrong key looks like an empty workspace")
def test_two_keys_are_two_workspaces_and_the_wrong_one_is_noticed(stage: Stage, served: str) -> None:
    stage.spec("one", requests=500)
    stage.environ = {"MISTRAL_API_KEY": KEY, "MISTRAL_BASE_URL": served}
    assert stage.run("apply", "--yes").code == 0
    stage.environ["MISTRAL_API_KEY"] = "a-key-of-another-workspace"
    stage.spec("two", requests=500)
    result = stage.run("apply", "--yes")
    assert (result.code, result.writes) == (3, [])
    assert "this workspace does not show the one job that the ledger remembers" in result.err
    stage.environ["MISTRAL_API_KEY"] = KEY
    assert "1 created" in stage.run("apply", "--yes").out


# the diary


def test_log_file_gets_every_event_and_grows(stage: Stage) -> None:
    stage.spec("one")
    for _ in range(2):
        stage.run("apply", "--yes", "--log-file", "diary.jsonl", "--log-level", "error")
    from tests.helpers.events import check_lines

    reported = check_lines((stage.root / "diary.jsonl").read_text(encoding="utf-8"))
    assert len({line["run_id"] for line in reported}) == 2
    assert {"specs.loaded", "request.sent", "jobs.listed", "plan.computed", "job.created"} <= {
        line["event"] for line in reported
    }


def test_log_file_that_cannot_be_written_ends_the_run_before_it_begins(stage: Stage) -> None:
    stage.spec("one")
    result = stage.run("apply", "--yes", "--log-file", "no/such/folder/diary.jsonl")
    assert (result.code, result.sent) == (1, [])
    assert "cannot be written" in result.err


@pytest.mark.parametrize(("style", "begins"), [("json", "{"), ("console", "20"), ("auto", "{")])
def test_events_are_written_as_they_are_asked_for(stage: Stage, style: str, begins: str) -> None:
    stage.spec("one")
    result = stage.run("apply", "--yes", "--log-format", style)
    lines = result.err.splitlines()
    assert lines
    assert all(line.startswith(begins) for line in lines)
    assert any("job.created" in line for line in lines)


def test_log_level_is_the_least_that_is_shown(stage: Stage) -> None:
    stage.spec("one")
    levels = ("debug", "info", "warning", "error")
    counts = [len(stage.run("plan", "--log-level", level).events) for level in levels]
    assert counts[0] > counts[1] > counts[2] == counts[3] == 0
    assert all(before >= after for before, after in itertools.pairwise(counts))


def test_status_and_open_name_the_job_that_stays_and_no_duplicate(stage: Stage) -> None:
    stage.spec("a", requests=5000)
    sent = stage.run("apply", "--yes").writes[-1]
    stage.advance(5)
    with stage.console() as client:
        client.post(sent.path, content=sent.body, headers={"Content-Type": "application/json"})
    assert stage.run("apply", "--yes").code == 0
    (stays,) = (it["id"] for it in stage.jobs() if it["status"] in ("QUEUED", "RUNNING"))
    assert json.loads(stage.run("open", "a", "--format", "json").out)["job_id"] == stays
    assert json.loads(stage.run("status", "--format", "json").out)["rows"][0]["job"]["id"] == stays
