"""`on_end`: what `apply` does in the end, once for each job that has ended.

Only `apply` calls hooks. `plan` and `validate` run on what a pull request proposes, and must not run what it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.api.client import Writer
from reconciler.cli.session import Session

if TYPE_CHECKING:
    from reconciler.hooks.tell import Call
    from reconciler.model import Ours


def tell_ends(session: Session[Writer], jobs: Sequence[Ours], *, since: float) -> None:
    """Tell the ends that are due; whatever comes of it, nothing is raised.

    Args:
        session: of a run that holds the lock.
        jobs: ours, as the run has seen them.
        since: when the run began, Unix seconds.
    """
    call = call_of(session)
    if call is None or session.run.world.stop.is_set():
        return
    from reconciler.hooks.tell import Teller

    Teller(
        world=session.run.world,
        target=session.run.target,
        call=call,
        timeout_seconds=session.project.settings.on_end.timeout_seconds,
        since=since,
    ).tell(jobs)


def call_of(session: Session[Writer]) -> Call | None:
    """Return what tells one end, None where the settings name nobody."""
    on_end, world = session.project.settings.on_end, session.run.world
    command, webhook, seconds = on_end.command, on_end.webhook, on_end.timeout_seconds
    if command:
        from reconciler.hooks.command import environment, run

        environ = environment(world.environ, session.redact)
        return lambda said: session.redact(
            run(command, said, folder=session.project.root, environ=environ, timeout_seconds=seconds)
        )
    if webhook:
        from reconciler.api.webhook import post

        return lambda said: post(webhook, said, timeout_seconds=seconds)
    return None
