"""Hostile inputs in whole commands: each ends in its own words and exit code 1, none in a traceback or a hang."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.stage import Stage

GOOD = b'{"custom_id":"1","body":{"messages":[]}}\n'


def body(text: bytes) -> bytes:
    """A line whose body holds `text` as a value."""
    return b'{"custom_id":"1","body":{"messages":[],"x":' + text + b"}}\n"


WRONG: dict[str, tuple[bytes, str]] = {
    "truncated UTF-8": (body(b'"\xe6\xbc"'), "one.jsonl:1:45: not UTF-8"),
    "a lone surrogate": (body(rb'"\ud83d"'), "one.jsonl:1: half a character"),
    "NaN": (body(b"NaN"), "one.jsonl:1: NaN and Infinity are not JSON"),
    "Infinity": (body(b"-Infinity"), "one.jsonl:1: NaN and Infinity are not JSON"),
    "a key twice": (
        b'{"custom_id":"1","custom_id":"2","body":{"messages":[]}}',
        "one.jsonl:1: a key stands twice",
    ),
    "a key twice, deep": (body(b'[[{"a":1,"a":1}]]'), "one.jsonl:1: a key stands twice in one object"),
    "100,000 levels": (body(b"[" * 100_000 + b"]" * 100_000), "one.jsonl:1: nests too deep"),
    "1e400": (body(b"1e400"), "one.jsonl:1: a number too large"),
    "an integer of 400 digits": (body(b"9" * 400), "one.jsonl:1: a number too large"),
    "an endless integer": (body(b"9" * 100_000), "one.jsonl:1: a number too large"),
    "64 MB of nothing": (b"x" * 64_000_000, "one.jsonl:1:1: not JSON from here on"),
    "64 MB of brackets": (b"[" * 64_000_000, "one.jsonl:1: "),
    "64 MB of blanks": (b" " * 64_000_000, "one.jsonl:1:"),
    "an empty file": (b"", "one.jsonl: the file is empty"),
    "NUL": (GOOD + b"\x00\n", "one.jsonl:2:1: a NUL character"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, "one.jsonl: the file begins with a byte order mark"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "one.jsonl:1:"),
    "CRLF": (GOOD.replace(b"\n", b"\r\n"), "one.jsonl:1: the lines end in CRLF"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_in_its_own_words(stage: Stage, case: str) -> None:
    data, words = WRONG[case]
    stage.spec("one")
    (stage.root / "specs/data/one.jsonl").write_bytes(data)
    result = stage.run("validate")
    assert (result.code, result.sent) == (1, [])
    assert words in result.err
    assert len(result.err) < 2000


@pytest.mark.parametrize(
    "data",
    [
        GOOD.rstrip(),
        body(b"[" * 100 + b"]" * 100),
        body(b"9" * 300),
        body(b'"' + b"x" * 64_000_000 + b'"'),
    ],
    ids=["no final newline", "100 levels", "a huge integer", "64 MB of text"],
)
def test_what_is_odd_and_right_is_taken(stage: Stage, data: bytes) -> None:
    stage.spec("one")
    (stage.root / "specs/data/one.jsonl").write_bytes(data)
    result = stage.run("validate")
    assert result.code == 0, result.err


def _unreadable(path: Path) -> None:
    path.write_bytes(GOOD)
    path.chmod(0)


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a FIFO": (os.mkfifo if sys.platform != "win32" else Path.mkdir, "not a regular file"),
    "a folder": (Path.mkdir, "a folder"),
    "a dangling link": (lambda path: path.symlink_to("nowhere"), "no such file"),
    "a link out of the root": (lambda path: path.symlink_to("/etc/hostname"), "leads out of the project"),
    "a link to itself": (lambda path: path.symlink_to(path), "cannot be read"),
    "unreadable": (_unreadable, "cannot be read: Permission denied"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="another file system")
@pytest.mark.parametrize("case", PLACES)
def test_what_is_no_file_is_told_in_its_own_words(stage: Stage, case: str) -> None:
    if case == "unreadable" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    make, words = PLACES[case]
    stage.spec("one", input_files=["data/other"])
    make(stage.root / "specs/data/other")
    result = stage.run("validate")
    assert result.code == 1
    assert words in result.err
    assert "Traceback" not in result.err


@pytest.mark.skipif(sys.platform != "linux", reason="measured by /proc")
def test_memory_stays_below_the_bound_for_many_ids(tmp_path: Path) -> None:
    count = 200_000
    path = tmp_path / "many.jsonl"
    line = b'{"custom_id":"request-%07d","body":{"messages":[]}}\n'
    path.write_bytes(b"".join(line % at for at in range(count)))
    script = (
        "import re; from pathlib import Path\n"
        "from reconciler.settings import Limits; from reconciler.specs.inputs import check\n"
        f"assert check(Path({str(path)!r}), 'many', Limits()).file.requests == {count}\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 60_000_000 + count * 110
