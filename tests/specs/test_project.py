from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.errors import ReconcilerError, SpecError
from reconciler.settings import Guards, Limits
from reconciler.specs.load import load
from reconciler.specs.project import load_project


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> list[tuple[str, str, str]]:
    write(folder / "reconciler.yaml", text)
    with pytest.raises(SpecError) as caught:
        load_project(None, start=folder)
    return [(problem.where, problem.message, problem.hint) for problem in caught.value.problems]


def test_one_line_is_enough(tmp_path: Path) -> None:
    write(tmp_path / "reconciler.yaml", "project: demo\n")
    project = load_project(None, start=tmp_path)
    assert project.root == tmp_path.resolve()
    assert project.config_path == tmp_path.resolve() / "reconciler.yaml"
    assert project.spec_root == tmp_path.resolve() / "specs"
    assert project.settings.limits == Limits()
    assert project.settings.guards == Guards(max_cancels=10, max_cancel_share=0.5, max_new_requests=None)


def test_settings_are_read(tmp_path: Path) -> None:
    text = "project: demo\nspecs: jobs/batch\nlimits: {in_flight: 2.0}\nguards: {max_new_requests: 5}\n"
    write(tmp_path / "reconciler.yaml", text)
    project = load_project(None, start=tmp_path)
    assert project.spec_root == tmp_path.resolve() / "jobs/batch"
    assert project.settings.limits.in_flight == 2
    assert project.settings.guards.max_new_requests == 5


def test_uploads_that_expire_before_they_may_be_used_again_are_refused(tmp_path: Path) -> None:
    text = "project: demo\nuploads:\n  expiry_hours: 48\n"
    assert refused(tmp_path, text) == [
        (
            "reconciler.yaml:3:17",
            "uploads.expiry_hours: must be more than `reuse_hours` (168); otherwise no upload is ever reused",
            "lower `reuse_hours`, or set `reuse: false`",
        )
    ]
    for more in ("reuse_hours: 47", "reuse: false"):
        write(tmp_path / "reconciler.yaml", f"{text}  {more}\n")
        assert load_project(None, start=tmp_path).settings.uploads.expiry_hours == 48


def test_the_file_is_found_from_below(tmp_path: Path) -> None:
    write(tmp_path / "reconciler.yaml", "project: demo\n")
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    assert load_project(None, start=below).root == tmp_path.resolve()


def test_the_search_ends_at_the_repository(tmp_path: Path) -> None:
    write(tmp_path / "reconciler.yaml", "project: other\n")
    (tmp_path / "repository/.git").mkdir(parents=True)
    (tmp_path / "repository/below").mkdir()
    with pytest.raises(ReconcilerError, match=r"no reconciler\.yaml in"):
        load_project(None, start=tmp_path / "repository/below")
    write(tmp_path / "repository/reconciler.yaml", "project: mine\n")
    assert load_project(None, start=tmp_path / "repository/below").settings.project == "mine"


def test_a_work_tree_whose_git_is_a_file_ends_the_search_too(tmp_path: Path) -> None:
    write(tmp_path / "reconciler.yaml", "project: other\n")
    write(tmp_path / "tree/.git", "gitdir: elsewhere\n")
    with pytest.raises(ReconcilerError, match=r"no reconciler\.yaml in"):
        load_project(None, start=tmp_path / "tree")


def test_a_missing_file_is_reported_with_the_lines_to_write(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    with pytest.raises(ReconcilerError) as caught:
        load_project(None, start=tmp_path)
    assert "    project: my-team\n    specs: specs" in caught.value.hint


def test_another_file_can_be_named(tmp_path: Path) -> None:
    write(tmp_path / "reconciler.yaml", "project: demo\n")
    other = write(tmp_path / "prod.yaml", "project: prod\n")
    project = load_project(other, start=Path("/"))
    assert (project.settings.project, project.config_path.name) == ("prod", "prod.yaml")
    with pytest.raises(ReconcilerError, match=r"missing.yaml does not exist") as caught:
        load_project(tmp_path / "missing.yaml", start=tmp_path)
    assert "create missing.yaml" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "where", "message", "hint"),
    [
        ("", "reconciler.yaml:1:1", "empty", "`project: my-team`"),
        ("project: a\n---\nproject: b\n", "reconciler.yaml:3:1", "more than one document", "one mapping"),
        ("specs: specs\n", "reconciler.yaml:1:1", "`project` or `environments` is missing", "exactly one"),
        ("project:\n", "reconciler.yaml:1:9", "project: empty", "give it a value"),
        ("project: My Team\n", "reconciler.yaml:1:10", "project: not a project name", "1 to 100 of"),
        ("- project\n", "reconciler.yaml:1:1", "must be a mapping, not a list", "`name: value`"),
        (
            "project: a\nspecs: ..\n",
            "reconciler.yaml:2:8",
            "specs: leads out of the project",
            "name a folder",
        ),
        (
            "project: a\nspecs: /specs\n",
            "reconciler.yaml:2:8",
            "specs: leads out of the project",
            "name a folder",
        ),
        (
            "project: a\nprojcet: a\n",
            "reconciler.yaml:2:1",
            "projcet: unknown field",
            "did you mean `project`?",
        ),
        (
            "project: a\nin_flight: 3\n",
            "reconciler.yaml:2:1",
            "in_flight: unknown field",
            "belongs under `limits`",
        ),
        (
            "project: a\nlimits: {in_flight: 0}\n",
            "reconciler.yaml:2:21",
            "limits.in_flight: must be 1 to 64",
            "",
        ),
        (
            "project: a\nlimits: {file_bytes: 0}\n",
            "reconciler.yaml:2:22",
            "limits.file_bytes: must be 1 to 2,000,000,000",
            "",
        ),
        (
            "project: a\nlimits: {timeout_seconds: 0}\n",
            "reconciler.yaml:2:27",
            "limits.timeout_seconds: must be more than 0, at most 3,600",
            "",
        ),
        (
            "project: a\nlimits: {deadline_seconds: 0}\n",
            "reconciler.yaml:2:28",
            "limits.deadline_seconds: must be more than 0, at most 86,400",
            "",
        ),
        (
            "project: a\nguards: {max_new_requests: many}\n",
            "reconciler.yaml:2:28",
            "guards.max_new_requests: must be a whole number, not text",
            "",
        ),
        (
            "project: a\nbase_url: http://x.example\n",
            "reconciler.yaml:2:1",
            "base_url: unknown field",
            "remove the line; no file says where the API key goes: pass --base-url, or set MISTRAL_BASE_URL",
        ),
        (
            "project: a\nproject: b\n",
            "reconciler.yaml:2:1",
            "duplicate key `project`, first on line 1",
            "remove one",
        ),
        ("project: [\n", "reconciler.yaml:1:10", "missing `]` or `}`", "close the list or mapping"),
        (
            'project: a\nspecs: "s\\0"\n',
            "reconciler.yaml:2:8",
            "specs: not a folder",
            "below that of this file",
        ),
    ],
)
def test_mistakes_are_reported_with_their_place(
    tmp_path: Path, text: str, where: str, message: str, hint: str
) -> None:
    ((found_where, found_message, found_hint),) = refused(tmp_path, text)
    assert (found_where, found_message) == (where, message)
    assert hint in found_hint


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "reconciler.yaml", f"project: demo\n#{'x' * 1_000_000}\n")
    with pytest.raises(ReconcilerError, match="too large for settings"):
        load_project(None, start=tmp_path)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_bytes(b"project: \xff\n")
    with pytest.raises(SpecError) as caught:
        load_project(None, start=tmp_path)
    assert caught.value.problems[0].where == "reconciler.yaml:1:10"


def test_flags_come_on_top_by_replacing(tmp_path: Path) -> None:
    write(tmp_path / "reconciler.yaml", "project: demo\n")
    project = load_project(None, start=tmp_path)
    settings = replace(project.settings, ledger="git")
    assert replace(project, settings=settings).settings.ledger == "git"


def test_a_folder_with_a_name_too_long_for_any_is_one_that_is_missing(tmp_path: Path) -> None:
    write(tmp_path / "reconciler.yaml", f"project: demo\nspecs: {'s' * 5000}\n")
    with pytest.raises(ReconcilerError, match="does not exist beside") as refused:
        load(load_project(None, start=tmp_path), now=0)
    assert refused.value.hint
