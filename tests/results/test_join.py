"""`join` writes one line a request: the request and its answer."""

from __future__ import annotations

import hashlib
import json
import math
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.results import answers
from reconciler.results.answers import Usage
from reconciler.results.download import PART
from reconciler.results.heartbeat import StoppedError
from reconciler.results.join import MAX_LISTED_MISSING, WRITE_BYTES, Joined, JoinSources, join
from tests.results.make import answer, asked, error, joined, text


def test_every_request_has_a_line_in_the_order_of_the_inputs(tmp_path: Path) -> None:
    counts, rows = joined(
        tmp_path,
        output=text([answer("c"), answer("a")]),
        errors=text([answer("b", status=400)]),
        inputs=[asked("a", "b"), asked("c", "d")],
    )
    assert [row["custom_id"] for row in rows] == ["a", "b", "c", "d"]
    assert [row["ok"] for row in rows] == [True, False, True, False]
    assert rows[0] == {
        "custom_id": "a",
        "ok": True,
        "body": {"id": "of-a", "choices": []},
        "error": None,
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
    counts, rows = joined(tmp_path, output=line, inputs=[asked("a")])
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
    counts, rows = joined(tmp_path, errors=line, inputs=[asked("a")])
    assert (counts.ok, counts.failures) == (0, {kind: 1})
    assert not rows[0]["ok"]
    (again,) = joined(tmp_path, errors=answer("a"), inputs=[asked("a")])[1]
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
    counts, rows = joined(tmp_path, output=output, inputs=[asked("a", "b")])
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
    counts, rows = joined(tmp_path, **files, inputs=[asked(name, "b")])
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
        name, kind, row, _ = answers.understood(line, failed=failed)
    except (answers.UnnamedError, *answers.DECODE_ERRORS):
        return
    (joined_line, nothing) = row.split(b"\n")
    said = msgspec.json.decode(joined_line)
    assert nothing == b""
    assert json.loads(joined_line.decode())["custom_id"] == name
    assert said["ok"] == (kind == answers.OK) == (said["error"] is None)
    if kind != answers.OK:
        assert said["error"]["kind"] == kind
        assert "\n" not in answers.reason(kind, row)


def test_a_byte_order_mark_is_no_part_of_the_first_answer(tmp_path: Path) -> None:
    counts, _ = joined(tmp_path, output=b"\xef\xbb\xbf" + answer("a").encode(), inputs=[asked("a")])
    assert (counts.ok, counts.malformed) == (1, 0)


def test_errors_without_a_custom_id_are_counted_as_such(tmp_path: Path) -> None:
    lines = [
        '{"custom_id": null, "response": null, "error": "too long"}',
        '{"error": {"message": "x"}}',
        error("a"),
    ]
    counts, _ = joined(tmp_path, errors=text(lines), inputs=[asked("a", "b", "c")])
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
    counts, rows = joined(tmp_path, **written, inputs=[asked("a")])
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
    counts, rows = joined(tmp_path, errors=text(lines), inputs=[asked(*map(str, range(8)))])
    assert counts.reasons == {
        "http_422: too long": 3,
        "error: rate limited": 2,
        "http_503: busy": 1,
        "no_answer: neither an answer nor an error": 1,
    }
    assert rows[0]["error"]["detail"] == "too long"


def test_empty_lines_and_a_missing_last_line_feed_are_nothing(tmp_path: Path) -> None:
    counts, _ = joined(tmp_path, output=f"\n{answer('a')}\r\n\n  \n{answer('b')}", inputs=[asked("a", "b")])
    assert (counts.ok, counts.malformed) == (2, 0)


def test_a_line_of_no_request_is_counted_and_left_out(tmp_path: Path) -> None:
    counts, rows = joined(tmp_path, output=text([answer("x"), answer("a")]), inputs=[asked("a")])
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
    joined(tmp_path, output=line, inputs=[asked("a")])
    assert body in (tmp_path / "results.jsonl").read_text(encoding="utf-8")


ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4) | st.sampled_from(
    ["a", '"', "\\", '","', 'a","ok', "\n", "é", "\u2028", "r" * 50]
)


def refused(custom_id: str) -> str:
    return answer(custom_id, status=500)


def answered(custom_id: str) -> str:
    return answer(custom_id)


MAKE: dict[str, Callable[[str], str]] = {"ok": answered, "http_500": refused, "error": error}


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
            Path(folder), output=text(MAKE[kind](each) for each, kind in lines), inputs=[asked(*questions)]
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
    counts, rows = joined(tmp_path, output=text(lines), inputs=[asked(*names)])
    assert counts.ok == 3000
    assert all(row["body"] == row["custom_id"] + padding for row in rows)


def test_the_checksum_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "output.jsonl").write_text(answer("a"), encoding="utf-8")
    (tmp_path / "in").write_text(asked("a", "b"), encoding="utf-8")
    for inputs in (None, [tmp_path / "in"]):
        sources = JoinSources(output=tmp_path / "output.jsonl", errors=None, inputs=inputs, longest=9999)
        _, written = join(sources, tmp_path / "results.jsonl", lambda: None)
        assert written.sha256 == hashlib.sha256((tmp_path / "results.jsonl").read_bytes()).hexdigest()


def test_a_join_that_is_stopped_leaves_no_results(tmp_path: Path) -> None:
    (tmp_path / "output.jsonl").write_text(answer("a"), encoding="utf-8")

    def stop() -> None:
        raise StoppedError

    sources = JoinSources(output=tmp_path / "output.jsonl", errors=None, inputs=None, longest=9999)
    with pytest.raises(StoppedError):
        join(sources, tmp_path / "results.jsonl", stop)
    assert [path.name for path in tmp_path.iterdir()] == ["output.jsonl"]


def test_a_status_is_named_only_if_it_is_one() -> None:
    line = answer("a", status=-5).encode()
    assert answers.understood(line, failed=True)[1] == answers.ERROR


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


def plainly(output: Sequence[str], errors: Sequence[str], inputs: Sequence[str]) -> tuple[Joined, bytes]:
    """Join with everything in memory and no thought for time."""
    said: dict[str, tuple[str, bytes]] = {}
    count = Joined(requests=len(inputs), usage=Usage())
    worth = {answers.OK: 2, answers.UNREADABLE: 1}
    for line, failed in [*((each, False) for each in output), *((each, True) for each in errors)]:
        try:
            name, kind, reported, body = answers.understood(line.encode(), failed=failed)
        except answers.DECODE_ERRORS:
            count.malformed += bool(line.strip())
            continue
        if name in said:
            count.repeated += 1
            if worth.get(kind, 0) <= worth.get(said[name][0], 0):
                continue
        said[name] = kind, reported
        if kind == answers.OK:
            count.usage.add(body)
    count.unknown = len(said.keys() - set(inputs))
    missing = [name for name in inputs if name not in said]
    count.missing, count.first_missing = len(missing), missing[:MAX_LISTED_MISSING]
    kinds = [said[name][0] for name in dict.fromkeys(inputs) if name in said]
    count.ok = kinds.count(answers.OK)
    for name in inputs:
        if name in said and said[name][0] != answers.OK:
            count.reasons[answers.reason(*said[name])] += 1
    count.failures = {kind: kinds.count(kind) for kind in sorted(set(kinds)) if kind != answers.OK}
    return count, b"".join(said[name][1] if name in said else answers.missing(name) for name in inputs)


def compare(folder: str, output: Sequence[str], errors: Sequence[str], inputs: Sequence[str]) -> None:
    """Compare the join with a plain one, byte by byte."""
    paths = [Path(folder) / name for name in ("output", "errors", "in-1", "in-2")]
    half = len(inputs) // 2
    contents = [text(output), text(errors), asked(*inputs[:half]), asked(*inputs[half:])]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8", newline="")
    sources = JoinSources(output=paths[0], errors=paths[1], inputs=paths[2:], longest=10_000)
    results = Path(folder) / "results"
    counts, written = join(sources, results, lambda: None)
    expected, reported = plainly(output, errors, inputs)
    assert results.read_bytes() == reported
    assert counts == expected
    assert (written.size, written.lines) == (len(reported), len(inputs))
    assert sorted(Path(folder).iterdir()) == sorted([*paths, results])


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
    (tmp_path / "output").write_text(text(padded(name) for name in MANY), encoding="utf-8")
    (tmp_path / "in").write_text(asked(*MANY), encoding="utf-8")
    sources = JoinSources(output=tmp_path / "output", errors=None, inputs=[tmp_path / "in"], longest=9999)
    part = tmp_path / f"results{PART}"
    sizes = [0]

    def look() -> None:
        if part.exists():
            sizes.append(part.stat().st_size)

    _, written = join(sources, tmp_path / "results", look)
    sizes.append(written.size)
    assert max(after - before for before, after in pairwise(sizes)) <= WRITE_BYTES + 1000


def test_a_join_that_is_stopped_at_any_beat_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "output").write_text(text([answer("a")]), encoding="utf-8")
    (tmp_path / "in").write_text(asked("a"), encoding="utf-8")
    sources = JoinSources(output=tmp_path / "output", errors=None, inputs=[tmp_path / "in"], longest=9999)
    for calls in range(2):
        left = calls

        def stop() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise StoppedError

        with pytest.raises(StoppedError):
            join(sources, tmp_path / "results", stop)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "output"]


def test_a_join_can_be_stopped_while_it_reads_what_is_of_no_use(tmp_path: Path) -> None:
    beats: list[None] = []

    def stop() -> None:
        beats.append(None)
        if len(beats) > 3:
            raise StoppedError

    (tmp_path / "output").write_bytes((b"nonsense" * 1000 + b"\n") * 600)
    (tmp_path / "in").write_bytes(b"")
    sources = JoinSources(output=tmp_path / "output", errors=None, inputs=[tmp_path / "in"], longest=9999)
    with pytest.raises(StoppedError):
        join(sources, tmp_path / "results", stop)


def test_lines_of_an_output_that_holds_nothing_else_are_all_counted(tmp_path: Path) -> None:
    counts, rows = joined(tmp_path, output="nonsense\n" * 7, inputs=[""])
    assert (counts.malformed, rows) == (7, [])
