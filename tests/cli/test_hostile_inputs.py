"""Hostile inputs in whole commands: each ends in its own words and exit code 1, none in a traceback or a hang."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from tests.cli.stage import Stage
from tests.helpers.thorough import thorough


def sampled(cases: Iterable[str], *, leave: str) -> list[str | ParameterSet]:
    """Return the cases, those whose names begin with `leave` marked thorough: they are large."""
    return [thorough(case) if case.startswith(leave) else case for case in cases]


GOOD = b'{"custom_id":"1","body":{"messages":[]}}\n'


def body(text: bytes) -> bytes:
    """A line whose body holds `text` as a value."""
    return b'{"custom_id":"1","body":{"messages":[],"x":' + text + b"}}\n"


LARGE = 64_000_000

WRONG: dict[str, tuple[bytes, str]] = {
    "truncated UTF-8": (body(b'"\xe6\xbc"'), "one.jsonl:1:45: not UTF-8"),
    "a lone surrogate": (body(rb'"\ud83d"'), "one.jsonl:1: half a character"),
    "NaN": (body(b"NaN"), "one.jsonl:1: NaN and Infinity are not JSON"),
    "Infinity": (body(b"-Infinity"), "one.jsonl:1: NaN and Infinity are not JSON"),
    "a key twice": (
        b'{"custom_id":"1","custom_id":"2","body":{"messages":[]}}',
        "one.jsonl:1: a duplicate key",
    ),
    "a key twice, deep": (body(b'[[{"a":1,"a":1}]]'), "one.jsonl:1: a duplicate key in one object"),
    "100,000 levels": (body(b"[" * 100_000 + b"]" * 100_000), "one.jsonl:1: nested too deeply"),
    "1e400": (body(b"1e400"), "one.jsonl:1: a number too large"),
    "an integer of 400 digits": (body(b"9" * 400), "one.jsonl:1: a number too large"),
    "an endless integer": (body(b"9" * 100_000), "one.jsonl:1: a number too large"),
    "64 MB of nothing": (b"x", "one.jsonl:1:1: not valid JSON"),
    "64 MB of brackets": (b"[", "one.jsonl:1: "),
    "64 MB of blanks": (b" ", "one.jsonl:1:"),
    "an empty file": (b"", "one.jsonl: the file is empty"),
    "NUL": (GOOD + b"\x00\n", "one.jsonl:2:1: a NUL character"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, "one.jsonl: the file begins with a byte order mark"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "one.jsonl: the file is UTF-16"),
    "UTF-16 without a byte order mark": (GOOD.decode().encode("utf-16-be"), "one.jsonl: the file is UTF-16"),
    "gzip": (gzip.compress(GOOD, mtime=0), "one.jsonl: the file is not text (gzip)"),
    "Parquet": (b"PAR1" + bytes(100), "one.jsonl: the file is not text (Parquet)"),
    "a workbook": (b"PK\x03\x04" + bytes(100), "one.jsonl: the file is not text (a ZIP archive"),
    "CSV": (b"id,text\n1,hello\n2,world\n" * 50, "one.jsonl: the file is CSV, not JSONL"),
    "CSV with semicolons": (b'"id";"text"\r\n"1";"hello"\r\n' * 50, "one.jsonl: the file is CSV, not JSONL"),
    "an array": (b"[" + GOOD.strip() + b"," + GOOD.strip() + b"]", "one.jsonl: the file is one JSON array"),
    "an array over lines": (b"[\n  {\n  }\n]\n" * 50, "one.jsonl: the file is one JSON array"),
    "requests over several lines": (
        json.dumps(json.loads(GOOD), indent=1).encode() * 50,
        "one.jsonl: the file has requests that go over several lines",
    ),
    "CR": (GOOD.replace(b"\n", b"\r") * 50, "one.jsonl: the lines end in CR alone"),
    "the form of OpenAI": (
        b'{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"messages":[]}}\n' * 50,
        "one.jsonl:1: the file is in the batch format of OpenAI (`method` and `url` on the line)",
    ),
    "the form of Anthropic": (
        b'{"custom_id":"1","params":{}}\n' * 50,
        "the batch format of Anthropic (`params`",
    ),
    "the form of Gemini": (b'{"key":"1","request":{}}\n' * 50, "the batch format of Gemini (`request`"),
    "the form of Bedrock": (
        b'{"recordId":"1","modelInput":{}}\n' * 50,
        "the batch format of Bedrock (`modelInput`",
    ),
    "results": (b'{"id":"b","custom_id":"1","response":{},"error":null}\n' * 50, "the file holds results"),
    "CRLF": (GOOD.replace(b"\n", b"\r\n"), "one.jsonl:1: the lines end in CRLF"),
}


@pytest.mark.parametrize("case", sampled(WRONG, leave="64 MB of"))
def test_what_is_wrong_is_reported_in_its_own_words(stage: Stage, case: str) -> None:
    data, words = WRONG[case]
    if case.startswith("64 MB"):
        data *= LARGE
    stage.spec("one")
    (stage.root / "specs/data/one.jsonl").write_bytes(data)
    result = stage.run("validate")
    assert (result.code, result.sent) == (1, [])
    assert words in result.err
    assert len(result.err) < 2000
    if ": the file " in words or ": the lines " in words:
        assert result.err.endswith("1 problem in 1 file\n"), "named once"


@pytest.mark.parametrize(
    "data",
    [
        GOOD.rstrip,
        lambda: body(b"[" * 100 + b"]" * 100),
        lambda: body(b"9" * 300),
        thorough(lambda: body(b'"' + b"x" * LARGE + b'"')),
    ],
    ids=["no final newline", "100 levels", "a huge integer", "64 MB of text"],
)
def test_what_is_odd_and_right_is_taken(stage: Stage, data: Callable[[], bytes]) -> None:
    stage.spec("one")
    (stage.root / "specs/data/one.jsonl").write_bytes(data())
    result = stage.run("validate")
    assert result.code == 0, result.err


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a FIFO": (os.mkfifo if sys.platform != "win32" else Path.mkdir, "not a regular file"),
    "a folder": (Path.mkdir, "a folder"),
    "a dangling link": (lambda path: path.symlink_to("nowhere"), "no such file"),
    "a link out of the root": (lambda path: path.symlink_to("/etc/hostname"), "leads out of the project"),
    "a link to itself": (lambda path: path.symlink_to(path), "cannot be read"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="another file system")
@pytest.mark.parametrize("case", PLACES)
def test_what_is_no_file_is_reported_in_its_own_words(stage: Stage, case: str) -> None:
    make, words = PLACES[case]
    stage.spec("one", input_files=["data/other"])
    make(stage.root / "specs/data/other")
    result = stage.run("validate")
    assert result.code == 1
    assert words in result.err
    assert "Traceback" not in result.err


NOBODY = 65534


@pytest.fixture
def open_stage(capsys: pytest.CaptureFixture[str]) -> Iterator[Stage]:
    """A project that everybody may look into: pytest's own folders are the user's alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Stage(Path(folder).resolve(), capsys)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_an_unreadable_file_is_reported_in_its_own_words(open_stage: Stage) -> None:
    open_stage.spec("one")
    assert open_stage.run("validate").code == 0, "and all that it needs is imported"
    (open_stage.root / "specs/data/one.jsonl").chmod(0)
    root = os.geteuid() == 0
    if root:  # who reads everything
        os.seteuid(NOBODY)
    try:
        result = open_stage.run("validate")
    finally:
        if root:
            os.seteuid(0)
    assert result.code == 1
    assert "specs/data/one.jsonl: the file cannot be read: Permission denied" in result.err


LIMIT = 96_000_000
"""Bytes of a line at most, as the settings have it by default."""

HUNGRY: dict[str, tuple[bytes, int, bytes]] = {
    "no line feed at all": (b"", 0, b"x" * 200_000_000),
    "no line feed, and never an end of digits": (b'{"custom_id":"1","body":{"a":', 90_000_000, b"9"),
    "a line of empty lists": (b'{"custom_id":"1","body":{"a":[', 30_000_000, b"[],"),
    "a line of empty objects": (b'{"custom_id":"1","body":{"a":[', 30_000_000, b"{},"),
    "a line of other keys": (b'{"custom_id":"1","body":{}', 3_000_000, b',"kkkkkkkk":1'),
    "a line of brackets": (b"", 90_000_000, b"["),
    "a line of quotation marks": (b"", 90_000_000, b'"'),
    "lines of empty lists": (b"", 15, b'{"custom_id":"1","body":{"a":[' + b"[]," * 300_000 + b"1]}}\n"),
    "lines of nothing": (b"", 9_000_000, b"\n"),
    "lines of the same id": (b"", 500_000, b'{"custom_id":"1","body":{}}\n'),
    "lines without what the endpoint wants": (b"", 500_000, b"{}\n"),
    "lines of the same key twice": (
        b"",
        30,
        b'{"custom_id":"1","body":{' + b'"a":1,' * 100_000 + b'"a":2}}\n',
    ),
}
"""What a file begins with, and how often something is repeated after that."""

QUICK = ("a line of brackets",)
"""What the default run measures."""

MEASURE = """
import json, os, sys
from pathlib import Path
from reconciler.settings import Limits
from reconciler.specs.inputs.reader import check
for path in sys.argv[1:]:
    child = os.fork()
    if not child:
        print(json.dumps([problem.message for problem in check(Path(path), "a", Limits()).problems]), flush=True)
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    print(json.dumps([status, usage.ru_maxrss * 1024]), flush=True)
"""


def measured(*paths: Path) -> list[tuple[list[str], int]]:
    """Check files, each in a process of its own; return their problems and the peak memory in bytes."""
    command = [sys.executable, "-c", MEASURE, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(status == 0 for status, _ in lines[1::2])
    return [(problems, peak) for problems, (_, peak) in zip(lines[::2], lines[1::2], strict=True)]


@pytest.mark.skipif(sys.platform != "linux", reason="measured as Linux counts")
@pytest.mark.parametrize("case", [case if case in QUICK else thorough(case) for case in HUNGRY])
def test_whatever_a_file_holds_its_longest_line_bounds_the_memory(tmp_path: Path, case: str) -> None:
    head, times, text = HUNGRY[case]
    path = tmp_path / "hungry.jsonl"
    with path.open("wb") as stream:
        stream.write(head)
        for _ in range(max(1, times * len(text) // 1_000_000)):
            stream.write(text * max(1, min(times, 1_000_000 // len(text))))
    longest = min(LIMIT, len(text) if b"\n" in text else path.stat().st_size)
    ((problems, peak),) = measured(path)
    assert problems
    assert all(len(problem) < 500 for problem in problems)
    assert peak < 60_000_000 + 110 + 1.3 * longest, f"{peak:,} bytes for lines of {longest:,}: {problems[0]}"


@pytest.mark.skipif(sys.platform != "linux", reason="measured as Linux counts")
def test_memory_stays_below_the_bound_for_many_ids(tmp_path: Path) -> None:
    count = 200_000
    path = tmp_path / "many.jsonl"
    line = b'{"custom_id":"request-%07d","body":{"messages":[]}}\n'
    path.write_bytes(b"".join(line % at for at in range(count)))
    ((problems, peak),) = measured(path)
    assert problems == []
    assert peak < 60_000_000 + count * 110
