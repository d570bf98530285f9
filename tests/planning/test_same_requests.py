"""A changed file whose requests are the same is the same work: what is decided, and when it is not."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from msgspec import structs

from reconciler.ledger.memory import Memory
from reconciler.model import JobSpec, KnownRequests, Observed, OwnedJob, Phase
from reconciler.planning import same_requests
from reconciler.planning.actions import Cancel, Create, Hold, Keep, Plan
from reconciler.planning.planner import plan
from tests.helpers.make import (
    ACTIVE,
    CANCELLED,
    FAILED,
    NOW,
    STOPPING,
    SUCCEEDED,
    TIMED_OUT,
    declared,
    owned,
    retrying,
    spec,
)

SAME, OTHER = "5" * 32, "0" * 32
OLD, NEW = spec("a", "old"), spec("a", "new")


def asked(
    of: JobSpec,
    job_id: str = "j1",
    phase: Phase = SUCCEEDED,
    *,
    digest: str = SAME,
    age: int = 100,
    **more: int,
) -> OwnedJob:
    """A job that was asked requests with this digest."""
    found = owned(of, job_id, phase, age=age, **more)  # type: ignore[arg-type]
    return structs.replace(found, tags=structs.replace(found.tags, request_digest=digest))


def decided(specs: tuple[JobSpec, ...], jobs: tuple[OwnedJob, ...], digest: str = SAME) -> Plan:
    """Plan as a run does that has read the inputs of every spec, whose requests have this digest."""
    observed = Observed(owned=jobs)
    known = structs.replace(
        declared(*specs), requests={it.run_key: KnownRequests(digest=digest) for it in specs}
    )
    found = same_requests.recognized(known, observed)
    return plan(found, observed, Memory(), now=NOW)


def words(found: Plan) -> list[str]:
    """Return the actions as text."""
    said = []
    for decision in found.decisions:
        for it in decision.actions:
            match it:
                case Create():
                    said.append(f"{decision.name}: create {it.reason} {it.attempt}")
                case Cancel():
                    said.append(f"{decision.name}: cancel {it.owned.job.id} {it.reason}")
                case Keep() | Hold():
                    kind = type(it).__name__.lower()
                    said.append(f"{decision.name}: {kind} {it.job.id if it.job else '-'} {it.reason}")
    return said


@dataclass(frozen=True, kw_only=True)
class Row:
    """A situation of a name whose file has changed, and what is decided."""

    jobs: tuple[OwnedJob, ...]
    expected: list[str]
    specs: tuple[JobSpec, ...] = field(default=(NEW,))
    digest: str = SAME


CHANGED = ["a: create changed 1"]
TABLE = {
    "it has succeeded": Row(jobs=(asked(OLD),), expected=["a: keep j1 succeeded"]),
    "it runs": Row(jobs=(asked(OLD, "j1", ACTIVE),), expected=["a: keep j1 running"]),
    "it is being cancelled": Row(jobs=(asked(OLD, "j1", STOPPING),), expected=["a: hold j1 stopping"]),
    "a person cancelled it": Row(jobs=(asked(OLD, "j1", CANCELLED),), expected=["a: hold j1 cancelled"]),
    "it timed out with answers": Row(
        jobs=(asked(OLD, "j1", TIMED_OUT, succeeded_requests=3),), expected=["a: hold j1 partial"]
    ),
    "it has failed": Row(jobs=(asked(OLD, "j1", FAILED),), expected=["a: hold j1 failed"]),
    "it has failed, and an attempt is left": Row(
        specs=(spec("a", "new", retry=retrying(2)),),
        jobs=(asked(OLD, "j1", FAILED),),
        expected=["a: create retry 2"],
    ),
    "an older job of three was asked the same": Row(
        jobs=(asked(OLD, age=300), asked(spec("a", "w2"), "j2", digest=OTHER, age=200)),
        expected=["a: keep j1 succeeded"],
    ),
    "of two that were asked the same, one runs and one has succeeded": Row(
        jobs=(asked(OLD, age=300), asked(spec("a", "w2"), "j2", ACTIVE, age=200)),
        expected=["a: keep j1 succeeded", "a: cancel j2 duplicate"],
    ),
    "the new bytes have a job, and the old ones are answered": Row(
        jobs=(asked(OLD, age=300), asked(NEW, "j2", ACTIVE)),
        expected=["a: keep j1 succeeded", "a: cancel j2 duplicate"],
        digest="",
    ),
    "other requests": Row(jobs=(asked(OLD, digest=OTHER),), expected=CHANGED),
    "other requests, and the job runs": Row(
        jobs=(asked(OLD, "j1", ACTIVE, digest=OTHER),), expected=[*CHANGED, "a: cancel j1 superseded"]
    ),
    "what it was asked is not known": Row(jobs=(asked(OLD, digest=""),), expected=CHANGED),
    "the new requests are not known": Row(jobs=(asked(OLD),), digest="", expected=CHANGED),
    "neither is known": Row(jobs=(asked(OLD, digest=""),), digest="", expected=CHANGED),
    "another model": Row(jobs=(asked(spec("a", "old", model="other")),), expected=CHANGED),
    "another endpoint": Row(jobs=(asked(spec("a", "old", endpoint="/v1/x")),), expected=CHANGED),
    "another rerun": Row(jobs=(asked(spec("a", "old", "2")),), expected=CHANGED),
    "another name": Row(jobs=(asked(spec("b", "old")),), expected=["a: create new 1"]),
    "another spec wants its work": Row(
        specs=(NEW, spec("b", "old")),
        jobs=(asked(OLD),),
        expected=["a: create new 1", "b: keep j1 succeeded"],
    ),
    "suspended": Row(
        specs=(spec("a", "new", suspend=True),),
        jobs=(asked(OLD, "j1", ACTIVE),),
        expected=["a: cancel j1 suspended"],
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_table(case: str) -> None:
    row = TABLE[case]
    assert words(decided(row.specs, row.jobs, row.digest)) == row.expected


def test_a_kept_job_is_noted_and_a_selection_looks_at_no_other_name() -> None:
    (decision,) = decided((NEW,), (asked(OLD),)).decisions
    assert decision.notes == ("the requests are the same; only the file's bytes differ",)
    others = declared(NEW, spec("b", "new"), selected=["b"])
    jobs = (asked(OLD), asked(spec("b", "old"), "j2"))
    found = [it.spec.name for it in same_requests.changed(others, Observed(owned=jobs))]
    assert found == ["b"]


def test_nothing_is_read_for_names_without_a_change() -> None:
    jobs = (asked(OLD), asked(spec("b"), "j2", ACTIVE), asked(spec("gone"), "j3"))
    assert [*same_requests.changed(declared(OLD, spec("b"), spec("c")), Observed(owned=jobs))] == []
    other_model = declared(spec("a", "old", model="other"))
    assert [*same_requests.changed(other_model, Observed(owned=jobs))] == []
