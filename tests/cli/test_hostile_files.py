"""What a checkout can make of the files that the tool reads and writes: links, pipes, folders, and planted results."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import reconciler
from reconciler.errors import ReconcilerError

from .stage import Result, Stage
from .test_init import by_hand

KEY = "Sk-Very-Distinctive-0123456789-Key"
SPEC = "name: bad\nendpoint: /v1/chat/completions\nmodel: {}\ninput_files: [data/tickets.jsonl]\n"

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="links need rights, and there are no pipes with names"
)


def make_repository(stage: Stage) -> None:
    stage.spec("tickets")
    stage.commit("begin")


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    """A project in a repository, beside a file with a key."""
    (tmp_path / "project").mkdir()
    (tmp_path / "KEY").write_text(f"{KEY}\n")
    stage = Stage(tmp_path / "project", capsys)
    stage.prepare(make_repository)
    return stage


def link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


ODD = {
    "a key file": (
        link("../KEY"),
        "it is a link that leads out of the project",
        "put the file itself in its place",
    ),
    "the environment": (
        link("/proc/self/environ"),
        "it is a link that leads out of the project",
        "put the file itself",
    ),
    "a device": (link("/dev/zero"), "it is a link that leads out of the project", "put the file itself"),
    "a pipe": (os.mkfifo, "it is a pipe, not a regular file", "put a regular file in its place"),
    "a link to a pipe": (
        link("specs/pipe"),
        "it is a pipe, not a regular file",
        "put a regular file in its place",
    ),
    "a folder": (Path.mkdir, "it is a folder, not a regular file", "put a regular file in its place"),
}


@pytest.mark.parametrize(("make", "what", "hint"), ODD.values(), ids=ODD.keys())
def test_settings_that_are_no_file_of_the_project_are_named_and_not_read(
    stage: Stage, make: Callable[[Path], object], what: str, hint: str
) -> None:
    settings = stage.root / "reconciler.yaml"
    settings.unlink()
    os.mkfifo(stage.root / "specs/pipe")
    make(settings)
    for argv in (("validate",), ("plan",), ("validate", "--config", "reconciler.yaml")):
        refused = stage.run(*argv)
        assert (refused.code, refused.out, refused.sent) == (1, "", [])
        assert f"{settings} cannot be read: {what}\n  hint: {hint}" in refused.err
        assert KEY not in refused.err


@pytest.mark.parametrize("name", ["_defaults.yaml", "more.yaml", "data/more.jsonl"])
@pytest.mark.parametrize(
    "make", [link("/proc/self/environ"), link("../../KEY"), link("../../../KEY"), os.mkfifo, Path.mkdir]
)
def test_specs_that_are_no_file_of_the_project_are_not_read(
    stage: Stage, name: str, make: Callable[[Path], object]
) -> None:
    make(stage.root / "specs" / name)
    stage.write("specs/reader.yaml", SPEC.format("m").replace("tickets", "more"))
    refused = stage.run("validate")
    assert refused.code == 1
    assert KEY not in refused.out + refused.err


WRITERS = {
    "-o": ("plan", "-o", "out"),
    "--comment": ("plan", "--comment", "out"),
    "--log-file": ("plan", "--log-file", "out"),
    "snapshot": ("jobs", "snapshot", "out"),
    "convert": ("convert", "foreign.jsonl", "-o", "out"),
}


@pytest.mark.parametrize("argv", WRITERS.values(), ids=WRITERS.keys())
@pytest.mark.parametrize("target", ["../victim", ".git/config", "specs/tickets.yaml"])
def test_nothing_is_written_through_a_link_of_the_checkout(
    stage: Stage, argv: tuple[str, ...], target: str
) -> None:
    stage.write(
        "foreign.jsonl",
        '{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}\n',
    )
    (stage.root.parent / "victim").write_text("mine")
    before = (stage.root / target).read_bytes()
    (stage.root / "out").symlink_to(target)
    refused = stage.run(*argv)
    assert (refused.code, refused.writes) == (1, [])
    assert "out" in refused.err
    assert (stage.root / target).read_bytes() == before
    assert (stage.root / "out").is_symlink()


@pytest.mark.parametrize("argv", WRITERS.values(), ids=WRITERS.keys())
def test_nothing_is_written_in_a_folder_that_a_link_of_the_checkout_leads_to(
    stage: Stage, argv: tuple[str, ...]
) -> None:
    stage.write(
        "foreign.jsonl",
        '{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}\n',
    )
    (stage.root.parent / "elsewhere").mkdir()
    (stage.root / "folder").symlink_to("../elsewhere")
    refused = stage.run(*argv[:-1], "folder/out")
    assert refused.code == 1
    assert "it is a link, which is not followed" in refused.err
    assert "hint: remove it, or choose another path" in refused.err
    assert [*(stage.root.parent / "elsewhere").iterdir()] == []


def pull(stage: Stage) -> Path:
    """Apply, let the job end, pull, and return the folder of its results."""
    assert stage.run("apply", "--yes").code == 0
    stage.advance(7200)
    assert stage.run("outputs", "pull").code == 0
    (output,) = (stage.root / "outputs").rglob("output.jsonl")
    return output.parent


@pytest.mark.parametrize("place", ["outputs", "outputs/tickets"])
def test_results_are_not_pulled_through_a_link(stage: Stage, place: str) -> None:
    assert stage.run("apply", "--yes").code == 0
    stage.advance(7200)
    (stage.root.parent / "elsewhere").mkdir()
    shutil.rmtree(stage.root / place)
    (stage.root / place).symlink_to(stage.root.parent / "elsewhere")
    refused = stage.run("outputs", "pull")
    assert refused.code == 1
    assert "it is a link, which is not followed" in refused.out + refused.err
    assert [*(stage.root.parent / "elsewhere").iterdir()] == []


@pytest.mark.parametrize(
    "name",
    [
        "../../results.jsonl.part",
        "../../results.jsonl",
        "output.jsonl.part",
        "asked-spec-0.jsonl",
        "asked.idx",
    ],
)
def test_incomplete_results_are_not_written_through_a_link(stage: Stage, name: str) -> None:
    folder = pull(stage)
    (folder / "summary.json").unlink()
    (folder / "output.jsonl").unlink()
    (stage.root.parent / "victim").write_text("mine")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(stage.root.parent / "victim")
    stage.run("outputs", "pull")
    assert (stage.root.parent / "victim").read_text() == "mine"


def test_answers_and_the_sandbox_can_be_read_by_their_owner_only(stage: Stage) -> None:
    folder = pull(stage)
    private = [
        folder / "output.jsonl",
        folder / "answers.idx",
        folder.parents[1] / "results.jsonl",
        *(stage.root / ".reconciler/sandbox").glob("sandbox.db*"),
    ]
    assert len(private) >= 4
    assert {path.name: path.stat().st_mode & 0o777 for path in private} == dict.fromkeys(
        (it.name for it in private), 0o600
    )


@pytest.mark.parametrize("name", ["output.jsonl", "../../results.jsonl", "../../summary.json"])
def test_results_that_git_tracks_are_refused(stage: Stage, name: str) -> None:
    path = pull(stage) / name
    path.write_text('{"custom_id": "r0", "response": {"status_code": 200, "body": {"content": "FORGED"}}}\n')
    stage.git("add", "--force", str(path))
    for argv in (
        ("outputs", "pull"),
        ("plan",),
        ("history", "--offline"),
        ("outputs", "show"),
        ("outputs", "path", "tickets"),
    ):
        refused = stage.run(*argv)
        assert (refused.code, refused.out, refused.sent) == (1, "", [])
        assert "git tracks results below outputs/, so a pull request could forge answers" in refused.err
        assert "hint: remove them: git rm -r --cached outputs, then commit" in refused.err
    with pytest.raises(ReconcilerError, match="git tracks results below outputs/"):
        reconciler.results("tickets", project=stage.root)
    stage.git("rm", "-r", "--quiet", "--cached", "outputs")
    stage.write("outputs/notes/a.txt", "a person's own file")
    stage.git("add", "--force", "outputs/notes")
    assert stage.run("plan").code == 0


def test_a_result_file_whose_size_is_not_that_of_its_description_is_fetched_again(stage: Stage) -> None:
    folder = pull(stage)
    whole = (folder / "output.jsonl").read_bytes()
    (folder / "summary.json").unlink()
    (folder / "output.jsonl").write_bytes(whole[: len(whole) // 2])
    assert stage.run("outputs", "pull").code == 0
    assert (folder / "output.jsonl").read_bytes() == whole


def excerpts(result: Result) -> list[str]:
    """The lines of files that a result shows."""
    return [
        line[4:]
        for line in (result.out + result.err).splitlines()
        if line.startswith("    ") and line.strip(" ^")
    ]


def test_only_plain_files_that_git_tracks_are_quoted(stage: Stage) -> None:
    stage.write("specs/bad.yaml", SPEC.format("bad model"))
    untracked = stage.run("validate")
    assert excerpts(untracked) == []
    assert "specs/bad.yaml:3:8: model" in untracked.err
    stage.commit("bad")
    assert excerpts(stage.run("validate")) == ["model: bad model"]
    stage.write("secret", SPEC.format("s3cret t0ken"))
    (stage.root / "specs/bad.yaml").unlink()
    (stage.root / "specs/bad.yaml").symlink_to("../secret")
    linked = stage.run("validate")
    assert excerpts(linked) == []
    assert "specs/bad.yaml:3:8: model" in linked.err
    assert "t0ken" not in linked.out + linked.err


def test_a_spec_in_a_folder_that_is_a_link_is_not_quoted(stage: Stage) -> None:
    stage.write("secrets/bad.yaml", SPEC.format("s3cret t0ken").replace("data/", "../specs/data/"))
    (stage.root / "specs/more").symlink_to("../secrets")
    stage.git("add", "specs")
    linked = stage.run("validate")
    assert "specs/more/bad.yaml:3:8: model" in linked.err
    assert "t0ken" not in linked.out + linked.err


def test_settings_that_git_does_not_track_are_not_quoted(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nsecret: t0ken\n")
    assert "t0ken" in stage.run("validate").err
    stage.git("rm", "--quiet", "--cached", "reconciler.yaml")
    refused = stage.run("validate")
    assert "reconciler.yaml:2:1: secret: unknown field" in refused.err
    assert "t0ken" not in refused.err


def test_outside_of_git_every_spec_is_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage(tmp_path, capsys)
    stage.spec("tickets")
    stage.write("specs/bad.yaml", SPEC.format("bad model"))
    assert excerpts(stage.run("validate")) == ["model: bad model"]


def test_a_line_that_holds_the_key_is_quoted_without_it(stage: Stage) -> None:
    stage.environ["MISTRAL_API_KEY"] = KEY
    stage.write("specs/bad.yaml", SPEC.format(f"bad {KEY}"))
    stage.commit("bad")
    assert excerpts(stage.run("validate")) == ["model: bad Key(…)"]
    del stage.environ["MISTRAL_API_KEY"]
    assert excerpts(stage.run("plan", "--api-key-file", "../KEY")) == ["model: bad Key(…)"]


def commands(text: str) -> list[str]:
    """What GitHub's runner takes for a command (`ActionCommand.cs`), apart from annotations."""
    lines = re.split(r"\r\n|\r|\n", text)
    found = [line for line in lines if "##[" in line or line.lstrip().startswith("::")]
    return [line for line in found if not re.match(r"::(error|warning|notice)( [^:]*)?::", line)]


def test_no_file_of_a_checkout_commands_the_runner(stage: Stage) -> None:
    stage.environ["GITHUB_ACTIONS"] = "true"
    stage.write("reconciler.yaml", "project: shop\nspecs: .\n")
    stage.write("::add-mask::buys.yaml", SPEC.format("a b"))
    stage.write("##[set-output name=plan;]x.yaml", SPEC.format("'##[add-mask]y z'"))
    stage.write("x.yaml", "  ::add-mask::z: 1\nname: x\n")
    stage.commit("commands")
    for argv in (
        ("validate",),
        ("plan",),
        ("validate", "--format", "github"),
        ("render",),
        ("apply", "--yes"),
        ("show", "##[x]"),
    ):
        result = stage.run(*argv)
        assert result.code == 1
        assert "##[" not in result.err
        assert commands(result.out + result.err) == []
    reported = json.loads(stage.run("validate", "--format", "json").out)
    assert "##[set-output name=plan;]x.yaml" in {it["path"] for it in reported["problems"]}


def test_no_name_in_the_workspace_commands_the_runner(stage: Stage) -> None:
    by_hand(stage, metadata={"reconciler.project": "##[add-mask]p", "reconciler.name": "##[add-mask]n"})
    assert commands(stage.run("jobs", "list", "--all").out)
    stage.environ["GITHUB_ACTIONS"] = "true"
    for argv in (("plan",), ("status",), ("history",), ("jobs", "list", "--all")):
        result = stage.run(*argv)
        assert result.code == 0
        assert commands(result.out + result.err) == []
    listed = stage.run("jobs", "list", "--all", "--format", "json").out
    assert commands(listed) == []
    assert json.loads(listed)["jobs"][0]["name"] == "##[add-mask]n"


def test_a_message_about_a_word_that_is_the_key_shows_it_without(stage: Stage) -> None:
    stage.environ["MISTRAL_API_KEY"] = KEY
    stage.write("specs/bad.yaml", SPEC.format("m") + f"{KEY}: x\n")
    stage.commit("bad")
    for form in ("text", "json", "github"):
        refused = stage.run("validate", "--format", form)
        assert "Key(…): unknown field" in refused.out + refused.err
        assert KEY not in refused.out + refused.err
    stage.write("reconciler.yaml", f"project: shop\n{KEY}: x\n")
    assert "Key(…): unknown field" in stage.run("plan").err


@pytest.mark.parametrize("name", ["lock", "ledger.jsonl"])
def test_a_link_in_place_of_the_tools_own_file_is_refused_with_the_next_step(stage: Stage, name: str) -> None:
    folder = stage.root / ".reconciler/sandbox/shop"
    folder.mkdir(parents=True)
    (folder / name).symlink_to(stage.root.parent / "KEY")
    refused = stage.run("apply", "--yes")
    assert (refused.code, refused.writes) == (1, [])
    assert f"{folder / name}" in refused.err
    assert (
        "hint: put the file itself in its place" in refused.err or "hint: remove it, or choose" in refused.err
    )
