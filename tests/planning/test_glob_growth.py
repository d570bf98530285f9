from __future__ import annotations

import pytest

from reconciler.ledger.memory import Memory
from reconciler.model import (
    Ancestry,
    Declared,
    Job,
    JobSpec,
    NotYetStarted,
    Observed,
    OwnedJob,
    Phase,
    Position,
    Source,
    tags,
)
from reconciler.planning.notes import grown_glob
from reconciler.planning.planner import plan
from tests.helpers.make import NOW, file_of


def spec(parts: int, first: int = 0) -> JobSpec:
    files = [file_of(f"{part:04}") for part in range(first, parts)]
    return JobSpec(
        name="yearly",
        endpoint="/v1/embeddings",
        model="m",
        inputs=tuple(sorted(files, key=lambda part: part.identity)),
        declared_at=Position(path="specs/a.yaml", line=1),
    )


def job_for(of: JobSpec, phase: Phase = Phase.SUCCEEDED) -> OwnedJob:
    written = tags.write(
        tags.tags_of(of, project="p", attempt=1, op="abcdefgh", source=Source(commit="c0ffee"))
    )
    job = Job(
        id="4fb29d1c-1", phase=phase, status="SUCCESS", endpoint=of.endpoint, model=of.model,
        metadata=written, created_at=int(NOW) - 9,
    )  # fmt: skip
    owned = tags.read(job)
    assert isinstance(owned, OwnedJob)
    return owned


@pytest.mark.parametrize("before", [2, 30, 46])
@pytest.mark.parametrize("more", [1, 5, 300])
def test_a_glob_that_grew_gets_a_note(before: int, more: int) -> None:
    reported = grown_glob(job_for(spec(before)), spec(before + more))
    assert (
        reported
        == f"{before} of {before + more} parts already answered by 4fb29d1c: did you mean `for_each`?"
    )


def test_a_job_whose_parts_do_not_fit_the_tags_gets_no_note() -> None:
    assert grown_glob(job_for(spec(100)), spec(101)) == ""


def test_other_parts_are_no_growth() -> None:
    assert grown_glob(job_for(spec(30)), spec(31, first=1)) == ""
    assert grown_glob(job_for(spec(30)), spec(29)) == ""
    assert grown_glob(job_for(spec(30)), spec(30)) == ""


def test_the_plan_says_it_beside_the_create_and_not_of_a_family() -> None:
    observed = Observed(owned=(job_for(spec(30), Phase.SUCCEEDED),))
    (decision,) = plan(Declared(specs=(spec(31),)), observed, Memory(), now=NOW).decisions
    assert decision.notes == ("30 of 31 parts already answered by 4fb29d1c: did you mean `for_each`?",)


def test_a_name_that_is_due_later_is_neither_created_nor_cancelled() -> None:
    running = Observed(owned=(job_for(spec(2), Phase.ACTIVE),))
    ancestry = Ancestry(contained=frozenset({"c0ffee"}))
    absent = plan(Declared(ancestry=ancestry), running, Memory(), now=NOW)
    later = plan(
        Declared(ancestry=ancestry, later={"yearly": NotYetStarted(begins="2030-01-01")}),
        running,
        Memory(),
        now=NOW,
    )
    assert absent.pending
    assert (later.decisions, later.not_considered) == ((), 1)
