"""A ledger in an object store: who gets a number, what a lost answer means, which changes of the past are noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.errors import LedgerError
from reconciler.ledger import chain
from reconciler.ledger.shared import ConflictError, UnreachableError
from reconciler.outputs.object_store import ObjectStore
from tests.ledger.bucket import URL, Bucket


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.long)])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    """A stand-in for S3, and moto's S3 through s3fs."""
    if request.param == "s3":
        return Bucket(tmp_path, request.getfixturevalue("s3"))
    pytest.importorskip("fsspec")
    from tests.helpers.bucket import install

    return Bucket(tmp_path, install())


class Odd(ObjectStore):
    """A store whose creates of segments go wrong."""

    def __init__(self, how: str, folder: Path) -> None:
        super().__init__(URL, staging=folder)
        self.how = how

    def create(self, path: str, data: bytes) -> bool:
        if not path.startswith("segments/") or not self.how:
            return super().create(path, data)
        if self.how == "answer lost":
            super().create(path, data)
            raise TimeoutError("no answer")
        if self.how == "sent twice":
            return super().create(path, data) and super().create(path, data)
        if self.how == "another was first":
            super().create(path, b'{"segment":1,"before":""}\n')
            raise TimeoutError("no answer")
        if self.how == "condition ignored":
            self.replace(path, data)
            return True
        raise TimeoutError("no answer")  # "request lost"


def test_segments_are_numbered_and_each_names_the_digest_of_the_one_before(bucket: Bucket) -> None:
    bucket.push("a", b"one", b"two", times=3)
    assert bucket.names() == ["00000001.jsonl", "00000002.jsonl", "00000003.jsonl"]
    before = ""
    for number in (1, 2, 3):
        data = bucket.content(number)
        first = json.loads(data.splitlines()[0])
        assert (first["segment"], first["before"], first["by"]) == (number, before, "run 1")
        before = hashlib.sha256(data).hexdigest()
    assert bucket.rows("b") == [b"one 0", b"two 0", b"one 1", b"two 1", b"one 2", b"two 2"]


def test_of_two_hosts_that_read_the_same_tip_one_gets_the_next_number(bucket: Bucket) -> None:
    tip = bucket.push("a")
    assert bucket.host("b").fetch() == tip
    bucket.host("a").push(tip, [b"first"], message="run 1")
    with pytest.raises(ConflictError):
        bucket.host("b").push(tip, [b"second"], message="run 2")
    assert bucket.rows("c") == [b"line 0", b"first"]


@pytest.mark.parametrize("how", ["answer lost", "sent twice"])
def test_a_segment_that_is_there_and_ours_was_pushed_whatever_the_store_answered(
    bucket: Bucket, tmp_path: Path, how: str
) -> None:
    ledger = bucket.host("a", Odd(how, tmp_path))
    tip = ledger.push("", [b"x"], message="run 1")
    assert (tip, bucket.rows("b")) == (bucket.host("b").fetch(), [b"x"])


def test_a_segment_of_another_run_is_a_lost_race_whatever_the_store_answered(
    bucket: Bucket, tmp_path: Path
) -> None:
    with pytest.raises(ConflictError):
        bucket.host("a", Odd("another was first", tmp_path)).push("", [b"x"], message="run 1")


def test_an_unknown_outcome_is_an_error_and_a_segment_that_arrives_later_counts(
    bucket: Bucket, tmp_path: Path
) -> None:
    odd = Odd("request lost", tmp_path)
    ledger = bucket.host("a", odd)
    with pytest.raises(LedgerError, match="cannot be written: no answer") as caught:
        ledger.push("", [b"x"], message="run 1")
    assert "no job was created" in caught.value.hint
    assert ledger.fetch() == ""
    odd.how = ""
    bucket.host("late").push("", [b"x"], message="run 1")  # what the network held back
    with pytest.raises(ConflictError):
        ledger.push("", [b"y"], message="run 1")
    assert bucket.rows("a") == [b"x"]


def test_the_same_lines_of_the_same_run_are_another_segment(bucket: Bucket) -> None:
    """Otherwise a run would take its own earlier push for the new one."""
    ledger = bucket.host("a")
    ledger.push("", [b"x"], message="run 1")
    with pytest.raises(ConflictError):
        ledger.push("", [b"x"], message="run 1")


def test_a_store_that_creates_an_object_twice_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    class Overwrites(ObjectStore):
        def create(self, path: str, data: bytes) -> bool:
            self.replace(path, data)
            return True

    ledger = bucket.host("a", Overwrites(URL, staging=tmp_path))
    for attempt in (ledger.check_push, lambda: ledger.push("", [b"x"], message="m")):
        with pytest.raises(LedgerError, match="it creates an object that exists") as caught:
            attempt()
        assert "If-None-Match" in caught.value.hint
    assert bucket.names() == []


def test_of_eight_pushes_at_once_one_wins_and_every_line_of_the_others_can_follow(bucket: Bucket) -> None:
    ledgers = [bucket.host(str(number)) for number in range(8)]
    tip = bucket.push("a")
    assert {ledger.fetch() for ledger in ledgers} == {tip}

    def push(number: int) -> bool:
        with suppress(ConflictError):
            return bool(ledgers[number].push(tip, [b"by %d" % number], message=f"run {number}"))
        return False

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(push, range(8)))
    assert won.count(True) == 1
    assert bucket.names() == ["00000001.jsonl", "00000002.jsonl"]
    for number in range(8):
        bucket.push(str(number), b"again")
    assert len(bucket.rows("b")) == 10


@pytest.mark.usefixtures("bucket")
def test_a_large_file_is_created_once_too(tmp_path: Path) -> None:
    place, other = tmp_path / "large", tmp_path / "other"
    place.write_bytes(b"x" * (18 << 20))  # more than two pieces
    store = ObjectStore(URL, staging=tmp_path)
    assert store.upload("snapshots/1", place)
    place.write_bytes(b"y" * (18 << 20))
    assert not store.upload("snapshots/1", place)
    store.download("snapshots/1", other)
    assert other.read_bytes() == b"x" * (18 << 20)


@pytest.mark.parametrize("rows", [[], [b"a"], [b"a", b"b"], [b'{"segments":1}', b"", b"c"]])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_first_lines_of_segments_are_left_out_wherever_they_are(rows: list[bytes], count: int) -> None:
    lines = b"".join(row + b"\n" for row in rows)
    data = lines
    for _ in range(count):
        data += chain.segment(chain.Tip(), rows or [b"x"], by="m", nonce="")
    rest = [row for row in data.split(b"\n") if not row.startswith(b'{"segment":')]
    assert chain.lines_only(data) == b"\n".join(rest)


def test_a_text_that_looks_like_the_beginning_of_a_segment_is_no_line(bucket: Bucket) -> None:
    tip = bucket.host("a").push("", [b'{"segment":9,"v":7}', b"x"], message="run 1")
    bucket.host("a").push(tip, [b"y"], message="run 1")
    assert bucket.rows("b") == [b"x", b"y"]


def test_a_host_that_has_read_all_asks_for_two_segments_only(bucket: Bucket, tmp_path: Path) -> None:
    asked: list[str] = []

    class Counting(ObjectStore):
        def read_all(self, paths: Sequence[str]) -> list[bytes | None]:
            asked.extend(paths)
            return super().read_all(paths)

    bucket.push("a", times=40)
    ledger = bucket.host("b", Counting(URL, staging=tmp_path))
    ledger.fetch()
    asked.clear()
    ledger.fetch()
    assert asked == ["segments/00000040.jsonl", "segments/00000041.jsonl"]


def test_every_line_is_found_with_its_segment_and_row(bucket: Bucket) -> None:
    bucket.snapshot_after = 2
    texts = [f'{{"v":2,"kind":"x","name":"{number}"}}' for number in range(5)]
    tip = ""
    for number in range(0, 4, 2):
        tip = bucket.host("a").push(tip, [it.encode() for it in texts[number : number + 2]], message="m")
    tip = bucket.host("a").push(tip, [texts[4].encode()], message="m")
    assert bucket.host("a").locate(tip, texts[1:]) == {
        texts[1]: f"{URL}/segments/00000001.jsonl:3",
        texts[2]: f"{URL}/segments/00000002.jsonl:2",
        texts[3]: f"{URL}/segments/00000002.jsonl:3",
        texts[4]: f"{URL}/segments/00000003.jsonl:2",
    }


# Snapshots


@pytest.fixture
def often(bucket: Bucket) -> None:
    """Snapshots after three segments."""
    bucket.snapshot_after = 3


@pytest.mark.usefixtures("often")
def test_a_writer_that_finds_many_segments_creates_a_snapshot_of_all(bucket: Bucket) -> None:
    tip = bucket.push("a", times=8)
    assert bucket.names("snapshots") == ["00000004.jsonl", "00000007.jsonl"]
    whole = b"".join(map(bucket.content, range(1, 8)))
    assert bucket.fs.cat_file(f"{URL}/snapshots/00000007.jsonl") == whole
    assert len(bucket.names()) == 8  # none is deleted
    assert bucket.host("b").fetch() == tip
    assert bucket.rows("b") == [b"line %d" % number for number in range(8)] == bucket.rows("a")


@pytest.mark.usefixtures("often")
def test_a_new_host_reads_the_newest_snapshot_and_the_segments_after_it(bucket: Bucket) -> None:
    bucket.push("a", times=8)
    kept = bucket.rows("a")
    bucket.remove(*range(1, 7))
    assert bucket.rows("b") == kept
    problems = bucket.host("b").problems_in_the_past(bucket.host("b").fetched())
    assert problems == ["segments/00000001.jsonl of the shared ledger is missing"]


@pytest.mark.usefixtures("often")
def test_a_stale_list_costs_requests_and_no_line(bucket: Bucket, tmp_path: Path) -> None:
    class Stale(ObjectStore):
        def names(self, folder: str) -> tuple[str, ...]:
            return super().names(folder)[:-1]

    bucket.push("a", times=8)
    ledger = bucket.host("b", Stale(URL, staging=tmp_path))
    tip = ledger.fetch()
    assert b"".join(ledger.blocks(tip)).splitlines() == bucket.rows("a")


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(
    "change", ["a line is taken out", "a segment is left out", "cut off", "of another ledger", "empty"]
)
def test_a_snapshot_that_does_not_hold_all_lines_is_refused(bucket: Bucket, change: str) -> None:
    bucket.push("a", times=5)
    path = f"{URL}/snapshots/00000004.jsonl"
    data = bucket.fs.cat_file(path)
    match change:
        case "a line is taken out":
            data = data.replace(b"line 1\n", b"")
        case "a segment is left out":
            data = data.replace(bucket.content(2), b"")
        case "cut off":
            data = data.removesuffix(bucket.content(4))
        case "empty":
            data = b""
        case _:
            data = data.replace(b"run 1", b"run 2")
    bucket.fs.pipe_file(path, data)
    with pytest.raises(LedgerError, match=r"snapshots/00000004.jsonl was changed: "):
        bucket.host("b").fetch()
    assert bucket.rows("a")  # it has the segments


# A changed past


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"line 1\n", b""), (b"line 1", b"line X"), (b'"segment":2', b'"segment":5'), (b"line 1\n", b"line 1")],
)
def test_a_changed_segment_is_noticed_by_a_new_host_and_by_verify(
    bucket: Bucket, old: bytes, new: bytes
) -> None:
    tip = bucket.push("a", times=3)
    bucket.change(2, old, new)
    with pytest.raises(LedgerError, match=r"segments/0000000[23].jsonl was changed") as caught:
        bucket.host("b").fetch()
    assert "restore the object's first version" in caught.value.hint
    assert bucket.host("a").fetch() == tip  # it has read them before
    (problem,) = bucket.host("a").problems_in_the_past(tip)
    assert "of the shared ledger was changed" in problem
    assert bucket.host("a").problems_in_the_past(tip, offline=True) == []


def test_a_last_segment_that_was_changed_or_removed_is_lost_and_still_counts(bucket: Bucket) -> None:
    tip = bucket.push("a", times=3)
    bucket.remove(3)
    ledger = bucket.host("a")
    assert ledger.fetch().startswith("2-")
    assert ledger.missed() == (tip,)
    assert b"".join(ledger.blocks(tip)).splitlines() == [b"line 0", b"line 1", b"line 2"]
    said = "the shared ledger's history was rewritten: it no longer has segment 3 as this host read it"
    assert ledger.problems_in_the_past(ledger.fetched()) == [said]
    ledger.accept_rewrite()
    assert ledger.missed() == ()
    assert ledger.problems_in_the_past(ledger.fetched(), offline=True) == [said]
    bucket.push("b", b"another")
    assert ledger.fetch().startswith("3-")
    assert ledger.problems_in_the_past(ledger.fetched()) == [said]


def test_a_store_that_was_emptied_is_noticed(bucket: Bucket) -> None:
    tip = bucket.push("a", times=2)
    bucket.remove(1, 2)
    assert (bucket.host("a").fetch(), bucket.host("a").missed()) == ("", (tip,))


def test_a_segment_that_comes_back_is_not_missed_by_verify(bucket: Bucket) -> None:
    tip = bucket.push("a", times=2)
    data = bucket.content(2)
    bucket.remove(2)
    ledger = bucket.host("a")
    ledger.fetch()
    bucket.fs.pipe_file(f"{URL}/segments/00000002.jsonl", data)
    assert ledger.fetch() == tip
    assert ledger.problems_in_the_past(tip) == []
    bucket.remove(2)
    ledger.fetch()
    assert ledger.missed() == (tip,)  # for the second time


def test_objects_of_others_are_no_ledger(bucket: Bucket) -> None:
    bucket.fs.pipe_file(f"{URL}/segments/00000001.jsonl", b"hello\n")
    with pytest.raises(LedgerError, match="no segment of a ledger"):
        bucket.host("a").fetch()


def test_an_object_with_two_segments_is_none(bucket: Bucket) -> None:
    bucket.push("a", times=2)
    both = bucket.content(1) + bucket.content(2)
    bucket.fs.pipe_file(f"{URL}/segments/00000001.jsonl", both)
    with pytest.raises(LedgerError, match="it ends with segment 2 instead of 1"):
        bucket.host("b").fetch()


def test_a_store_that_refuses_to_be_read_is_an_error(bucket: Bucket, tmp_path: Path) -> None:
    class Refuses(ObjectStore):
        def read_all(self, paths: Sequence[str]) -> list[bytes | None]:
            raise PermissionError(f"Access Denied: {paths[0]}")

    bucket.push("a")
    with pytest.raises(LedgerError, match="cannot be read: Access Denied") as caught:
        replace(bucket.host("a"), store=Refuses(URL, staging=tmp_path)).fetch()
    assert "credentials" in caught.value.hint


@pytest.mark.long
def test_errors_of_s3_say_what_to_check(s3: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = ObjectStore("s3://another-bucket/ledger", staging=tmp_path)
    ledger = replace(Bucket(tmp_path, s3).host("a"), store=absent)
    assert ledger.fetch() == ""
    with pytest.raises(
        LedgerError, match=r"another-bucket/ledger cannot be written: .*bucket does not exist"
    ):
        ledger.push("", [b"x"], message="m")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    type(s3).clear_instance_cache()  # type: ignore[attr-defined]
    with pytest.raises(UnreachableError, match="cannot be read: Could not connect to the endpoint"):
        replace(ledger, store=ObjectStore(URL, staging=tmp_path)).fetch()
