"""`join` writes one line a request: the request and its answer."""

from __future__ import annotations

import json
import math
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.outputs.leases import StoppedError
from reconciler.requests import answered, answers
from reconciler.requests.answers import Outcome, joined_line
from reconciler.requests.contents import Usage, read_contents
from reconciler.requests.join import MAX_LISTED, WRITE_BYTES
from tests.requests.make import Counts, answer, error, join_files, joined, requests, text


def test_every_request_has_a_line_in_the_order_of_the_inputs(tmp_path: Path) -> None:
    counts, rows = joined(
        tmp_path,
        output=text([answer("c"), answer("a")]),
        errors=text([answer("b", status=400)]),
        inputs=[requests("a", "b"), requests("c", "d")],
    )
    assert [row["custom_id"] for row in rows] == ["a", "b", "c", "d"]
    assert [row["ok"] for row in rows] == [True, False, True, False]
    assert rows[0] == {
        "custom_id": "a",
        "ok": True,
        "body": {"id": "of-a", "choices": []},
        "error": None,
        "check": "valid",
        "job": "j",
    }
    assert rows[1]["error"] == {
        "kind": "http_400",
        "status_code": 400,
        "detail": {"id": "of-b", "choices": []},
    }
    assert rows[3] == {
        "custom_id": "d",
        "ok": False,
        "body": None,
        "error": {"kind": "missing", "status_code": None, "detail": None},
        "check": None,
        "job": None,
    }
    assert (counts.ok, counts.failures, counts.missing, counts.first_missing) == (
        2,
        {"http_400": 1},
        1,
        ["d"],
    )
    assert counts.requests == 4


KINDS = (
    (answer("a"), "ok"),
    (answer("a", status=None), "ok"),
    (answer("a", status=399), "ok"),
    (answer("a", status=400), "http_400"),
    (answer("a", status=599), "http_599"),
    (answer("a", status=70_000), "error"),
    (error("a"), "error"),
    (answer("a", error="sunk"), "error"),
    (answer("a", error={"code": 1}, status=500), "http_500"),
    (answer("a", error=""), "ok"),
    (answer("a", error={}), "ok"),
    (answer("a", error=False), "ok"),
    ('{"custom_id": "a"}', "no_answer"),
    ('{"custom_id": "a", "response": null, "error": null}', "no_answer"),
    ('{"custom_id": "a", "response": "hello", "error": null}', "no_answer"),
    ('{"custom_id": "a", "response": {"status_code": "200"}}', "no_answer"),
    ('{"custom_id": "a", "response": {"status_code": "200", "body": 1}}', "ok"),
    ('{"custom_id": "a", "response": {"status_code": 200.0, "body": 1}}', "ok"),
    ('{"custom_id": "a", "response": {"status_code": "503", "body": 1}}', "http_503"),
    ('{"custom_id": "a", "response": {"status_code": 200, "body": null}}', "no_answer"),
    ('{"custom_id": "a", "response": {"status_code": 0, "body": {}}}', "no_answer"),
    ('{"custom_id": "a", "response": {"status_code": 422, "message": "too long"}}', "http_422"),
    ('{"custom_id": "a", "response": {"body": 7}}', "ok"),
)


@pytest.mark.parametrize(("line", "kind"), KINDS)
def test_what_a_line_of_the_output_amounts_to(tmp_path: Path, line: str, kind: str) -> None:
    counts, rows = joined(tmp_path, output=line, inputs=[requests("a")])
    assert len(rows) == 1
    if kind == "ok":
        assert (counts.ok, counts.failures) == (1, {})
        assert rows[0]["body"] == json.loads(line)["response"].get("body")
    else:
        assert (counts.ok, counts.failures) == (0, {kind: 1})
        assert rows[0]["error"]["kind"] == kind
        assert rows[0]["error"]["detail"] is not None


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (answer("a", status=None), "error"),
        (answer("a", status=422), "http_422"),
        ('{"custom_id": "a", "response": {"status_code": 429, "body": null}, "error": "slow"}', "http_429"),
        (error("a"), "error"),
        ('{"custom_id": "a", "message": "an unknown shape"}', "no_answer"),
    ],
)
def test_a_line_of_the_error_file_has_failed_unless_it_is_an_answer(
    tmp_path: Path, line: str, kind: str
) -> None:
    counts, rows = joined(tmp_path, errors=line, inputs=[requests("a")])
    assert (counts.ok, counts.failures) == (0, {kind: 1})
    assert not rows[0]["ok"]
    (again,) = joined(tmp_path, errors=answer("a"), inputs=[requests("a")])[1]
    assert again["ok"]


HOSTILE = (
    b"nonsense",
    b"{",
    b"[]",
    b"7",
    b"null",
    b"{}",
    b'{"custom_id": null, "response": {}}',
    b'{"custom_id": "\xff", "response": {}}',
    b'{"custom_id": "\\ud83d", "response": {}}',
    b'{"response": {"custom_id": "a", "body": NaN}}',
    b"[" * 5000,
    b"\x00",
    b'{"custom_id": "a", "response": {"body": "' + b"x" * 11_000 + b'"}}',
)


@pytest.mark.parametrize("line", HOSTILE)
def test_a_line_of_an_unknown_request_is_counted_and_ends_nothing(tmp_path: Path, line: bytes) -> None:
    output = line + b"\n" + answer("b").encode() + b"\n"
    counts, rows = joined(tmp_path, output=output, inputs=[requests("a", "b")])
    assert (counts.malformed, counts.ok, counts.missing) == (1, 1, 1)
    assert [row["ok"] for row in rows] == [False, True]


BODY = b'{"id": "x", "custom_id": "a", "response": {"status_code": 200, "body": %b}, "error": null}'
UNSTRICT = {
    "half a surrogate pair": BODY % b'"cut \\ud83d"',
    "NaN": BODY % b"NaN",
    "infinity": BODY % b"Infinity",
    "minus infinity": BODY % b"[-Infinity]",
    "a raw control character": BODY % b'"a\x01b"',
    "a raw tab": BODY % b'"a\tb"',
    "a bad byte": BODY % b'"\xff"',
    "nesting 1,500 deep": BODY % (b"[" * 1500 + b"]" * 1500),
    "nesting that does not end": b'{"custom_id": "a", "response": {"body": ' + b"[" * 5000,
    "a custom_id as a number": BODY.replace(b'"a"', b"1", 1) % b"{}",
    "a custom_id after the answer": b'{"response": {"body": NaN, "custom_id": "b"}, "custom_id": "a"}',
    "a line that is cut": BODY[:60],
    "a comma too many": BODY[:-1] % b"{}" + b",}",
}


@pytest.mark.parametrize("where", ["output", "errors"])
@pytest.mark.parametrize("line", UNSTRICT.values(), ids=UNSTRICT.keys())
def test_an_answer_that_is_not_strict_json_is_kept_as_text_under_its_custom_id(
    tmp_path: Path, line: bytes, where: str
) -> None:
    name = "1" if b'"custom_id": 1' in line else "a"
    lines = line + b"\n" + answer("b").encode() + b"\n"
    files: dict[str, Any] = {where: lines}
    counts, rows = joined(tmp_path, **files, inputs=[requests(name, "b")])
    assert (counts.failures, counts.ok, counts.missing, counts.malformed) == ({"unreadable": 1}, 1, 0, 0)
    assert rows[0]["error"]["kind"] == "unreadable"
    assert rows[0]["error"]["detail"] == line.decode(errors="backslashreplace")
    assert list(counts.reasons) == ["unreadable: the line is not strict JSON"]


bodies = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["body", "usage", "x"]), inner)
    ),
)
loose_lines = st.fixed_dictionaries(
    {},
    optional={
        "custom_id": st.sampled_from(["a", "é", '"', "\ud83d"]) | bodies,
        "response": st.fixed_dictionaries(
            {}, optional={"status_code": bodies, "body": bodies, "message": bodies}
        )
        | bodies,
        "error": bodies,
    },
).map(lambda row: json.dumps(row).encode())


@given(
    line=loose_lines,
    changes=st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=2)), max_size=2),
    failed=st.booleans(),
)
def test_whatever_a_line_holds_its_joined_line_is_strict_json_of_its_request(
    line: bytes, changes: list[tuple[int, bytes]], *, failed: bool
) -> None:
    for at, data in changes:
        line = line[:at] + data + line[at + 1 :]
    line = line.replace(b"\n", b" ")
    try:
        outcome = answers.understood(line, failed=failed)
    except (answers.UnnamedError, *answers.DECODE_ERRORS):
        return
    name, kind = outcome.custom_id, outcome.kind
    (row, nothing) = joined_line(outcome, answers.encode(name), job=b'"j"').split(b"\n")
    said = msgspec.json.decode(row)
    assert nothing == b""
    assert json.loads(row.decode())["custom_id"] == name
    assert said["ok"] == (kind == answers.OK) == (said["error"] is None)
    if kind != answers.OK:
        assert said["error"]["kind"] == kind
        assert "\n" not in answers.reason(outcome)


def test_a_byte_order_mark_is_no_part_of_the_first_answer(tmp_path: Path) -> None:
    counts, _ = joined(tmp_path, output=b"\xef\xbb\xbf" + answer("a").encode(), inputs=[requests("a")])
    assert (counts.ok, counts.malformed) == (1, 0)


def test_errors_without_a_custom_id_are_counted_as_such(tmp_path: Path) -> None:
    lines = [
        '{"custom_id": null, "response": null, "error": "too long"}',
        '{"error": {"message": "x"}}',
        error("a"),
    ]
    counts, _ = joined(tmp_path, errors=text(lines), inputs=[requests("a", "b", "c")])
    assert (counts.unnamed, counts.malformed, counts.failures, counts.missing) == (2, 0, {"error": 1}, 2)


@pytest.mark.parametrize("files", list(product(["output", "errors"], repeat=2)))
@pytest.mark.parametrize("turned", [False, True])
def test_of_two_lines_for_a_request_an_answer_beats_an_error_wherever_they_are(
    tmp_path: Path, files: tuple[str, str], *, turned: bool
) -> None:
    parts: dict[str, list[str]] = {"output": [], "errors": []}
    pair = [(files[0], answer("a", tokens=5)), (files[1], answer("a", status=500))]
    for file, line in reversed(pair) if turned else pair:
        parts[file].append(line)
    written: dict[str, Any] = {name: text(lines) for name, lines in parts.items() if lines}
    counts, rows = joined(tmp_path, **written, inputs=[requests("a")])
    assert (counts.ok, counts.failures, counts.repeated) == (1, {}, 1)
    assert rows[0]["ok"]
    assert counts.usage.total == 6


def test_the_reasons_of_failures_are_counted_by_their_message(tmp_path: Path) -> None:
    lines = [
        *(
            json.dumps({"custom_id": str(n), "response": {"status_code": 422, "message": "too long"}})
            for n in range(3)
        ),
        *(json.dumps({"custom_id": str(n), "error": "rate limited"}) for n in (3, 4)),
        json.dumps({"custom_id": "5", "response": {"status_code": 503, "body": {"detail": "busy"}}}),
        '{"custom_id": "6"}',
    ]
    counts, rows = joined(tmp_path, errors=text(lines), inputs=[requests(*map(str, range(8)))])
    assert counts.reasons == {
        "http_422: too long": 3,
        "error: rate limited": 2,
        "http_503: busy": 1,
        "no_answer: neither an answer nor an error": 1,
    }
    assert rows[0]["error"]["detail"] == "too long"


def test_empty_lines_and_a_missing_last_line_feed_are_nothing(tmp_path: Path) -> None:
    counts, _ = joined(
        tmp_path, output=f"\n{answer('a')}\r\n\n  \n{answer('b')}", inputs=[requests("a", "b")]
    )
    assert (counts.ok, counts.malformed) == (2, 0)


def test_a_line_of_no_request_is_counted_and_left_out(tmp_path: Path) -> None:
    counts, rows = joined(tmp_path, output=text([answer("x"), answer("a")]), inputs=[requests("a")])
    assert (counts.ok, counts.unknown, counts.missing) == (1, 1, 0)
    assert [row["custom_id"] for row in rows] == ["a"]


def test_without_inputs_the_answers_keep_their_order_and_nothing_is_missing(tmp_path: Path) -> None:
    counts, rows = joined(tmp_path, output=text([answer("b"), answer("a")]), errors=text([error("c")]))
    assert [row["custom_id"] for row in rows] == ["b", "a", "c"]
    assert (counts.ok, counts.failures, counts.requests, counts.missing) == (2, {"error": 1}, None, 0)


def test_tokens_are_summed_over_the_answers_that_say_them(tmp_path: Path) -> None:
    lines = [
        answer("a", tokens=10),
        answer("b", tokens=20),
        answer("c"),
        answer("d", response={"body": {"usage": {"prompt_tokens": 3}}}),
        answer("e", response={"body": {"usage": {"prompt_tokens": -3}}}),
        answer("f", response={"body": {"usage": "many"}}),
        answer("g", response={"body": [1]}),
        answer("h", tokens=99, status=500),
        answer("i", response={"body": {"usage": {"prompt_tokens": 4, "completion_tokens": None}}}),
        answer("j", response={"body": {"usage": None}}),
    ]
    usage = joined(tmp_path, output=text(lines))[0].usage
    assert (usage.prompt, usage.completion, usage.total, usage.answers) == (37, 2, 39, 4)
    assert usage.incomplete == 3


def test_bodies_are_passed_on_as_they_are(tmp_path: Path) -> None:
    body = '{"big": 123456789012345678901234567890, "é": "\\u00e9 \\ud83d\\ude00", "n": 1.50e3}'
    line = f'{{"custom_id": "a", "response": {{"status_code": 200, "body": {body}}}}}'
    joined(tmp_path, output=line, inputs=[requests("a")])
    assert body in (tmp_path / "results.jsonl").read_text(encoding="utf-8")


ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4) | st.sampled_from(
    ["a", '"', "\\", '","', 'a","ok', "\n", "é", "\u2028", "r" * 50]
)


def refused(custom_id: str) -> str:
    return answer(custom_id, status=500)


def fine(custom_id: str) -> str:
    return answer(custom_id)


MAKE: dict[str, Callable[[str], str]] = {"ok": fine, "http_500": refused, "error": error}


@given(
    st.lists(ids, unique=True, max_size=12),
    st.lists(st.tuples(ids, st.sampled_from(sorted(MAKE))), max_size=12),
    st.integers(),
)
def test_the_join_is_what_a_dictionary_would_make_of_it(
    questions: list[str], strangers: list[tuple[str, str]], seed: int
) -> None:
    said = [(each, kind) for each, kind in zip(questions, [*sorted(MAKE)] * 12, strict=False)][::2]
    lines = [*said, *strangers]
    random.Random(seed).shuffle(lines)
    first: dict[str, str] = {}
    for each, kind in lines:
        first[each] = "ok" if "ok" in (kind, first.get(each)) else first.get(each, kind)
    with tempfile.TemporaryDirectory() as folder:
        counts, rows = joined(
            Path(folder), output=text(MAKE[kind](each) for each, kind in lines), inputs=[requests(*questions)]
        )
    kinds = Counter(first[each] for each in questions if each in first)
    assert [row["custom_id"] for row in rows] == questions
    assert [row["ok"] for row in rows] == [first.get(each) == "ok" for each in questions]
    assert counts.ok == kinds.pop("ok", 0)
    assert counts.failures == dict(kinds)
    assert counts.missing == sum(each not in first for each in questions)
    assert counts.repeated == len(lines) - len(first)
    assert counts.unknown == len(first.keys() - set(questions))


@pytest.mark.parametrize("order", ["same", "turned", "far"])
def test_lines_are_found_in_whatever_order_they_were_answered(tmp_path: Path, order: str) -> None:
    """Enough of them that they do not fit into what is read at a time."""
    names = [f"r{number:05}" for number in range(3000)]
    turn = {"same": names, "turned": names[::-1], "far": names[::2] + names[1::2][::-1]}[order]
    padding = "p" * 300
    lines = (
        json.dumps({"custom_id": name, "response": {"status_code": 200, "body": name + padding}})
        for name in turn
    )
    counts, rows = joined(tmp_path, output=text(lines), inputs=[requests(*names)])
    assert counts.ok == 3000
    assert all(row["body"] == row["custom_id"] + padding for row in rows)


def test_a_status_is_named_only_if_it_is_one() -> None:
    line = answer("a", status=-5).encode()
    assert answers.understood(line, failed=True).kind == answers.ERROR


# All of it, beside a plain join.

NAMES = ["a", "b", "c", "d", "e", 'q"', "é", "\\", "long" * 20]

LINES: dict[str, Callable[[str], str]] = {
    "answered": lambda name: answer(name, tokens=3),
    "other words": lambda name: answer(name, error=None, more="said twice"),
    "refused": lambda name: answer(name, status=500),
    "no status": lambda name: answer(name, status=None),
    "error": error,
    "no answer": lambda name: json.dumps({"custom_id": name, "response": "hello"}),
    "strange": lambda name: answer(name, response={"body": [{"usage": 7}]}),
    "torn": lambda name: answer(name)[:20],
    "not a number": lambda name: answer(name, more=math.nan),
    "empty": lambda _: " ",
}
lines = st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(LINES))).map(
    lambda made: LINES[made[1]](made[0])
)


def plainly(output: Sequence[str], errors: Sequence[str], inputs: Sequence[str]) -> tuple[Counts, bytes]:
    """Join with everything in memory and no thought for time."""
    said: dict[str, Outcome] = {}
    wanted = list(dict.fromkeys(inputs))
    count = Counts(requests=len(wanted), usage=Usage())
    worth = {answers.OK: 2, answers.UNREADABLE: 1}
    for line, failed in [*((each, False) for each in output), *((each, True) for each in errors)]:
        try:
            outcome = answers.understood(line.encode(), failed=failed)
        except answers.DECODE_ERRORS:
            count.malformed += bool(line.strip())
            continue
        before = said.get(outcome.custom_id)
        count.repeated += before is not None
        if before is None or worth.get(outcome.kind, 0) > worth.get(before.kind, 0):
            said[outcome.custom_id] = outcome
            if outcome.kind == answers.OK:
                contents, invalid = read_contents(outcome.data)
                size = len(requests(outcome.custom_id).strip().encode()) if outcome.custom_id in wanted else 0
                count.usage.add(contents, invalid=invalid, size=size)
    count.unknown = len(said.keys() - set(wanted))
    missing = [name for name in wanted if name not in said]
    count.missing, count.first_missing = len(missing), missing[:MAX_LISTED]
    found = [said[name] for name in wanted if name in said]
    kinds = [outcome.kind for outcome in found]
    count.ok = kinds.count(answers.OK)
    count.verdicts = {0: count.ok} if count.ok else {}
    count.reasons = dict(Counter(answers.reason(it) for it in found if it.kind != answers.OK))
    count.failures = {kind: kinds.count(kind) for kind in sorted(set(kinds)) if kind != answers.OK}
    lines = [
        joined_line(
            said.get(name, Outcome(name, answers.MISSING, b"null")),
            answers.encode(name),
            job=b'"j"' if name in said else b"null",
            check=b'"valid"',
        )
        for name in wanted
    ]
    return count, b"".join(lines)


def compare(folder: str, output: Sequence[str], errors: Sequence[str], inputs: Sequence[str]) -> None:
    """Compare the join with a plain one, byte by byte."""
    paths = [Path(folder) / name for name in ("output.jsonl", "errors.jsonl", "in-1", "in-2")]
    half = len(inputs) // 2
    contents = [text(output), text(errors), requests(*inputs[:half]), requests(*inputs[half:])]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8", newline="")
    counts = join_files(Path(folder), paths[2:])
    expected, reported = plainly(output, errors, inputs)
    assert (Path(folder) / "results.jsonl").read_bytes() == reported
    assert counts == expected


@given(
    st.lists(lines, max_size=12),
    st.lists(lines, max_size=6),
    st.lists(st.sampled_from(NAMES), max_size=12),
)
@example([answer("a")], [error("a")], ["a"])  # answered and failed
@example([answer("a")], [], ["a", "a"])  # asked twice
@example([answer("a")], [error("a")], ["a", "a"])  # asked twice and answered twice
@example([answer("a"), answer("b"), answer("a", status=500)], [], ["a", "b"])  # repeated at the end
@example([answer("a")], [], ["a", "b"])  # missing
@example([answer("a"), answer("b")], [], ["a"])  # unknown
def test_whatever_is_asked_and_answered_the_join_is_what_a_plain_one_is(
    output: list[str], errors: list[str], inputs: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        compare(folder, output, errors, inputs)


def padded(name: str) -> str:
    return json.dumps({"custom_id": name, "response": {"status_code": 200, "body": name + "p" * 900}})


MANY = [f"r{number:05}" for number in range(6000)]


def test_long_answers_to_short_requests_are_written_a_few_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "output.jsonl").write_text(text(padded(name) for name in MANY), encoding="utf-8")
    (tmp_path / "in").write_text(requests(*MANY), encoding="utf-8")
    beats: list[int] = []
    join_files(tmp_path, [tmp_path / "in"], beat=lambda: beats.append(1))
    size = sum((tmp_path / name).stat().st_size for name in ("in", "output.jsonl", "results.jsonl"))
    assert len(beats) >= size // (WRITE_BYTES + 1000)


def test_everything_can_be_stopped_at_any_beat(tmp_path: Path) -> None:
    (tmp_path / "output.jsonl").write_text(text(padded(name) for name in MANY), encoding="utf-8")
    (tmp_path / "in").write_text(requests(*MANY), encoding="utf-8")
    for calls in range(9):
        left = calls

        def stop() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise StoppedError

        with pytest.raises(StoppedError):
            join_files(tmp_path, [tmp_path / "in"], beat=stop)


def test_lines_of_an_output_that_holds_nothing_else_are_all_counted(tmp_path: Path) -> None:
    counts, rows = joined(tmp_path, output="nonsense\n" * 7, inputs=[""])
    assert (counts.malformed, rows) == (7, [])


def test_a_line_that_is_too_long_does_not_shift_those_after_it(tmp_path: Path) -> None:
    """Longer than what is read at a time."""
    long = answer("x", more="p" * (3 << 20))
    counts, rows = joined(
        tmp_path, output=text([answer("a"), long, answer("b")]), inputs=[requests("a", "b")]
    )
    assert (counts.malformed, counts.ok) == (1, 2)
    assert [row["body"]["id"] for row in rows] == ["of-a", "of-b"]


def asking(custom_id: str, wanted: object) -> str:
    return json.dumps({"custom_id": custom_id, "body": {"messages": [], "response_format": wanted}}) + "\n"


def chat(custom_id: str, content: object, **more: Any) -> str:  # noqa: ANN401 - JSON
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    body = {"model": "m-2603", "choices": [choice | more]}
    return json.dumps({"custom_id": custom_id, "response": {"status_code": 200, "body": body}})


SCHEMA = {"type": "object", "properties": {"queue": {"type": "string"}}, "required": ["queue"]}


def test_answers_are_checked_against_what_their_request_asks_for(tmp_path: Path) -> None:
    strict = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}
    elsewhere = {"type": "json_schema", "json_schema": {"schema": {"$ref": "https://example.org/x"}}}
    never = {"type": "json_schema", "json_schema": {"schema": {"pattern": "^(a+)+$"}}}
    wanted: dict[str, tuple[object, str, str]] = {
        "good": (strict, chat("good", '{"queue": "a"}'), "valid"),
        "in parts": (
            strict,
            chat("in parts", [{"type": "text", "text": '{"queue":'}, {"text": '"a"}'}]),
            "valid",
        ),
        "wrong": (strict, chat("wrong", '{"queue": 1}'), "invalid"),
        "not json": (strict, chat("not json", "Sure! Here it is"), "invalid"),
        "cut": (strict, chat("cut", '{"queue": ', finish_reason="length"), "truncated"),
        "json": ({"type": "json_object"}, chat("json", "[1]"), "valid"),
        "no json": ({"type": "json_object"}, chat("no json", "[1"), "invalid"),
        "text": ({"type": "text"}, chat("text", "["), "valid"),
        "tool": (strict, chat("tool", None), "unchecked"),
        "elsewhere": (elsewhere, chat("elsewhere", "1"), "unchecked"),
        "never": (never, chat("never", json.dumps("a" * 40 + "b")), "unchecked"),
    }
    counts, rows = joined(
        tmp_path,
        output=text(line for _, line, _ in wanted.values()),
        inputs=["".join(asking(name, form) for name, (form, _, _) in wanted.items())],
    )
    assert {row["custom_id"]: row["check"] for row in rows} == {name: it[2] for name, it in wanted.items()}
    assert counts.reasons == {
        "invalid: queue: not string": 1,
        "invalid: not JSON": 2,
        "unchecked: it refers to https://example.org/x, which is not inside the schema": 1,
        "unchecked: the pattern ^(a+)+$ takes too long or is invalid": 1,
    }
    assert (counts.ok, counts.verdicts) == (11, {0: 4, 1: 3, 2: 1, 3: 3})
    assert counts.usage.models == {"m-2603": 11}


def test_pages_audio_and_cached_tokens_are_summed_and_what_could_not_be_is_counted(tmp_path: Path) -> None:
    bodies = [
        {"usage_info": {"pages_processed": 3, "doc_size_bytes": 9}, "model": "ocr"},
        {"usage_info": {"pages_processed": None}, "model": 7},
        {"usage": {"prompt_tokens": 9, "prompt_audio_seconds": 12, "total_tokens": 20}},
        {"usage": {"prompt_tokens": 8, "prompt_tokens_details": {"cached_tokens": 5}}, "choices": "none"},
        {"usage": {"prompt_tokens": 8, "prompt_tokens_details": {"cached_tokens": -5}}},
        {"usage": {"prompt_tokens": 1, "prompt_audio_seconds": "long"}},
    ]
    rows = [{"custom_id": str(n), "response": {"body": body}} for n, body in enumerate(bodies)]
    usage = joined(tmp_path, output=text(map(json.dumps, rows)))[0].usage
    assert (usage.pages, usage.audio_seconds, usage.cached) == (3, 12, 5)
    assert (usage.prompt, usage.total, usage.answers, usage.incomplete) == (26, 37, 5, 3)
    assert usage.models == {"ocr": 1}


@pytest.mark.parametrize(
    ("more", "annotated"),
    [
        ({}, 0),
        ({"document_annotation": None, "pages": [{"images": [{"image_annotation": None}]}]}, 0),
        ({"document_annotation": "{}"}, 3),
        ({"pages": [{"markdown": "x", "images": [{"id": "i", "image_annotation": "{}"}]}]}, 3),
        ({"pages": [{"markdown": "x", "images": None}]}, 0),
        ({"document_annotation": "{}", "choices": "none"}, 3),
    ],
)
def test_pages_of_answers_with_annotations_are_counted_apart(
    tmp_path: Path, more: dict[str, Any], annotated: int
) -> None:
    row = {"custom_id": "a", "response": {"body": {"usage_info": {"pages_processed": 3}, **more}}}
    usage = joined(tmp_path, output=text([json.dumps(row)]))[0].usage
    assert (usage.pages, usage.annotated) == (3, annotated)


def test_an_index_that_is_cut_or_of_another_version_is_none(tmp_path: Path) -> None:
    joined(tmp_path, output=answer("a"), inputs=[requests("a")])
    path = tmp_path / answered.NAME
    whole = path.read_bytes()
    assert answered.load(path) is not None
    for damaged in (whole[:-1], whole[:30], b"", b"[]\n", whole.replace(b'"v":1', b'"v":2'), b"\xff\n"):
        path.write_bytes(damaged)
        assert answered.load(path) is None
    assert answered.load(tmp_path / "nowhere") is None
    assert answered.load(tmp_path / "asked.idx") is None
