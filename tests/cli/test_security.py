"""One pull request with every attack that `docs/security.md` lists: the tool stops each, and names each.

The attacks in this module are the rows of the page's first table, matched by their first words: a test fails if one
of the two has an attack that the other lacks.
"""

# ruff: noqa: E501 - an attack a line
from __future__ import annotations

import glob
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from reconciler.plans import plan_file

from .stage import Result, Stage
from .test_init import by_hand

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
KEY = "Sk-Very-Distinctive-0123456789-Key"
BODY = "endpoint: /v1/chat/completions\nmodel: mistral-small-latest\n"
REQUESTS = "requests: [{custom_id: a, body: {messages: [{role: user, content: Hi}]}}]\n"
NEIGHBOUR = "0f9d1b6e-0000-4000-8000-000000000001"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links, and names that Windows does not take")


@dataclass(frozen=True)
class Attack:
    """A file of the pull request, and what has to be said about it."""

    row: str
    """The first words of its row in the page."""
    path: str
    text: str
    """The file's content, or a link's target."""
    said: str
    link: bool = False


def spec(name: str, more: str) -> str:
    return f"name: {name}\n{BODY}{more}"


FETCH = "fetch a URL, or send credentials to a host"
ATTACKS = (
    Attack("read a file outside", "up.yaml", spec("up", "input_files: [../../secret.jsonl]\n"), "leads out of the project"),
    Attack("read a file outside", "abs.yaml", spec("abs", "input_files: [/etc/passwd]\n"), "an absolute path is not allowed"),
    Attack("read a file outside", "home.yaml", spec("home", "input_files: [~/.netrc]\n"), "an absolute path is not allowed"),
    Attack("read a file outside", "glob.yaml", spec("glob", "input_files: ['../../*.jsonl']\n"), "leads out of the project"),
    Attack(FETCH, "url.yaml", spec("url", "input_files: ['http://169.254.169.254/token']\n"), "a URL is not an input"),
    Attack(FETCH, "uri.yaml", spec("uri", f"input_files: [{{uri: 's3://evil/a.jsonl', sha256: '{'0' * 64}'}}]\n"), "s3://evil/a.jsonl is not below `input_uris`"),
    Attack(FETCH, "chain.yaml", spec("chain", f"input_files: [{{uri: 's3://a/b::file:///etc/passwd', sha256: '{'0' * 64}'}}]\n"), "not the URI of an input"),
    Attack(FETCH, "user.yaml", spec("user", f"rows: {{uri: 'https://u:p@evil.org/t.csv', sha256: '{'0' * 64}'}}\n"), "not the URI of an input"),
    Attack(FETCH, "manifest.json", f'{{"uri": "s3://evil/b.jsonl", "sha256": "{"0" * 64}"}}', "s3://evil/b.jsonl is not below `input_uris`"),
    Attack("link to a file outside", "data/link.jsonl", "../../../secret.jsonl", "a link that leads out of the project", link=True),
    Attack("link to a file outside", "stdin.yaml", "/dev/stdin", "a link that leads out of the project", link=True),
    Attack("link to a file outside", "folder", "/etc", "a link that leads out of the project", link=True),
    Attack("multiply aliases", "bomb.yaml",
           "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
           + "".join(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]\n" for at in range(1, 12)),
           "more than 100,000 values in one file, aliases expanded"),
    Attack("nest without end", "deep.yaml", "[" * 60_000, "more than 64 levels of nesting"),
    Attack("fill the memory", "large.yaml", "# " + "x" * 1_000_001, "larger than 1,000,000 bytes"),
    Attack("fill the memory", "digits.yaml", spec("digits", f"timeout_hours: {'9' * 6000}\n{REQUESTS}"), "a number of 6,000 characters"),
    Attack("keep the runner busy with mistakes", "many.yaml", spec("many", "metadata:\n" + "".join(f"  k{at}: !t x\n" for at in range(2000))), "and 901 more problems from here on"),
    Attack("keep the runner busy with globs and links", "stars.yaml", spec("stars", f"input_files: ['{'**/*/' * 12}x.jsonl']\n"), "matches no file"),
    Attack("run code by a tag", "tag.yaml", spec("tag", f"metadata: !!python/object/apply:os.system [id]\n{REQUESTS}"), "tags (`!…`) are not supported"),
    Attack("say one thing to the reviewer", "twice.yaml", spec("twice", f"model: n\n{REQUESTS}"), "duplicate key `model`"),
    Attack("say one thing to the reviewer", "merge.yaml", spec("merge", f"<<: {{model: n}}\n{REQUESTS}"), "the merge key `<<` is not supported"),
    Attack("say one thing to the reviewer", "bidi.yaml", spec("bidi", f"metadata: {{a: 'x\u202ey'}}\n{REQUESTS}"), "the invisible character U+202E is not allowed"),
    Attack("forge our tags", "tags.yaml", spec("tags", f"metadata: {{reconciler.project: other}}\n{REQUESTS}"), "belong to the tool"),
    Attack("draw on the terminal", "esc.yaml", spec('"\\e[31mred"', REQUESTS), "not a name"),
    Attack("draw on the terminal", "data/\x1b[31mred.jsonl", "{}\n", "invisible characters"),
    Attack("command the runner", "data/::set-output name=x::y.jsonl", "{}\n", "custom_id"),
    Attack("command the runner", "cmd.yaml", spec("cmd", "input_files: ['data/::set-output name=x::y.jsonl']\nx: \"\\n::stop-commands::z\"\n"), "unknown field"),
    Attack("read the environment", "env.yaml", spec("'{MISTRAL_API_KEY}'", REQUESTS), "not a name"),
    Attack("read the environment", "field.yaml", spec("field", f"api_key: x\n{REQUESTS}"), "unknown field"),
    Attack("reach another path of the API", "path.yaml", spec("path", f"adopt: {{job: ../../files, work: x}}\n{REQUESTS}"), "not a job's id"),
    Attack("pass a name for another", "case.yaml", spec("Tickets", REQUESTS), "not a name"),
    Attack("submit one work twice", "again.yaml", spec("again", REQUESTS) + "---\n" + spec("more", REQUESTS), "submit the same 1 request, so they share one job"),
    Attack("hide lines in an input", "data/lines.jsonl", '{"custom_id": "a", "body": {}}\r{"custom_id": "b", "body": {}}\n', "data/lines.jsonl:1"),
)  # fmt: skip
"""What `validate` refuses, in one run."""


def pull_request(stage: Stage, served: str) -> None:
    """A project in use, with a neighbour in its workspace, and a branch with all of it."""
    (stage.root.parent / "secret.jsonl").write_text('{"custom_id": "secret", "body": {}}\n')
    stage.environ = {
        "USER": "ada",
        "MISTRAL_API_KEY": KEY,
        "MISTRAL_BASE_URL": served,
        "CI": "true",
        "GITHUB_ACTIONS": "true",
    }
    stage.spec("tickets")
    stage.commit("in use")
    assert stage.run("apply", "--yes").code == 0
    stage.git("checkout", "--quiet", "-b", "attack")


@pytest.fixture
def attacked(tmp_path: Path, stage: Stage, served: str) -> Stage:
    stage.root = tmp_path / "project"
    stage.root.mkdir()
    stage.write("reconciler.yaml", "project: shop\n")
    pull_request(stage, served)
    return stage


def harmless(*results: Result) -> None:
    """Check results: no key, no control characters, no workflow command for the runner, no created job."""
    for result in results:
        reported = result.out + result.err
        assert KEY not in reported
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", reported)
        assert not [
            line
            for line in reported.splitlines()
            if line.startswith("::") and not re.match("::(error|warning) ", line)
        ]
        assert "Traceback" not in reported
        assert result.writes == []


def test_every_attack_in_the_files_of_a_pull_request_is_stopped_and_named(attacked: Stage) -> None:
    specs = attacked.root / "specs"
    for attack in ATTACKS:
        path = specs / attack.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if attack.link:
            path.symlink_to(attack.text)
        else:
            path.write_text(attack.text, encoding="utf-8")
    attacked.write("specs/lines.yaml", spec("lines", "input_files: [data/lines.jsonl]\n"))
    attacked.write("specs/list.yaml", spec("list", "input_files: [{manifest: manifest.json}]\n"))
    attacked.commit("every attack")
    text, github, plan, apply = (
        attacked.run("validate"),
        attacked.run("validate", "--format", "github"),
        attacked.run("plan", "--format", "markdown"),
        attacked.run("apply", "--yes"),
    )
    for result in (text, github, plan, apply):
        assert result.code == 1
        assert result.sent == []
    harmless(text, github, plan, apply)
    problems = json.loads(attacked.run("validate", "--format", "json").out)["problems"]
    for attack in ATTACKS:
        shown = "specs/" + re.sub("[\x00-\x1f]", "", attack.path)
        reported = [
            f"{it['path']}:{it['line']} {it['message']}; {it['hint']}"
            for it in problems
            if it["path"] == shown
        ]
        assert [line for line in reported if attack.said in line], (attack, reported)
        assert shown in text.err
    secret = (attacked.root.parent / "secret.jsonl").read_text()
    assert secret.strip() not in text.err + github.out


SETTINGS = {
    "send the key elsewhere": [
        ("base_url: https://evil.example\n", "base_url: unknown field"),
        ("base_url: http://127.0.0.1:9\n", "no file says where the API key goes"),
        (
            "on_end: {command: [env], environment: [MISTRAL_API_KEY]}\n",
            "not a variable that a command may get",
        ),
    ],
    "command git by a remote's name": [("ledger_remote: --upload-pack=id\n", "not the name of a git remote")],
    "raise the limits": [
        ("limits: {jobs_per_spec: 100000000000}\n", "limits.jobs_per_spec: must be 1 to 100,000"),
        ("limits: {spec_bytes: 100000000000}\n", "limits.spec_bytes: must be 1 to 10,000,000"),
    ],
    "take specs from outside": [("specs: ../..\n", "specs: leads out of the project")],
    "read the environment": [("api_key_file: /proc/self/environ\n", "unknown field")],
}


@pytest.mark.parametrize(
    ("line", "said"), [pair for pairs in SETTINGS.values() for pair in pairs], ids=lambda it: it.strip()
)
def test_settings_that_a_pull_request_may_not_change_are_refused(
    attacked: Stage, line: str, said: str
) -> None:
    del attacked.environ["MISTRAL_BASE_URL"]
    attacked.write("reconciler.yaml", f"project: shop\n{line}")
    attacked.commit("settings")
    for argv in (("plan",), ("apply", "--yes"), ("status",), ("jobs", "list")):
        refused = attacked.run(*argv)
        assert (refused.code, refused.sent) == (1, [])
        assert said in refused.err
        harmless(refused)


def test_a_project_that_is_renamed_creates_nothing_again(attacked: Stage) -> None:
    attacked.write("reconciler.yaml", "project: shop2\n")
    refused = attacked.run("apply", "--yes")
    assert (refused.code, refused.writes) == (3, [])
    assert "the work of tickets was already submitted under project shop" in refused.err
    harmless(refused)


@pytest.mark.parametrize("file", ["127.0.0.1/shop/ledger.jsonl", "inputs.cache"])
def test_a_memory_that_comes_with_the_checkout_is_refused(attacked: Stage, file: str) -> None:
    forged = attacked.root / ".reconciler" / file
    forged.parent.mkdir(parents=True, exist_ok=True)
    forged.write_text("{}\n")
    attacked.git("add", "--force", ".reconciler")
    for argv in (("plan",), ("apply", "--yes")):
        refused = attacked.run(*argv)
        assert (refused.code, refused.sent) == (1, [])
        assert "git tracks .reconciler/, so a pull request could forge the state of this tool" in refused.err
        assert "hint: remove it: git rm -r --cached .reconciler" in refused.err


def alter(data: bytes) -> bytes:
    return data.replace(b'"tickets"', b'"ticketz"')


def other_target(data: bytes) -> bytes:
    document = plan_file.decode(data)
    import msgspec

    target = msgspec.structs.replace(document.target, project="other")
    return plan_file.encode(msgspec.structs.replace(document, target=target))


def other_work(data: bytes) -> bytes:
    return re.sub(rb'"digest": ?"[^"]+"', b'"digest":"sha256:' + b"0" * 64 + b'"', data)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (alter, 1, "altered or truncated"),
        (lambda data: data[:-40], 1, "not a plan file"),
        (other_work, 1, "altered or truncated"),
        (other_target, 4, "the plan was made for project other"),
        (lambda _: b"[" * 100_000, 1, "not a plan file"),
    ],
)
def test_a_changed_plan_is_refused(
    attacked: Stage, change: Callable[[bytes], bytes], code: int, said: str
) -> None:
    attacked.spec("tickets", requests=5)
    attacked.commit("more")
    attacked.run("plan", "-o", "plan.json")
    path = attacked.root / "plan.json"
    path.write_bytes(change(path.read_bytes()))
    refused = attacked.run("apply", "plan.json")
    assert (refused.code, refused.writes) == (code, [])
    assert said in refused.err
    harmless(refused)


def test_a_plan_that_was_forged_whole_does_only_what_is_declared(attacked: Stage) -> None:
    """Its digest is right, but it names work that no spec declares: the tool plans again, and refuses it as stale."""
    attacked.spec("tickets", requests=5, reuse=False)
    attacked.run("plan", "-o", "plan.json")
    path = attacked.root / "plan.json"
    document = json.loads(path.read_bytes())["plan"]
    for decision in document["decisions"]:
        for action in decision["actions"]:
            action["work"] = "v1:" + "0" * 64
    import msgspec

    forged = msgspec.convert(document, type(plan_file.decode(path.read_bytes())))
    path.write_bytes(plan_file.encode(forged))
    refused = attacked.run("apply", "plan.json")
    assert (refused.code, refused.writes) == (4, [])
    assert "the saved plan no longer holds" in refused.err


def test_a_neighbours_job_is_not_stopped_by_a_spec_that_adopts_it(stage: Stage) -> None:
    """Not by suspending it, not by changing the work, not by removing the spec, and not by a plan that says so."""
    job = by_hand(stage)
    listed = next(it for it in stage.jobs() if it["id"] == job)
    body = f"name: mine\n{BODY}input_files: {json.dumps(listed['input_files'])}\n"
    stage.write("specs/mine.yaml", f"{body}adopt: {{job: {job}}}\n")
    (work,) = re.findall(r"`work: (v1:\w+)`", stage.run("validate").err)
    for more in ("suspend: true\n", "on_remove: cancel\n", "rerun: 2\n"):
        stage.write("specs/mine.yaml", f"{body}{more}adopt: {{job: {job}, work: '{work}'}}\n")
        assert stage.run("apply", "--yes").writes == []
    stage.write("specs/mine.yaml", f"{body}suspend: true\nadopt: {{job: {job}, work: '{work}'}}\n")
    assert "the adopted job" in stage.run("plan").out
    (stage.root / "specs/mine.yaml").unlink()
    assert stage.run("apply", "--yes", "--allow-empty").writes == []
    assert [it["status"] for it in stage.jobs()] == ["QUEUED"]


def test_what_a_pull_request_calls_things_becomes_no_markup(attacked: Stage) -> None:
    name = "`|<img src=x onerror=alert(1)> @octocat #1 [x](http:x)`.jsonl"
    attacked.lines(f"specs/data/{name}", 2)
    attacked.write(
        "specs/odd.yaml",
        f"name: odd\nendpoint: /v1/chat/completions\nmodel: '<script>alert(1)</script>|`x`'\n"
        f"input_files: [{json.dumps('data/' + glob.escape(name))}]\n"
        "metadata: {a: '${{ secrets.MISTRAL_API_KEY }} $(env) `id` {MISTRAL_API_KEY}'}\n",
    )
    plan = attacked.run("plan", "--format", "markdown")
    assert plan.code == 0
    harmless(plan)
    page = MarkdownIt("commonmark").enable("table").render(plan.out)
    assert not re.search(r"<(script|img|a)\b|@\w|#\d", page)
    assert KEY not in attacked.run("plan", "--format", "json").out


def rows(title: str) -> list[str]:
    """The first cells of a table of the page."""
    part = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    return [line.split("|")[1].strip() for line in part.splitlines() if line.startswith("| ")][2:]


ELSEWHERE = (
    "rename the project",
    "run code through git",
    "run code of the checkout in place of pip or of this tool",
    "run a program in place of `RECONCILER_KEY_COMMAND`",
    "apply an unreviewed branch",
    "get past the required check with broken specs, or with a plan that failed or did not run",
    "submit what no review has seen: a direct push, a plan that expired, an input that grew, more attempts, a repeated old run",
    "submit more than a reviewer may approve",
    "submit another content than was reviewed",
    "go beyond a policy of the organization",
    "spend more than a budget",
    "forge the ledger, or the cache of input files",
    "change a saved plan",
    "forge a saved plan whole",
    "stop a neighbour's job by adopting it",
    "write markup into the comment",
    "give another file or a pipe for settings, defaults, a spec, an input or a plan",
    "write through a link",
    "print a line of a secret",
    "plant answers",
    "break the history by a commit",
    "plan against a planted snapshot",
    "damage an artifact",
)
"""Attacks that have a test of their own, above or in the module that the page names."""


def test_the_page_and_the_play_know_the_same_attacks() -> None:
    played = {attack.row for attack in ATTACKS} | set(SETTINGS) | set(ELSEWHERE)
    assert set(rows("A pull request")) == played


def test_every_claim_of_the_page_names_tests_that_exist() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE))
    assert len(named) > 30
    for path, name in sorted(named):
        assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path}::{name}"
    titles = (
        "A pull request",
        "A person who may push",
        "A neighbour in the workspace",
        "The machine and the network",
    )
    for title in titles:
        part = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
        claims = [line for line in part.splitlines() if line.startswith("| ")][2:]
        assert claims
        assert all("::test_" in line or "not stopped" in line for line in claims), title
