"""`on_end`: what `apply` does in the end, once for each job that has ended.

Only `apply` calls hooks. `plan` and `validate` run on what a pull request proposes, and must not run what it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.api.client import Writer
from reconciler.context import Run

if TYPE_CHECKING:
    from reconciler.model import Ours
    from reconciler.notifications.deliver import Call


def tell_ends(run: Run[Writer], jobs: Sequence[Ours], *, since: float) -> None:
    """Tell the ends that are due; whatever comes of it, nothing is raised.

    Args:
        run: of a run that holds the lock.
        jobs: ours, as the run has seen them.
        since: when the run began, Unix seconds.
    """
    call = call_of(run)
    if call is None or run.world.stop.is_set():
        return
    from reconciler.notifications.deliver import Teller

    Teller(
        run=run,
        call=call,
        timeout_seconds=run.project.settings.on_end.timeout_seconds,
        since=since,
    ).tell(jobs)


def call_of(run: Run[Writer]) -> Call | None:
    """Return what tells one end, None where the settings name nobody."""
    on_end, world = run.project.settings.on_end, run.world
    command, webhook, seconds = on_end.command, on_end.webhook, on_end.timeout_seconds
    if command:
        from reconciler.notifications import command as hook

        environ = hook.environment(world.environ, run.redact)
        return lambda said: run.redact(
            hook.run(command, said, folder=run.project.root, environ=environ, timeout_seconds=seconds)
        )
    if webhook:
        from reconciler.api.webhook import post

        return lambda said: post(webhook, said, timeout_seconds=seconds)
    return None
