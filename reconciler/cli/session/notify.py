"""`on_end`: what `apply` does in the end, once for each job that has ended.

Only `apply` calls hooks. `plan` and `validate` run on what a pull request proposes, and must not run what it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.api.client import Writer
from reconciler.context import RunContext

if TYPE_CHECKING:
    from reconciler.model import OwnedJob
    from reconciler.notifications.deliver import SendNotification


def send_notifications(run: RunContext[Writer], jobs: Sequence[OwnedJob], *, since: float) -> None:
    """Tell the ends that are due; whatever comes of it, nothing is raised.

    Args:
        run: of a run that holds the lock.
        jobs: ours, as the run has seen them.
        since: when the run began, Unix seconds.
    """
    call = notification_sender(run)
    if call is None or run.env.stop.is_set():
        return
    from reconciler.notifications.deliver import Notifier

    Notifier(
        run=run,
        send=call,
        timeout_seconds=run.project.settings.on_end.timeout_seconds,
        since=since,
    ).deliver(jobs)


def notification_sender(run: RunContext[Writer]) -> SendNotification | None:
    """Return what tells one end, None where the settings name nobody."""
    on_end, env = run.project.settings.on_end, run.env
    command, webhook, seconds = on_end.command, on_end.webhook, on_end.timeout_seconds
    if command:
        from reconciler.notifications import command as hook

        environ = hook.environment(env.environ, run.redact)
        return lambda body: run.redact(
            hook.run(command, body, folder=run.project.root, environ=environ, timeout_seconds=seconds)
        )
    if webhook:
        from reconciler.api.webhook import post

        return lambda body: post(webhook, body, timeout_seconds=seconds)
    return None
