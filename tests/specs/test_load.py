from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from msgspec.structs import replace

from reconciler.errors import ReconcilerError, SpecError, UsageError
from reconciler.model import Checks, InlineRequests, InputFile, Phase, Position, Retry, UploadedFile, digests
from reconciler.specs.load import load
from reconciler.specs.project import Project
from tests.specs.make import LINE, NOW, SPEC, loaded, problems, project, spec
from tests.specs.mistakes import MISTAKES, corpus

ID = "497f6eca-6276-4993-bfeb-53cbbbba6f09"


def said(root: Path, files: Mapping[str, str | bytes], settings: str = "") -> list[tuple[str, str]]:
    return [(problem.where, problem.message) for problem in problems(root, files, settings)]


def test_nothing_declared_is_nothing_wrong(tmp_path: Path) -> None:
    place = project(tmp_path, {})
    (tmp_path / "specs/data.jsonl").unlink()
    result = load(place, now=NOW)
    assert (result.specs, result.selected, result.warnings) == ((), None, ())


def test_two_hundred_specs_with_sixty_mistakes_report_all_of_them_at_once(tmp_path: Path) -> None:
    files, expected = corpus(200 - len(MISTAKES))
    assert sum(path.endswith(".yaml") for path in files) == 200
    assert len(expected) == len(MISTAKES) >= 60
    assert len({mistake.message for mistake in MISTAKES}) == len(MISTAKES)
    found = problems(tmp_path, files)
    assert {problem.where: problem.message for problem in found} == expected
    assert len(found) == len(expected)
    assert list(found) == sorted(found)


def test_every_field_reaches_the_spec(tmp_path: Path) -> None:
    text = f"""
# a comment first
name: all.of-it_1
endpoint: /v1/chat/completions
agent_id: ag-1
input_files: [sub/*.jsonl, {ID.upper()}, data.jsonl]
metadata: {{team: search, version: 1.10, live: TRUE, since: 2024-01-02, n: 0x1F, quoted: "7"}}
timeout_hours: 48
rerun: 012
suspend: true
retry: {{max_attempts: 3, on: [TIMEOUT_EXCEEDED]}}
on_change: finish
on_remove: keep
checks: {{failed: 1, truncated: 0.25}}
"""
    line = b'{"custom_id":"2","body":{"messages":[]}}\n'
    one = LINE.replace("input", "messages")
    (found,) = loaded(tmp_path, {"deep/a.yml": text, "deep/sub/x.jsonl": line, "deep/data.jsonl": one}).specs
    assert found.name == "all.of-it_1"
    assert (found.model, found.agent_id) == (None, "ag-1")
    assert found.metadata == {
        "team": "search",
        "version": "1.10",
        "live": "TRUE",
        "since": "2024-01-02",
        "n": "0x1F",
        "quoted": "7",
    }
    assert (found.timeout_hours, found.rerun, found.suspend) == (48, "012", True)
    assert found.retry == Retry(max_attempts=3, on=frozenset({Phase.TIMED_OUT}), kinds=frozenset())
    assert (found.on_change, found.on_remove, found.checks) == (
        "finish",
        "keep",
        Checks(failed=1.0, truncated=0.25),
    )
    assert found.declared_at == Position(path="specs/deep/a.yml", line=3)
    assert found.requests is None, "the uploaded file has not been read, so its requests are unknown"
    assert {replace(it, workload=None) if isinstance(it, InputFile) else it for it in found.inputs} == {
        UploadedFile(id=ID),
        InputFile(path="specs/deep/sub/x.jsonl", sha256=digests.sha256(line), size=len(line), requests=1),
        InputFile(
            path="specs/deep/data.jsonl", sha256=digests.sha256(one.encode()), size=len(one), requests=1
        ),
    }
    assert list(found.inputs) == sorted(found.inputs, key=lambda part: part.identity)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, {"a.yaml": SPEC}).specs
    assert (found.model, found.agent_id, found.metadata, found.timeout_hours) == (
        "mistral-embed",
        None,
        {},
        24,
    )
    assert (found.rerun, found.suspend, found.retry) == ("", False, Retry())
    assert (found.on_change, found.on_remove, found.checks) == ("auto", "cancel", Checks())
    assert (found.reuse, found.canary) == (True, 0)
    assert found.retry.max_attempts == 2
    assert found.retry.words == ("TIMEOUT_EXCEEDED", "http_429", "http_5xx", "missing")


@pytest.mark.parametrize("rerun", [None, "", "~", "null", '""'])
def test_no_rerun_null_and_empty_are_one(tmp_path: Path, rerun: str | None) -> None:
    (found,) = loaded(tmp_path, {"a.yaml": spec(rerun=rerun)}).specs
    assert found.rerun == ""


def test_inline_requests_are_canonical_and_also_in_the_order_of_the_spec(tmp_path: Path) -> None:
    text = (
        spec(input_files=None) + 'requests:\n  - {custom_id: "1", body: {b: 1.0, a: é, input: [true, ~]}}\n'
    )
    (found,) = loaded(tmp_path, {"a.yaml": text, "data.jsonl": LINE}).specs
    body = '[{"body":{"a":"é","b":1,"input":[true,null]},"custom_id":"1"}]'.encode()
    written = '[{"custom_id":"1","body":{"b":1.0,"a":"é","input":[true,null]}}]'.encode()
    assert found.inputs == (InlineRequests(body=body, written=written, count=1),)


def test_an_anchor_is_written_once_and_used_again(tmp_path: Path) -> None:
    text = spec(input_files=None, metadata="{a: &v 1.10, b: *v}")
    text += "requests:\n  - {custom_id: x, body: &b {input: hi}}\n  - {custom_id: y, body: *b}\n"
    (found,) = loaded(tmp_path, {"a.yaml": text, "data.jsonl": LINE}).specs
    assert found.metadata == {"a": "1.10", "b": "1.10"}
    assert found.requests == 2


def test_specs_are_sorted_by_name_wherever_they_lie(tmp_path: Path) -> None:
    files = {
        "z/deep/1.yml": spec(name="b", rerun="1"),
        "a.yaml": f"{spec(name='c', rerun='2')}---\n{spec(name='a', rerun='3')}",
        "z/deep/data.jsonl": LINE,
    }
    assert [found.name for found in loaded(tmp_path, files).specs] == ["a", "b", "c"]


def test_where_inputs_lie_and_what_they_are_called_is_no_part_of_the_work(tmp_path: Path) -> None:
    other = b'{"custom_id":"2","body":{"input":"y"}}\n'
    one: dict[str, str | bytes] = {
        "a.yaml": spec(input_files="[data.jsonl, more.jsonl]"),
        "more.jsonl": other,
    }
    two: dict[str, str | bytes] = {
        "b/b.yaml": spec(input_files="['x/*']"),
        "b/x/1.jsonl": other,
        "b/x/2.jsonl": LINE,
    }
    (first,), (second,) = loaded(tmp_path / "1", one).specs, loaded(tmp_path / "2", two).specs
    assert first.run_key == second.run_key


def test_an_unknown_endpoint_is_a_warning_with_the_nearest(tmp_path: Path) -> None:
    result = loaded(tmp_path, {"a.yaml": spec(endpoint="/v1/embedings")})
    (warning,) = result.warnings
    assert (warning.where, warning.warning) == ("specs/a.yaml:2:11", True)
    assert warning.message == "endpoint: not documented by the API"
    assert warning.hint == "did you mean `/v1/embeddings`?"
    assert result.specs[0].endpoint == "/v1/embedings"


def test_files_that_no_spec_names_are_warnings(tmp_path: Path) -> None:
    files = {
        "a.yaml": SPEC,
        "lone.jsonl": "",
        "README.md": "",
        ".hidden": "",
        ".cache/x.jsonl": "",
        "sub/run.py": "",
    }
    files |= {f"many/{n}.jsonl": "" for n in range(9)}
    files |= {"many/5x/y.jsonl": ""}
    warnings = loaded(tmp_path, files).warnings
    assert [(warning.where, warning.message) for warning in warnings] == [
        ("specs/lone.jsonl", "no spec names this file"),
        ("specs/many", "no spec names 9 files here: 0.jsonl, 1.jsonl, 2.jsonl, 3.jsonl, 4.jsonl and 4 more"),
        ("specs/many/5x/y.jsonl", "no spec names this file"),
        ("specs/sub/run.py", "no spec names this file"),
    ]


def test_a_file_that_declares_nothing_is_a_warning(tmp_path: Path) -> None:
    warnings = loaded(tmp_path, {"a.yaml": SPEC, "b.yaml": "# name: two\n"}).warnings
    assert [(warning.where, warning.message) for warning in warnings] == [
        ("specs/b.yaml", "declares nothing")
    ]


def test_warnings_come_with_the_errors_except_those_about_unused_files(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, {"a.yaml": spec(endpoint="/v1/new", checks="{failed: 2}"), "lone.jsonl": ""})
    assert [(problem.where, problem.warning) for problem in caught.value.problems] == [
        ("specs/a.yaml:2:11", True),
        ("specs/a.yaml:5:18", False),
    ]
    assert str(caught.value) == "1 problem in the specs"


def test_nothing_is_said_to_be_unnamed_while_a_spec_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, {"a.yaml": SPEC + "retry: [\n"})
    assert [problem.where for problem in caught.value.problems] == ["specs/a.yaml:5:8"]


def test_a_mistake_hides_no_other(tmp_path: Path) -> None:
    text = spec(name="A", input_files="[missing.jsonl]", checks="{failed: 2}", nmae="x")
    text += 'suspend: true\nsuspend: false\n---\nname: b\nrequests: [{custom_id: "1", body: 1}]\n'
    assert said(tmp_path, {"a.yaml": text}) == [
        ("specs/a.yaml:1:7", "name: not a name"),
        ("specs/a.yaml:4:15", "`missing.jsonl`: no such file"),
        ("specs/a.yaml:5:18", "checks.failed: must be 0 to 1"),
        ("specs/a.yaml:6:1", "nmae: unknown field"),
        ("specs/a.yaml:8:1", "duplicate key `suspend`, first on line 7"),
        ("specs/a.yaml:10:1", "`endpoint` is missing"),
        ("specs/a.yaml:10:1", "`model` or `agent_id` is missing"),
        ("specs/a.yaml:11:35", "requests[0].body: must be a mapping, not a whole number"),
    ]


def test_what_was_left_out_is_not_said_to_be_missing(tmp_path: Path) -> None:
    text = "base: &base {endpoint: /v1/ocr, model: m}\n<<: *base\nname: a\ninput_files: [data.jsonl]\n"
    assert said(tmp_path, {"a.yaml": text}) == [
        ("specs/a.yaml:1:1", "base: unknown field"),
        ("specs/a.yaml:2:1", "the merge key `<<` is not supported"),
    ]


def test_one_name_twice_names_both_places_ignoring_case(tmp_path: Path) -> None:
    found = said(tmp_path, {"a.yaml": spec(rerun="1"), "b.yaml": f"\n{spec(name='One', rerun='2')}"})
    assert ("specs/b.yaml:2:7", "name: `One` is already declared at specs/a.yaml:1") in found


def test_one_piece_of_work_twice_names_both_and_what_to_do(tmp_path: Path) -> None:
    found = loaded(tmp_path, {"a.yaml": SPEC, "b.yaml": f"\n{spec(name='two', metadata='{a: b}')}"})
    (problem,) = found.warnings
    assert [it.name for it in found.specs] == ["one", "two"]
    assert problem.where == "specs/b.yaml:2:7"
    assert problem.message == (
        "two: this and `one` (specs/a.yaml:1) submit the same 1 request, so they share one job"
    )
    assert problem.hint == "this is fine for equal files; for a job of its own, change `rerun` in one of them"


def test_uploaded_work_twice_is_reported_without_a_number(tmp_path: Path) -> None:
    files = {"a.yaml": spec(input_files=f"[{ID}]"), "b.yaml": spec(name="two", input_files=f"[{ID.upper()}]")}
    messages = [it.message for it in loaded(tmp_path, files).warnings]
    assert "two: this and `one` (specs/a.yaml:1) submit the same work, so they share one job" in messages


def test_an_id_named_twice_is_a_problem(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, {"a.yaml": spec(input_files=f"[{ID}, {ID}]")})
    assert problem.message == f"`{ID}`: {ID} is named twice"


def test_a_custom_id_in_two_files_of_a_job_is_a_problem(tmp_path: Path) -> None:
    files = {"a.yaml": spec(input_files="[data.jsonl, more.jsonl]"), "more.jsonl": LINE}
    assert said(tmp_path, files) == [
        ("specs/more.jsonl:1", "`custom_id` was used before, in specs/data.jsonl:1")
    ]


def test_a_custom_id_in_files_of_two_jobs_is_none(tmp_path: Path) -> None:
    files = {
        "a.yaml": SPEC,
        "b.yaml": spec(name="two", input_files="[more.jsonl]"),
        "more.jsonl": LINE + LINE.replace("1", "2"),
    }
    assert not problems(tmp_path, files)


def test_a_bad_input_of_two_specs_is_reported_once(tmp_path: Path) -> None:
    files = {"a.yaml": SPEC, "b.yaml": spec(name="two", rerun="2"), "data.jsonl": "[]\n"}
    assert said(tmp_path, files) == [("specs/data.jsonl:1", "not an object")]


UPLOADED = "0f9d1b6e-0000-4000-8000-000000000001"


@pytest.mark.parametrize("limit", ["requests_per_job: 1", "file_bytes: 60"])
@pytest.mark.parametrize("uploaded", [True, False])
def test_what_needs_several_jobs_is_valid_unless_an_uploaded_file_is_among_it(
    tmp_path: Path, limit: str, *, uploaded: bool
) -> None:
    inputs = f"[data.jsonl, {UPLOADED}]" if uploaded else "[data.jsonl]"
    files = {"a.yaml": spec(input_files=inputs), "data.jsonl": LINE + LINE.replace("1", "2")}
    message = "input_files: too much for one job, and an uploaded file cannot be submitted in parts"
    found = [("specs/a.yaml:4:14", message)] if uploaded else []
    assert said(tmp_path, files, f"limits: {{{limit}}}\n") == found
    assert not said(tmp_path, files | {"data.jsonl": LINE}, f"limits: {{{limit}}}\n"), "one line fits"


def test_too_many_requests_in_a_spec_are_reported_at_the_field(tmp_path: Path) -> None:
    settings = "limits: {requests_per_job: 1, inline_requests: 1}\n"
    inline = spec(input_files=None) + "requests:\n- {custom_id: a, body: {}}\n- {custom_id: b, body: {}}\n"
    assert said(tmp_path / "2", {"a.yaml": inline}, settings) == [
        ("specs/a.yaml:5:1", "requests: 2 requests; at most 1 in a spec")
    ]


def test_the_line_of_a_request_is_never_shown(tmp_path: Path) -> None:
    inline = (
        spec(input_files=None)
        + "requests:\n- {custom_id: a, body: secret, more: secret}\n- {custom_id: a, body: {n: 99999999999999999}}\n"
    )
    found = problems(tmp_path, {"a.yaml": inline})
    assert len(found) == 4
    assert not any(
        "secret" in f"{problem.excerpt}{problem.message}{problem.hint}" or problem.excerpt
        for problem in found
    )


def test_a_thousand_mistakes_in_one_file_are_shown_in_part_and_counted(tmp_path: Path) -> None:
    inline = spec(input_files=None) + "requests:\n" + "- {body: {}}\n" * 1000
    found = problems(tmp_path, {"a.yaml": inline})
    assert len(found) == 101
    assert (found[-1].where, found[-1].message) == ("specs/a.yaml:105", "and 900 more problems from here on")


@pytest.mark.parametrize("name", ["a.yaml", "b.yml"])
def test_both_endings_are_specs(tmp_path: Path, name: str) -> None:
    assert [found.name for found in loaded(tmp_path, {name: SPEC}).specs] == ["one"]


def test_hidden_files_and_the_settings_are_no_specs(tmp_path: Path) -> None:
    files = {"a.yaml": SPEC, ".b.yaml": "[", ".git/c.yaml": "["}
    place = project(tmp_path, files, "specs: .\n")
    (tmp_path / "specs/reconciler.yaml").write_text("project: nested\n")
    assert [found.name for found in load(place, now=NOW).specs] == ["one"]


def test_a_missing_spec_folder_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    place = project(tmp_path, {}, "specs: jobs\n")
    with pytest.raises(ReconcilerError, match=r"the folder jobs does not exist beside reconciler\.yaml"):
        load(place, now=NOW)


def unfit(place: Project) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as caught:
        load(place, now=NOW)
    return [(problem.where, problem.message) for problem in caught.value.problems if not problem.warning]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    place = project(tmp_path, {"a.yaml": SPEC})
    (tmp_path / "common").mkdir()
    (tmp_path / "common/b.yaml").write_text(spec(name="two", input_files=f"[{ID}]"))
    (tmp_path / "specs/linked").symlink_to(tmp_path / "common")
    (tmp_path / "specs/twice").symlink_to(tmp_path / "common")
    (tmp_path / "common/loop").symlink_to(tmp_path / "common")
    (tmp_path / "elsewhere.yaml").write_text(spec(name="three", input_files=f"[{ID}]", rerun="3"))
    (tmp_path / "specs/c.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    assert [found.name for found in load(place, now=NOW).specs] == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("name", "target", "message"),
    [
        ("out", "/", "a link that leads out of the project"),
        ("out.yaml", "/etc/hosts", "a link that leads out of the project"),
        ("up", "..", "a link to a folder that contains it"),
        ("again", ".", "a link to a folder that contains it"),
        ("gone", "missing", "not a regular file, or a broken link"),
        ("gone.yaml", "missing.yaml", "not a regular file, or a broken link"),
        ("loop.yaml", "loop.yaml", "not a regular file, or a broken link"),
    ],
)
def test_a_link_that_may_hide_a_spec_is_a_problem(
    tmp_path: Path, name: str, target: str, message: str
) -> None:
    place = project(tmp_path, {"a.yaml": SPEC})
    (tmp_path / "specs" / name).symlink_to(target)
    assert unfit(place) == [(f"specs/{name}", message)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_among_the_specs_is_a_problem_and_not_opened(tmp_path: Path) -> None:
    place = project(tmp_path, {"a.yaml": SPEC})
    os.mkfifo(tmp_path / "specs/b.yaml")
    assert unfit(place) == [("specs/b.yaml", "not a regular file, or a broken link")]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_names_that_cannot_be_shown_are_problems(tmp_path: Path) -> None:
    place = project(tmp_path, {"a.yaml": spec(input_files="['d*']")})
    (tmp_path / "specs" / os.fsdecode(b"b\xff.yaml")).touch()
    (tmp_path / "specs" / "c\x1b[31m").mkdir()
    (tmp_path / "specs" / "d\u202e.jsonl").touch()
    assert unfit(place) == [
        ("specs/a.yaml:4:15", "`d*`: a file name with invisible characters"),
        ("specs/b.yaml", "a name with invisible characters"),
        ("specs/c[31m", "a name with invisible characters"),
        ("specs/d.jsonl", "a name with invisible characters"),
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_a_problem_and_not_a_gap(tmp_path: Path) -> None:
    place = project(tmp_path, {"a.yaml": SPEC, "b/c.yaml": SPEC})
    (tmp_path / "specs/a.yaml").chmod(0)
    (tmp_path / "specs/b").chmod(0)
    with pytest.raises(SpecError) as caught:
        load(place, now=NOW)
    (tmp_path / "specs/b").chmod(0o700)
    assert ["cannot be read" in problem.message for problem in caught.value.problems] == [True, True]


class TestSelection:
    FILES: ClassVar = {
        "a.yaml": f"{spec(name='a', rerun='a')}---\n{spec(name='b', rerun='b')}",
        "sub/c.yaml": spec(name="c", rerun="c", input_files="[../data.jsonl]"),
        "sub/deep/d.yaml": spec(name="d", rerun="d", input_files="[../../data.jsonl]"),
    }

    @pytest.mark.parametrize(
        ("paths", "names"),
        [
            ([], None),
            (["specs"], None),
            (["specs/"], None),
            (["."], None),
            (["specs/sub", "specs"], None),
            (["specs/a.yaml"], "ab"),
            (["specs/sub"], "cd"),
            (["specs/sub/../sub/deep"], "d"),
            (["specs/a.yaml", "specs/sub/deep/d.yaml"], "abd"),
        ],
    )
    def test_paths_select_and_everything_is_loaded(
        self, tmp_path: Path, paths: list[str], names: str | None
    ) -> None:
        result = load(project(tmp_path, self.FILES), [tmp_path / path for path in paths], now=NOW)
        assert [found.name for found in result.specs] == ["a", "b", "c", "d"]
        assert result.selected == (None if names is None else set(names))

    @pytest.mark.parametrize(
        ("path", "message", "hint"),
        [
            ("specs/b.yaml", "does not exist", "did you mean "),
            ("nowhere/at/all", "does not exist", "to choose jobs by name, pass --only 'all'"),
            ("reconciler.yaml", "is not in this project's spec folder", "its specs are in specs/"),
            ("other", "is not in this project's spec folder", "its specs are in specs/"),
            ("specs/data.jsonl", "is not a spec", "specs end in .yaml or .yml"),
            ("specs/empty", "declares no job", ""),
        ],
    )
    def test_a_path_that_selects_nothing_is_refused(
        self, tmp_path: Path, path: str, message: str, hint: str
    ) -> None:
        place = project(tmp_path, self.FILES)
        (tmp_path / "other").mkdir()
        (tmp_path / "specs/empty").mkdir()
        with pytest.raises(UsageError) as caught:
            load(place, [tmp_path / path], now=NOW)
        assert message in str(caught.value)
        assert hint in caught.value.hint

    def test_mistakes_elsewhere_are_reported_all_the_same(self, tmp_path: Path) -> None:
        place = project(tmp_path, {**self.FILES, "e.yaml": "name: e\n"})
        with pytest.raises(SpecError):
            load(place, [tmp_path / "specs/a.yaml"], now=NOW)


def test_good_specs_never_import_jsonschema(tmp_path: Path) -> None:
    project(tmp_path, {"a.yaml": SPEC})
    code = (
        "import sys, pathlib\n"
        "from reconciler.specs.load import load\n"
        "from reconciler.specs.project import load_project\n"
        "load(load_project(None, start=pathlib.Path(sys.argv[1])), now=0)\n"
        "assert not {'jsonschema', 'difflib', 'httpx'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


@pytest.mark.parametrize("mistake", ["metadata: {a: !!str b}", "<<: {}", "? [a]\n: b"])
@pytest.mark.parametrize("text", [spec(endpoint=None), spec(timeout_hours="24.0"), spec(model=None)])
def test_a_spec_below_defaults_with_a_mistake_is_not_said_to_lack_a_field(
    tmp_path: Path, mistake: str, text: str
) -> None:
    found = problems(tmp_path, {"_defaults.yaml": f"{mistake}\n", "a.yaml": text})
    assert {problem.path for problem in found} == {"specs/_defaults.yaml"}
