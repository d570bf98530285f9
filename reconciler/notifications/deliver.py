"""Claim notifications in the ledger, send them, and record the outcome.

A claim keeps all other runners that share the ledger away until it expires, so a notification is sent once. It is sent
again only if the hook failed, if the run died before it recorded the delivery, or if that line could not be shared; the
`id` in the document lets the receiver drop the repetition. Without a durable ledger no notifications are sent: the
first line in a ledger enables them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final, TypeAlias

import msgspec

from reconciler.api.client import Writer
from reconciler.api.webhook import post
from reconciler.child_environment import child_environment
from reconciler.context import RunContext
from reconciler.errors import LedgerError
from reconciler.ledger.lines import Line, NotificationClaimed, NotificationDelivered, NotificationsEnabled
from reconciler.notifications import due
from reconciler.notifications.due import WorkEnd
from reconciler.settings import OnEnd
from reconciler.text.sanitize import clean
from reconciler.workspace.recall import latest_end, within

MAX_CLAIMED_TOGETHER: Final = 10
"""The number of notifications in one claim: each claim in a shared ledger is a push."""
MAX_ROUNDS: Final = 1000
"""The number of claims in one run."""
MAX_CONSECUTIVE_FAILURES: Final = 3
"""Failures in a row after which the next run sends the rest: the receiver is down."""
MARGIN_SECONDS: Final = 60.0

SendNotification: TypeAlias = Callable[[bytes], str]
"""Sends one notification; returns the error, "" for none."""


def notify(run: RunContext[Writer], ends: Sequence[WorkEnd], *, since: float) -> None:
    """Send the notifications that are due to the receiver that the settings name; a failure is logged, never raised.

    The run holds the lock, and began at `since` (Unix seconds).
    """
    on_end = run.project.settings.on_end
    send = _sender(run, on_end)
    Notifier(run=run, send=send, timeout_seconds=on_end.timeout_seconds, since=since).deliver(ends)


def _sender(run: RunContext[Writer], on_end: OnEnd) -> SendNotification:
    if on_end.command is None:
        return partial(post, on_end.webhook or "", timeout_seconds=on_end.timeout_seconds)
    return partial(
        run_command,
        on_end.command,
        folder=run.project.root,
        environ=child_environment(run.env.environ, more=on_end.environment, redact=run.redact),
        timeout_seconds=on_end.timeout_seconds,
        redact=run.redact,
    )


@dataclass(frozen=True, kw_only=True)
class Notifier:
    """Sends notifications about ended jobs."""

    run: RunContext[Writer]
    send: SendNotification
    timeout_seconds: float
    since: float
    """Unix seconds: the start of notifications if the ledger does not record one."""

    def deliver(self, ends: Sequence[WorkEnd]) -> None:
        """Send all pending notifications. Ledger errors are logged, not raised."""
        try:
            if self._deliver_all(ends):
                self.run.env.ledger.publish()
        except LedgerError as error:  # the next run sends and publishes the rest
            self.run.env.log("ledger.not_published", error=str(error))

    def _deliver_all(self, ends: Sequence[WorkEnd]) -> bool:
        """Return whether the ledger was written."""
        in_a_row = 0
        written = False
        tried: set[str] = set()
        for _ in range(MAX_ROUNDS):
            now = self.run.env.now()
            latest = latest_end(self.run)
            lines = (believed for it in self.run.env.ledger.read() if (believed := within(it, latest)))
            notified = due.read_notifications(lines)
            untried = [end for end in ends if end.owned.job.id not in tried]
            waiting = due.pending_notifications(untried, notified, since=self.since, now=now)
            pending = waiting[:MAX_CLAIMED_TOGETHER]
            first: list[Line] = []
            if notified.since is None:
                first.append(NotificationsEnabled(at=self.since, run_id=self.run.env.run_id))
            lease = len(pending) * self.timeout_seconds + MARGIN_SECONDS
            claims = [
                NotificationClaimed(at=now, run_id=self.run.env.run_id, job_id=end.owned.job.id, lease=lease)
                for end in pending
            ]
            if not first and not claims:
                break
            if not self.run.env.ledger.claim([*first, *claims]):
                self.run.env.log("ledger.conflict")
                continue
            written = True
            if first:
                self.run.env.log("notifications.enabled")
            for end in pending:
                if self.run.env.stop.is_set() or in_a_row >= MAX_CONSECUTIVE_FAILURES:
                    return written
                tried.add(end.owned.job.id)
                known = notified.deliveries.get(end.owned.job.id, due.DeliveryState())
                in_a_row = in_a_row + 1 if self._deliver_one(end, known.failures) else 0
        return written

    def _deliver_one(self, end: WorkEnd, failures: int) -> str:
        env, owned = self.run.env, end.owned
        document = due.document(end, self.run.target, run_id=env.run_id)
        began = env.monotonic()
        error = self.send(msgspec.json.encode(document))
        env.ledger.append(
            NotificationDelivered(at=env.now(), run_id=env.run_id, job_id=owned.job.id, error=error)
        )
        about = {"name": owned.tags.name, "job_id": owned.job.id}
        if not error:
            elapsed = round((env.monotonic() - began) * 1000)
            env.log("notification.delivered", **about, status=owned.job.status, elapsed_ms=elapsed)
        elif failures + 1 >= due.MAX_FAILURES:
            env.log("notification.abandoned", **about, error=error, failures=failures + 1)
        else:
            env.log("notification.failed", **about, error=error, failures=failures + 1)
        return error


MAX_SHOWN_CHARACTERS: Final = 200
"""Characters shown of the last line that a command wrote to stderr."""
MAX_READ_BYTES: Final = 4096


def run_command(
    command: Sequence[str],
    body: bytes,
    *,
    folder: Path,
    environ: Mapping[str, str],
    timeout_seconds: float,
    redact: Callable[[str], str],
) -> str:
    """Run a command in a folder, without a shell, and return the error, "" if it ended with exit code 0.

    It gets `body` on its stdin, and is killed after the timeout with all processes that it started. Its stdin and
    stderr are files, so that a process it leaves running cannot block this one. Its stdout is discarded, since stdout
    is for the result of this tool. `redact` replaces the key in a text.
    """
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        stdin.write(body)
        stdin.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603  no shell; the command is the team's own, reviewed in git
                list(command),
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=folder,
                env=dict(environ),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # the latter for a NUL in an argument
            return redact(clean(f"{command[0]} cannot be run: {getattr(error, 'strerror', None) or error}"))
        try:
            code = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"the command did not end within {timeout_seconds:g} s"
        except BaseException:
            _end(process)
            raise
        return "" if code == 0 else _words(code, stderr, redact)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _words(code: int, stderr: IO[bytes], redact: Callable[[str], str]) -> str:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - MAX_READ_BYTES))
    lines = stderr.read().decode("utf-8", "replace").strip().splitlines()
    ended = f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
    return f"{ended}: {redact(clean(lines[-1]))[:MAX_SHOWN_CHARACTERS]}" if lines else ended
