"""SIGINT and SIGTERM: the first lets what is in flight end and begins nothing new, the second leaves at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import click

from reconciler.cli.host import Host
from reconciler.errors import ExitCode

CODES: Final = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


@contextmanager
def interrupts(host: Host) -> Iterator[Callable[[], set[ExitCode]]]:
    """Catch signals for as long as the block runs; the value tells which exit codes they ask for."""
    heard: list[ExitCode] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        code = CODES[signal.Signals(number)]
        if heard:
            os._exit(code)
        heard.append(code)
        host.stop.set()
        click.echo("stopping: what is in flight is finished, nothing new is begun", err=True)

    if threading.current_thread() is not threading.main_thread():
        yield set
        return
    before = {number: signal.signal(number, hear) for number in CODES}
    try:
        yield lambda: set(heard)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
