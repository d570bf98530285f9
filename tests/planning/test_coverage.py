"""The state of every wanted request, and what the next job submits, from what jobs were asked and answered.

The tables name cases one by one. The property compares with an oracle that looks at one request at a time, with sets
and dicts, and knows nothing of columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import Checks, Job, Phase, Wanted
from reconciler.planning.coverage import Account, Donor, State, cover
from reconciler.planning.donors import Count, Results, account, kind_without_line
from reconciler.planning.next_part import Rules, next_part, retried
from reconciler.planning.work import Verdict, verdict
from tests.helpers.donors import RETRY_ON, ended, key, keys, known, person, us


def states(wanted: str, donors: Sequence[Donor], *, cap: int = 2) -> str:
    """Return the first letters of the states of all requests: A, L(ive), l(ate), U, G, S, F, N."""
    coverage = cover(keys(wanted), donors, cap=cap)
    letters = dict(zip(State, "ALlUGSFN", strict=True))
    return "".join(letters[State(state)] for state in coverage.states)


class Row(NamedTuple):
    """One case of the table of states."""

    why: str
    donors: tuple[Donor, ...]
    states: str
    cap: int = 2


TABLE = (
    Row("never asked", (), "NNN"),
    Row("all answered", (ended("1", {"a": "", "b": "", "c": ""}),), "AAA"),
    Row("asked in another order", (ended("1", {"c": "http_429", "a": "", "b": ""}),), "AAF"),
    Row("asked more than is wanted", (ended("1", {"z": "", "a": "", "y": "missing"}),), "ANN"),
    Row("two jobs, a request each", (ended("1", {"a": ""}), ended("2", {"b": ""})), "AAN"),
    Row("an answer beats a later failure", (ended("1", {"a": ""}), ended("2", {"a": "missing"})), "ANN"),
    Row("an answer beats an earlier failure", (ended("1", {"a": "missing"}), ended("2", {"a": ""})), "ANN"),
    Row("an answer beats a live job", (ended("1", {"a": ""}), known("2", "ab", Account.LIVE)), "ALN"),
    Row("live beats failed", (ended("1", {"a": "missing"}), known("2", "a", Account.LIVE)), "LNN"),
    Row("late beats failed", (ended("1", {"a": "missing"}), known("2", "a", Account.LATE)), "lNN"),
    Row("live beats late", (known("1", "a", Account.LATE), known("2", "a", Account.LIVE)), "LNN"),
    Row("late beats gone", (known("1", "ab", Account.GONE), known("2", "a", Account.LATE)), "lGN"),
    Row("gone beats failed", (known("1", "a", Account.GONE), ended("2", {"a": "missing"})), "GNN"),
    Row("gone, answered since", (known("1", "ab", Account.GONE), ended("2", {"a": ""})), "AGN"),
    Row("gone, of what is not wanted", (known("1", "xyz", Account.GONE),), "NNN"),
    Row("results that were not read", (known("1", "ab", Account.UNREAD),), "UUN"),
    Row("a success, by its counts", (known("1", "ab", Account.ANSWERED),), "AAN"),
    Row("stopped by a person", (person("1", {"a": "", "b": "cancelled"}),), "ASN"),
    Row("stopped, then asked again", (person("1", {"a": "cancelled"}), ended("2", {"a": "missing"})), "FNN"),
    Row("failed, then stopped", (ended("1", {"a": "missing"}), person("2", {"a": "cancelled"})), "SNN"),
    Row("an error in a job that a person cancelled", (person("1", {"a": "http_429"}),), "SNN"),
    Row("stopped, and the cap was raised", (person("1", {"a": "cancelled"}, cap=1),), "NNN"),
    Row("cancelled by us is no attempt", (us("1", {"a": "cancelled", "b": ""}),), "NAN"),
    Row("failed, then cancelled by us", (ended("1", {"a": "missing"}), us("2", {"a": "cancelled"})), "FNN"),
    Row(
        "stopped, then cancelled by us", (person("1", {"a": "cancelled"}), us("2", {"a": "cancelled"})), "NNN"
    ),
    Row("an invalid answer is one", (ended("1", {"a": "invalid", "b": "truncated"}),), "AAN"),
)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.why)
def test_a_request_has_one_state(row: Row) -> None:
    assert states("abc", row.donors, cap=row.cap) == row.states


def test_of_several_answers_the_best_counts_and_then_the_oldest() -> None:
    donors = (
        ended("1", {"a": "invalid", "b": "truncated", "c": ""}),
        ended("2", {"a": "truncated", "b": "", "c": ""}),
        ended("3", {"a": "truncated", "b": ""}),
    )
    coverage = cover(keys("abc"), donors, cap=1)
    assert [coverage.donors[at - 1] for at in coverage.donor] == ["2", "2", "1"]
    assert coverage.reused() == {"1": 1, "2": 2}


def test_attempts_are_counted_for_each_request() -> None:
    donors = [ended(str(at), {"a": "missing", "b": "http_503"}) for at in range(3)]
    coverage = cover(keys("ab"), [*donors, us("9", {"a": "cancelled"})], cap=9)
    assert (list(coverage.attempts), coverage.failures()) == ([3, 3], {"missing": 1, "http_503": 1})


def test_attempts_stop_at_the_largest_number_that_a_byte_holds() -> None:
    donors = [ended(str(at), {"a": "missing"}) for at in range(300)]
    assert list(cover(keys("a"), donors, cap=2).attempts) == [255]


# How a job accounts for its requests.

NOW = 10_000.0
LATE = 3600.0


class Ended(NamedTuple):
    """One case of the table of accounts."""

    why: str
    phase: Phase
    account: Account
    results: Results = Results.READ
    files: str = "output"
    succeeded: int = 0
    read: int = 0
    failed: int = 0
    asked: int = 3
    ago: float = 100.0


S, C, F, T = Phase.SUCCEEDED, Phase.CANCELLED, Phase.FAILED, Phase.TIMED_OUT
ACCOUNTS = (
    Ended("queued or running", Phase.ACTIVE, Account.LIVE),
    Ended("being cancelled", Phase.STOPPING, Account.LIVE),
    Ended("a status of a later API", Phase.UNKNOWN, Account.LIVE),
    Ended("whole files count at once", S, Account.READ, succeeded=3, read=3),
    Ended("whole files count before the counts", T, Account.READ, succeeded=0, read=2, failed=1),
    Ended("the counts lag, and a file may be missing", T, Account.LATE, succeeded=0, read=2),
    Ended("counts and files agree", T, Account.READ, succeeded=2, read=2),
    Ended("the files lag behind the counts", T, Account.LATE, succeeded=2, read=1),
    Ended("and in the end the files count", T, Account.READ, succeeded=2, read=1, ago=LATE),
    Ended("a success whose counts are whole", S, Account.ANSWERED, Results.UNREAD, succeeded=3),
    Ended("files that it names are read first", S, Account.UNREAD, Results.UNREAD, succeeded=2),
    Ended("and show that more is to come", S, Account.LATE, succeeded=2, read=1),
    Ended("it is read or not, in the end", S, Account.UNREAD, Results.UNREAD, succeeded=2, ago=LATE),
    Ended("a file that does not exist yet", S, Account.LATE, Results.LOST, succeeded=3),
    Ended("a file that no longer exists", S, Account.GONE, Results.LOST, succeeded=3, ago=LATE),
    Ended("a lost output file without counts", F, Account.GONE, Results.LOST, ago=LATE),
    Ended("a lost error file", F, Account.READ, Results.LOST, files="error", ago=LATE),
    Ended("a lost error file beside answers", T, Account.GONE, Results.LOST, files="error", succeeded=1, ago=LATE),
    Ended("a success without files, just now", S, Account.LATE, files=""),
    Ended("a success without files", S, Account.GONE, files="", ago=LATE),
    Ended("a success without files, not read", S, Account.GONE, Results.UNREAD, files="", succeeded=3, ago=LATE),
    Ended("a failure without files, just now", F, Account.LATE, files=""),
    Ended("answers that are withheld", T, Account.READ, files="", succeeded=2, ago=LATE),
    Ended("a cancel without files", C, Account.READ, files="", ago=LATE),
    Ended("a success that was asked nothing", S, Account.UNREAD, Results.UNREAD, asked=0, ago=LATE),
)  # fmt: skip


@pytest.mark.parametrize("row", ACCOUNTS, ids=lambda row: row.why)
def test_an_end_is_believed_once_its_files_or_the_late_time_account_for_it(row: Ended) -> None:
    job = Job(
        id="job", phase=row.phase, status="ANY", endpoint="/v1/x",
        created_at=1, completed_at=int(NOW - row.ago), succeeded_requests=row.succeeded,
        output_file="o" if row.files == "output" else None, error_file="e" if row.files == "error" else None,
    )  # fmt: skip
    count = Count(asked=row.asked, read=row.read, failed=row.failed)
    assert account(job, row.results, count, now=NOW, late_seconds=LATE) is row.account


@pytest.mark.parametrize(
    ("status", "kind"),
    [("SUCCESS", "missing"), ("CANCELLED", "cancelled"), ("FAILED", "FAILED"), ("ANY", "ANY")],
)
def test_a_request_without_a_line_has_the_kind_of_the_end(status: str, kind: str) -> None:
    assert kind_without_line(status) == kind


# What comes next.


def rules_of(**changed: object) -> Rules:
    """Return rules with the defaults of a spec."""
    return Rules(**({"retry_on": RETRY_ON, "max_attempts": 2} | changed))  # type: ignore[arg-type]


class Next(NamedTuple):
    """One case of the table of parts."""

    why: str
    donors: tuple[Donor, ...]
    verdict: Verdict
    places: list[int] = []  # noqa: RUF012 - a default that nothing changes
    rules: Rules = rules_of()
    kind: str = "new"
    held: int = 0
    check: str = ""
    files: tuple[int, ...] = (4,)
    """How many requests each input file has; each line has ten bytes."""


A = {"a": "", "b": "", "c": "", "d": ""}
CANARY = rules_of(canary=2)
ALLOWS = rules_of(canary=2, checks=Checks(failed=0.5))
PARTS = (
    Next("nothing was submitted", (), Verdict.SUBMIT, [0, 1, 2, 3]),
    Next("everything is answered", (ended("1", A),), Verdict.COMPLETE, kind="retry"),
    Next("one is new", (ended("1", {"a": "", "b": "", "c": ""}),), Verdict.SUBMIT, [3]),
    Next("one may be retried", (ended("1", A | {"b": "http_503"}),), Verdict.SUBMIT, [1], kind="retry"),
    Next("one may not", (ended("1", A | {"b": "http_400"}),), Verdict.INCOMPLETE, kind="retry"),
    Next("unless the spec asks for it", (ended("1", A | {"b": "http_400"}),), Verdict.SUBMIT, [1],
         rules_of(retry_on=("http_4xx",)), kind="retry"),
    Next("no attempt is left", (ended("1", A | {"b": "missing"}), ended("2", {"b": "missing"})), Verdict.INCOMPLETE,
         kind="retry"),
    Next("another attempt is allowed", (ended("1", A | {"b": "missing"}), ended("2", {"b": "missing"})), Verdict.SUBMIT,
         [1], rules_of(max_attempts=3), kind="retry"),
    Next("late results hold all", (ended("1", {"a": "missing"}), known("2", "b", Account.LATE)), Verdict.LATE,
         [0, 2, 3]),
    Next("lost answers hold all", (known("2", "b", Account.GONE),), Verdict.GONE, [0, 2, 3]),
    Next("results not read are a bound", (known("2", "abc", Account.UNREAD),), Verdict.SUBMIT, [0, 1, 2, 3]),
    Next("a person stopped the rest", (person("1", A | {"b": "cancelled"}),), Verdict.STOPPED, kind="retry"),
    Next("new ones go on", (person("1", {"a": "", "b": "cancelled"}),), Verdict.SUBMIT, [2, 3]),
    Next("a canary", (), Verdict.SUBMIT, [0, 1], CANARY, kind="canary", held=2),
    Next("a canary is filled up", (ended("1", {"c": ""}),), Verdict.SUBMIT, [0], CANARY, kind="canary", held=2),
    Next("the rest of a canary beside others that were not read",
         (ended("1", {"a": "", "c": ""}), known("2", "b", Account.UNREAD)), Verdict.UNREAD, [],
         rules_of(canary=2, max_attempts=1), kind="canary", held=1),
    Next("a canary that was not read", (known("1", "ab", Account.UNREAD),), Verdict.UNREAD, [],
         rules_of(canary=2, max_attempts=1), kind="canary", held=2),
    Next("a canary and retries", (ended("1", {"c": "missing"}),), Verdict.SUBMIT, [0, 2], CANARY, kind="canary",
         held=2),
    Next("a canary that passed", (ended("1", {"a": "", "b": ""}),), Verdict.SUBMIT, [2, 3], CANARY),
    Next("retries come first", (ended("1", {"a": "", "b": "missing"}),), Verdict.SUBMIT, [1], CANARY, kind="canary",
         held=2),
    Next("a canary that failed", (ended("1", {"a": "", "b": "http_400"}),), Verdict.CANARY_FAILED, [], CANARY,
         kind="canary", held=2, check="1 of 2 requests have no answer (checks.failed: at most 0)"),
    Next("a canary whose error a person stopped", (ended("1", {"a": ""}), person("2", {"b": "http_503"})),
         Verdict.CANARY_FAILED, [], rules_of(canary=1), kind="canary", held=2,
         check="1 of 2 requests have no answer (checks.failed: at most 0)"),
    Next("within its checks", (ended("1", {"a": "", "b": "http_400"}),), Verdict.SUBMIT, [2, 3], ALLOWS),
    Next("invalid answers stop it", (ended("1", {"a": "", "b": "invalid"}),), Verdict.CANARY_FAILED, [], CANARY,
         kind="canary", held=2, check="1 of 2 answers are invalid (checks.invalid: at most 0)"),
    Next("answers that were cut off stop it if asked", (ended("1", {"a": "", "b": "truncated"}),),
         Verdict.CANARY_FAILED, [], rules_of(canary=2, checks=Checks(truncated=0.4)), kind="canary", held=2,
         check="1 of 2 answers were cut off (checks.truncated: at most 0.4)"),
    Next("a canary of everything", (), Verdict.SUBMIT, [0, 1, 2, 3], rules_of(canary=9), kind="canary"),
    Next("a canary that a person stopped holds everything", (person("1", {"a": "cancelled", "b": ""}),),
         Verdict.STOPPED, [], rules_of(canary=2), kind="canary", held=2),
    Next("a canary that a person stopped after its last answer", (person("1", {"a": "", "b": ""}),),
         Verdict.STOPPED, [], rules_of(canary=2), kind="canary", held=2),
    Next("such a canary before a raise", (person("1", {"a": "", "b": ""}, cap=1),),
         Verdict.SUBMIT, [2, 3], rules_of(canary=2)),
    Next("a canary that failed in part before a person stopped it", (person("1", {"a": "http_503", "b": ""}),),
         Verdict.STOPPED, [], ALLOWS, kind="canary", held=2),
    Next("a canary whose retry a person stopped",
         (ended("1", {"a": "http_503", "b": ""}), person("2", {"a": "cancelled"})),
         Verdict.STOPPED, [], ALLOWS, kind="canary", held=2),
    Next("what a person stopped after the canary holds nothing else", (person("1", {"a": "", "b": "cancelled"}),),
         Verdict.SUBMIT, [2, 3], rules_of(canary=1)),
    Next("a failed canary holds nothing that is not there", (ended("1", A | {"b": "http_400"}),), Verdict.INCOMPLETE,
         rules=CANARY, kind="retry"),
    Next("what fits into one job", (), Verdict.SUBMIT, [0, 1, 2], rules_of(max_requests=3), held=1),
    Next("by its bytes", (), Verdict.SUBMIT, [0, 1], rules_of(max_bytes=25), held=2),
    Next("by the bytes of each file", (), Verdict.SUBMIT, [0, 1, 2], rules_of(max_bytes=25), held=1, files=(1, 3)),
    Next("two files that fit", (), Verdict.SUBMIT, [0, 1, 2, 3], rules_of(max_bytes=25), files=(2, 0, 2)),
    Next("what is left of a file", (ended("1", {"a": "", "b": ""}),), Verdict.SUBMIT, [2, 3], rules_of(max_bytes=25)),
    Next("one that no check should let through goes alone", (), Verdict.SUBMIT, [0], rules_of(max_bytes=5), held=3),
)  # fmt: skip


@pytest.mark.parametrize("row", PARTS, ids=lambda row: row.why)
def test_the_next_job_submits_what_is_new_or_may_be_retried(row: Next) -> None:
    coverage = cover(keys("abcd"), row.donors, cap=row.rules.max_attempts)
    part = next_part(coverage, row.rules, Wanted(sizes=[10] * 4, files=row.files))
    found = (verdict(coverage, part), list(part.places), part.kind, part.held, part.failed_check)
    assert found == (row.verdict, row.places, row.kind, row.held, row.check)


@pytest.mark.parametrize(
    ("kind", "on", "yes"),
    [
        ("http_503", ("http_5xx",), True),
        ("http_429", ("http_5xx",), False),
        ("http_429", ("http_4xx",), True),
        ("http_4xx", ("http_5xx",), False),
        ("http_5", ("http_5xx",), False),
        ("http_5000", ("http_5xx",), False),
        ("missing", ("error", "missing"), True),
        ("FAILED", (), False),
    ],
)
def test_a_hundred_statuses_have_one_word(kind: str, on: tuple[str, ...], yes: bool) -> None:
    assert retried(kind, on) is yes


# The promise, one request at a time.

OUTCOMES = ("", "invalid", "truncated", "missing", "http_400", "http_429", "cancelled")
LETTERS = "abcdef"


@st.composite
def donors_of_any_kind(draw: st.DrawFn) -> tuple[Donor, ...]:
    """Return jobs, the oldest first, that were asked some of the requests."""
    found = []
    for number in range(draw(st.integers(0, 5))):
        asked = draw(st.lists(st.sampled_from(LETTERS + "xyz"), unique=True))
        how = draw(st.sampled_from(Account))
        if how is not Account.READ:
            found.append(known(str(number), "".join(asked), how))
            continue
        cancelled, by_us = draw(st.booleans()), draw(st.booleans())
        kinds = [kind for kind in OUTCOMES if cancelled or kind != "cancelled"]
        outcomes = {letter: draw(st.sampled_from(kinds)) for letter in asked}
        cap = draw(st.integers(1, 3))
        found.append(ended(str(number), outcomes, cancelled=cancelled, by_us=cancelled and by_us, cap=cap))
    return tuple(found)


def outcomes_of(donor: Donor) -> dict[bytes, str]:
    """Return the outcome of each request that a job was asked, as far as it is known."""
    asked = [donor.asked[at : at + 16] for at in range(0, len(donor.asked), 16)]
    if donor.outcomes is None:
        return dict.fromkeys(asked, "" if donor.account is Account.ANSWERED else "?")
    return {one: donor.outcomes.kinds[at] for one, at in zip(asked, donor.outcomes.kind, strict=True)}


@given(donors_of_any_kind(), st.integers(1, 3), st.sets(st.sampled_from(LETTERS)))
def test_every_request_is_in_one_state_and_what_is_answered_is_never_submitted(
    donors: tuple[Donor, ...], cap: int, wanted: set[str]
) -> None:
    letters = "".join(sorted(wanted))
    coverage = cover(keys(letters), donors, cap=cap)
    part = next_part(coverage, rules_of(max_attempts=cap))
    submitted = {letters[place] for place in part.places}
    assert sum(coverage.count().values()) == len(letters)
    for letter in letters:
        about = [(it, outcomes_of(it)[key(letter)]) for it in donors if key(letter) in outcomes_of(it)]
        words = [word for _, word in about]
        if any(word in ("", "invalid", "truncated") for word in words):
            assert letter not in submitted, "an answer is never submitted again"
            continue
        if "?" in words:
            place = letters.index(letter)
            unread = coverage.states[place] == State.UNREAD and coverage.attempts[place] + 1 < cap
            assert (letter in submitted) is unread, (
                "a job that may answer it is waited for; unread ones are a bound"
            )
            assert part.at_most or not unread
            continue
        tried = [word for word in words if word != "cancelled"]
        last = about[-1] if about else None
        stopped = last and last[0].cancelled and not last[0].by_us and cap <= last[0].cap
        may = not stopped and (not tried or (len(tried) < cap and tried[-1] in ("missing", "http_429")))
        assert (letter in submitted) is may


@given(donors_of_any_kind(), st.integers(1, 4), st.integers(1, 3))
def test_a_canary_never_submits_more_new_requests_than_it_asks_for(
    donors: tuple[Donor, ...], canary: int, cap: int
) -> None:
    coverage = cover(keys(LETTERS), donors, cap=cap)
    part = next_part(coverage, rules_of(canary=canary, max_attempts=cap))
    outcomes = sum(coverage.outcome_known(at) for at in range(len(LETTERS)))
    fresh = [place for place in part.places if coverage.states[place] == State.NEW]
    if part.kind == "canary":
        asked = outcomes + coverage.count()[State.UNREAD]
        assert len(fresh) + asked <= max(canary, asked)
    elif fresh:
        assert outcomes >= canary
        assert not coverage.count()[State.UNREAD], "what was not read may break a check"
    assert part.held + len(fresh) == coverage.count()[State.NEW]
