"""Lines of the ledger whose times are too far ahead."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from reconciler.ledger.lines import (
    CreateUnknown,
    Line,
    NotificationClaimed,
    NotificationsEnabled,
)
from reconciler.workspace.recall import within
from tests.helpers.make import created, intended, memory, spec

INTENDED = intended(spec("a"), "o1")
CREATED = created(spec("a"), "j1")


@pytest.mark.parametrize(
    "line",
    [
        replace(INTENDED, at=100.0, lease=11.0),
        CreateUnknown(at=111.0, run_id="r", op="o1", error=""),
        NotificationClaimed(at=0.0, run_id="r", job_id="j1", lease=111.0),
        NotificationsEnabled(at=111.0, run_id="r"),
    ],
    ids=lambda line: type(line).__name__,
)
def test_what_would_hold_until_a_time_too_far_ahead_holds_nothing(line: Line) -> None:
    assert within(line, 111.0) is line
    assert within(line, 110.0) is None


def test_a_fact_of_a_time_too_far_ahead_stays_and_is_never_recent() -> None:
    long_ago = replace(CREATED, at=0.0)
    assert within(replace(CREATED, at=111.0), 110.0) == long_ago
    assert within(replace(CREATED, at=110.0), 110.0) == replace(CREATED, at=110.0)
    assert memory(long_ago).recent(100.0) == frozenset()
