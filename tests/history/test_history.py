"""Sources put together, chosen and counted; and tables that nothing from outside acts in."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from pathlib import Path
from random import Random

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.cli.params.time_types import duration, moment, unix
from reconciler.documents.result_summary import RequestsDoc, ResultSummary, TroubleDoc
from reconciler.history import audit, merge
from reconciler.history.merge import read_ledger
from reconciler.history.record import CREATE_UNKNOWN, Record, filter_records
from reconciler.ledger.lines import CancelEnded, CancelIntended, Ended, Line
from reconciler.model import Job
from reconciler.render.tables import table_csv, table_markdown, table_text
from tests.helpers.make import (
    FAILED,
    NOW,
    PROJECT,
    SUCCEEDED,
    created,
    ended,
    intended,
    job,
    spec,
    stopped,
)
from tests.ledger.test_ledger import lines as any_lines

A = spec("a")
FULL = Ended(
    at=NOW + 9,
    run_id="r1",
    name="a",
    work=A.run_key.work,
    rerun="",
    attempt=1,
    job=Job(
        id="j1",
        phase=SUCCEEDED,
        status="SUCCESS",
        endpoint="/v1/ocr",
        model="m",
        created_at=100,
        started_at=105,
        completed_at=125,
        total_requests=10,
        succeeded_requests=9,
        failed_requests=1,
        output_file="f1",
    ),
)


def history(*lines: Line, jobs: tuple[Job, ...] = ()) -> tuple[Record, ...]:
    return merge.records(read_ledger(lines, project=PROJECT), jobs)


def test_nothing_has_no_history() -> None:
    assert history() == ()


def test_an_end_is_reported_with_its_times_and_numbers() -> None:
    (it,) = history(FULL)
    assert (it.status, it.queue_seconds, it.run_seconds) == ("SUCCESS", 5, 20)
    assert (it.total_requests, it.succeeded_requests, it.failed_requests) == (10, 9, 1)


def test_a_job_that_the_ledger_only_saw_created_says_less_and_never_nought() -> None:
    (it,) = history(created(A, "j1"))
    assert (it.status, it.started_at, it.succeeded_requests, it.failed_requests) == (None,) * 4
    assert it.total_requests == A.requests


def test_a_record_has_every_field_of_the_job_that_has_the_same_name() -> None:
    (it,) = history(FULL)
    shared = set(Job.__struct_fields__) & set(Record.__struct_fields__)
    assert len(shared) >= 8
    assert {name: getattr(it, name) for name in shared} == {name: getattr(FULL.job, name) for name in shared}


def test_the_list_is_fresher_than_the_ledger_which_knows_why() -> None:
    submitted = intended(A, "op-of-j1")
    made = created(A, "j1")
    listed = job(A, "j1", FAILED)
    op = str(listed.metadata["reconciler.run"]).split("op=")[1].split()[0]
    (it,) = history(intended(A, op), made, ended(A, "j1", SUCCEEDED), jobs=(listed,))
    assert (it.status, it.reason, it.sources) == (listed.status, submitted.reason, ("list", "ledger"))


def test_a_create_without_an_outcome_is_reported_until_its_job_shows() -> None:
    listed = job(A, "j1", SUCCEEDED)
    op = str(listed.metadata["reconciler.run"]).split("op=")[1].split()[0]
    (lost,) = history(intended(A, op))
    assert (lost.status, lost.job_id) == (CREATE_UNKNOWN, None)
    (found,) = history(intended(A, op), jobs=(listed,))
    assert found.job_id == "j1"


def test_the_reason_and_the_person_of_a_cancel_are_reported_if_it_took_effect() -> None:
    meant = CancelIntended(at=5, run_id="r1", job_id="j1", name="a", reason="superseded", actor="ada")
    (it,) = history(created(A, "j1"), meant, CancelEnded(at=6, run_id="r1", job_id="j1", status="CANCELLED"))
    assert (it.cancel_reason, it.cancelled_by, it.cancelled_at) == ("superseded", "ada", 5)
    (refused,) = history(created(A, "j1"), meant, CancelEnded(at=6, run_id="r1", job_id="j1", error="409"))
    assert refused.cancel_reason is None
    (late,) = history(FULL, *stopped("j1", "removed"))
    assert (late.status, late.cancel_reason) == ("SUCCESS", None)


def test_a_cancel_is_not_reported_of_a_job_whose_results_say_that_it_succeeded() -> None:
    pulled = ResultSummary(
        tool="1", project="p", name="a", job_id="j1", work="v1:00", rerun="", attempt=1, status="SUCCESS",
        endpoint="/v1/ocr", model=None, created_at=1, started_at=2, completed_at=3, pulled_at=4.0, inputs="none",
        requests=RequestsDoc(total=1, ok=1, failed=0, missing=0, failures={}), tokens=None, trouble=TroubleDoc(),
        files=(),
    )  # fmt: skip
    ledger = read_ledger((created(A, "j1"), *stopped("j1", "removed")), project=PROJECT)
    (it,) = merge.records(ledger, (), {"j1": pulled})
    assert (it.status, it.cancel_reason) == ("SUCCESS", None)


def test_the_page_on_history_names_every_check() -> None:
    reported = [line.split(maxsplit=1) for line in (audit.__doc__ or "").splitlines()[3:] if line]
    page = (Path(__file__).parents[2] / "docs/history.md").read_text()
    assert [f"| `{check}` | {what} |" for check, what in reported] == re.findall(
        r"^\| `\w+` \| .+ \|$", page, re.MULTILINE
    )


def test_of_two_ends_of_one_moment_the_same_one_counts_in_any_order() -> None:
    other = replace(FULL, job=replace(FULL.job, phase=FAILED, status="FAILED"))
    assert history(FULL, other) == history(other, FULL)


@given(st.lists(any_lines(), max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_lines_and_their_repetition_report_nothing(some: list[Line], dice: Random) -> None:
    again = [*some, *some[:3]]
    dice.shuffle(again)
    assert {it.job_id: it.status for it in history(*again)} == {it.job_id: it.status for it in history(*some)}
    assert len(history(*again)) == len(history(*some))


# Choosing and counting.


def test_what_is_not_known_meets_no_wish_about_it() -> None:
    unknown, known = Record(name="a"), Record(name="b", created_at=5)
    assert filter_records([unknown, known]) == (unknown, known)
    assert filter_records([unknown, known], since=0) == filter_records([unknown, known], until=9) == (known,)
    assert filter_records([unknown, known], statuses=("?",)) == (unknown, known)


# Tables.

cells = st.lists(st.text(max_size=12), min_size=2, max_size=2)


@given(st.lists(cells, max_size=4))
def test_no_cell_of_a_csv_becomes_a_formula_or_another_cell(some: list[list[str]]) -> None:
    found = list(csv.reader(io.StringIO(table_csv(("a", "b"), some))))
    assert [len(row) for row in found] == [2] * (len(some) + 1)
    for row in found[1:]:
        assert not any(
            cell.lstrip()[:1] in tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20") and cell.lstrip() for cell in row
        )


@given(st.lists(cells, max_size=4))
def test_every_row_stays_one_line(some: list[list[str]]) -> None:
    for text in (table_text(("a", "b"), some), table_markdown(("a", "b"), some)):
        assert "\x1b" not in text
        assert len(text.split("\n")) == len(some) + (2 if text.startswith("a") else 3)


# Times as they are typed.


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("30m", 1800), ("1.5h", 5400), ("2d", 172_800), ("1w", 604_800), ("5 min", 300)],
)
def test_spans(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "5y", "1e9", "h", "٣h"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11", dt.datetime(2026, 11, 1, tzinfo=dt.UTC)),
        ("2026-11-05", dt.datetime(2026, 11, 5, tzinfo=dt.UTC)),
        ("2026-11-05T12:00", dt.datetime(2026, 11, 5, 12, tzinfo=dt.UTC)),
        ("2026-11-05T12:00:00Z", dt.datetime(2026, 11, 5, 12, tzinfo=dt.UTC)),
        ("2026-11-05T12:00+02:00", dt.datetime(2026, 11, 5, 10, tzinfo=dt.UTC)),
    ],
)
def test_moments(text: str, expected: dt.datetime) -> None:
    assert unix(moment(text), 0) == expected.timestamp()


def test_a_span_before_now_is_a_moment() -> None:
    assert unix(moment("7d"), NOW) == NOW - 7 * 86_400
    with pytest.raises(click.BadParameter):
        moment("yesterday")
