from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.model import InputFile
from reconciler.settings import Limits
from reconciler.specs.inputs import blocks
from reconciler.specs.inputs import reader as inputs
from reconciler.specs.inputs.diagnose import diagnose_line
from reconciler.specs.inputs.reader import Checked, InputReader, check

HUGE = "a number too large for most JSON readers"
TWICE = "a duplicate key in one object"
BESIDE = "a key other than `custom_id` and `body`"
GOOD = b'{"custom_id":"1","body":{}}\n'
NEXT = b'{"custom_id":"2","body":{"a":[1,{"b":null}]}}\n'


def checked(folder: Path, data: bytes, limits: Limits | None = None) -> Checked:
    path = folder / "a.jsonl"
    path.write_bytes(data)
    return check(path, "a.jsonl", limits or Limits())


def reported(folder: Path, data: bytes, limits: Limits | None = None) -> list[tuple[str, str]]:
    return [(problem.where, problem.message) for problem in checked(folder, data, limits).problems]


@pytest.mark.parametrize(
    "data", [GOOD + NEXT, (GOOD + NEXT).rstrip(b"\n")], ids=["line feed", "no line feed"]
)
def test_a_good_file_is_counted_and_hashed(tmp_path: Path, data: bytes) -> None:
    result = checked(tmp_path, data)
    digest = hashlib.sha256(data).hexdigest()
    assert replace(result.file, workload=None) == InputFile(
        path="a.jsonl", sha256=digest, size=len(data), requests=2
    )
    assert result.problems == ()


@pytest.mark.parametrize(
    "line",
    [
        '{"custom_id": "é", "body": {"text": "漢字 😀 \\ud83d\\ude00"}}',
        ' { "body" : {} , "custom_id" : "1" } ',
        '{"custom_id": "1", "body": {"a": 1, "b": {"body": {"custom_id": []}}}}',
        '{"custom_id": "1", "body": {"n": 123456789012345678901234567890}}',
        '{"custom_id": "1", "body": {"n": 1' + "0" * 308 + "}}",
        '{"custom_id": "1", "body": {"n": 0.' + "1" * 400 + "}}",
        '{"custom_id": "1", "body": {"text": "' + "1" * 400 + '"}}',
        r'{"custom_id": "1", "body": {"a": "\u0022", "b": "\"", "c": "\\\\u0022", "d": "\\u0022"}}',
        '{"custom_id": "1",\r"body": {}}',
        '{"custom_id": "\\u0000", "body": {"\\n": "\\/"}}',
    ],
)
def test_what_is_odd_and_yet_json_is_taken(tmp_path: Path, line: str) -> None:
    assert reported(tmp_path, line.encode()) == []


@pytest.mark.parametrize(
    ("data", "where", "message"),
    [
        (b"", "a.jsonl", "the file is empty"),
        (b"\n", "a.jsonl:1", "an empty line"),
        (GOOD + b"\n", "a.jsonl:2", "an empty line"),
        (GOOD + b" \t\n" + NEXT, "a.jsonl:2", "an empty line"),
        (b"\xef\xbb\xbf" + GOOD, "a.jsonl", "the file begins with a byte order mark"),
        (GOOD.replace(b"\n", b"\r\n"), "a.jsonl:1", "the lines end in CRLF"),
        (GOOD + NEXT.replace(b"\n", b"\r\n"), "a.jsonl:2", "the lines end in CRLF"),
        (GOOD + b'{"custom_id":"2","body":{"x":"\xff"}}', "a.jsonl:2:31", "not UTF-8"),
        ('{"custom_id":"é'.encode() + b'\xff","body":{}}', "a.jsonl:1:16", "not UTF-8"),
        (b'{"custom_id":"1","body":{}', "a.jsonl:1:27", "not valid JSON"),
        (b'{"custom_id":"1" "body":{}}', "a.jsonl:1:18", "not valid JSON"),
        (b"{'custom_id':'1','body':{}}", "a.jsonl:1:2", "not valid JSON"),
        (b'{"custom_id":"1","body":{"a":"\x01"}}', "a.jsonl:1:31", "not valid JSON"),
        (b'{"custom_id":"1","body":{"a":01}}', "a.jsonl:1:31", "not valid JSON"),
        (b'{"custom_id":"1","body":{}}\x00', "a.jsonl:1:28", "a NUL character"),
        (b"\x00" * 40, "a.jsonl:1:1", "a NUL character"),
        (b'{"custom_id":"1","body":{"a":1e400}}', "a.jsonl:1", HUGE),
        (b'{"custom_id":"1","body":{"a":-1E+400}}', "a.jsonl:1", HUGE),
        (b'{"custom_id":"1","body":{"a":' + b"1" * 5000 + b"}}", "a.jsonl:1", HUGE),
        (b'{"custom_id":"1","custom_id":"2","body":{}}', "a.jsonl:1", TWICE),
        (b'{"custom_id":"1","body":{},"body":{"a":1}}', "a.jsonl:1", TWICE),
        (rb'{"custom_id":"1","custom\u005fid":"2","body":{}}', "a.jsonl:1", TWICE),
        (b'{"custom_id":"1","body":{"a":1,"a":2}}', "a.jsonl:1", TWICE),
        (GOOD + b'{"custom_id":"2","body":{"x":[{"y":[[{"a":1,"b":{},"a":1}]]}]}}\n', "a.jsonl:2", TWICE),
        (rb'{"custom_id":"1","body":{"a":"\u0022\u0022","b":1,"b":2}}', "a.jsonl:1", TWICE),
        (b'{"custom_id":"1","body":{"a":1' + b"0" * 309 + b"}}", "a.jsonl:1", HUGE),
        (b'{"custom_id":"1","body":{"a":[-' + b"7" * 400 + b"]}}", "a.jsonl:1", HUGE),
        (b'{"custom_id":"1","body":{},"URL":"/v1/chat"}', "a.jsonl:1", f"{BESIDE}: `URL`"),
        (b'{"custom_id":"1","body":{},"what I wrote":1}', "a.jsonl:1", BESIDE),
        (
            b'{"custom_id":"1","body":{},"a":"' + b"x" * 3_000_000 + b'"}',
            "a.jsonl:1",
            f"{BESIDE}: `a`",
        ),
        (b'{"custom_id":"1","body":"' + b"x" * 3_000_000, "a.jsonl:1:3000025", "not valid JSON"),
        (b'{"custom_id":"1","body":{"a":"' + b"x" * 3_000_000 + b'\xff"}}', "a.jsonl:1", "not UTF-8"),
        (b"[" + b'"x",' * 500_000 + b"1]", "a.jsonl:1", "not an object"),
        (b'{"custom_id":"1","body":{}}{}', "a.jsonl:1:28", "more than one value on the line"),
        (b'{"custom_id":"1","body":{"a":NaN}}', "a.jsonl:1", "NaN and Infinity are not JSON"),
        (b'{"custom_id":"1","body":{"a":-Infinity}}', "a.jsonl:1", "NaN and Infinity are not JSON"),
        (
            b'{"custom_id":"1","body":{"a":"\\ud800"}}',
            "a.jsonl:1",
            "half a character (a lone surrogate such as `\\ud83d`)",
        ),
        (
            b'{"custom_id":"\\udc00","body":{}}',
            "a.jsonl:1",
            "half a character (a lone surrogate such as `\\ud83d`)",
        ),
        (
            b'{"custom_id":"1","body":{"\\ud800x":1}}',
            "a.jsonl:1",
            "half a character (a lone surrogate such as `\\ud83d`)",
        ),
        (b'{"custom_id":"1","body":' + b'{"a":' * 100_000, "a.jsonl:1", "nested too deeply"),
        (b'{"custom_id":"1","body":{"a":' + b"[" * 100_000, "a.jsonl:1", "nested too deeply"),
        (b"[]", "a.jsonl:1", "not an object"),
        (b"null", "a.jsonl:1", "not an object"),
        (b'"x"', "a.jsonl:1", "not an object"),
        (b'{"custom_id":"1"}', "a.jsonl:1", "`body` is missing"),
        (b'{"custom_id":"1","body":null}', "a.jsonl:1", "`body` is not an object"),
        (b'{"custom_id":"1","body":[]}', "a.jsonl:1", "`body` is not an object"),
        (b'{"custom_id":"1","body":"{}"}', "a.jsonl:1", "`body` is not an object"),
        (b'{"body":{}}', "a.jsonl:1", "`custom_id` is missing"),
        (b'{"custom_id":null,"body":{}}', "a.jsonl:1", "`custom_id` is not text"),
        (b'{"custom_id":1,"body":{}}', "a.jsonl:1", "`custom_id` is not text"),
        (b'{"custom_id":"","body":{}}', "a.jsonl:1", "`custom_id` is empty"),
        (GOOD + NEXT + GOOD, "a.jsonl:3", "`custom_id` was used before, in line 1"),
        (GOOD + b'{"custom_id":"\\u0031","body":{}}', "a.jsonl:2", "`custom_id` was used before, in line 1"),
        (b'{"custom_id":"1","body":{"n":' + b"1" * 5000 + b"}, }", "a.jsonl:1", HUGE),
        (
            b'{"custom_id":"1","body":[' + b"1," * 600_000 + b"1]}",
            "a.jsonl:1",
            "`body` is not an object",
        ),
    ],
)
def test_what_is_wrong_and_where(tmp_path: Path, data: bytes, where: str, message: str) -> None:
    (problem,) = checked(tmp_path, data).problems
    assert (problem.where, problem.message) == (where, message)
    assert problem.hint
    assert not problem.excerpt, "what an input says is never shown"


PADDING = '{"pad": "' + "x" * 600_000 + '"}'
"""A body that makes a line a long one."""


@pytest.mark.parametrize(
    ("line", "messages"),
    {
        '{"custom_id": 1, "body": BODY}': ["`custom_id` is not text"],
        '{"custom_id": null, "body": BODY}': ["`custom_id` is not text"],
        '{"custom_id": "", "body": BODY}': ["`custom_id` is empty"],
        '{"body": BODY}': ["`custom_id` is missing"],
        '{"custom_id": "1", "body": [BODY]}': ["`body` is not an object"],
        '{"custom_id": "1", "Body": BODY}': ["`body` is missing", f"{BESIDE}: `Body`"],
        '{"custom_id": "1", "body": BODY, "odd key": 1}': [BESIDE],
        '{"custom_id": "1", "body": {}, "body": BODY}': [TWICE],
        '{"custom_id": "1", "body": BODY, "body": {}}': [TWICE],
        '{"custom_id": "1", "body": BODY, "custom_id": "1"}': [TWICE],
        r'{"custom_id": "1", "body": BODY, "b\u006fdy": {}}': [TWICE],
        '{"custom_id": "1", "body":     BODY            }': [],
        '{"body": BODY, "custom_id": "body\\": {"}': [],
        "[1, BODY]": ["not an object"],
        '{"custom_id": "1", "params": BODY}': ["the file is in the batch format of Anthropic (`params` on the line)"],
        '{"custom_id": "1", "method": "POST", "url": "/v1/x", "body": BODY}': [
            "the file is in the batch format of OpenAI (`method` and `url` on the line)"
        ],
        '{"custom_id": "1", "response": BODY}': ["the file holds results, not requests"],
    }.items(),
)  # fmt: skip
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte order mark"])
def test_a_long_line_is_judged_at_its_top_level_like_a_short_one(
    tmp_path: Path, line: str, messages: list[str], mark: bytes
) -> None:
    expected = [*(["the file begins with a byte order mark"] if mark else []), *messages]
    for body in ("{}", PADDING):
        found = checked(tmp_path, mark + line.replace("BODY", body).encode()).problems
        assert [problem.message for problem in found] == expected


def test_crlf_is_reported_once_with_the_line_that_mends_it(tmp_path: Path) -> None:
    (problem,) = checked(tmp_path, (GOOD + NEXT).replace(b"\n", b"\r\n")).problems
    assert "`*.jsonl -text`" in problem.hint


def test_several_things_wrong_in_one_line_are_all_reported(tmp_path: Path) -> None:
    assert reported(tmp_path, b"\xef\xbb\xbf" + b'{"body":[]}\n') == [
        ("a.jsonl", "the file begins with a byte order mark"),
        ("a.jsonl:1", "`body` is not an object"),
        ("a.jsonl:1", "`custom_id` is missing"),
    ]


def test_twenty_problems_are_shown_and_the_others_counted_by_kind(tmp_path: Path) -> None:
    data = GOOD + b"[]\n" * 100 + b"\n" * 7 + GOOD * 3 + b'{"custom_id":"","body":{}}\n'
    shown = reported(tmp_path, data)
    assert len(shown) == 21
    assert shown[:20] == [(f"a.jsonl:{line}", "not an object") for line in range(2, 22)]
    where, rest = shown[20]
    assert where == "a.jsonl:22"
    assert rest == (
        "91 more problems from here on: not an object (80), an empty line (7), `custom_id` was used before (3), "
        "`custom_id` is empty (1)"
    )


@pytest.mark.parametrize("line", [b"\n", b"[]\n", GOOD], ids=["nothing", "no object", "the same id"])
def test_reading_ends_after_too_many_problems(tmp_path: Path, line: bytes) -> None:
    *_, (where, rest) = reported(tmp_path, line * 30_000)
    assert where == f"a.jsonl:{22 if line == GOOD else 21}"
    assert re.match(r"9,9\d\d more|10,\d\d\d more", rest)
    assert rest.endswith(". Stopped reading")


def test_a_file_over_the_limit_is_read_for_its_parts_unless_a_line_alone_is_over_it(tmp_path: Path) -> None:
    result = checked(tmp_path, GOOD + NEXT, Limits(file_bytes=len(NEXT)))
    assert (result.problems, result.file.requests) == ((), 2)
    assert reported(tmp_path, GOOD + NEXT, Limits(file_bytes=len(NEXT) - 1)) == [
        ("a.jsonl:2", f"the line is too long: more than {len(NEXT) - 2} bytes")
    ]


def test_a_line_over_the_limit_ends_the_reading(tmp_path: Path) -> None:
    assert reported(tmp_path, GOOD + NEXT + b"[]\n", Limits(line_bytes=30)) == [
        ("a.jsonl:2", "the line is too long: more than 30 bytes")
    ]


def test_a_huge_line_is_not_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 10)
    assert reported(tmp_path, b"x" * 10_000, Limits(line_bytes=30)) == [
        ("a.jsonl:1", "the line is too long: more than 30 bytes")
    ]


def test_lines_are_whole_wherever_a_block_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = b"".join(b'{"custom_id":"%d","body":{"x":"%s"}}\n' % (n, "é".encode() * n) for n in range(30))

    expected = checked(tmp_path, lines)
    for block in (1, 2, 7, 64):
        monkeypatch.setattr(blocks, "BLOCK", block)
        assert checked(tmp_path, lines) == expected
    assert expected.file.requests == 30


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (problem,) = check(tmp_path, "folder", Limits()).problems
    assert problem.message.startswith("the file cannot be read")
    (problem,) = check(tmp_path / "missing", "missing", Limits()).problems
    assert problem.message.startswith("the file cannot be read")


def reader(folder: Path, **files: bytes) -> InputReader:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return InputReader(folder, Limits())


def test_a_file_is_read_once(tmp_path: Path) -> None:
    one = reader(tmp_path, a=GOOD)
    first = one.read("a")
    (tmp_path / "a").unlink()
    assert one.read("a") is first
    assert one.paths == {"a"}


def test_an_id_that_two_files_share_names_both_places(tmp_path: Path) -> None:
    one = reader(tmp_path, a=GOOD + NEXT, b=b'{"custom_id":"3","body":{}}\n' + NEXT, c=GOOD)
    assert [(problem.where, problem.message) for problem in one.shared_ids(["a", "b", "c"])] == [
        ("b:2", "`custom_id` was used before, in a:2"),
        ("c:1", "`custom_id` was used before, in a:1"),
    ]


def test_files_that_share_nothing_are_not_read_again(tmp_path: Path) -> None:
    one = reader(tmp_path, a=GOOD, b=NEXT)
    one.read("a"), one.read("b")
    (tmp_path / "a").unlink()
    assert one.shared_ids(["a", "b"]) == []


def test_ids_of_one_hash_are_still_two_ids(tmp_path: Path) -> None:
    one = reader(tmp_path, a=GOOD, b=NEXT)
    for path in ("a", "b"):
        marks = one.read(path).marks
        assert marks
        marks[0] = hash("1")
    assert one.shared_ids(["a", "b"]) == []


PIECES = """
    {"custom_id": "1" "" "\\ud800" "\\ude00" 1 null ,"body": {} [] } { {"a": NaN \\ 1e5 - .5 [ ] é , : " true 1. 01
"""
pieces = st.sampled_from([*PIECES.split(), " ", "\t", "\x00", "\x1f", "\ud800", "\ufeff"])
noise = st.lists(pieces, max_size=12).map("".join)
lines = st.one_of(
    noise,
    st.builds('{{"custom_id":{},"body":{}}}'.format, noise, noise),
    st.builds('{{"custom_id":"1","body":{{"a":{}}}}}'.format, noise),
).map(lambda text: text.encode(errors="surrogatepass"))


def strict(line: bytes) -> Any:  # noqa: ANN401 - JSON
    def refuse(_: str) -> None:
        raise ValueError

    value = json.loads(line.decode(), parse_constant=refuse, object_pairs_hook=once)
    json.dumps(value, ensure_ascii=False).encode()
    return value


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError
    return found


def is_request(line: bytes) -> bool:
    try:
        value = strict(line)
    except ValueError:
        return False
    if not isinstance(value, dict) or len(value) != 2 or b"1e400" in line:
        return False
    custom_id = value.get("custom_id")
    return isinstance(custom_id, str) and custom_id != "" and isinstance(value.get("body"), dict)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines | st.binary(max_size=30).filter(lambda data: b"\n" not in data and not data.endswith(b"\r")))
@example(b'{"custom_id":"1","body":{"a":"\\udc00"}}')
def test_a_line_is_accepted_exactly_if_the_standard_library_accepts_it(tmp_path: Path, line: bytes) -> None:
    wrong = reported(tmp_path, line + b"\n")
    assert (not wrong) == is_request(line)


@given(st.binary(max_size=200))
def test_why_never_fails_and_is_never_silent_about_what_is_refused(line: bytes) -> None:
    found = list(diagnose_line(1, line))
    try:
        msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        assert found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (problem,) = check(tmp_path / "pipe", "pipe", Limits()).problems
    assert problem.message == "the file cannot be read: it is a pipe, not a regular file"


def test_a_file_that_grows_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(GOOD)

    def growing(*given: Any, **more: Any) -> Iterator[blocks.Text]:  # noqa: ANN401 - what `pieces` takes
        yield from blocks.pieces(*given, **more)
        path.write_bytes(GOOD + NEXT)

    monkeypatch.setattr(inputs, "pieces", growing)
    (problem,) = check(path, "a.jsonl", Limits()).problems
    assert problem.message == "the file changed while it was read"


def test_a_file_of_several_blocks_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    data = b"".join(b'{"custom_id":"%d","body":{"x":"%s"}}\n' % (n, b"x" * 900_000) for n in range(12))
    result = checked(tmp_path, data)
    assert (result.file.sha256, result.file.requests) == (hashlib.sha256(data).hexdigest(), 12)
    assert not result.problems


def test_a_hundred_levels_are_taken(tmp_path: Path) -> None:
    assert reported(tmp_path, b'{"custom_id":"1","body":{"a":' + b"[" * 100 + b"]" * 100 + b"}}") == []


def test_a_line_of_64_megabytes_is_taken_and_a_bad_one_reported(tmp_path: Path) -> None:
    text = b"x" * 64_000_000
    assert reported(tmp_path, b'{"custom_id":"1","body":{"document":"' + text + b'"}}\n') == []
    assert reported(tmp_path, text) == [("a.jsonl:1:1", "not valid JSON")]
