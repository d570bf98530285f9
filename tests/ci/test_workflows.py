"""The files of the workflows: their schemas, zizmor's findings, and the project's own rules."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.specs import scaffold
from reconciler.specs.place import place
from tests.ci.expressions import holds, value
from tests.ci.runner import ROOT

FOLDER = ROOT / ".github"
ACTION = FOLDER / "actions/reconciler/action.yml"
WORKFLOWS = sorted((FOLDER / "workflows").glob("*.yml"))
GUIDE = ROOT / "docs/ci.md"


def check(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    """Hold files to one of the schemas that travel with check-jsonschema: nothing is fetched."""
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        f"vendor.{schema}",
        *map(str, files),
    ]
    return subprocess.run(command, capture_output=True, check=False, text=True)


def load(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8").replace("\non:", "\n'on':"))
    return found


@pytest.mark.thorough
def test_workflows_and_action_keep_to_their_schemas(tmp_path: Path) -> None:
    done = check("github-workflows", *WORKFLOWS)
    assert done.returncode == 0, done.stdout
    done = check("github-actions", ACTION)
    assert done.returncode == 0, done.stdout
    done = check("dependabot", FOLDER / "dependabot.yml")
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text(encoding="utf-8").replace("runs-on:", "runs-at:"))
    assert check("github-workflows", wrong).returncode == 1


def zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run zizmor with its strictest persona."""
    program = Path(sys.executable).parent / ("zizmor.exe" if sys.platform == "win32" else "zizmor")
    command = [str(program), "--offline", "--no-progress", "--color=never", "--persona=auditor", str(folder)]
    return subprocess.run(command, capture_output=True, check=False, text=True)


def test_zizmor_finds_nothing(tmp_path: Path) -> None:
    done = zizmor(FOLDER)
    assert done.returncode == 0, done.stdout
    bad = tmp_path / ".github/workflows/bad.yml"
    bad.parent.mkdir(parents=True)
    text = (FOLDER / "workflows/plan.yml").read_text(encoding="utf-8")
    bad.write_text(re.sub(r"\n  pull_request:", "\n  pull_request_target:", text))
    done = zizmor(bad)
    assert done.returncode != 0
    assert "dangerous-triggers" in done.stdout


def test_zizmor_finds_nothing_in_what_init_writes_without_this_repositorys_settings(tmp_path: Path) -> None:
    for wanted in scaffold.workflows("git+https://github.com/acme/reconciler@" + "0a" * 20, "master"):
        place(tmp_path, wanted)
    done = zizmor(tmp_path / ".github")
    assert done.returncode == 0, done.stdout
    assert "No findings to report" in done.stdout


def test_each_finding_that_is_passed_over_says_why() -> None:
    lines = [line for file in (*WORKFLOWS, ACTION) for line in file.read_text(encoding="utf-8").splitlines()]
    passed = [line for line in lines if "zizmor: ignore" in line]
    assert passed
    assert all(re.search(r"zizmor: ignore\[[a-z-]+\] \w+ \w+", line) for line in passed)


def steps(file: Path) -> list[dict[str, Any]]:
    document = load(file)
    if "runs" in document:
        found: list[dict[str, Any]] = document["runs"]["steps"]
        return found
    return [step for job in document["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", [*WORKFLOWS, ACTION], ids=lambda file: file.name)
def test_actions_are_pinned_and_no_text_from_outside_is_in_a_command_line(file: Path) -> None:
    for step in steps(file):
        assert "${{" not in step.get("run", "")
        uses = step.get("uses", "./")
        assert uses.startswith("./") or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", uses)
        if uses.startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_every_job_that_checks_specs_has_the_policy() -> None:
    jobs = {
        name: step["with"]
        for file in WORKFLOWS
        for name, job in load(file)["jobs"].items()
        for step in job["steps"]
        if step.get("with", {}).get("command") in ("validate", "plan", "apply")
    }
    assert jobs.keys() == {"validate", "plan", "preview", "apply", "hourly"}
    for given in jobs.values():
        assert given["policy"] == "${{ vars.RECONCILER_POLICY }}"
        assert given["policy-token"] == "${{ secrets.RECONCILER_POLICY_TOKEN || github.token }}"


def test_the_key_goes_to_five_jobs_and_never_to_a_fork() -> None:
    seen = {
        (file.stem, name)
        for file in WORKFLOWS
        for name, job in load(file)["jobs"].items()
        if "secrets.MISTRAL_API_KEY" in str(job)
    }
    weekly_and_daily = {("verify", "verify"), ("report", "report")}
    assert seen == {("plan", "plan"), ("apply", "apply"), ("apply", "hourly")} | weekly_and_daily
    others = {secret for file in WORKFLOWS for secret in re.findall(r"secrets\.(\w+)", str(load(file)))}
    assert others == {"MISTRAL_API_KEY", "RECONCILER_POLICY_TOKEN"}
    condition = load(FOLDER / "workflows/plan.yml")["jobs"]["plan"]["if"]
    for repository, runs in (("acme/batches", True), ("mallory/batches", False)):
        event = {
            "pull_request": {"head": {"repo": {"full_name": repository}}, "base": {"ref": "main"}},
            "repository": {"default_branch": "main"},
        }
        github = {"repository": "acme/batches", "event": event, "event_name": "pull_request"}
        assert holds(condition, {"vars": {}, "github": github}, well=True) is runs


RESULTS = ("success", "failure", "cancelled", "skipped")


@pytest.mark.skipif(sys.platform == "win32", reason="the line is played with bash")
@pytest.mark.parametrize("due", ["true", "false"])
def test_the_required_check_succeeds_only_if_each_job_that_was_due_succeeded(due: str) -> None:
    (step,) = load(FOLDER / "workflows/plan.yml")["jobs"]["reconciler"]["steps"]
    good = set()
    for results in product(RESULTS, repeat=3):
        environ = dict(zip(("VALIDATE", "PLAN", "PREVIEW", "PLAN_IS_DUE"), (*results, due), strict=True))
        assert environ.keys() == step["env"].keys()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", step["run"]], env=environ, capture_output=True, check=False
        )
        good |= {results} if done.returncode == 0 else set()
    one_plan = {("success", "success", "skipped"), ("success", "skipped", "success")}
    assert good == (one_plan if due == "true" else {("success", "skipped", "skipped")})


def test_the_required_check_reports_in_every_case_and_needs_every_other_job() -> None:
    document = load(FOLDER / "workflows/plan.yml")
    *others, last = document["jobs"]
    assert (last, document["jobs"][last]["name"]) == ("reconciler", "reconciler")
    assert document["jobs"][last]["needs"] == others
    assert document["jobs"][last]["if"] == "always()"
    assert document["on"] == {"pull_request": None, "merge_group": None, "workflow_dispatch": None}, (
        "a filter would leave the check pending"
    )


def test_one_writer_at_a_time_and_every_hour() -> None:
    document = load(FOLDER / "workflows/apply.yml")
    writers = {name: job for name, job in document["jobs"].items() if "write" in job["permissions"].values()}
    assert set(writers) == {"apply", "hourly"}
    for job in writers.values():
        assert job["concurrency"] == {"group": "apply", "cancel-in-progress": False}
        assert "environment" not in job, "a job that waits for its reviewers would hold up the others"
    assert document["on"]["push"] == {"branches": ["main"]}
    assert re.fullmatch(r"\d+ \* \* \* \*", document["on"]["schedule"][0]["cron"])
    assert [file.name for file in WORKFLOWS if load(file)["permissions"] != {}] == ["ci.yml"]


@pytest.mark.parametrize(
    ("size", "required", "approve", "runs"),
    [
        ("success", "", "skipped", True),
        ("success", "required", "success", True),
        ("success", "required", "failure", False),
        ("success", "required", "cancelled", False),
        ("failure", "", "skipped", False),
        ("skipped", "", "skipped", False),
    ],
)
def test_apply_waits_for_an_approval_that_is_required(
    size: str, required: str, approve: str, runs: bool
) -> None:
    jobs = load(FOLDER / "workflows/apply.yml")["jobs"]
    needs = {"size": {"result": size, "outputs": {"approval": required}}, "approve": {"result": approve}}
    asked = holds(jobs["approve"]["if"], {"needs": needs}, well=size == "success")
    assert asked is (size == "success" and bool(required))
    assert holds(jobs["apply"]["if"], {"needs": needs}, well=approve == size == "success") is runs


@pytest.mark.parametrize(
    ("variables", "written", "uploads", "published"),
    [
        ({}, False, [], False),
        ({"RECONCILER_REPORT": "off"}, False, [], False),
        ({"RECONCILER_REPORT": "artifact"}, True, ["actions/upload-artifact"], False),
        ({"RECONCILER_REPORT": "pages"}, True, ["actions/upload-pages-artifact"], True),
        ({"RECONCILER_REPORT": "pages", "RECONCILER": "off"}, False, [], False),
    ],
)
def test_the_report_goes_only_where_the_variable_says(
    variables: dict[str, str], written: bool, uploads: list[str], published: bool
) -> None:
    jobs = load(FOLDER / "workflows/report.yml")["jobs"]
    contexts = {"vars": variables, "github": {"event_name": "schedule"}, "needs": {}}
    assert holds(jobs["report"]["if"], contexts, well=True) is written
    assert holds(jobs["publish"]["if"], contexts, well=written) is published
    kept = [step for step in jobs["report"]["steps"] if "upload" in step["uses"]]
    done = [step["uses"].partition("@")[0] for step in kept if holds(step["if"], contexts, well=written)]
    assert done == uploads


def test_only_the_job_without_the_key_may_publish() -> None:
    jobs = {
        (file.stem, name): job
        for file in WORKFLOWS
        for name, job in load(file)["jobs"].items()
        if file.stem in {"plan", "apply", "verify", "report"}
    }
    rights = {where for where, job in jobs.items() if {"pages", "id-token"} & job["permissions"].keys()}
    assert rights == {("report", "publish")}
    publish = jobs["report", "publish"]
    assert publish["permissions"] == {"pages": "write", "id-token": "write"}
    assert "secrets" not in str(publish)
    assert [step["uses"].partition("@")[0] for step in publish["steps"]] == ["actions/deploy-pages"]


def test_no_source_is_a_default_and_only_the_workflows_of_this_repository_install_the_checkout() -> None:
    package = load(ACTION)["inputs"]["package"]
    assert package["required"] is True
    assert "default" not in package
    here = [step["with"]["package"] for file in WORKFLOWS for step in steps(file) if "./.github" in str(step)]
    assert here == ["."] * 8


def test_comment_in_the_guide_is_one_that_was_written() -> None:
    quoted = "\n".join(line[2:] for line in GUIDE.read_text(encoding="utf-8").splitlines() if line[:1] == ">")
    written = (Path(__file__).parent / "comments.md").read_text(encoding="utf-8").replace("\\", "")
    assert quoted.startswith("### shop: would submit 901 requests")
    assert quoted in written


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("'a' == 'A'", True),
        ("!github.no && (true || false)", True),
        ("github.no.where != ''", False),
        ("steps.run.outputs.plan-name", "plan-7"),
    ],
)
def test_expressions_are_understood_as_github_understands_them(text: str, found: object) -> None:
    contexts = {"github": {}, "steps": {"run": {"outputs": {"plan-name": "plan-7"}}}}
    assert value(text, contexts) == found
