"""Mistakes in files, through the command line: all of them in one run, placed, and never a traceback."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.cli.schemas import conforming
from tests.cli.stage import Result, Stage
from tests.specs.make import project
from tests.specs.mistakes import MISTAKES, corpus

fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

GOOD = """\
# a comment
name: one
endpoint: /v1/chat/completions
model: mistral-small-latest
requests:
  - custom_id: a
    body: {messages: [{role: user, content: "ä ö"}], max_tokens: 12}
  - &anchor {custom_id: b, body: {}}
metadata: {team: search, "n": 1.10}
timeout_hours: 24
rerun: 2
retry: {max_attempts: 3, on: [FAILED]}
checks: {failed: 0.5}
---
name: two
endpoint: /v1/embeddings
agent_id: ag:1
input_files: [data.jsonl, 'd*.jsonl', 00000000-0000-4000-8000-000000000000]
"""

PIECES = st.sampled_from(
    ["", " ", "\n", "\t", "\r\n", "---\n", "...\n", ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "<<: ",
     "!!python/object:os.system ",
     "|", ">", "'", '"', "\\", "#", "%YAML 9.9\n", "? ", "@", "`", "\x00", "\x1b[31m", "\u2028", "\ufeff", "\ud800",
     "1e999", "0x1F", ".inf", "~", "null", "name: one\n", "model: x\n", "*" * 50, "[" * 300, "{a: " * 300,
     "é" * 40, "9" * 400]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, text: str) -> bytes:
    """Return a text with some of it replaced, moved or gone."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 3, 12, 60])))
        text = text[:start] + draw(PIECES | st.text(max_size=6)) + text[end:]
    return text.encode("utf-8", "surrogatepass")


def reported(result: Result) -> None:
    """Hold a run on files that may be anything to what it owes its reader."""
    assert result.code in (0, 1)
    assert result.sent == []
    if result.code:
        assert result.out == "" or result.out.startswith("{")
        assert result.err or result.out
    assert not set("\x00\x07\x1b\r\u2028\u202e") & set(result.out + result.err)


def test_two_hundred_specs_with_sixty_mistakes_report_all_of_them_in_one_run(stage: Stage) -> None:
    assert len(MISTAKES) >= 60
    files, expected = corpus(200 - len(MISTAKES))
    project(stage.root, files)
    for command in (("validate",), ("plan",), ("apply", "--yes")):
        result = stage.run(*command)
        assert (result.code, result.out, result.sent) == (1, "", [])
        lines = result.err.splitlines()
        for where, message in expected.items():
            assert any(line.startswith(f"{where}: {message}") for line in lines), (where, message)
        assert lines[-1].startswith(f"{len(expected)} problems")
    found = conforming("validate", stage.run("validate", "--format", "json").out)["problems"]
    places = [(it["path"], it["line"], it["column"]) for it in found]
    assert len(found) >= len(expected)
    assert places == sorted(places)


@fuzz
@given(data=st.binary(max_size=300))
@example(data=b"[" * 60_000)
@example(data=b"{" * 60_000)
@example(data=b"- " * 60_000)
@example(data=b"a: " * 20_000)
@example(data=b"\xff\xfea\x00")
@example(data=b"a: &a [*a]")
@example(data=b"a: &a " + b"".join(b"[*a,*a," for _ in range(30)))
def test_bytes_in_a_spec_give_no_traceback(stage: Stage, data: bytes) -> None:
    (stage.root / "specs").mkdir(exist_ok=True)
    (stage.root / "specs/one.yaml").write_bytes(data)
    reported(stage.run("validate"))


@fuzz
@given(data=mutated(GOOD))
def test_changes_to_a_good_spec_give_no_traceback(stage: Stage, data: bytes) -> None:
    stage.write("specs/data.jsonl", '{"custom_id":"a","body":{}}\n')
    (stage.root / "specs/one.yaml").write_bytes(data)
    reported(stage.run("validate"))
    report = stage.run("validate", "--format", "json")
    reported(report)
    conforming("validate", report.out)


@fuzz
@given(data=mutated("project: shop\nspecs: specs\nlimits: {in_flight: 2}\nguards: {max_cancels: 3}\n"))
def test_changes_to_the_settings_give_no_traceback(stage: Stage, data: bytes) -> None:
    (stage.root / "specs").mkdir(exist_ok=True)
    (stage.root / "reconciler.yaml").write_bytes(data)
    reported(stage.run("validate"))


@fuzz
@given(
    data=mutated('{"custom_id":"a","body":{"x":[1,2.5e3,"\\u00e4"]}}\n{"custom_id":"b","body":{}}\n')
    | st.binary()
)
def test_changes_to_an_input_file_give_no_traceback(stage: Stage, data: bytes) -> None:
    stage.spec("one")
    (stage.root / "specs/data/one.jsonl").write_bytes(data)
    reported(stage.run("validate"))


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="file names that other systems do not take")
@pytest.mark.parametrize(
    "name", [b"\xff", b"a\nb", b"\x1b[31m", "ä\u202e".encode(), b"a b", b"-x", b"a'\"`$(x)"]
)
@pytest.mark.parametrize("suffix", [b".yaml", b".jsonl"])
def test_odd_file_names_give_no_traceback(stage: Stage, name: bytes, suffix: bytes) -> None:
    stage.spec("one", input_files=["data/*.jsonl"])
    folder = os.fsencode(stage.root) + (b"/specs/" if suffix == b".yaml" else b"/specs/data/")
    with open(folder + name + suffix, "wb") as file:  # noqa: PTH123  a Path holds no bytes
        file.write(
            b"name: two\nendpoint: /v1/ocr\nmodel: m\nrequests: [{custom_id: a, body: {}}]\nodd: 1\n"
            if suffix == b".yaml"
            else b'{"custom_id": "only here", "body": {}}\n'
        )
    stage.commit("odd names")
    reported(stage.run("validate"))
    reported(stage.run("validate", "--format", "json"))
    for command in (
        ("plan",),
        ("plan", "--format", "json"),
        ("plan", "--format", "markdown"),
        ("apply", "--yes"),
    ):
        assert stage.run(*command).code in (0, 1)
