"""What is remembered of specs between runs: with it or without, the same is declared and the same is wrong."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import Problem, SpecError
from reconciler.settings import Limits
from reconciler.specs import yaml_reader
from reconciler.specs.load import Loaded, load
from reconciler.specs.project import STATE, Project, load_project
from reconciler.specs.source import Source
from reconciler.specs.spec_cache import NAME, WORTH
from reconciler.specs.yaml_tree import Document
from tests.specs.make import LINE, NOW, project, spec

FEW = {
    f"many/{at:03}.yaml": spec(name=f"many-{at}", rerun=f"r{at}", input_files="[../data.jsonl]")
    for at in range(WORTH)
}
"""So many that they are worth it."""
UPLOADED = f"[{uuid.UUID(int=7, version=4)}, {uuid.UUID(int=8, version=4)}]"
ADOPT = "{job: j-1, work: 'v1:" + "a" * 64 + "'}"
REQUESTS = "[{custom_id: a, body: {input: x}}]"
INLINE = spec(name="inline", input_files=None, requests=REQUESTS)
CONTENTS = {
    "plain": spec(),
    "renamed": spec(name="two"),
    "same work": spec(name="three"),
    "upper case": spec(name="One".lower(), model="other"),
    "later in the file": "# a comment\n\n" + spec(name="four", rerun="4"),
    "glob": spec(name="five", input_files="['*.jsonl']", rerun="5"),
    "sub": spec(name="six", input_files="[../data.jsonl]", rerun="6"),
    "uploaded": spec(name="seven", input_files=UPLOADED),
    "inline": INLINE,
    "inline, other model": INLINE.replace("mistral-embed", "other"),
    "all fields": spec(name="eight", rerun="8", metadata="{a: 1.10}", max_failed="0.5", on_remove="keep")
    + "retry: {max_attempts: 3, on: [FAILED]}\nsuspend: true\n",
    "agent": spec(name="nine", model=None, agent_id="ag-1"),
    "no model": spec(name="ten", model=None, rerun="10"),
    "family": spec(name="f-{model}", model=None, matrix="{model: [a, b]}"),
    "period": spec(name="weekly", rerun="{every: week}"),
    "adopts": spec(name="adopts", rerun="11", adopt=ADOPT),
    "two documents": spec(name="first", rerun="12") + "---\n" + spec(name="second", rerun="13"),
    "unknown endpoint": spec(name="odd", endpoint="/v1/odd"),
    "mistake": spec(name="Bad Name"),
    "no yaml": "a: [",
    "nothing": "",
    "missing input": spec(name="missing", input_files="[not-there.jsonl]"),
}
DEFAULTS = {
    "none": None,
    "a model": "model: from-defaults\n",
    "metadata": "metadata: {team: search}\n",
    "a mistake": "models: x\n",
}
INPUTS = {
    "one line": LINE,
    "two lines": LINE + LINE.replace('"1"', '"2"'),
    "wrong": "{",
    "names a model": '{"custom_id":"1","body":{"input":"x","model":"mistral-embed"}}\n',
}


def outcome(of: Project) -> Loaded | tuple[Problem, ...]:
    try:
        return load(of, now=NOW)
    except SpecError as error:
        return error.problems


def agreed(root: Path) -> Loaded | tuple[Problem, ...]:
    """Load with the cache and without, and return what both say."""
    there = load_project(None, start=root)
    first = outcome(there)
    assert first == outcome(replace(there, cache=False))
    return first


def cache_of(root: Path) -> Path:
    return root / STATE / NAME


edits = st.one_of(
    st.tuples(
        st.sampled_from(["a.yaml", "b.yaml", "sub/c.yaml", "sub/d.yaml"]), st.sampled_from([*CONTENTS, None])
    ),
    st.tuples(st.sampled_from(["_defaults.yaml", "sub/_defaults.yaml"]), st.sampled_from([*DEFAULTS])),
    st.tuples(st.just("data.jsonl"), st.sampled_from([*INPUTS])),
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(edits, min_size=1, max_size=5))
def test_whatever_is_edited_the_cache_changes_nothing(
    tmp_path: Path, steps: list[tuple[str, str | None]]
) -> None:
    shutil.rmtree(tmp_path / "specs", ignore_errors=True)
    project(tmp_path, FEW | {"sub/x.jsonl": LINE})
    agreed(tmp_path)
    for path, chosen in steps:
        place = tmp_path / "specs" / path
        pool = DEFAULTS if "_defaults" in path else INPUTS if path.endswith("l.jsonl") else CONTENTS
        pool = INPUTS if path == "data.jsonl" else pool
        text = pool[chosen] if chosen else None
        if text is None:
            place.unlink(missing_ok=True)
        else:
            place.write_text(text)
        agreed(tmp_path)
    agreed(tmp_path)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose YAML was really read."""
    seen: list[str] = []
    real = yaml_reader.read

    def reading(source: Source, limits: Limits) -> tuple[list[Document], list[Problem]]:
        if source.path.startswith("specs/"):
            seen.append(source.path)
        return real(source, limits)

    monkeypatch.setattr(yaml_reader, "read", reading)
    return seen


def test_a_second_run_reads_no_yaml_and_one_after_an_edit_that_file(tmp_path: Path, read: list[str]) -> None:
    there = project(tmp_path, FEW)
    first = load(there, now=NOW)
    read.clear()
    assert load(there, now=NOW) == first
    assert read == []
    (tmp_path / "specs/many/007.yaml").write_text(
        spec(name="other", rerun="r7", input_files="[../data.jsonl]")
    )
    load(there, now=NOW)
    assert read == ["specs/many/007.yaml"]
    read.clear()
    (tmp_path / "specs/many/007.yaml").rename(tmp_path / "specs/many/moved.yaml")
    assert {it.declared_at.path for it in load(there, now=NOW).specs if it.name == "other"} == {
        "specs/many/moved.yaml"
    }
    assert read == []


@pytest.mark.parametrize("kind", ["family", "period", "adopts", "two documents"])
def test_what_more_than_the_content_decides_is_read_each_time(
    tmp_path: Path, read: list[str], kind: str
) -> None:
    there = project(tmp_path, FEW | {"a.yaml": CONTENTS[kind]})
    load(there, now=NOW)
    read.clear()
    load(there, now=NOW)
    assert read == ["specs/a.yaml"]


def test_other_limits_and_another_tool_read_again(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = project(tmp_path, FEW)
    load(there, now=NOW)
    load(project(tmp_path, {}, "limits: {spec_depth: 9}\n"), now=NOW)
    assert len(read) == 2 * len(FEW)
    monkeypatch.setattr("reconciler.__version__", "99.0.0")
    load(project(tmp_path, {}, "limits: {spec_depth: 9}\n"), now=NOW)
    assert len(read) == 3 * len(FEW)


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    return data[:-5] + bytes([data[-5] ^ 1]) + data[-4:]


def _of_another_form(_: bytes) -> bytes:
    return hashlib.sha256(b"\x93\x01\x02\x03").digest() + b"\x93\x01\x02\x03"


@pytest.mark.parametrize("damage", [_cut, _flipped, _of_another_form, lambda _: b""])
def test_a_damaged_cache_is_none(tmp_path: Path, read: list[str], damage: object) -> None:
    there = project(tmp_path, FEW)
    first = load(there, now=NOW)
    read.clear()
    cache_of(tmp_path).write_bytes(damage(cache_of(tmp_path).read_bytes()))  # type: ignore[operator]
    assert load(there, now=NOW) == first
    assert len(read) == len(FEW)
    read.clear()
    load(there, now=NOW)
    assert read == []


def test_a_small_project_is_not_worth_a_cache(tmp_path: Path) -> None:
    load(project(tmp_path, {"a.yaml": spec()}), now=NOW)
    assert not (tmp_path / STATE).exists()


def test_without_a_cache_nothing_is_written(tmp_path: Path, read: list[str]) -> None:
    there = replace(project(tmp_path, FEW), cache=False)
    load(there, now=NOW)
    load(there, now=NOW)
    assert len(read) == 2 * len(FEW)
    assert not (tmp_path / STATE).exists()


def test_a_folder_that_cannot_be_written_is_no_problem(tmp_path: Path) -> None:
    there = project(tmp_path, FEW)
    (tmp_path / STATE).write_text("in the way")
    first = load(there, now=NOW)
    assert load(there, now=NOW) == first


def test_only_the_cache_and_its_gitignore_are_left_behind(tmp_path: Path) -> None:
    load(project(tmp_path, FEW), now=NOW)
    assert sorted(it.name for it in (tmp_path / STATE).iterdir()) == [".gitignore", NAME]
