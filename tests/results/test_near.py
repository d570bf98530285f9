"""Joining without a spool, where requests and answers stand near each other one by one, and what happens elsewhere."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.results import answers
from reconciler.results.answers import Usage
from reconciler.results.fetch import PART
from reconciler.results.join import AT_ONCE, SHOWN, SPOOL, Joined, Sources, join
from reconciler.results.near import WINDOW, ApartError, Near
from reconciler.results.stopping import StoppedError
from tests.results.make import answer, asked, error, joined, text

MEGABYTE = 1 << 20
NAMES = ["a", "b", "c", "d", "e", 'q"', "é", "\\", "long" * 20]

MAKE: dict[str, Callable[[str], str]] = {
    "answered": lambda name: answer(name, tokens=3),
    "other words": lambda name: answer(name, error=None, more="said twice"),
    "refused": lambda name: answer(name, status=500),
    "no status": lambda name: answer(name, status=None),
    "error": error,
    "no answer": lambda name: json.dumps({"custom_id": name, "response": "hello"}),
    "strange": lambda name: answer(name, response={"body": [{"usage": 7}]}),
    "torn": lambda name: answer(name)[:20],
    "empty": lambda _: " ",
}
lines = st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(MAKE))).map(
    lambda made: MAKE[made[1]](made[0])
)


def plainly(output: Sequence[str], errors: Sequence[str], inputs: Sequence[str]) -> tuple[Joined, bytes]:
    """Join with everything in memory and no thought for time."""
    said: dict[str, tuple[str, bytes]] = {}
    count = Joined(requests=len(inputs), usage=Usage())
    for line, failed in [*((each, False) for each in output), *((each, True) for each in errors)]:
        try:
            name, kind, told, body = answers.understood(line.encode(), failed=failed)
        except answers.REFUSED:
            count.malformed += bool(line.strip())
            continue
        if name in said:
            count.repeated += 1
            continue
        said[name] = kind, told
        if kind == answers.OK:
            count.usage.add(body)
    count.unknown = len(said.keys() - set(inputs))
    missing = [name for name in inputs if name not in said]
    count.missing, count.first_missing = len(missing), missing[:SHOWN]
    kinds = [said[name][0] for name in dict.fromkeys(inputs) if name in said]
    count.ok = kinds.count(answers.OK)
    count.failures = {kind: kinds.count(kind) for kind in sorted(set(kinds)) if kind != answers.OK}
    return count, b"".join(said[name][1] if name in said else answers.missing(name) for name in inputs)


def compare(
    folder: str, output: Sequence[str], errors: Sequence[str], inputs: Sequence[str], window: int
) -> bool:
    """Compare the join with a plain one, and return whether it needed a spool."""
    paths = [Path(folder) / name for name in ("output", "errors", "in-1", "in-2")]
    half = len(inputs) // 2
    contents = [text(output), text(errors), asked(*inputs[:half]), asked(*inputs[half:])]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8", newline="")
    plain = len(set(inputs)) == len(inputs)
    sources = Sources(output=paths[0], errors=paths[1], inputs=paths[2:], longest=10_000, plain=plain)
    results = Path(folder) / "results"
    seen: set[str] = set()
    counts, written = join(
        sources, results, lambda: seen.update(path.name for path in Path(folder).iterdir()), window=window
    )
    expected, told = plainly(output, errors, inputs)
    assert results.read_bytes() == told
    assert counts == expected
    assert (written.size, written.lines) == (len(told), len(inputs))
    assert sorted(Path(folder).iterdir()) == sorted([*paths, results])
    return "results" + SPOOL in seen


@settings(max_examples=150)
@given(
    st.lists(lines, max_size=12),
    st.lists(lines, max_size=6),
    st.lists(st.sampled_from(NAMES), max_size=12),
    st.sampled_from([-1, 0, 1, 200, 1000, WINDOW]),
)
@example([answer("a")], [error("a")], ["a"], WINDOW)  # the errors could be read before the answers
@example([answer("a")], [], ["a", "a"], WINDOW)  # asked twice
@example([answer("a")], [error("a")], ["a", "a"], WINDOW)  # asked twice and answered twice
@example([answer("a"), answer("b"), answer("a", status=500)], [], ["a", "b"], WINDOW)  # repeated at the end
@example([answer("a")], [], ["a", "b"], WINDOW)  # missing
@example([answer("a"), answer("b")], [], ["a"], WINDOW)  # unknown
def test_whatever_is_asked_and_answered_the_join_is_what_a_plain_one_is(
    output: list[str], errors: list[str], inputs: list[str], window: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        compare(folder, output, errors, inputs, window)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(sorted(MAKE.keys() - {"torn", "empty"})), max_size=30), st.integers())
def test_one_answer_for_each_request_needs_no_spool_where_they_fit_into_memory(
    kinds: list[str], seed: int
) -> None:
    names = [f"r{number}" for number in range(len(kinds))]
    made = [MAKE[kind](name) for kind, name in zip(kinds, names, strict=True)]
    random.Random(seed).shuffle(made)
    with tempfile.TemporaryDirectory() as folder:
        assert not compare(folder, made[: seed % 31], made[seed % 31 :], names, WINDOW)


def padded(name: str) -> str:
    return json.dumps({"custom_id": name, "response": {"status_code": 200, "body": name + "p" * 900}})


MANY = [f"r{number:05}" for number in range(6000)]
ORDERS = {
    "same": MANY,
    "blocks": [name for start in range(0, 6000, 100) for name in reversed(MANY[start : start + 100])],
    "turned": MANY[::-1],
    "shuffled": random.Random(7).sample(MANY, len(MANY)),
}


@pytest.mark.parametrize(
    ("order", "window", "spooled"),
    [
        ("same", MEGABYTE, False),
        ("blocks", MEGABYTE, False),
        ("turned", MEGABYTE, True),
        ("turned", 8 * MEGABYTE, False),
        ("shuffled", MEGABYTE, True),
        ("shuffled", 8 * MEGABYTE, False),
    ],
)
def test_answers_that_stand_far_from_their_requests_go_by_the_spool(
    tmp_path: Path, order: str, window: int, spooled: bool
) -> None:
    """More of them than are read at a time."""
    output = [padded(name) for name in ORDERS[order]]
    assert compare(str(tmp_path), output, [], MANY, window) == spooled


@pytest.mark.parametrize("order", ["same", "turned", "shuffled"])
def test_a_job_that_is_not_known_to_be_plain_goes_by_the_spool_at_once(tmp_path: Path, order: str) -> None:
    (tmp_path / "output").write_text(text(padded(name) for name in ORDERS[order]), encoding="utf-8")
    (tmp_path / "in").write_text(asked(*MANY), encoding="utf-8")
    sources = Sources(
        output=tmp_path / "output", errors=None, inputs=[tmp_path / "in"], longest=9999, plain=False
    )
    seen: list[bool] = []
    counts, written = join(
        sources, tmp_path / "results", lambda: seen.append((tmp_path / f"results{SPOOL}").exists())
    )
    assert all(seen)
    assert seen
    whole, again = join(replace(sources, plain=True), tmp_path / "again", lambda: None)
    assert (counts, written) == (whole, again)
    assert (tmp_path / "results").read_bytes() == (tmp_path / "again").read_bytes()


def test_answers_of_one_file_wait_for_those_of_the_other(tmp_path: Path) -> None:
    """First all are answered, then all fail, as where money runs out: neither file is read far ahead."""
    output = [padded(name) for name in MANY[:3000]]
    errors = [padded(name) for name in MANY[3000:]]
    assert not compare(str(tmp_path), output, errors, MANY, MEGABYTE)


def test_a_failure_now_and_then_does_not_make_one_file_run_ahead(tmp_path: Path) -> None:
    errors = [answer(name, status=500) for name in MANY[::100]]
    output = [padded(name) for number, name in enumerate(MANY) if number % 100]
    assert not compare(str(tmp_path), output, errors, MANY, MEGABYTE)


def test_what_is_kept_in_memory_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_text(text(padded(name) for name in MANY), encoding="utf-8")
    beats: list[int] = []
    with path.open("rb", buffering=0) as file:
        near = Near([(file, False)], window=MEGABYTE, longest=9999, beat=lambda: beats.append(file.tell()))
        with pytest.raises(ApartError):
            near.take(MANY[-1])
    assert max(beats) <= 2 * MEGABYTE


@pytest.mark.parametrize("window", [-1, WINDOW])
def test_long_answers_to_short_requests_are_written_a_few_at_a_time(tmp_path: Path, window: int) -> None:
    (tmp_path / "output").write_text(text(padded(name) for name in MANY), encoding="utf-8")
    (tmp_path / "in").write_text(asked(*MANY), encoding="utf-8")
    sources = Sources(
        output=tmp_path / "output", errors=None, inputs=[tmp_path / "in"], longest=9999, plain=True
    )
    part = tmp_path / f"results{PART}"
    sizes = [0]

    def look() -> None:
        if part.exists():
            sizes.append(part.stat().st_size)

    _, written = join(sources, tmp_path / "results", look, window=window)
    sizes.append(written.size)
    assert max(after - before for before, after in pairwise(sizes)) <= AT_ONCE + 1000


def test_a_join_without_a_spool_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "output").write_text(text([answer("a")]), encoding="utf-8")
    (tmp_path / "in").write_text(asked("a"), encoding="utf-8")
    sources = Sources(
        output=tmp_path / "output", errors=None, inputs=[tmp_path / "in"], longest=9999, plain=True
    )
    for calls in range(3):
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
    sources = Sources(
        output=tmp_path / "output", errors=None, inputs=[tmp_path / "in"], longest=9999, plain=True
    )
    with pytest.raises(StoppedError):
        join(sources, tmp_path / "results", stop)


def test_lines_of_an_output_that_holds_nothing_else_are_all_counted(tmp_path: Path) -> None:
    counts, rows = joined(tmp_path, output="nonsense\n" * 7, inputs=[""])
    assert (counts.malformed, rows) == (7, [])
