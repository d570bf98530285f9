"""Everything that is not pure, as one value: made in `cli`, passed down, replaced in tests and simulations."""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar

from reconciler.errors import LedgerError
from reconciler.telemetry.progress import UNWATCHED, Progress

if TYPE_CHECKING:
    import random

    from reconciler.api.transport import Transport
    from reconciler.ledger.lines import Line
    from reconciler.vcs.git import Git

_T = TypeVar("_T")
_R = TypeVar("_R")


class Log(Protocol):
    """Tells one event; `events.EVENTS` lists them all."""

    def __call__(self, event: str, /, **facts: object) -> None:
        """Tell that `event` happened."""


class MapConcurrently(Protocol):
    """Runs the same thing over many items, several at once."""

    def __call__(self, do: Callable[[_T], _R], items: Sequence[_T], *, max_workers: int) -> list[_R]:
        """Return what `do` returns for each item, in the items' order."""


class Ledger(Protocol):
    """Where intents and outcomes are recorded."""

    def read(self) -> tuple[Line, ...]:
        """Return every line that is known now, other runners' among them where they share it.

        Raises:
            LedgerError: it cannot be read.
        """

    def claim(self, lines: Sequence[Line]) -> bool:
        """Record intents where other runners see them, before their turn has come.

        Returns:
            False where another runner wrote since `read`: read and plan again.

        Raises:
            LedgerError: they could not be recorded.
        """

    def publish(self) -> None:
        """Let other runners see what was appended.

        Raises:
            LedgerError: they cannot be told.
        """

    def append(self, *lines: Line) -> None:
        """Record lines durably.

        Raises:
            LedgerError: they could not be made durable.
        """


class Stop(Protocol):
    """Whether the run was asked to stop: nothing new is begun from then on."""

    def is_set(self) -> bool:
        """Return True once it was."""

    def set(self) -> None:
        """Ask it to stop."""


class RunInBackground(Protocol):
    """Runs something beside what comes next."""

    def __call__(self, do: Callable[[], _R]) -> Callable[[], _R]:
        """Return what waits for the end of `do`, and returns or raises what it did."""


class NoLedger:
    """The ledger of a process that has not opened one: whoever needs it fails before anything is sent."""

    def read(self) -> NoReturn:
        """Fail."""
        raise LedgerError("no ledger is open")

    def claim(self, lines: Sequence[Line]) -> NoReturn:  # noqa: ARG002 - a ledger's
        """Fail."""
        self.read()

    def publish(self) -> NoReturn:
        """Fail."""
        self.read()

    def append(self, *lines: Line) -> NoReturn:  # noqa: ARG002 - a ledger's
        """Fail."""
        self.read()


def side_by_side(do: Callable[[_T], _R], items: Sequence[_T], *, max_workers: int) -> list[_R]:
    """Run `do` over the items in threads; one item, or one at once, needs none."""
    if len(items) <= 1 or max_workers <= 1:
        return [do(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(min(max_workers, len(items)))
    whole = False
    try:
        futures = [pool.submit(contextvars.copy_context().run, do, item) for item in items]
        found = [future.result() for future in futures]
        whole = True
    except Exception:
        whole = True  # what has begun ends, and the rest is not begun
        raise
    finally:  # after Ctrl-C nobody waits for the threads
        pool.shutdown(wait=whole, cancel_futures=True)
    return found


def in_background(do: Callable[[], _R]) -> Callable[[], _R]:
    """Begin to run `do` beside what comes next; the function that is returned waits for what it returns or raises.

    Where nobody asks for it, nobody waits for it: the process may end first.
    """
    from concurrent.futures import Future

    found: Future[_R] = Future()

    def run() -> None:
        try:
            found.set_result(do())
        except BaseException as error:  # noqa: BLE001 - whoever asks gets it
            found.set_exception(error)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    return found.result


def process_is_alive(pid: int) -> bool:
    """Tell whether a process of this machine runs; where that cannot be asked harmlessly, it does."""
    if os.name != "posix":  # there, signal 0 would be sent
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True


def _system_random() -> random.Random:
    from random import SystemRandom

    return SystemRandom()


def _node() -> str:
    import platform

    return platform.node()


def _uuid() -> str:
    import uuid

    return str(uuid.uuid4())


def _open_git() -> Callable[[Path], Git]:
    @cache
    def opened(root: Path) -> Git:
        from reconciler.vcs.git import Git

        return Git(root)

    return opened


def _same(transport: Transport) -> Transport:
    return transport


def _ignored(event: str, /, **facts: object) -> None:
    """Log nothing."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What a process has: environment, clocks, randomness, threads, terminal; log and ledger, once a run opens them."""

    environ: Mapping[str, str]
    cwd: Path
    now: Callable[[], float] = time.time
    """Wall clock, Unix seconds, for records."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds from an arbitrary start, for waits."""
    sleep: Callable[[float], object] = time.sleep
    """May return early once `stop` is set."""
    random: random.Random = field(default_factory=_system_random)
    map_concurrently: MapConcurrently = side_by_side
    run_in_background: RunInBackground = in_background
    wrap_transport: Callable[[Transport], Transport] = _same
    """Wraps the HTTP transport: where tests put their faults and record requests."""
    git: Callable[[Path], Git] = field(default_factory=_open_git)
    """What git knows about a folder; of one folder, always the same value."""
    uuid: Callable[[], str] = _uuid
    """Names what the embedded sandbox makes."""
    stop: Stop = field(default_factory=threading.Event)
    """Set by the first signal: nothing new is begun."""

    pid: int = field(default_factory=os.getpid)
    name: str = field(default_factory=_node)
    """The machine's, as others know it."""
    is_process_alive: Callable[[int], bool] = process_is_alive
    """Whether a process of this machine runs."""

    strict: bool = False
    """Whether an event that the catalogue does not know raises; in tests."""

    log: Log = _ignored
    ledger: Ledger = field(default_factory=NoLedger)
    progress: Progress = UNWATCHED
    """Is told how far long work has come."""
    run_id: str = ""
    """Names the run in every event and ledger line."""

    def new_op(self) -> str:
        """Return a name for one create that no other run will choose."""
        return f"{self.random.getrandbits(96):024x}"

    def terminal(self, stream: str) -> bool:
        """Whether `stdin`, `stdout` or `stderr` is a terminal."""
        handle = getattr(sys, stream)
        return handle is not None and handle.isatty()

    def colour(self, stream: str) -> bool:
        """Whether a stream takes colours (https://no-color.org, https://force-color.org)."""
        if self.environ.get("NO_COLOR"):
            return False
        return bool(self.environ.get("FORCE_COLOR")) or self.terminal(stream)
