"""A spec file that is no longer read is an error: otherwise its job would count as removed, and be cancelled."""

from __future__ import annotations

import json

import pytest

from tests.cli.stage import Stage

NOT_READ = (
    "a.YAML",
    "a.Yml",
    "a.YML",
    "a.yml.bak",
    "a.yaml.txt",
    "a.yaml~",
    "a.YAML.orig",
    "#a.yaml#",
    "a.json",
    "a.JSON",
)


@pytest.mark.parametrize("name", NOT_READ)
def test_a_spec_that_is_renamed_away_cancels_nothing_and_is_an_error(stage: Stage, name: str) -> None:
    for job in "abc":
        stage.spec(job)
    assert stage.run("apply", "--yes").code == 0
    spec = stage.root / "specs/a.yaml"
    if name.lower().endswith("json"):
        fields = dict(line.split(": ", 1) for line in spec.read_text().splitlines())
        spec.write_text(json.dumps({key: json.loads(value) for key, value in fields.items()}))
    spec.rename(spec.with_name(name))
    for argv in (("validate",), ("plan",), ("apply", "--yes")):
        result = stage.run(*argv)
        assert (result.code, result.writes) == (1, [])
        errors = [line for line in result.err.splitlines() if line.startswith("specs/")]
        assert [line.split(":")[0] for line in errors] == [f"specs/{name}"], "one cause, one message"
        assert "warning" not in errors[0]
        assert "rename it" in result.err
    assert len(stage.live()) == 3


@pytest.mark.parametrize(
    ("name", "text"),
    {
        "a.yaml.swp": "b0VIM 8.2\x00\x10",
        "notes.yaml.txt": "What we agreed: the name: of each job is its team.\n",
        "rows.json": '[{"name": "Ada", "age": 7}]',
        "job.schema.json": '{"properties": {"name": {"type": "string"}, "endpoint": {"type": "string"}}}',
        ".a.yaml.swp": "name: a\nendpoint: /v1/ocr\n",
        "README.md": "name: a\nendpoint: /v1/ocr\n",
    }.items(),
)
def test_a_file_without_the_keys_of_a_spec_is_no_error(stage: Stage, name: str, text: str) -> None:
    stage.spec("one")
    stage.write(f"specs/{name}", text)
    result = stage.run("validate")
    assert result.code == 0
    assert "`input_files`" not in result.out, "the hint does not point the wrong way"


@pytest.mark.parametrize("name", ["a.yaml~", "#a.yaml#", "a.yaml.bak"])
def test_a_copy_beside_the_spec_is_a_warning(stage: Stage, name: str) -> None:
    spec = stage.spec("a")
    spec.with_name(name).write_bytes(spec.read_bytes())
    result = stage.run("validate")
    assert result.code == 0
    assert (
        f"specs/{name}: warning: no spec names this file\n  hint: move it out of the spec folder"
        in result.out
    )


def test_a_named_input_is_no_unread_spec(stage: Stage) -> None:
    stage.spec("one", input_files=["data.json"])
    body = {
        "messages": [{"role": "user", "content": "Hi"}],
        "name": "x",
        "endpoint": "/v1/ocr",
        "requests": [],
    }
    stage.write("specs/data.json", json.dumps({"custom_id": "1", "body": body}) + "\n")
    (stage.root / "specs/data/one.jsonl").unlink()
    assert stage.run("validate").out == "1 spec valid, 1 request\n"


@pytest.mark.parametrize("path", ["t.yaml", "jobs/t.yml"])
def test_a_spec_outside_the_folder_is_named_by_validate(stage: Stage, path: str) -> None:
    stage.spec("one")
    stage.write(path, "name: t\nendpoint: /v1/ocr\nmodel: m\ninput_files: [x.jsonl]\n")
    stage.write("other.yaml", "name: build\nsteps: []\n")
    result = stage.run("validate")
    assert result.code == 0
    assert f"{path}: warning: a spec outside the spec folder\n  hint: move it to specs/\n" in result.out
    assert "other.yaml" not in result.out


def test_an_error_in_a_path_is_not_followed_by_warnings_about_its_files(stage: Stage) -> None:
    stage.spec("one", input_files=["specs/data/one.jsonl"])
    result = stage.run("validate")
    assert result.code == 1
    assert result.err == (
        "specs/one.yaml:4:15: `specs/data/one.jsonl`: no such file\n"
        '    input_files: ["specs/data/one.jsonl"]\n'
        "                  ^\n"
        "  hint: paths are relative to the spec file: write `data/one.jsonl`\n"
        "1 problem in 1 file\n"
    )
