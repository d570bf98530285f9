"""Schedules with a shared ledger in an object store. `python -m tests.simulation --store --seed N` shows one."""

from __future__ import annotations

import pytest

from tests.simulation import tally

QUICK = 4
"""Schedules of the default run."""


@pytest.mark.parametrize(
    "seeds",
    [
        range(QUICK),
        *(pytest.param(range(at, at + 50), marks=pytest.mark.thorough) for at in range(QUICK, 200, 50)),
    ],
    ids=str,
)
def test_no_promise_is_broken_with_a_ledger_in_an_object_store(seeds: range) -> None:
    found = tally.run(seeds, family=tally.STORE)
    assert not found.violations, "\n".join(found.lines())


@pytest.mark.thorough
def test_few_schedules_meet_every_fault_of_a_store() -> None:
    found = tally.run(range(1000, 1050), family=tally.STORE)
    faults = {"before the effect", "after the effect", "arrives late", "arrives twice"}
    assert {it for it in faults if any(it in fault for fault in found.faults)} == faults
    assert found.counts["conflicts"]
