"""The event that ends the waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.context import Run
    from reconciler.runs.wait import View


def log_finished(run: Run, view: View) -> None:  # type: ignore[type-arg]  # a reader's or a writer's
    """Tell the end of the waiting in numbers."""
    from collections import Counter

    from reconciler.plans.name_status import Stand

    world, stands = run.world, Counter(view.stands.values())
    world.log(
        "wait.finished",
        done=stands[Stand.DONE],
        attention=stands[Stand.ATTENTION],
        pending=stands[Stand.PENDING],
        running=stands[Stand.RUNNING],
        timed_out=int(view.timed_out),
        elapsed_ms=round((world.monotonic() - run.began) * 1000),
    )
