"""Hints for values that are often written in another form: each says what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.model import Names
from reconciler.specs.load import load
from tests.specs.make import NOW, loaded, problems, project, spec

INLINE = spec(input_files=None) + "requests:\n  - custom_id: a\n    body: {input: [x], BODY}\n"
FOR_EACH = spec(name="'t-{NAME}'", input_files=None, for_each="{files: [data.jsonl]}")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (spec(retry="3"), "retry: must be a mapping", "write a mapping: `retry: {max_attempts: 3}`"),
        (
            spec(input_files=None, for_each="x"),
            "for_each: must be a mapping",
            "write a mapping: `for_each: {files: [data/*.jsonl]}`",
        ),
        (spec(metadata="x"), "metadata: must be a mapping", "write a mapping: `metadata: {team: search}`"),
        (spec(metadata="{team: support: x}"), "unexpected `:`", "put text that contains `: ` in quotes"),
        (
            spec(model="[a, b]"),
            "model: must be text, not a list",
            "for one job per value, write `matrix: {model: [a, b]}`",
        ),
        (spec(model="{model}"), "model: must be text, not a mapping", "specs have no variables"),
        (spec(model="${MODEL}"), "model: not a model name", "specs have no variables"),
        (spec(model="m-$X"), "model: not a model name", "one word"),
        (spec(endpoint="/v1/{e}"), "endpoint: not an endpoint", "specs have no variables"),
        (spec(timeout_hours="24h"), "timeout_hours: must be a whole number", "write `24`: the number is in hours"),
        (spec(timeout_hours="2 days"), "timeout_hours: must be", "write `48`: the number is in hours"),
        (spec(checks="{failed: 5%}"), "checks.failed: must be a number", "write `0.05`: it is a share"),
        (spec(rerun="{every: night}"), "rerun.every: must be `day`", "write `day`"),
        (spec(rerun="{every: weekly}"), "rerun.every: must be `day`", "write `week`"),
        (spec(sample="3"), "sample: unknown field", "write `canary: {requests: 20}`"),
        (spec(schedule="daily"), "schedule: unknown field", "write `rerun: {every: day}`"),
        ("x-common: &m {model: m}\n" + spec(), "x-common: unknown field", "`_defaults.yaml`"),
        ("x: &m {model: m}\n" + spec(model=None) + "<<: *m\n", "the merge key `<<` is not", "`_defaults.yaml`"),
        (spec(name="'t-{file}'"), "name: not a name", "did you mean `{stem}`, the name of a file in a spec with"),
        (FOR_EACH.replace("NAME", "file"), "name: not a name", "did you mean `{stem}`, the name of a file in"),
        (
            FOR_EACH.replace("NAME", "stem") + "metadata: {a: '{folder}'}\n",
            "unknown placeholder `{folder}`",
            "did you mean `{dir}`, the folder of a file in",
        ),
        *((spec(name=name), f"Windows permits no folder `{name}`", hint) for name, hint in (
            ("nul", "extend it: `nul-job`"), ("con.x", "extend it: `con-job`"), ("com1", "extend it"),
            ("aux", "extend it"), ("a.", "remove the final `.`"),
        )),
    ],
)  # fmt: skip
def test_a_hint_says_what_to_write(tmp_path: Path, text: str, message: str, hint: str) -> None:
    found = [it for it in problems(tmp_path, {"a.yaml": text}) if message in it.message]
    assert len(found) == 1, problems(tmp_path, {"a.yaml": text})
    assert hint in found[0].hint


@pytest.mark.parametrize("name", ["null", "console", "a.b", "auxiliary", "com", "nul-x"])
def test_a_name_that_only_begins_like_a_device_is_taken(tmp_path: Path, name: str) -> None:
    (one,) = loaded(tmp_path, {"a.yaml": spec(name=f'"{name}"')}).specs
    assert one.name == name


PERIODS = {
    "day": (
        "daily",
        "every day",
        "each day",
        "day",
        "nightly",
        "every night",
        "Daily",
        "once a day",
        "@daily",
    ),
    "week": ("weekly", "every week", "week", "@weekly"),
    "month": ("monthly", "every month", "once a month"),
}
OTHERS = ("hourly", "every hour", "yearly", "0 3 * * *", "*/5 * * * 1-5")


@pytest.mark.parametrize(
    ("text", "hint"),
    [(text, f"write `rerun: {{every: {period}}}`") for period, texts in PERIODS.items() for text in texts]
    + [(text, "write `rerun: {every: day}`, `week` or `month`") for text in OTHERS],
)
def test_a_period_as_text_is_refused(tmp_path: Path, text: str, hint: str) -> None:
    for files in (
        {"a.yaml": spec(rerun=f'"{text}"')},
        {"a.yaml": spec(), "_defaults.yaml": f'rerun: "{text}"\n'},
        {"a.yaml": spec(name="'a-{rerun}'", matrix=f'{{rerun: ["{text}", x]}}')},
    ):
        (found,) = [it for it in problems(tmp_path, files) if "never changes by itself" in it.message]
        assert found.hint == hint
        (tmp_path / "specs/_defaults.yaml").unlink(missing_ok=True)


def test_a_period_as_text_is_reported_with_the_other_problems(tmp_path: Path) -> None:
    found = problems(tmp_path, {"a.yaml": spec(rerun="daily", timeout_hours="24h")})
    assert [it.message.split(":")[0] for it in found] == ["rerun", "timeout_hours"]


@pytest.mark.parametrize("text", ["2", "2026-11", "night-2", "dayz", "week 48", "v1", "1 2 3"])
def test_other_text_is_a_rerun(tmp_path: Path, text: str) -> None:
    (one,) = loaded(tmp_path, {"a.yaml": spec(rerun=f'"{text}"')}).specs
    assert one.rerun == text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("stream: no", "`body.stream` must be false in a batch"),
        ("safe_prompt: on", "`body.safe_prompt` is text, not true or false"),
        ("max_tokens: 1_000", "`body.max_tokens` is text, not a whole number"),
    ],
)
def test_a_word_that_yaml_1_1_reads_otherwise_is_a_warning_in_a_field_of_another_type(
    tmp_path: Path, body: str, message: str
) -> None:
    chat = spec(endpoint="/v1/chat/completions", model="mistral-small-2603", input_files=None)
    requests = (
        f"requests:\n  - custom_id: a\n    body: {{messages: [{{role: user, content: yes}}], {body}}}\n"
    )
    (warning,) = loaded(tmp_path, {"a.yaml": chat + requests, "b.yaml": spec(name="b")}).warnings
    assert warning.message == f"requests[0]: {message}"
    assert not warning.excerpt, "a line of requests may be a prompt"


def test_an_anchor_and_a_default_keep_their_places(tmp_path: Path) -> None:
    project(tmp_path, {"_defaults.yaml": "timeout_hours: 24h\n", "a.yaml": spec()})
    (found,) = problems(tmp_path, {"a.yaml": spec()})
    assert (found.where, found.hint) == ("specs/_defaults.yaml:1:16", "write `24`: the number is in hours")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            spec(name="t-{model}", model=None, matrix="{model: [m], exclude: [{model: m}]}"),
            "excludes every job",
            "remove an entry",
        ),
        (spec(rerun="{every: day, start: 2026-02-30}"), "rerun.start: no such day", "name a real day"),
    ],
)
def test_what_leaves_no_job_says_what_to_do(tmp_path: Path, text: str, message: str, hint: str) -> None:
    (problem,) = problems(tmp_path, {"a.yaml": text})
    assert message in problem.message
    assert problem.hint == hint


def test_a_folder_without_a_job_that_is_due_says_what_to_do(tmp_path: Path) -> None:
    place = project(tmp_path, {"a.yaml": spec(), "b/c.md": ""})
    with pytest.raises(UsageError, match="declares no job that is due") as refused:
        load(place, [tmp_path / "specs/b"], now=NOW)
    assert refused.value.hint


def test_an_unknown_name_that_is_like_no_other_says_where_names_are(tmp_path: Path) -> None:
    place = project(tmp_path, {"a.yaml": spec()})
    with pytest.raises(UsageError, match="no declared job has the name zzz") as refused:
        load(place, names=Names(only=("zzz",)), now=NOW)
    assert refused.value.hint == "list the names: reconciler render"
