"""Which run may report the end of a job, from the ledger's lines in any order and with any clocks."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from reconciler.ledger.lines import Line, NotificationClaimed, NotificationDelivered, NotificationsEnabled
from reconciler.notifications.due import DeliveryState, read_notifications


def claimed(run_id: str, at: float, lease: float = 60) -> NotificationClaimed:
    return NotificationClaimed(at=at, run_id=run_id, job_id="j1", lease=lease)


def failed(run_id: str, at: float) -> NotificationDelivered:
    return NotificationDelivered(at=at, run_id=run_id, job_id="j1", error="connection refused")


def test_a_failure_gives_its_runs_claim_back() -> None:
    assert read_notifications([claimed("r1", 100), failed("r1", 110)]).deliveries == {
        "j1": DeliveryState(failures=1)
    }


def test_a_run_may_claim_again_what_it_has_failed_to_report() -> None:
    lines: list[Line] = [claimed("r1", 100), failed("r1", 110), claimed("r1", 120)]
    assert read_notifications(lines).deliveries["j1"].claimed_until == 180


def test_a_failure_on_a_host_whose_clock_is_ahead_takes_nobodys_claim() -> None:
    lines: list[Line] = [claimed("r1", 130), failed("r1", 150), claimed("r2", 140)]
    assert read_notifications(lines).deliveries["j1"] == DeliveryState(failures=1, claimed_until=200)


@given(
    st.lists(
        st.builds(claimed, st.sampled_from("ab"), st.integers(1, 9), st.integers(0, 9))
        | st.builds(failed, st.sampled_from("ab"), st.integers(1, 9))
        | st.builds(
            NotificationDelivered, at=st.integers(1, 9), run_id=st.sampled_from("ab"), job_id=st.just("j1")
        )
        | st.builds(NotificationsEnabled, at=st.integers(1, 9), run_id=st.sampled_from("ab")),
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_lines_and_their_repetition_say_nothing(some: list[Line], dice: Random) -> None:
    again = [*some, *some[:3]]
    dice.shuffle(again)
    assert read_notifications(again) == read_notifications(some)
