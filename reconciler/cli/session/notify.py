"""`on_end`: `apply` sends one notification for each job that has ended.

Only `apply` runs hooks. `plan` and `validate` read what a pull request proposes, and must not run commands it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from reconciler.api.client import Writer
from reconciler.child_environment import child_environment
from reconciler.context import RunContext

if TYPE_CHECKING:
    from reconciler.model import OwnedJob
    from reconciler.notifications.deliver import SendNotification


def send_notifications(run: RunContext[Writer], jobs: Sequence[OwnedJob], *, since: float) -> None:
    """Send the notifications that are due. A failure is logged, never raised.

    Args:
        run: holds the lock.
        jobs: the project's jobs, as this run observed them.
        since: Unix seconds; when the run began.
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
    """Return the function that sends one notification, None if the settings name no receiver."""
    on_end, env = run.project.settings.on_end, run.env
    command, webhook, seconds = on_end.command, on_end.webhook, on_end.timeout_seconds
    if command:
        from reconciler.notifications import command as hook

        return partial(
            hook.run,
            command,
            folder=run.project.root,
            environ=child_environment(env.environ, more=on_end.environment, redact=run.redact),
            timeout_seconds=seconds,
            redact=run.redact,
        )
    if webhook:
        from reconciler.api.webhook import post

        return lambda body: post(webhook, body, timeout_seconds=seconds)
    return None
