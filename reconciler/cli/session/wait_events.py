"""The event at the end of a wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.context import RunContext
    from reconciler.runs.wait import WaitState


def log_finished(run: RunContext, state: WaitState) -> None:  # type: ignore[type-arg]  # a reader's or a writer's
    """Log the numbers of a finished wait."""
    from collections import Counter

    from reconciler.plans.name_status import Readiness

    env, stands = run.env, Counter(state.readiness.values())
    env.log(
        "wait.finished",
        done=stands[Readiness.DONE],
        attention=stands[Readiness.ATTENTION],
        pending=stands[Readiness.PENDING],
        running=stands[Readiness.RUNNING],
        timed_out=int(state.timed_out),
        elapsed_ms=round((env.monotonic() - run.began) * 1000),
    )
