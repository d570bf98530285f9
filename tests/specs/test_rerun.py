from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ReconcilerError, UsageError
from reconciler.model import Retry
from reconciler.settings import Limits
from reconciler.specs import field_edit, rerun
from reconciler.specs.load import load
from reconciler.specs.project import load_project
from reconciler.specs.yaml import reader
from reconciler.specs.yaml.source import SourceFile

NOW = 1_790_000_000.0
LINE = '{"custom_id":"1","body":{"messages":[]}}\n'
REST = "endpoint: /v1/chat/completions\nmodel: m\ninput_files: [one.jsonl]\n"


def project_of(root: Path, **texts: str) -> Path:
    (root / "reconciler.yaml").write_text("project: shop\n")
    specs = root / "specs"
    specs.mkdir(exist_ok=True)
    for name in ("one", "two"):
        (specs / f"{name}.jsonl").write_text(LINE.replace('"1"', f'"{name}"'))
    for name, text in texts.items():
        (specs / f"{name}.yaml").write_bytes(text.encode())
    return specs


def edited(root: Path, name: str = "a", to: str | None = None) -> field_edit.Edit:
    project = load_project(None, start=root)
    loaded = load(project, now=NOW)
    change = rerun.rerun_edit(project, loaded.specs, loaded.later, name, to)
    field_edit.write(project, change)
    return change


CASES = {
    "a number gets one more": (f"name: a\n{REST}rerun: 2\n", None, f"name: a\n{REST}rerun: 3\n", 5),
    "ten follows nine": (f"name: a\n{REST}rerun: 9\n", None, f"name: a\n{REST}rerun: 10\n", 5),
    "a comment beside it stays": (
        f"name: a\n{REST}rerun: 2   # why\n# end\n",
        None,
        f"name: a\n{REST}rerun: 3   # why\n# end\n",
        5,
    ),
    "double quotes stay": (f'name: a\n{REST}rerun: "2"\n', None, f'name: a\n{REST}rerun: "3"\n', 5),
    "single quotes stay": (f"name: a\n{REST}rerun: '2'\n", None, f"name: a\n{REST}rerun: '3'\n", 5),
    "CRLF stays": (
        f"name: a\n{REST}rerun: 2\n".replace("\n", "\r\n"),
        None,
        f"name: a\n{REST}rerun: 3\n".replace("\n", "\r\n"),
        5,
    ),
    "a byte order mark stays": (
        f"\ufeffname: a\n{REST}rerun: 2\n",
        None,
        f"\ufeffname: a\n{REST}rerun: 3\n",
        5,
    ),
    "no value counts as nought": (f"name: a\n{REST}rerun:\n", None, f"name: a\n{REST}rerun: 1\n", 5),
    "no value before a comment": (
        f"name: a\n{REST}rerun: # not yet\n",
        None,
        f"name: a\n{REST}rerun: 1 # not yet\n",
        5,
    ),
    "null counts as nought": (f"name: a\n{REST}rerun: null\n", None, f"name: a\n{REST}rerun: 1\n", 5),
    "an empty text counts as nought": (
        f'name: a\n{REST}rerun: ""\n',
        None,
        f'name: a\n{REST}rerun: "1"\n',
        5,
    ),
    "a document without a rerun gets one below its name": (
        f"# head\nname: a  # who\n{REST}",
        None,
        f"# head\nname: a  # who\nrerun: 1\n{REST}",
        3,
    ),
    "below the name with CRLF": (
        f"name: a\n{REST}".replace("\n", "\r\n"),
        None,
        f"name: a\nrerun: 1\n{REST}".replace("\n", "\r\n"),
        2,
    ),
    "below a name at the end of a file without a last line break": (
        f"{REST}name: a",
        None,
        f"{REST}name: a\nrerun: 1\n",
        5,
    ),
    "an indented document": (
        "".join(f"  {line}\n" for line in f"name: a\n{REST}".splitlines()),
        None,
        "".join(f"  {line}\n" for line in f"name: a\nrerun: 1\n{REST}".splitlines()),
        2,
    ),
    "a document on one line": (
        "{name: a, endpoint: /v1/chat/completions, model: m, input_files: [one.jsonl]}\n",
        None,
        "{name: a, rerun: 1, endpoint: /v1/chat/completions, model: m, input_files: [one.jsonl]}\n",
        1,
    ),
    "JSON stays JSON": (
        '{"name": "a", "endpoint": "/v1/chat/completions", "model": "m", "input_files": ["one.jsonl"]}\n',
        None,
        '{"name": "a", "rerun": 1, "endpoint": "/v1/chat/completions", "model": "m", "input_files": ["one.jsonl"]}\n',
        1,
    ),
    "the other documents stay": (
        f"name: b\n{REST.replace('one', 'two')}rerun: 2\n---\n# the other\nname: a\n{REST}rerun: 2\n",
        None,
        f"name: b\n{REST.replace('one', 'two')}rerun: 2\n---\n# the other\nname: a\n{REST}rerun: 3\n",
        12,
    ),
    "a text of one's own": (f"name: a\n{REST}rerun: x\n", "2026 w1", f'name: a\n{REST}rerun: "2026 w1"\n', 5),
    "a text that YAML could take for something else": (
        f"name: a\n{REST}rerun: x\n",
        "no",
        f"name: a\n{REST}rerun: no\n",
        5,
    ),
    "a text of numbers stays a text": (
        f"name: a\n{REST}rerun: x\n",
        "007",
        f'name: a\n{REST}rerun: "007"\n',
        5,
    ),
    "quotes inside quotes": (f"name: a\n{REST}rerun: 'x'\n", "it's", f"name: a\n{REST}rerun: 'it''s'\n", 5),
}


@pytest.mark.parametrize(("before", "to", "after", "line"), CASES.values(), ids=list(CASES))
def test_the_value_changes_and_nothing_else(
    tmp_path: Path, before: str, to: str | None, after: str, line: int
) -> None:
    specs = project_of(tmp_path, a=before)
    change = edited(tmp_path, to=to)
    assert (specs / "a.yaml").read_bytes().decode() == after
    assert (change.path, change.line) == ("specs/a.yaml", line)
    (spec,) = (it for it in load(load_project(None, start=tmp_path), now=NOW).specs if it.name == "a")
    assert spec.rerun == change.after


@pytest.mark.parametrize(
    ("text", "said"),
    {
        "a word is not a number to increase": (
            f"name: a\n{REST}rerun: 2026-11\n",
            "is not a number to increase",
        ),
        "a calendar": (f"name: a\n{REST}rerun: {{every: week}}\n", "is a period"),
        "an alias": (f"name: a\n{REST}timeout_hours: &n 2\nrerun: *n\n", "cannot edit `rerun`"),
        "a block of text": (f"name: a\n{REST}rerun: >-\n  2\n", "cannot edit `rerun`"),
    }.values(),
)
def test_what_is_not_edited_is_said_and_the_file_stays(tmp_path: Path, text: str, said: str) -> None:
    specs = project_of(tmp_path, a=text)
    with pytest.raises(ReconcilerError, match=said) as refused:
        edited(tmp_path)
    assert refused.value.hint
    assert (specs / "a.yaml").read_text() == text


def test_one_of_a_family_would_create_all_of_it_again(tmp_path: Path) -> None:
    text = "name: '{stem}'\nendpoint: /v1/chat/completions\nmodel: m\nfor_each: {files: ['*.jsonl']}\n"
    project_of(tmp_path, a=text)
    with pytest.raises(UsageError, match=r"in a family \(specs/a\.yaml:1 makes 2 jobs\)"):
        edited(tmp_path, "one")


@pytest.mark.parametrize("matrix", ["{model: [m1]}", "{model: [m1, m2]}", "{model: [m1], rerun: [1, 2]}"])
def test_one_of_a_matrix_would_create_all_of_it_again(tmp_path: Path, matrix: str) -> None:
    text = f"name: 'c-{{model}}'\n{REST}matrix: {matrix}\n".replace("model: m\n", "")
    text = text.replace("{model}", "{model}-{rerun}") if "rerun" in matrix else text
    project_of(tmp_path, a=text)
    with pytest.raises(UsageError, match="in a family"):
        edited(tmp_path, "c-m1-1" if "rerun" in matrix else "c-m1")


def test_a_family_is_not_edited_by_its_common_name(tmp_path: Path) -> None:
    text = "name: n-{stem}\nendpoint: /v1/chat/completions\nmodel: m\nfor_each: {files: ['*.jsonl']}\n"
    project_of(tmp_path, a=text)
    with pytest.raises(UsageError, match="is a family of jobs"):
        edited(tmp_path, "n-*")


def test_a_period_that_has_not_begun_is_said(tmp_path: Path) -> None:
    project_of(tmp_path, a=f"name: a\n{REST}rerun: {{every: week, start: 2999-01-01}}\n")
    with pytest.raises(UsageError, match="the first one has not begun") as refused:
        edited(tmp_path)
    assert refused.value.hint.startswith("wait until it begins")


def test_an_unknown_name_says_which_was_meant(tmp_path: Path) -> None:
    project_of(tmp_path, a=f"name: tickets\n{REST}")
    with pytest.raises(UsageError) as refused:
        edited(tmp_path, "tikets")
    assert refused.value.hint == "did you mean `tickets`?"


def test_a_value_of_the_defaults_is_overridden_in_the_spec(tmp_path: Path) -> None:
    specs = project_of(tmp_path, a=f"name: a\n{REST}", _defaults="rerun: 4\n")
    change = edited(tmp_path)
    assert (specs / "a.yaml").read_text() == f"name: a\nrerun: 5\n{REST}"
    assert (specs / "_defaults.yaml").read_text() == "rerun: 4\n"
    assert (change.before, change.after, change.overrides) == ("4", "5", "specs/_defaults.yaml:1")


def test_a_calendar_of_the_defaults_is_not_overridden(tmp_path: Path) -> None:
    project_of(tmp_path, a=f"name: a\n{REST}", _defaults="rerun: {every: week}\n")
    with pytest.raises(UsageError, match=r"the `rerun` of a is a period \(specs/_defaults.yaml:1\)"):
        edited(tmp_path)


@pytest.mark.parametrize("to", ["", "ä", "a\nb", "x" * 65, "2"])
def test_an_invalid_or_unchanged_value_is_refused(tmp_path: Path, to: str) -> None:
    project_of(tmp_path, a=f"name: a\n{REST}rerun: 2\n")
    with pytest.raises(UsageError):
        edited(tmp_path, to=to)


def test_a_link_inside_the_project_is_followed_and_permissions_stay(tmp_path: Path) -> None:
    specs = project_of(tmp_path)
    real = tmp_path / "real.yaml"
    real.write_text(f"name: a\n{REST}rerun: 2\n")
    real.chmod(0o640)
    (specs / "a.yaml").symlink_to(real)
    edited(tmp_path)
    assert (specs / "a.yaml").is_symlink()
    assert real.read_text().endswith("rerun: 3\n")
    assert real.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".reconciler-")] == []


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_leaves_the_file(tmp_path: Path) -> None:
    specs = project_of(tmp_path, a=f"name: a\n{REST}rerun: 2\n")
    specs.chmod(0o500)
    try:
        with pytest.raises(OSError, match="ermission"):
            edited(tmp_path)
    finally:
        specs.chmod(0o700)
    assert (specs / "a.yaml").read_text().endswith("rerun: 2\n")


PIECES = st.sampled_from(
    [
        "rerun: 7\n",
        "rerun: '7'\n",
        'rerun: "7"\n',
        "rerun: 7 # x\n",
        "rerun:   7\n",
        '"rerun": 7\n',
        "rerun: &a 7\n",
        "",
    ]
)
AROUND = st.lists(
    st.sampled_from(
        [
            "# rerun: 1\n",
            "\n",
            "metadata: {rerun: '1'}\n",
            "timeout_hours: 7\n",
            "on_remove: keep\n",
            "checks: {failed: 0}\n",
        ]
    ),
    unique=True,
)


@given(
    AROUND, PIECES, AROUND, st.sampled_from(["\n", "\r\n"]), st.sampled_from([None, "x", "a b", "1.10", "no"])
)
def test_the_text_around_it_stays(
    above: list[str], piece: str, below: list[str], ending: str, to: str | None
) -> None:
    rest = [line for line in below if line not in above or line in "\n# rerun: 1\n"]
    text = "".join(["name: a\n", *above, REST, piece, *rest]).replace("\n", ending)
    source = SourceFile("a.yaml", text)
    (document,) = reader.read(source, Limits())[0]
    after = to or "8"
    changed = field_edit.changed(document, ("rerun",), after, field_edit.written(after))
    line = field_edit.verified(document, changed, ("rerun",), after, Limits())
    was, now = text.split(ending), changed.split(ending)
    assert "rerun" in now[line - 1]
    del now[line - 1]
    if piece:
        del was[line - 1]
    assert was == now


def allowed(root: Path, name: str = "a") -> field_edit.Edit:
    project = load_project(None, start=root)
    loaded = load(project, now=NOW)
    change = rerun.retry_edit(project, loaded.specs, loaded.later, name)
    field_edit.write(project, change)
    return change


ATTEMPTS = {
    "a number gets one more": (f"name: a\n{REST}retry: {{max_attempts: 3}} # why\n", 4),
    "in a block": (f"name: a\n{REST}retry:\n  # often\n  max_attempts: 3\n  on: [FAILED]\n", 4),
    "quotes and spaces stay": (f'name: a\n{REST}"retry": {{ "max_attempts":  3 }}\n', 4),
}


@pytest.mark.parametrize(("text", "after"), ATTEMPTS.values(), ids=list(ATTEMPTS))
def test_an_attempt_more_changes_the_number_alone(tmp_path: Path, text: str, after: int) -> None:
    specs = project_of(tmp_path, a=text)
    change = allowed(tmp_path)
    assert (specs / "a.yaml").read_text() == text.replace("3", str(after))
    assert (change.field, change.before, change.after) == ("retry.max_attempts", "3", str(after))
    assert "max_attempts" in text.splitlines()[change.line - 1]


JSON = '"endpoint": "/v1/chat/completions", "model": "m", "input_files": ["one.jsonl"]'
MORE = {
    "a spec without it": (f"name: a # who\n{REST}", f"name: a # who\nretry: {{max_attempts: N}}\n{REST}"),
    "a mapping without it": (
        f"name: a\n{REST}retry:\n  on: [FAILED]\n",
        f"name: a\n{REST}retry:\n  max_attempts: N\n  on: [FAILED]\n",
    ),
    "a mapping on one line": (
        f"name: a\n{REST}retry: {{on: [FAILED]}}\n",
        f"name: a\n{REST}retry: {{max_attempts: N, on: [FAILED]}}\n",
    ),
    "JSON stays JSON": (
        f'{{"name": "a", {JSON}}}',
        f'{{"name": "a", "retry": {{"max_attempts": N}}, {JSON}}}',
    ),
}


@pytest.mark.parametrize(("before", "after"), MORE.values(), ids=list(MORE))
def test_an_attempt_more_than_the_default_is_written_down(tmp_path: Path, before: str, after: str) -> None:
    specs = project_of(tmp_path, a=before)
    number = str(Retry().max_attempts + 1)
    assert allowed(tmp_path).after == number
    assert (specs / "a.yaml").read_text() == after.replace("N", number)


def test_an_attempt_more_than_the_defaults_allow_keeps_what_else_they_say(tmp_path: Path) -> None:
    defaults = "retry: {max_attempts: 4, on: [FAILED, http_400]}\n"
    specs = project_of(tmp_path, a=f"name: a\n{REST}", _defaults=defaults)
    change = allowed(tmp_path)
    assert (change.after, change.overrides) == ("5", "specs/_defaults.yaml:1")
    (spec,) = load(load_project(None, start=tmp_path), now=NOW).specs
    assert spec.retry.words == ("FAILED", "http_400")
    assert spec.retry.max_attempts == 5
    assert (specs / "_defaults.yaml").read_text() == defaults


@pytest.mark.parametrize("name", ["n-one", "n-*"])
def test_a_family_gets_an_attempt_more_for_all_of_its_jobs(tmp_path: Path, name: str) -> None:
    text = "name: n-{stem}\nendpoint: /v1/chat/completions\nmodel: m\nfor_each: {files: ['*.jsonl']}\n"
    project_of(tmp_path, a=text)
    number = int(allowed(tmp_path, name).after)
    specs = load(load_project(None, start=tmp_path), now=NOW).specs
    assert [spec.retry.max_attempts for spec in specs] == [number, number]


@pytest.mark.parametrize(
    "text",
    [
        f"name: a\n{REST}retry: {{max_attempts: 10}}\n",
        f"name: a\n{REST}timeout_hours: &n 2\nretry: {{max_attempts: *n}}\n",
    ],
)
def test_where_no_attempt_more_can_be_written_the_file_stays(tmp_path: Path, text: str) -> None:
    specs = project_of(tmp_path, a=text)
    with pytest.raises(ReconcilerError) as refused:
        allowed(tmp_path)
    assert refused.value.hint
    assert (specs / "a.yaml").read_text() == text
