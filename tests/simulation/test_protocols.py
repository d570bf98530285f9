"""Create protocols side by side, in a few schedules: `python -m tests.simulation --table` prints the figures."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.protocols import ROWS, Row, outcome, table
from tests.simulation.server import Server

SCHEDULES = 25


def sums(row: Row) -> Counter[str]:
    server, found = Server(), Counter[str]()
    for seed in range(SCHEDULES):
        found += outcome(row, seed, server)
    return found


@pytest.mark.thorough
@pytest.mark.parametrize("row", ROWS[:3], ids=lambda row: row.name)
def test_other_protocols_leave_two_live_jobs_for_good(row: Row) -> None:
    found = sums(row)
    assert found["after"] > SCHEDULES / 5
    assert found["creates"] > 3 * SCHEDULES


@pytest.mark.thorough
def test_the_real_code_never_has_two_live_jobs() -> None:
    found = sums(ROWS[3])
    assert found["ever"] == found["after"] == 0
    assert found["creates"] > 2.5 * SCHEDULES


@pytest.mark.thorough
def test_the_real_code_without_a_common_lock_has_one_after_the_next_apply() -> None:
    found = sums(ROWS[4])
    assert found["ever"] > 0
    assert found["after"] == 0


def test_the_table_has_a_line_for_each() -> None:
    lines = list(table(1))
    assert len(lines) == 2 + len(ROWS)
    assert all(line.count("|") == 5 for line in lines)
