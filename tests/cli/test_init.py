"""`init`: a new project, and the adoption of jobs that existed before it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest
import yaml

from reconciler.sandbox import BUILT_IN_KEY
from reconciler.sandbox.app import make_app
from reconciler.sandbox.store import Store
from reconciler.specs import scaffold
from reconciler.specs.place import place, stamped

from .stage import HI, Fault, Result, Stage

ROOT = Path(__file__).parents[2]


PACKAGE = "git+https://github.com/acme/reconciler@0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def bare(stage: Stage) -> Stage:
    """A folder with nothing in it."""
    (stage.root / "reconciler.yaml").unlink()
    stage.root = stage.root / "shop"
    stage.root.mkdir()
    return stage


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {".git", ".reconciler"} & set(path.relative_to(root).parts)
    }


def by_hand(stage: Stage, *, count: int = 4, **fields: object) -> str:
    """Create a job as a person does who does not use this tool; return its id."""
    db = stage.root / ".reconciler/sandbox/sandbox.db"
    db.parent.mkdir(parents=True, exist_ok=True)
    with Store(db) as store:
        transport = httpx.WSGITransport(make_app(store, now=lambda: stage.clock, ids=stage.uuid))
        with httpx.Client(
            transport=transport,
            base_url="http://localhost",
            headers={"Authorization": f"Bearer {BUILT_IN_KEY}"},
        ) as client:
            lines = "".join(
                json.dumps({"custom_id": str(at), "body": {"messages": [{"role": "user", "content": "x"}]}})
                + "\n"
                for at in range(count)
            )
            sent = client.post("/v1/files", files={"file": ("a.jsonl", lines)}, data={"purpose": "batch"})
            body = {
                "endpoint": "/v1/chat/completions",
                "model": "mistral-small-latest",
                "input_files": [sent.json()["id"]],
                **fields,
            }
            made = client.post("/v1/batch/jobs", json={key: it for key, it in body.items() if it is not None})
            assert made.status_code == 200, made.text
            return str(made.json()["id"])


def specs_of(stage: Stage) -> Mapping[str, str]:
    return {
        path.stem: path.read_text(encoding="utf-8") for path in sorted((stage.root / "specs").glob("*.yaml"))
    }


def test_an_empty_folder_gets_all_it_needs(bare: Stage, golden: Callable[..., None]) -> None:
    done = bare.run("init", "--package", PACKAGE)
    shown = Result(
        done.argv, done.code, done.out.replace(str(bare.root), "/home/ada/shop"), done.err, done.sent
    )
    golden(shown)
    assert sorted(contents(bare.root)) == [
        ".gitattributes",
        ".github/actions/reconciler/action.yml",
        ".github/actions/reconciler/requirements.txt",
        ".github/workflows/apply.yml",
        ".github/workflows/plan.yml",
        ".github/workflows/report.yml",
        ".github/workflows/verify.yml",
        ".gitignore",
        "reconciler.yaml",
        "schemas/defaults.schema.json",
        "schemas/job.schema.json",
        "schemas/reconciler.schema.json",
        "specs/data/example.jsonl",
        "specs/example.yaml",
    ]


def test_a_newcomer_gets_from_init_to_a_plan_and_to_answers(bare: Stage) -> None:
    bare.run("init")
    assert bare.run("validate").out == "1 spec valid, 3 requests\n"
    plan = bare.run("plan", "--sandbox")
    assert (plan.code, plan.writes) == (0, [])
    assert "+ create  example  new · 3 requests" in plan.out
    assert bare.run("apply", "--sandbox", "--yes").code == 0
    bare.advance(600)
    assert bare.run("plan", "--sandbox", "--detailed-exitcode").code == 0
    assert "SUCCESS" in bare.run("status").out


def test_a_new_model_in_a_long_family_asks_first(bare: Stage) -> None:
    bare.run("init")
    for night in range(1, 29):
        bare.lines(f"specs/nights/2026-11-{night:02}.jsonl", 500, text=f"night {night}")
    spec = (
        "name: n-{{stem}}\nendpoint: /v1/chat/completions\nmodel: {}\nfor_each: {{files: [nights/*.jsonl]}}\n"
    )
    bare.write("specs/nightly.yaml", spec.format("mistral-small-latest"))
    assert bare.run("apply", "--yes", "--max-new-requests", "none").code == 0
    bare.advance(7200)
    bare.write("specs/nightly.yaml", spec.format("mistral-large-latest"))
    asked = bare.run("apply", "--yes")
    assert (asked.code, asked.writes) == (3, [])
    assert "held back by max_new_requests: the plan submits 14,000 requests, more than 10,000" in asked.out
    assert "pass --max-new-requests" in asked.out
    moved = "name: old-{{stem}}\nendpoint: /v1/chat/completions\nmodel: {}\nfor_each: {{files: [before/*.jsonl]}}\n"
    (bare.root / "specs/nights").rename(bare.root / "specs/before")
    bare.write("specs/before.yaml", moved.format("mistral-small-latest"))
    bare.lines("specs/nights/2026-11-29.jsonl", 500, text="night 29")
    tonight = bare.run("apply", "--yes")
    assert tonight.code == 0
    assert "1 to create · would submit 500 requests" in tonight.out


def test_a_plan_that_is_saved_is_not_committed(bare: Stage) -> None:
    bare.git("init", "--quiet")
    bare.run("init")
    bare.run("plan", "--sandbox", "-o", "plan.json")
    assert bare.git("status", "--porcelain", "--", "plan.json") == ""


def test_what_is_written_points_at_no_page_that_the_repository_lacks(bare: Stage) -> None:
    bare.run("init", "--package", PACKAGE)
    for path, data in contents(bare.root).items():
        for page in re.findall(r"[\w./-]+\.md\b", data.decode()):
            assert (bare.root / page).exists(), f"{path} points at {page}"


def test_a_second_run_changes_nothing_and_says_so(bare: Stage) -> None:
    bare.run("init", "--package", PACKAGE)
    before = contents(bare.root)
    again = bare.run("init")
    assert again.code == 0
    assert contents(bare.root) == before
    assert "  everything is in place already\n" in again.out
    assert not [line for line in again.out.splitlines() if line.startswith(("  +", "  ~", "  ="))]


def test_the_workflows_are_this_repositorys_own_with_a_pinned_source(bare: Stage) -> None:
    bare.run("init", "--package", PACKAGE)
    for path in scaffold.WORKFLOWS:
        written, here = ((root / path).read_text(encoding="utf-8") for root in (bare.root, ROOT))
        first, _, rest = written.partition("\n")
        assert first.startswith("# Written by `reconciler init`, ")
        assert rest == here.replace("package: .\n", f"package: {PACKAGE}\n")
        assert written.count(PACKAGE) == here.count("package: .\n")


NEWER = PACKAGE.replace("@0123", "@abcd")
RENEWED = (*scaffold.WORKFLOWS[:4], "schemas/job.schema.json")


def upgradable(stage: Stage) -> None:
    """Set up as an earlier version did: with another source, and another schema."""
    stage.run("init", "--package", PACKAGE)
    path = "schemas/job.schema.json"
    (stage.root / path).write_bytes(stamped(path, b'{\n  "type": "object"\n}\n').content)


def test_a_second_run_of_a_newer_version_lists_what_is_out_of_date_and_names_the_command(bare: Stage) -> None:
    upgradable(bare)
    before = contents(bare.root)
    done = bare.run("init", "--package", NEWER)
    assert (done.code, contents(bare.root)) == (0, before)
    said = "an earlier version of this tool wrote it; to renew it, run reconciler init --upgrade"
    assert [line for line in done.out.splitlines() if line.startswith("  ")][: len(RENEWED)] == [
        f"  = {path}: {said}" for path in (RENEWED[-1], *RENEWED[:-1])
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_an_upgrade_renews_what_nobody_has_changed(bare: Stage, end: bytes) -> None:
    upgradable(bare)
    for path in (*scaffold.WORKFLOWS, RENEWED[-1]):
        (bare.root / path).write_bytes((bare.root / path).read_bytes().replace(b"\n", end))
    bare.write(
        "specs/example.yaml",
        "name: example\nendpoint: /v1/ocr\nmodel: x\ninput_files: [data/example.jsonl]\n",
    )
    mine = {path: data for path, data in contents(bare.root).items() if path.startswith("specs/")}
    done = bare.run("init", "--upgrade", "--package", NEWER)
    assert done.code == 0
    assert [line for line in done.out.splitlines() if line.startswith("  ")] == [
        f"  ~ {path}: renewed" for path in (RENEWED[-1], *RENEWED[:-1])
    ]
    found = contents(bare.root)
    assert all(NEWER.encode() in found[path] for path in RENEWED[:-1])
    assert {path: found[path] for path in mine} == mine
    again = bare.run("init", "--upgrade", "--package", NEWER)
    assert (again.code, contents(bare.root)) == (0, found)
    assert "everything is in place already" in again.out


def test_an_upgrade_leaves_what_someone_has_changed_and_shows_the_difference(bare: Stage) -> None:
    upgradable(bare)
    plan = bare.root / scaffold.WORKFLOWS[0]
    mine = plan.read_text().replace("timeout-minutes: 30", "timeout-minutes: 45")
    plan.write_text(mine)
    done = bare.run("init", "--upgrade", "--package", NEWER)
    assert done.code == 6
    assert plan.read_text() == mine
    assert "  = .github/workflows/plan.yml: it was edited, so it stays; to take these changes, " in done.out
    for line in ("-    timeout-minutes: 45", "+    timeout-minutes: 30", f"-          package: {PACKAGE}"):
        assert f"\n      {line}\n" in done.out
    assert "  ~ .github/workflows/apply.yml: renewed\n" in done.out


@pytest.mark.parametrize("path", [*scaffold.WORKFLOWS, RENEWED[-1]])
def test_an_upgrade_never_overwrites_a_change_of_any_line(bare: Stage, path: str) -> None:
    bare.run("init", "--package", PACKAGE)
    file = bare.root / path
    lines = file.read_bytes().splitlines(keepends=True)
    body = range(2 if path.endswith(".json") else 1, len(lines))
    for at in random.Random(7).sample(body, 6):
        for other in ([], [lines[at], b"# mine\n"], [lines[at].replace(b"\n", b" \n")]):
            changed = b"".join([*lines[:at], *other, *lines[at + 1 :]])
            file.write_bytes(changed)
            placed = place(bare.root, stamped(path, b"{\n}\n"), upgrade=True)
            assert (placed.did, file.read_bytes()) == ("kept", changed)
            assert placed.diff


def test_an_upgrade_leaves_files_without_a_digest(bare: Stage) -> None:
    bare.write(".github/workflows/plan.yml", "name: terraform\n")
    done = bare.run("init", "--upgrade", "--package", PACKAGE)
    assert (done.code, (bare.root / ".github/workflows/plan.yml").read_text()) == (6, "name: terraform\n")
    assert "\n      -name: terraform\n" in done.out


def test_an_upgrade_without_a_pinned_source_says_what_is_missing(bare: Stage) -> None:
    upgradable(bare)
    done = bare.run("init", "--upgrade")
    assert done.code == 6
    assert "  ~ schemas/job.schema.json: renewed\n" in done.out
    assert "run reconciler init --package git+https://HOST/PATH@COMMIT" in done.out
    assert bare.run("init", "--upgrade", "--no-workflows").code == 0


def test_without_a_pinned_source_no_workflow_is_written_and_the_next_step_is_named(bare: Stage) -> None:
    done = bare.run("init")
    assert done.code == 0
    assert not (bare.root / ".github").exists()
    assert "  = no workflows: pip did not install this tool from a commit" in done.out
    assert "reconciler init --package git+https://HOST/PATH@COMMIT\n" in done.out
    assert "On GitHub" not in done.out
    assert bare.run("init", "--package", PACKAGE).out.count("  + .github/") == len(scaffold.WORKFLOWS)


def test_a_source_that_can_change_is_refused_and_nothing_is_written(bare: Stage) -> None:
    for package in ("mistral-batch-reconciler==0.1.0", PACKAGE[:-1], PACKAGE.partition("@")[0] + "@main"):
        done = bare.run("init", "--package", package)
        assert (done.code, contents(bare.root)) == (64, {})
        assert "it is not pinned" in done.err


@pytest.mark.parametrize(
    ("record", "source"),
    [
        ({}, None),
        ({"url": "file:///home/ada/reconciler", "dir_info": {"editable": True}}, None),
        ({"url": "file:///home/ada/a.whl", "archive_info": {"hashes": {"sha256": "0a" * 32}}}, None),
        ({"url": "ssh://git@example.org/a", "vcs_info": {"vcs": "git", "commit_id": "0a" * 20}}, None),
        (
            {"url": "https://ada:secret@example.org/a", "vcs_info": {"vcs": "git", "commit_id": "0a" * 20}},
            None,
        ),
        ({"url": "https://example.org/a.whl", "archive_info": {}}, None),
        (
            {"url": "https://example.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "0a" * 20}},
            "git+https://example.org/a.git@" + "0a" * 20,
        ),
        (
            {"url": "https://example.org/a.whl", "archive_info": {"hashes": {"sha256": "0a" * 32}}},
            "https://example.org/a.whl#sha256=" + "0a" * 32,
        ),
    ],
)
def test_the_source_of_this_installation_is_taken_only_if_it_is_pinned(
    record: Mapping[str, object], source: str | None
) -> None:
    assert scaffold.pinned_source(json.dumps(record)) == source


def test_nothing_that_is_there_is_overwritten(bare: Stage) -> None:
    mine = {
        "reconciler.yaml": b"project: mine\nspecs: jobs\n",
        ".github/workflows/plan.yml": b"name: terraform\n",
        "schemas/job.schema.json": b"{}\n",
        ".gitignore": b"*.pyc\r\n/.reconciler\r\nplan.json\r\n",
        ".gitattributes": b"*.png binary\r\n*.md text",
        "jobs/mine.yaml": b"name: mine\nendpoint: /v1/chat/completions\nmodel: mistral-small-2603\n"
        b"requests: [{custom_id: a, body: {messages: [{role: user, content: Hi}]}}]\n",
    }
    for path, data in mine.items():
        (bare.root / path).parent.mkdir(parents=True, exist_ok=True)
        (bare.root / path).write_bytes(data)
    done = bare.run("init", "--package", PACKAGE)
    assert "Project mine in " in done.out
    found = contents(bare.root)
    added = {".gitattributes": b"*.png binary\r\n*.md text\r\n*.jsonl -text\r\n"}
    assert {path: found[path] for path in mine} == mine | added
    assert "  = .github/workflows/plan.yml: it already exists with other content\n" in done.out
    assert "  = schemas/job.schema.json: it already exists with other content\n" in done.out
    assert "  ~ .gitattributes: `*.jsonl -text`\n" in done.out
    assert not [path for path in found if "example" in path]


def test_a_folder_of_other_specs_is_not_ours(bare: Stage) -> None:
    bare.write("specs/openapi.yaml", "openapi: 3.1.0\n")
    bare.run("init")
    assert "specs: batch-specs\n" in (bare.root / "reconciler.yaml").read_text()
    assert bare.run("plan", "--sandbox").code == 0


def test_a_folder_of_our_specs_is_taken(bare: Stage) -> None:
    bare.spec("tickets")
    bare.run("init")
    assert "specs:" not in (bare.root / "reconciler.yaml").read_text()
    assert list(specs_of(bare)) == ["tickets"]


def test_nothing_is_written_through_a_link(bare: Stage, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "rc").write_text("mine\n")
    (bare.root / ".github").symlink_to(outside)
    (bare.root / ".gitignore").symlink_to(outside / "rc")
    done = bare.run("init", "--package", PACKAGE)
    assert [path.name for path in outside.iterdir()] == ["rc"]
    assert (outside / "rc").read_text() == "mine\n"
    assert done.out.count("its folder leads out of the project") == len(scaffold.WORKFLOWS)
    assert "= .gitignore: it is not a regular file; add `.reconciler/, plan.json` to it" in done.out


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("git@github.com:acme/Search_Batch.git", "search_batch"),
        ("https://gitlab.com/acme/tools/nightly.git/", "nightly"),
        ("https://example.org/---", "shop"),
    ],
)
def test_the_project_is_called_as_the_repository(bare: Stage, url: str, name: str) -> None:
    bare.git("init", "--quiet")
    bare.git("remote", "add", "origin", url)
    bare.run("init")
    text = (bare.root / "reconciler.yaml").read_text()
    assert f"\nproject: {name}\n" in text
    assert "\nledger: git\n" in text


def applied_branch(stage: Stage) -> object:
    text = (stage.root / ".github/workflows/apply.yml").read_text()
    return yaml.safe_load(text.replace("\non:", "\n'on':"))["on"]["push"]["branches"]


ASSUMED = "This repository does not know the default branch of `origin`, so `{}` is assumed."


@pytest.mark.parametrize("name", ["main", "master", "trunk/v2", "été", 'a"b'])
def test_without_a_remote_pushes_to_the_current_branch_are_applied_and_that_is_said(
    bare: Stage, name: str
) -> None:
    bare.git("init", "--quiet", f"--initial-branch={name}")
    done = bare.run("init", "--package", PACKAGE)
    assert applied_branch(bare) == [name]
    assert f"Pull requests into `{name}` are planned" in done.out
    assert ASSUMED.format(name) in done.out


def test_the_default_branch_of_the_remote_counts_and_not_the_current_one(bare: Stage) -> None:
    bare.git("init", "--quiet", "--initial-branch=topic")
    bare.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/master")
    done = bare.run("init", "--package", PACKAGE)
    assert applied_branch(bare) == ["master"]
    assert "Pull requests into `master` are planned" in done.out
    assert "assumed" not in done.out


@pytest.mark.parametrize("name", ["main", "trunk/v2", "été", 'a"b', "yes"])
@pytest.mark.parametrize("remote", [False, True])
def test_jobs_are_created_only_from_the_default_branch(bare: Stage, name: str, *, remote: bool) -> None:
    bare.git("init", "--quiet", f"--initial-branch={name}")
    if remote:
        bare.git("remote", "add", "origin", "https://example.org/a.git")
    bare.run("init")
    written = yaml.safe_load((bare.root / "reconciler.yaml").read_text(encoding="utf-8"))
    assert written["apply"] == {"only_from": [name], "clean": True} | ({"pushed": True} if remote else {})
    assert bare.run("validate").code == 0


def test_outside_of_git_init_limits_no_checkout(bare: Stage) -> None:
    bare.run("init")
    assert "apply:" not in (bare.root / "reconciler.yaml").read_text(encoding="utf-8")


def test_an_upgrade_keeps_the_branch_until_the_remotes_default_is_known(bare: Stage) -> None:
    bare.git("init", "--quiet", "--initial-branch=master")
    bare.run("init", "--package", PACKAGE)
    bare.git("symbolic-ref", "HEAD", "refs/heads/topic")
    assert bare.run("init", "--upgrade", "--package", PACKAGE).code == 0
    assert applied_branch(bare) == ["master"]
    bare.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    done = bare.run("init", "--upgrade", "--package", PACKAGE)
    assert (done.code, applied_branch(bare)) == (0, ["trunk"])
    assert "  ~ .github/workflows/apply.yml: renewed\n" in done.out


@pytest.mark.parametrize("line", ["[\"main\" 'x'] ", '["\\x"] ', '["a", "b"] ', "main ", '[""] '])
def test_a_line_of_branches_that_init_did_not_write_is_not_taken(bare: Stage, line: str) -> None:
    bare.git("init", "--quiet", "--initial-branch=trunk")
    bare.write(".github/workflows/apply.yml", f"on:\n  push:\n    branches: {line}# mine\n")
    done = bare.run("init", "--package", PACKAGE)
    assert (done.code, "Pull requests into `trunk` are planned" in done.out) == (0, True)


def test_below_a_repositorys_root_no_workflows_are_written(bare: Stage) -> None:
    bare.git("init", "--quiet")
    bare.root = bare.root / "batch"
    bare.root.mkdir()
    done = bare.run("init")
    assert not (bare.root / ".github").exists()
    assert "= no workflows:" in done.out
    assert "is not the root of the repository" in done.out


def test_from_a_folder_of_a_project_the_project_is_completed(bare: Stage) -> None:
    bare.run("init")
    (bare.root / "schemas/job.schema.json").unlink()
    (bare.root / "specs/nested").mkdir()
    root = bare.root
    bare.root = root / "specs/nested"
    done = bare.run("init", "--no-workflows")
    assert "  + schemas/job.schema.json\n" in done.out
    assert not list((root / "specs/nested").iterdir())


def test_jobs_that_run_are_adopted_and_nothing_is_created_again(
    bare: Stage, golden: Callable[..., None]
) -> None:
    first = by_hand(bare, metadata={"job_name": "Ticket Classes", "team": "search", "reconciler.x": "y"})
    second = by_hand(bare, count=7, model="mistral-large-latest", timeout_hours=48)
    bare.environ["RECONCILER_SANDBOX"] = "1"
    done = bare.run("init", "--from-workspace", "--no-workflows")
    shown = Result(
        done.argv, done.code, done.out.replace(str(bare.root), "/home/ada/shop"), done.err, done.sent
    )
    golden(shown)
    found = specs_of(bare)
    assert len(found) == 2
    assert first in found["ticket-classes"]
    assert second in found[f"mistral-large-latest-{second[:8]}"]
    plan = bare.run("plan", "--detailed-exitcode")
    assert plan.code == 0
    assert "2 unchanged: 2 adopted" in plan.out
    assert bare.run("apply", "--yes").writes == []
    assert bare.run("status").out.count(" adopted") == 2
    bare.advance(3600)
    ended = bare.run("plan", "--detailed-exitcode")
    assert (ended.code, "2 adopted" in ended.out) == (0, True)


def test_the_results_of_an_adopted_job_are_pulled(bare: Stage) -> None:
    by_hand(bare, metadata={"job_name": "tickets"})
    bare.environ["RECONCILER_SANDBOX"] = "1"
    bare.run("init", "--from-workspace", "--no-workflows")
    assert "no job is called missing" in bare.run("outputs", "pull", "missing").err
    bare.advance(3600)
    pulled = json.loads(bare.run("outputs", "pull", "tickets", "--format", "json").out)
    (it,) = pulled["jobs"]
    assert (it["name"], it["state"], it["summary"]["requests"]["missing"]) == ("tickets", "pulled", 0)
    assert len(list(bare.root.glob("outputs/tickets/results.jsonl"))) == 1
    again = bare.run("outputs", "pull")
    assert not any("/content" in sent.path for sent in again.sent)


def test_what_is_adopted_is_adopted_once(bare: Stage) -> None:
    by_hand(bare)
    bare.run("init", "--from-workspace")
    before = contents(bare.root)
    again = bare.run("init", "--from-workspace")
    assert (again.code, contents(bare.root)) == (0, before)


def test_what_no_spec_can_say_is_reported_and_left(bare: Stage) -> None:
    inline = [{"custom_id": "a", "body": HI}]
    job = by_hand(bare, input_files=None, requests=inline)
    done = bare.run("init", "--from-workspace")
    assert (
        f"  = no spec for job {job}: its requests were sent inline, and the API does not show them\n"
        in done.out
    )
    assert list(specs_of(bare)) == ["example"]


def test_two_jobs_of_one_work_become_one_spec(bare: Stage) -> None:
    by_hand(bare, metadata={"name": "one"})
    bare.run("init", "--from-workspace", "--no-workflows")
    (file,) = re.findall(r"input_files: \[\"?([0-9a-f-]{36})", specs_of(bare)["one"])
    twin = by_hand(bare, input_files=[file])
    done = bare.run("init", "--from-workspace")
    assert list(specs_of(bare)) == ["one"]
    assert f"no spec for job {twin}: `one` (specs/one.yaml:4) declares its work: add adopt: " in done.out


def test_jobs_of_others_and_jobs_that_have_ended_are_left_out(bare: Stage) -> None:
    by_hand(bare, metadata={"reconciler.project": "other"})
    by_hand(bare, metadata={"name": "old"})
    bare.advance(3600)
    bare.run("init", "--from-workspace")
    assert list(specs_of(bare)) == ["example"]


def test_the_spec_of_an_adopted_job_never_stops_it(bare: Stage) -> None:
    job = by_hand(bare, metadata={"name": "tickets"})
    bare.run("init", "--from-workspace")
    path = bare.root / "specs/tickets.yaml"
    text = path.read_text()
    path.write_text(text + "suspend: true\n")
    held = bare.run("apply", "--yes")
    assert held.writes == []
    assert f"to cancel it: reconciler jobs cancel --foreign {job}" in held.out
    path.write_text(text.replace("model: mistral-small-latest", "model: mistral-large-latest"))
    waits = bare.run("apply", "--yes")
    assert waits.writes == []
    assert " for job" in waits.out
    path.unlink()
    bare.spec("other")
    assert [sent.path for sent in bare.run("apply", "--yes").writes if "cancel" in sent.path] == []
    assert [it["status"] for it in bare.jobs() if it["id"] == job] == ["QUEUED"]


def test_a_changed_spec_creates_once_the_adopted_job_has_ended(bare: Stage) -> None:
    by_hand(bare, metadata={"name": "tickets"})
    bare.run("init", "--from-workspace")
    path = bare.root / "specs/tickets.yaml"
    path.write_text(path.read_text().replace("model: mistral-small-latest", "model: mistral-large-latest"))
    bare.advance(3600)
    plan = bare.run("plan", "--max-new-requests", "none")
    assert "+ create  tickets  model changed" in plan.out
    assert "model: mistral-small-latest -> mistral-large-latest" in plan.out
    assert "note: `adopt` names other work" in plan.out


def test_an_adopted_job_that_is_not_there_is_held_and_named(bare: Stage) -> None:
    job = by_hand(bare, metadata={"name": "tickets"})
    bare.run("init", "--from-workspace")
    path = bare.root / "specs/tickets.yaml"
    other = "0" * 8 + job[8:]
    path.write_text(path.read_text().replace(job, other))
    held = bare.run("apply", "--yes", "--fail-on-attention")
    assert (held.code, held.writes) == (6, [])
    assert "! hold    tickets  not adopted · there is no job 00000000 in this workspace" in held.out


def test_what_a_neighbour_wrote_into_a_job_is_text_in_the_spec(bare: Stage) -> None:
    hostile = {
        "name": "x\nsuspend: true",
        "a: b": "c: d\n- e",
        "k": 'quote " and \\ and # and *',
        "esc": "\x1b[31mred",
        "bidi": "\u202eabc",
        "tag": "!!python/object:os.system",
    }
    job = by_hand(bare, metadata=hostile)
    done = bare.run("init", "--from-workspace")
    assert done.code == 0
    (text,) = specs_of(bare).values()
    assert "\x1b" not in text + done.out
    assert "\u202e" not in text + done.out
    rendered = bare.run("render")
    assert rendered.code == 0
    assert "suspend: true\n" not in rendered.out
    assert bare.run("plan", "--detailed-exitcode").code == 0
    assert job in text


def test_what_was_written_is_said_although_the_workspace_cannot_be_read(bare: Stage) -> None:
    bare.faults.append(Fault("GET", "/v1/batch/jobs", 401))
    failed = bare.run("init", "--from-workspace")
    assert failed.code == 1
    assert "  + reconciler.yaml\n" in failed.out
    assert "error: " in failed.err


def test_a_snapshot_holds_what_is_adopted_and_a_plan_on_it_keeps_that(bare: Stage) -> None:
    by_hand(bare, metadata={"name": "tickets", "secret": "diary"})
    by_hand(bare, count=5)
    bare.run("init", "--from-workspace", "--no-workflows")
    (bare.root / "specs").joinpath("tickets.yaml").rename(bare.root / "later.yaml")
    bare.run("jobs", "snapshot", "before.json")
    (bare.root / "later.yaml").rename(bare.root / "specs/tickets.yaml")
    bare.run("jobs", "snapshot", "observed.json")
    assert "diary" not in (bare.root / "observed.json").read_text()
    plan = bare.run("plan", "--observed", "observed.json", "--detailed-exitcode")
    assert (plan.code, plan.sent) == (0, [])
    assert "2 adopted" in plan.out
    early = bare.run("plan", "--observed", "before.json")
    assert "not adopted · the snapshot does not contain job" in early.out
    assert "1 adopted" in early.out


def test_a_store_for_results_is_written_and_only_into_new_settings(bare: Stage) -> None:
    wrong = bare.run("init", "--results", "https://example.org/x")
    assert (wrong.code, contents(bare.root)) == (64, {})
    done = bare.run("init", "--package", PACKAGE, "--results", "s3://bucket/outputs")
    assert (done.code, "CI downloads no results" in done.out) == (0, False)
    assert "results: s3://bucket/outputs\n" in (bare.root / "reconciler.yaml").read_text()
    again = bare.run("init", "--results", "s3://other/outputs")
    assert again.code == 64
    assert "reconciler.yaml exists: add the line `results: s3://other/outputs` to it" in again.err


def test_without_a_store_the_loss_of_results_on_ci_is_said(bare: Stage) -> None:
    assert "CI downloads no results: set `results`" in bare.run("init", "--package", PACKAGE).out
    bare.environ["CI"] = "true"
    found = bare.run("doctor", "--sandbox")
    assert "results are lost with this runner" in found.out
    bare.environ["RECONCILER_RESULTS"] = "gs://bucket/x"
    assert "they go to gs://bucket/x" in bare.run("doctor", "--sandbox").out
