"""SIGINT and SIGTERM.

Before anything is sent, a signal ends the run at once. After that, the first signal lets requests in flight finish and
starts no new ones, and the second ends the process at once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

import click

from reconciler.cli.output.streams import write_stderr
from reconciler.environment import Environment
from reconciler.errors import ExitCode

STOPPED_WATCHING: Final = "Stopped watching. Jobs keep running."
"""The message for commands that only watch."""

CODES: Final = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


class Interrupts:
    """The signals that a run has received. The first one sets the environment's `stop` event."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._careful = False
        self._received: list[ExitCode] = []

    @property
    def codes(self) -> set[ExitCode]:
        """The exit codes of the signals received."""
        return set(self._received)

    def enter_graceful_shutdown(self) -> bool:
        """Let requests in flight finish on the first signal from now on. Return True, for the end of a condition."""
        self._careful = True
        return True

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal. Raises `KeyboardInterrupt` if nothing has been sent yet."""
        code = CODES[signal.Signals(number)]
        if self._received:
            os._exit(code)
        self._received.append(code)
        self._env.stop.set()
        if not self._careful:
            raise KeyboardInterrupt
        with suppress(OSError, ValueError):  # not through the stream, which may be in the middle of a line
            os.write(
                sys.stderr.fileno(), b"stopping: requests in flight are finished, no new ones are sent\n"
            )


@contextmanager
def interrupts(env: Environment, stopped: str = "Interrupted. Nothing was done.") -> Iterator[Interrupts]:
    """Catch signals while the block runs; `stopped` is the message if one ends it before anything was sent."""
    interrupts = Interrupts(env)
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = {number: signal.signal(number, interrupts.handle) for number in CODES}
    try:
        yield interrupts
    except (KeyboardInterrupt, click.Abort):  # Abort: a prompt was interrupted
        if not interrupts.codes:
            raise
        write_stderr(stopped)
        raise click.exceptions.Exit(max(interrupts.codes)) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def signal_name(code: ExitCode) -> str:
    """Return the name of the signal with this exit code."""
    return next(number.name for number, known in CODES.items() if known is code)
