from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api import wire
from reconciler.api.errors import MalformedAnswerError
from reconciler.api.values import CreateJob
from reconciler.model import Phase

from .stage import FILE_ID, JOB_ID, file, job


def as_body(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_job_is_read_whole() -> None:
    read = wire.read_job(
        as_body(
            job(
                status="FAILED",
                metadata={"team": "search", "odd": [1, None]},
                agent_id="ag:1",
                output_file="out-1",
                error_file="err-1",
                errors=[{"message": "unknown model"}, {"message": "bad\x1b line", "count": 1200}],
                started_at=1759500190,
                completed_at=1759500200,
                total_requests=4,
                completed_requests=3,
                succeeded_requests=2,
                failed_requests=1,
                something_new={"a": 1},
            )
        )
    )
    assert (read.id, read.phase, read.status, read.agent_id) == (JOB_ID, Phase.FAILED, "FAILED", "ag:1")
    assert read.metadata == {"team": "search", "odd": [1, None]}
    assert read.errors == ("unknown model", "bad line (1,200 times)")
    assert (read.input_files, read.output_file, read.error_file) == ((FILE_ID,), "out-1", "err-1")
    assert (read.created_at, read.started_at, read.completed_at) == (1759500189, 1759500190, 1759500200)
    counts = (read.total_requests, read.completed_requests, read.succeeded_requests, read.failed_requests)
    assert counts == (4, 3, 2, 1)


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("QUEUED", Phase.ACTIVE),
        ("RUNNING", Phase.ACTIVE),
        ("SUCCESS", Phase.SUCCEEDED),
        ("FAILED", Phase.FAILED),
        ("TIMEOUT_EXCEEDED", Phase.TIMED_OUT),
        ("CANCELLATION_REQUESTED", Phase.STOPPING),
        ("CANCELLED", Phase.CANCELLED),
        ("PAUSED", Phase.UNKNOWN),
        ("success", Phase.UNKNOWN),
        ("", Phase.UNKNOWN),
    ],
)
def test_every_status_has_a_phase_and_a_new_one_is_unknown(word: str, phase: Phase) -> None:
    assert wire.read_job(as_body(job(status=word))).phase is phase


def test_a_strange_status_is_cleaned_for_readers() -> None:
    assert wire.read_job(as_body(job(status="PAU\x1b[31mSED"))).status == "PAU[31mSED"


def test_what_may_be_absent_may_be_null() -> None:
    optional = ("metadata", "model", "agent_id", "output_file", "error_file", "started_at", "completed_at")
    absent = job()
    del absent["metadata"], absent["model"]
    assert wire.read_job(as_body(absent)) == wire.read_job(as_body(job() | dict.fromkeys(optional)))


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "input_files",
        "endpoint",
        "errors",
        "status",
        "created_at",
        "total_requests",
        "completed_requests",
        "succeeded_requests",
        "failed_requests",
    ],
)
def test_a_job_without_a_required_field_is_refused(name: str) -> None:
    body = job()
    del body[name]
    with pytest.raises(MalformedAnswerError, match=name):
        wire.read_job(as_body(body))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": "a b"},
        {"id": "ab\n"},
        {"id": 7},
        {"status": None},
        {"metadata": []},
        {"errors": None},
        {"errors": [{}]},
        {"created_at": -1},
        {"created_at": 10**15},
        {"created_at": 1.5},
        {"created_at": True},
        {"total_requests": -1},
        {"input_files": [None]},
    ],
)
def test_a_job_with_an_impossible_value_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedAnswerError, match="does not match the API"):
        wire.read_job(as_body(job(**changes)))


def test_a_list_keeps_the_order_of_the_answer() -> None:
    page = wire.read_job_page(as_body({"object": "list", "data": [job(id="b"), job(id="a")], "total": 12}))
    assert ([one.id for one in page.jobs], page.total) == (["b", "a"], 12)


@pytest.mark.parametrize("body", [{"object": "list", "total": 0}, {"data": None, "total": 0}])
def test_a_list_without_data_is_empty(body: dict[str, Any]) -> None:
    assert wire.read_job_page(as_body(body)).jobs == ()


def test_one_bad_job_refuses_the_whole_list() -> None:
    with pytest.raises(MalformedAnswerError, match=r"\$\.data\[1\]"):
        wire.read_job_page(as_body({"data": [job(), job(id=None)], "total": 2}))


@pytest.mark.parametrize(
    ("theirs", "read"),
    [
        (r'"half \ud800 a pair"', "half ? a pair"),
        ("1e400", "1e400"),
        ("9" * 5000, "9" * 5000),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
    ],
)
def test_what_a_strangers_metadata_holds_hides_nobodys_jobs(theirs: str, read: object) -> None:
    stranger = as_body(job(metadata={"theirs": "HERE"})).replace(b'"HERE"', theirs.encode())
    page = wire.read_job_page(
        b'{"total": 2, "data": [%s, %s]}' % (stranger, as_body(job(id="ours", total_requests=7)))
    )
    assert [it.id for it in page.jobs] == [JOB_ID, "ours"]
    assert page.jobs[0].metadata == {"theirs": read}
    assert page.jobs[1].total_requests == 7


def test_a_list_without_a_total_is_refused() -> None:
    with pytest.raises(MalformedAnswerError, match="total"):
        wire.read_job_page(as_body({"data": []}))


def test_a_broken_body_may_be_asked_for_again_but_a_wrong_one_may_not() -> None:
    with pytest.raises(MalformedAnswerError, match="not JSON") as broken:
        wire.read_job(as_body(job())[:-9])
    with pytest.raises(MalformedAnswerError) as wrong:
        wire.read_job(b"[]")
    assert (broken.value.transient, wrong.value.transient) == (True, False)


def test_a_web_page_instead_of_json_is_called_one() -> None:
    with pytest.raises(MalformedAnswerError, match="HTML page") as caught:
        wire.read_job_page(b"<!DOCTYPE html><title>Sign in</title>")
    assert "proxy" in caught.value.hint


@pytest.mark.parametrize(
    "body", [b'{"id":"\xff"}', b'{"a":' + b"[" * 100_000, b"", b"\xef\xbb\xbf{}", b"\x00"]
)
def test_bytes_that_are_no_json_are_refused_in_our_words(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        wire.read_job(body)


def test_a_file_is_read_with_unknown_size() -> None:
    read = wire.read_file(as_body(file(expires_at=1759600000, visibility="user", filename="a\x07b.jsonl")))
    assert (read.id, read.filename, read.size, read.num_lines) == (FILE_ID, "ab.jsonl", None, 2)
    assert (read.expires_at, read.visibility, read.deleted) == (1759600000, "user", None)


def test_a_list_of_files_may_have_no_total() -> None:
    page = wire.read_file_page(as_body({"data": [file(bytes=12)], "object": "list", "total": None}))
    assert ([one.size for one in page.files], page.total) == ([12], None)


def test_a_delete_says_whether_it_did() -> None:
    assert wire.read_deleted(b'{"id":"a","object":"batch","deleted":true}')
    assert wire.read_deleted(b'{"id":"a"}')
    assert wire.read_deleted(b"")
    assert not wire.read_deleted(b'{"id":"a","object":"file","deleted":false}')


def test_a_create_holds_what_is_set_and_nothing_else() -> None:
    body = wire.write_create(
        CreateJob(
            endpoint="/v1/embeddings",
            model="mistral-embed",
            input_files=("f-1", "f-2"),
            metadata={"team": "søk"},
            timeout_hours=48,
        )
    )
    assert json.loads(body) == {
        "endpoint": "/v1/embeddings",
        "input_files": ["f-1", "f-2"],
        "model": "mistral-embed",
        "metadata": {"team": "søk"},
        "timeout_hours": 48,
    }
    assert json.loads(wire.write_create(CreateJob(endpoint="/v1/ocr", agent_id="ag:1"))) == {
        "endpoint": "/v1/ocr",
        "agent_id": "ag:1",
        "timeout_hours": 24,
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
READERS = (wire.read_job, wire.read_job_page, wire.read_file, wire.read_file_page, wire.read_deleted)


@given(st.sampled_from(READERS), st.dictionaries(st.sampled_from([*job(), *file(), "data", "total"]), JSON))
def test_any_change_to_an_answer_is_read_or_refused(
    read: Callable[[bytes], object], changes: dict[str, object]
) -> None:
    for whole in (job(**changes), file(**changes), changes, {"data": [job(**changes)], "total": 1}):
        try:
            read(as_body(whole))
        except MalformedAnswerError as error:
            assert str(error)  # noqa: PT017 - refusing is one of two right outcomes
