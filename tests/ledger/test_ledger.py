"""The ledger: durable lines are read back, torn lines are ignored, and the order of lines does not matter."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import reconciler
from reconciler.errors import LedgerError
from reconciler.ledger.file import LOCK_NAME, NAME, FileLedger, hold_lock
from reconciler.ledger.fold import remember
from reconciler.ledger.line_format import decode, decode_block, encode
from reconciler.ledger.lines import (
    CancelEnded,
    CancelIntended,
    CreateConfirmed,
    CreateIntended,
    CreateRefused,
    CreateUnknown,
    Ended,
    FileDelete,
    Line,
    NewerLine,
    NotificationClaimed,
    NotificationDelivered,
    NotificationsEnabled,
    UsageSeen,
    WorkSeen,
)
from reconciler.ledger.memory import Memory, Remembered
from reconciler.model import Job, Phase, RunKey, WorkCounts
from reconciler.model.money import Usage
from tests.helpers.make import (
    FAILED,
    NOW,
    SUCCEEDED,
    UNKNOWN,
    created,
    ended,
    intended,
    meant,
    op_of,
    spec,
    stopped,
)

INTENDED: Final = CreateIntended(
    at=1.5, run_id="r1", op="o1", name="a", work="v1:00", rerun="", attempt=1, reason="new"
)
CLAIM: Final = replace(INTENDED, lease=900.0)
JOB: Final = Job(id="j1", phase=Phase.ACTIVE, status="QUEUED", endpoint="/v1/ocr", created_at=2)
OVER: Final = replace(
    JOB,
    phase=Phase.SUCCEEDED,
    status="SUCCESS",
    model="m",
    started_at=3,
    completed_at=4,
    total_requests=3,
    succeeded_requests=2,
    failed_requests=1,
    output_file="f1",
    errors=("one line is too long",),
)
CREATED: Final = CreateConfirmed(
    at=2, run_id="r1", op="o1", job=JOB, name="a", work="v1:00", rerun="2", attempt=1
)
INTENDED_IN_FULL: Final = replace(INTENDED, commit="c0ffee", actor="Zoë", run_url="https://ci.example.com/7")
ABOUT: Final = '"name":"a","work":"v1:00"'
PLAIN_JOB: Final = '"job":{"id":"j1","phase":"ACTIVE","status":"QUEUED","endpoint":"/v1/ocr","created_at":2}'
EACH: Final[dict[str, Line]] = {
    f'{{"v":1,"kind":"create_intended","at":1.5,"run_id":"r1",{ABOUT},"rerun":"","attempt":1,"op":"o1",'
    '"reason":"new"}': INTENDED,
    f'{{"v":1,"kind":"create_intended","at":1.5,"run_id":"r1",{ABOUT},"rerun":"","attempt":1,"op":"o1",'
    '"reason":"new","commit":"c0ffee","actor":"Zoë","run_url":"https://ci.example.com/7"}': INTENDED_IN_FULL,
    f'{{"v":1,"kind":"create_intended","at":1.5,"run_id":"r1",{ABOUT},"rerun":"","attempt":1,"op":"o1",'
    '"reason":"new","lease":900.0}': CLAIM,
    f'{{"v":1,"kind":"create_confirmed","at":2,"run_id":"r1",{ABOUT},"rerun":"2","attempt":1,'
    f'{PLAIN_JOB},"op":"o1"}}': CREATED,
    f'{{"v":1,"kind":"create_confirmed","at":2,"run_id":"r1",{ABOUT},"rerun":"2","attempt":1,'
    f'{PLAIN_JOB},"requests":3,"op":"o1","recovered":true}}': replace(CREATED, recovered=True, requests=3),
    '{"v":1,"kind":"create_refused","at":3,"run_id":"r1","op":"o1","error":"422"}': CreateRefused(
        at=3, run_id="r1", op="o1", error="422"
    ),
    '{"v":1,"kind":"create_unknown","at":3,"run_id":"r1","op":"o1","error":"502"}': CreateUnknown(
        at=3, run_id="r1", op="o1", error="502"
    ),
    '{"v":1,"kind":"cancel_intended","at":4,"run_id":"r1","job_id":"j1","name":"a",'
    '"reason":"removed"}': CancelIntended(at=4, run_id="r1", job_id="j1", name="a", reason="removed"),
    '{"v":1,"kind":"cancel_ended","at":5,"run_id":"r1","job_id":"j1","status":"CANCELLED"}': CancelEnded(
        at=5, run_id="r1", job_id="j1", status="CANCELLED"
    ),
    f'{{"v":1,"kind":"ended","at":6,"run_id":"r1",{ABOUT},"rerun":"","attempt":1,'
    '"job":{"id":"j1","phase":"SUCCEEDED","status":"SUCCESS","endpoint":"/v1/ocr","model":"m",'
    '"output_file":"f1","errors":["one line is too long"],"created_at":2,"started_at":3,"completed_at":4,'
    '"total_requests":3,"succeeded_requests":2,"failed_requests":1},"requests":3}': Ended(
        at=6, run_id="r1", name="a", work="v1:00", rerun="", attempt=1, job=OVER, requests=3
    ),
    '{"v":1,"kind":"notifications_enabled","at":7,"run_id":"r1"}': NotificationsEnabled(at=7, run_id="r1"),
    '{"v":1,"kind":"notification_claimed","at":8,"run_id":"r1","job_id":"j1",'
    '"lease":60.0}': NotificationClaimed(at=8, run_id="r1", job_id="j1", lease=60.0),
    '{"v":1,"kind":"notification_delivered","at":9,"run_id":"r1","job_id":"j1","error":'
    '"exit code 1"}': NotificationDelivered(at=9, run_id="r1", job_id="j1", error="exit code 1"),
    '{"v":1,"kind":"file_delete","at":10,"run_id":"r1","file_id":"f1","job_id":"j1","name":"a","reason":"old",'
    '"gone":true}': FileDelete(
        at=10, run_id="r1", file_id="f1", job_id="j1", name="a", reason="old", gone=True
    ),
    f'{{"v":1,"kind":"work_seen","at":11,"run_id":"r1",{ABOUT},"rerun":"",'
    '"counts":{"of":9,"answered":7,"kinds":{"http_400":2},"left":1},"rules":"00","jobs":["j1"]}': WorkSeen(
        at=11,
        run_id="r1",
        name="a",
        work="v1:00",
        rerun="",
        counts=WorkCounts(of=9, answered=7, kinds={"http_400": 2}, left=1),
        rules="00",
        jobs=("j1",),
    ),
    '{"v":1,"kind":"usage_seen","at":12,"run_id":"r1","job_id":"j1","name":"a","model":"m","requests":2,'
    '"usage":{"answers":2,"prompt":30,"completion":9}}': UsageSeen(
        at=12,
        run_id="r1",
        job_id="j1",
        name="a",
        model="m",
        requests=2,
        usage=Usage(answers=2, prompt=30, completion=9),
    ),
}

ats: Final = st.integers(0, 3) | st.sampled_from((0.5, 1.5))
ids: Final = st.sampled_from(("x1", "x2"))
words: Final = st.sampled_from(("a", "b"))
attempts: Final = st.integers(1, 2)
mosts: Final = st.none() | st.integers(0, 2)
phases: Final = st.sampled_from((Phase.SUCCEEDED, Phase.FAILED, Phase.UNKNOWN))
reasons: Final = st.sampled_from(("removed", "duplicate", "by_hand"))


def lines(text: st.SearchStrategy[str] = words) -> st.SearchStrategy[Line]:
    """Lines about few things, so that they meet."""
    said = {"at": ats, "run_id": text}
    about = {"name": text, "work": text, "rerun": text, "attempt": attempts}
    source = {"commit": text, "actor": text, "run_url": text}
    jobs = st.builds(Job, id=ids, phase=phases, status=text, endpoint=text, created_at=attempts)
    return st.one_of(
        st.builds(CreateIntended, **said, **about, **source, op=ids, reason=text, lease=ats, most=mosts),
        st.builds(CreateConfirmed, **said, **about, op=ids, job=jobs, recovered=st.booleans(), most=mosts),
        st.builds(CreateRefused, **said, op=ids, error=text),
        st.builds(CreateUnknown, **said, op=ids, error=text),
        st.builds(CancelIntended, **said, **source, job_id=ids, name=text, reason=reasons),
        st.builds(CancelEnded, **said, job_id=ids, status=text, error=st.just("") | text),
        st.builds(Ended, **said, **about, job=jobs, most=mosts),
        st.builds(NotificationsEnabled, **said),
        st.builds(NotificationClaimed, **said, job_id=ids, lease=ats),
        st.builds(NotificationDelivered, **said, job_id=ids, error=st.just("") | text),
        st.builds(
            WorkSeen,
            **said,
            name=text,
            work=text,
            rerun=text,
            counts=st.builds(WorkCounts, of=attempts, answered=attempts),
            jobs=st.tuples(ids),
        ),
        st.builds(UsageSeen, **said, name=text, job_id=ids, usage=st.builds(Usage, answers=attempts)),
        st.builds(FileDelete, **said, file_id=ids, job_id=ids, name=text, reason=text, gone=st.booleans()),
    )


anything: Final = st.text(st.characters(codec="utf-8"), max_size=20)

# Lines.


@pytest.mark.parametrize(("text", "line"), EACH.items())
def test_the_form_of_each_line_is_pinned(text: str, line: Line) -> None:
    assert encode(line) == text
    assert decode(text) == line


def test_every_kind_of_line_is_pinned() -> None:
    assert {type(line) for line in EACH.values()} == set(Line.__args__) - {NewerLine}


@given(lines(anything))
def test_a_line_is_read_as_it_was_written(line: Line) -> None:
    text = encode(line)
    assert "\n" not in text
    assert decode(text) == line


@given(lines(anything), st.data())
def test_a_line_that_is_cut_is_no_line(line: Line, data: st.DataObject) -> None:
    text = encode(line)
    assert decode(text[: data.draw(st.integers(0, len(text) - 1))]) is None


def test_fields_of_a_later_version_are_ignored() -> None:
    assert decode(encode(CREATED)[:-1] + ', "colour": "green"}') == CREATED


def test_fields_that_are_left_out_have_their_default() -> None:
    line = decode(encode(INTENDED))
    assert isinstance(line, CreateIntended)
    assert (line.commit, line.actor, line.run_url) == ("", "", "")


GARBAGE: Final = {
    "nothing": "",
    "a word": "hello",
    "null": "null",
    "a number": "7",
    "a list": "[]",
    "an empty object": "{}",
    "another kind": '{"v": 1, "kind": "melted"}',
    "a kind that is no word": '{"v": 1, "kind": ["create_confirmed"]}',
    "no version": encode(CREATED).replace('"v":1,', ""),
    "version nought": encode(CREATED).replace('"v":1', '"v":0'),
    "a version that is a word": encode(CREATED).replace('"v":1', '"v":"1"'),
    "a field is missing": encode(CREATED).replace(',"op":"o1"', ""),
    "a number where a word belongs": encode(CREATED).replace('"o1"', "1"),
    "a word where a number belongs": encode(CREATED).replace('"attempt":1', '"attempt":"1"'),
    "a truth where a number belongs": encode(CREATED).replace('"attempt":1', '"attempt":true'),
    "a fraction where a count belongs": encode(CREATED).replace('"attempt":1', '"attempt":1.0'),
    "null where a word belongs": encode(CREATED).replace('"o1"', "null"),
    "no number at all": encode(CREATED).replace('"at":2', '"at":NaN'),
    "an endless number": encode(CREATED).replace('"at":2', '"at":Infinity'),
    "an endless integer": encode(CREATED).replace('"at":2', f'"at":{"9" * 400}'),
    "an integer of too many digits": encode(CREATED).replace('"at":2', f'"at":{"9" * 5000}'),
    "two lines in one": encode(CREATED) * 2,
    "very deep": "[" * 100_000,
    "NUL bytes": "\0" * 100,
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_no_line(text: str) -> None:
    assert decode(text) is None


json_texts: Final = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(max_value=1) | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from(("v", "kind", "at", "op")), inner),
).map(json.dumps)


@given(st.text() | json_texts)
def test_no_text_of_this_version_is_a_line_by_chance(text: str) -> None:
    assert decode(text) is None


@given(
    rows=st.lists(
        st.one_of(lines(anything).map(encode), st.text(st.characters(codec="utf-8", exclude_characters="\n")))
    ),
    tail=st.booleans(),
)
def test_a_block_holds_the_lines_that_stand_in_it(rows: list[str], tail: bool) -> None:
    data = "\n".join([*rows, ""] if tail else rows).encode()
    assert decode_block(data) == [line for row in rows if (line := decode(row))]


def newer(text: str) -> NewerLine:
    line = decode(text)
    assert isinstance(line, NewerLine)
    return line


def test_a_newer_line_is_not_taken_for_ours_because_it_holds_one() -> None:
    text = encode(CREATED).replace('"v":1', '"v":2')[:-1] + f', "of": {encode(CREATED)}}}'
    (line,) = decode_block(f"{text}\n".encode())
    assert line == newer(text)


@pytest.mark.parametrize(
    ("more", "name", "work"),
    [
        ("", "", ""),
        (', "name": "a", "work": "v9:0"', "a", "v9:0"),
        (', "name": ["a"], "work": "v1:1"', "", "v1:1"),
        (', "name": {}, "work": null', "", ""),
    ],
)
def test_a_line_of_a_newer_version_says_what_it_is_about_and_is_written_as_it_was(
    more: str, name: str, work: str
) -> None:
    text = f'{{"v": 2, "kind": "anything"{more}}}'
    line = newer(text)
    assert (line.version, line.name, line.work, encode(line)) == (2, name, work, text)
    assert fold(line) == Memory()


# Memory.

A: Final = spec("a")


def fold(*several: Line) -> Memory:
    return remember(several, settle_seconds=60)


@given(st.lists(lines(), max_size=8), st.randoms(use_true_random=False), st.data())
def test_neither_order_nor_repetition_of_lines_reports_anything(
    some: list[Line], random: Random, data: st.DataObject
) -> None:
    again = [*some, *(data.draw(st.lists(st.sampled_from(some))) if some else ())]
    random.shuffle(again)
    assert fold(*again) == fold(*some)


@given(st.lists(lines(), max_size=6), st.lists(lines(), max_size=6))
def test_two_ledgers_merge_by_union(mine: list[Line], theirs: list[Line]) -> None:
    assert fold(*mine, *theirs) == fold(*theirs, *mine)


def test_nothing_is_remembered_of_nothing() -> None:
    assert remember((), settle_seconds=60) == Memory()


def test_an_intent_without_an_outcome_is_open() -> None:
    intent = intended(A, "o1", at=100)
    assert fold(intent).open_creates == (intent,)
    assert fold(intent).open_by_run_key == {A.run_key: (intent,)}
    assert fold(intent).settles_at(intent) == 160


@pytest.mark.parametrize(
    "outcome", [replace(CREATED, op="o1"), CreateRefused(at=9, run_id="r1", op="o1", error="422")]
)
def test_an_outcome_closes_an_intent(outcome: Line) -> None:
    assert fold(intended(A, "o1"), outcome).open_creates == ()


def test_an_outcome_of_another_op_closes_nothing() -> None:
    intent = intended(A, "o1")
    assert fold(intent, replace(CREATED, op="o2")).open_creates == (intent,)


def test_the_latest_send_of_an_op_counts() -> None:
    first, second = intended(A, "o1", at=100), intended(A, "o1", at=150)
    assert [it.at for it in fold(second, first).open_creates] == [150]


def test_a_lost_answer_keeps_an_intent_open_from_when_it_was_lost() -> None:
    lost = CreateUnknown(at=130, run_id="r1", op="o1", error="502")
    assert [it.at for it in fold(intended(A, "o1", at=100), lost).open_creates] == [130]
    assert [it.at for it in fold(intended(A, "o1", at=140), lost).open_creates] == [140]


def test_a_claim_may_still_be_sent_until_its_lease_is_over() -> None:
    claim = replace(intended(A, "o1", at=100), lease=900)
    assert [it.at for it in fold(claim).open_creates] == [1000]
    assert [it.at for it in fold(claim, intended(A, "o1", at=150)).open_creates] == [1000]


def test_a_run_that_has_given_up_ends_its_lease() -> None:
    claim = replace(intended(A, "o1", at=100), lease=900)
    lost = CreateUnknown(at=150, run_id="r1", op="o1", error="502")
    assert [it.at for it in fold(claim, intended(A, "o1", at=140), lost).open_creates] == [150]


def test_a_claim_that_was_taken_back_is_not_open() -> None:
    claim = replace(intended(A, "o1", at=100), lease=900)
    assert fold(claim, CreateRefused(at=101, run_id="r1", op="o1", error="not sent")).open_creates == ()


def test_a_created_job_is_remembered_without_an_end() -> None:
    assert fold(created(A, "j1", attempt=2)).jobs == {
        "j1": Remembered(
            job_id="j1",
            name="a",
            run_key=A.run_key,
            attempt=2,
            at=NOW,
            created_at=int(NOW) - 600,
            op=op_of("j1"),
            phase=None,
        )
    }


def test_an_end_is_remembered_whether_or_not_we_created_the_job() -> None:
    for several in ((ended(A, "j1", FAILED),), (ended(A, "j1", FAILED), created(A, "j1"))):
        assert fold(*several).jobs["j1"].phase is FAILED


def test_an_end_in_words_of_a_later_version_is_unknown() -> None:
    line = decode(encode(ended(A, "j1", FAILED)).replace('"phase":"FAILED"', '"phase":"MELTED"'))
    assert line is not None
    assert fold(line).jobs["j1"].phase is UNKNOWN


def test_the_last_word_about_an_end_counts() -> None:
    early, late = ended(A, "j1", UNKNOWN, at=1), ended(A, "j1", SUCCEEDED, at=2)
    assert fold(late, early).jobs["j1"].phase is SUCCEEDED


def test_the_reason_of_the_cancel_that_was_accepted_counts() -> None:
    early, late = meant("j1", "by_hand", at=1, run_id="r0"), stopped("j1", "removed", at=2)
    assert fold(*late, early).cancels == {"j1": "removed"}


def test_of_two_cancels_that_were_accepted_the_first_one_stopped_the_job() -> None:
    early, late = stopped("j1", "by_hand", at=1, run_id="r0"), stopped("j1", "removed", at=2)
    assert fold(*late, *early).cancels == {"j1": "by_hand"}


def test_a_cancel_whose_outcome_is_not_known_does_not_count() -> None:
    found = fold(meant("j1", "removed"))
    assert found.cancels == {}
    assert found.open_cancels == {"j1"}
    assert found.knows("j1", "op")


def test_a_cancel_that_was_refused_does_not_count() -> None:
    refused = CancelEnded(at=2, run_id="r1", job_id="j1", error="409")
    assert fold(meant("j1", "removed"), refused).cancels == {}


def test_a_cancel_that_was_refused_once_and_then_took_effect_counts() -> None:
    refused = CancelEnded(at=2, run_id="r1", job_id="j1", error="409")
    took = CancelEnded(at=3, run_id="r1", job_id="j1", status="CANCELLATION_REQUESTED")
    assert fold(meant("j1", "removed"), refused, took).cancels == {"j1": "removed"}


def test_jobs_are_found_by_their_run_key() -> None:
    other = spec("b", "w2")
    memory = fold(created(A, "j2"), created(A, "j1"), created(other, "j3"))
    assert {key: [it.job_id for it in known] for key, known in memory.by_run_key.items()} == {
        A.run_key: ["j1", "j2"],
        other.run_key: ["j3"],
    }
    assert RunKey("v1:", "") not in memory.by_run_key


# The file.


def test_a_ledger_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert tuple(FileLedger(tmp_path / "none").read()) == ()
    assert not (tmp_path / "none").exists()


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path / "deep" / "er")
    ledger.append(INTENDED)
    other = replace(CREATED, job=replace(JOB, id="j2"))
    ledger.append(CREATED, other)
    assert tuple(FileLedger(tmp_path / "deep" / "er").read()) == (INTENDED, CREATED, other)


def test_appending_nothing_makes_nothing(tmp_path: Path) -> None:
    FileLedger(tmp_path / "none").append()
    assert not (tmp_path / "none").exists()


def test_a_line_is_durable_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    fsync = os.fsync

    def note(file: int) -> None:
        fsync(file)
        synced.append((tmp_path / NAME).read_bytes())

    monkeypatch.setattr(os, "fsync", note)
    FileLedger(tmp_path).append(INTENDED)
    first = len(synced)
    assert first >= 1
    assert synced[0] == f"{encode(INTENDED)}\n".encode()
    FileLedger(tmp_path).append(CREATED)
    assert synced[first] == f"{encode(INTENDED)}\n{encode(CREATED)}\n".encode()


@pytest.mark.skipif(os.name != "posix", reason="folders can be synced on POSIX only")
def test_a_new_ledgers_name_is_durable_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(stat.S_ISDIR(os.fstat(file).st_mode)))
    FileLedger(tmp_path).append(INTENDED)
    FileLedger(tmp_path).append(CREATED)
    assert synced == [False, True, False]


def test_a_last_line_that_is_torn_at_any_byte_costs_only_itself(tmp_path: Path) -> None:
    whole = replace(CREATED, name="Zoë")
    size = len(encode(whole).encode()) + 1
    for kept in range(size + 1):
        folder = tmp_path / str(kept)
        ledger = FileLedger(folder)
        ledger.append(INTENDED, whole)
        with ledger.path.open("r+b") as file:
            file.truncate(ledger.path.stat().st_size - size + kept)
        survives = (whole,) if kept >= size - 1 else ()  # the line feed alone may be missing
        assert tuple(ledger.read()) == (INTENDED, *survives), kept
        ledger.append(CREATED)
        assert tuple(ledger.read()) == (INTENDED, *survives, CREATED), kept


def test_garbage_between_lines_costs_only_itself(tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path)
    ledger.append(INTENDED)
    with ledger.path.open("ab") as file:
        file.write(b"\xff\xfe garbage \0\r\n<<<<<<< HEAD\n\n{}\n")
    ledger.append(CREATED)
    assert tuple(ledger.read()) == (INTENDED, CREATED)


def test_a_ledger_with_windows_line_ends_is_read(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(f"{encode(INTENDED)}\r\n{encode(CREATED)}\r\n".encode())
    assert tuple(FileLedger(tmp_path).read()) == (INTENDED, CREATED)


def test_line_separators_of_unicode_do_not_end_a_line(tmp_path: Path) -> None:
    odd = replace(INTENDED, actor="a\u2028b\u0085c\u000bd\re")
    FileLedger(tmp_path).append(odd, CREATED)
    assert tuple(FileLedger(tmp_path).read()) == (odd, CREATED)


def test_a_newer_tools_ledger_is_read_and_its_lines_are_found(tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path)
    ledger.append(INTENDED)
    text = '{"v": 2, "kind": "create_planned"}'
    with ledger.path.open("a") as file:
        file.write(f"{text}\n")
    assert tuple(ledger.read()) == (INTENDED, newer(text))
    assert ledger.unread() == 0
    assert ledger.locate({text}) == {text: f"{ledger.path}:2"}
    assert ledger.locate({encode(INTENDED)}) == {encode(INTENDED): f"{ledger.path}:1"}


def test_a_ledger_that_cannot_be_read_is_an_error_and_not_an_absence(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(LedgerError, match="cannot be read") as caught:
        tuple(FileLedger(tmp_path).read())
    assert caught.value.hint


def test_a_ledger_whose_folder_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LedgerError, match="cannot be written") as caught:
        FileLedger(tmp_path / "file" / "target").append(INTENDED)
    assert "no job is created" in caught.value.hint


FULL: Final = """
import resource, sys
from pathlib import Path
from reconciler.errors import LedgerError
from reconciler.ledger.file import FileLedger
from reconciler.ledger.lines import CreateRefused
ledger = FileLedger(Path(sys.argv[1]))
ledger.append(CreateRefused(at=1, run_id="r1", op="o1", error="x"))
size = ledger.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
try:
    ledger.append(CreateRefused(at=2, run_id="r1", op="o2", error="x"))
except LedgerError as error:
    print(type(error).__name__)
assert ledger.path.stat().st_size == size + 10
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ledger.append(CreateRefused(at=3, run_id="r1", op="o3", error="x"))
print(*(line.op for line in ledger.read()))
"""


def python(code: str, *args: str) -> subprocess.Popen[str]:
    root = str(Path(reconciler.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        env=os.environ | {"PYTHONPATH": root},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="only POSIX bounds the size of files")
def test_a_disk_that_fills_up_within_a_line_costs_that_line(tmp_path: Path) -> None:
    with python(FULL, str(tmp_path)) as process:
        reported, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert reported.split() == ["LedgerError", "o1", "o3"]


def test_many_threads_may_append(tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path)
    some = [replace(CREATED, job=replace(JOB, id=f"j{at}")) for at in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ledger.append, some))
    read = tuple(ledger.read())
    assert sorted(read, key=repr) == sorted((replace(line, at=2.0) for line in some), key=repr)


# The lock.

HOLDING: Final = """
import sys
from pathlib import Path
from reconciler.ledger.file import hold_lock
with hold_lock(Path(sys.argv[1]), holder="run r1 on host h, process 7"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holding(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    with python(HOLDING, str(folder)) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_lock_that_another_process_holds_is_refused_and_reported(tmp_path: Path) -> None:
    with holding(tmp_path):
        with (
            pytest.raises(LedgerError, match="run r1 on host h, process 7"),
            hold_lock(tmp_path, holder="me"),
        ):
            pass
        with pytest.raises(LedgerError, match="run r1"), hold_lock(tmp_path, holder="me"):
            pass


def test_a_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    with holding(tmp_path) as process:
        process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        process.wait(timeout=30)
        with hold_lock(tmp_path, holder="me"):
            assert b"me" in (tmp_path / LOCK_NAME).read_bytes()


def test_a_lock_is_released_when_its_block_ends(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "new", holder="a long description of the first holder"):
        pass
    with hold_lock(tmp_path / "new", holder="second"):
        assert (tmp_path / "new" / LOCK_NAME).read_bytes() == b"\0second"


def test_a_lock_is_released_when_its_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold_lock(tmp_path, holder="first"):
        raise ZeroDivisionError
    with hold_lock(tmp_path, holder="second"):
        pass


def test_a_lock_excludes_its_own_process_too(tmp_path: Path) -> None:
    with (
        hold_lock(tmp_path, holder="first"),
        pytest.raises(LedgerError, match="first"),
        hold_lock(tmp_path, holder="second"),
    ):
        pass


def test_locks_of_two_targets_do_not_meet(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "one", holder="first"), hold_lock(tmp_path / "two", holder="second"):
        pass


def test_a_lock_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(LedgerError, match="cannot be created"),
        hold_lock(tmp_path / "file", holder="me"),
    ):
        pass


def test_every_phase_can_be_remembered() -> None:
    for phase in Phase:
        assert fold(ended(A, "j1", phase)).jobs["j1"].phase is phase


@pytest.mark.parametrize("odd", ["", "a/b", "../a", "a?b", "é", "a b", "x" * 201])
def test_a_line_about_what_can_be_no_job_is_no_line_and_is_counted(tmp_path: Path, odd: str) -> None:
    ledger = FileLedger(tmp_path)
    ledger.append(INTENDED)
    of_jobs = [text for text in EACH if '"j1"' in text]
    with ledger.path.open("a", encoding="utf-8") as file:
        file.writelines(text.replace('"j1"', json.dumps(odd)) + "\n" for text in of_jobs)
    assert tuple(ledger.read()) == (INTENDED,)
    assert ledger.unread() == len(of_jobs) > 5
