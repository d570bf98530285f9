"""SIGINT and SIGTERM.

Before anything is sent they end the run at once. From then on the first lets what is in flight end and begins nothing
new, and the second leaves at once.
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

from reconciler.cli.output.streams import aside
from reconciler.environment import World
from reconciler.errors import ExitCode

CODES: Final = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


class Interrupts:
    """The signals that a run has heard.

    Args:
        world: what is told that nothing new is to be begun.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._careful = False
        self._heard: list[ExitCode] = []

    @property
    def codes(self) -> set[ExitCode]:
        """The exit codes that they ask for."""
        return set(self._heard)

    def be_careful(self) -> bool:
        """From now on the first signal lets what is in flight end. Return True, for the end of a condition."""
        self._careful = True
        return True

    def hear(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal.

        Raises:
            KeyboardInterrupt: nothing has been sent yet.
        """
        code = CODES[signal.Signals(number)]
        if self._heard:
            os._exit(code)
        self._heard.append(code)
        self._world.stop.set()
        if not self._careful:
            raise KeyboardInterrupt
        with suppress(OSError, ValueError):  # not through the stream, which may be in the middle of a line
            os.write(sys.stderr.fileno(), b"stopping: what is in flight is finished, nothing new is begun\n")


@contextmanager
def interrupts(world: World) -> Iterator[Interrupts]:
    """Catch signals for as long as the block runs."""
    heard = Interrupts(world)
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return
    before = {number: signal.signal(number, heard.hear) for number in CODES}
    try:
        yield heard
    except (KeyboardInterrupt, click.Abort):  # the latter where a prompt was interrupted
        if not heard.codes:
            raise
        aside("interrupted; nothing was done")
        raise click.exceptions.Exit(max(heard.codes)) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def signal_name(code: ExitCode) -> str:
    """Return the signal that an exit code stands for."""
    return next(number.name for number, asked in CODES.items() if asked is code)
