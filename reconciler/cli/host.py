"""The machine as a value: environment, clocks, randomness, threads, terminal. Tests and simulations pass another."""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import random

    from reconciler.api.transport import Transport
    from reconciler.world import Spread

_T = TypeVar("_T")
_R = TypeVar("_R")


class Beside(Protocol):
    """Runs something beside what comes next."""

    def __call__(self, do: Callable[[], _R]) -> Callable[[], _R]:
        """Return what waits for the end of `do`, and returns or raises what it did."""


def side_by_side(do: Callable[[_T], _R], items: Sequence[_T], *, at_once: int) -> list[_R]:
    """Run `do` over the items in threads; one item, or one at once, needs none."""
    if len(items) <= 1 or at_once <= 1:
        return [do(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(min(at_once, len(items)))
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


def process_runs(pid: int) -> bool:
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


def _same(transport: Transport) -> Transport:
    return transport


@dataclass(frozen=True, kw_only=True)
class Host:
    """Everything that a command takes from the process and the machine."""

    environ: Mapping[str, str]
    cwd: Path
    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    """May return early once `stop` is set."""
    random: random.Random = field(default_factory=_system_random)
    spread: Spread = side_by_side
    beside: Beside = in_background
    through: Callable[[Transport], Transport] = _same
    """Wraps the HTTP transport: where tests put their faults and record requests."""
    uuid: Callable[[], str] = _uuid
    """Names what the embedded sandbox makes."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set by the first signal: nothing new is begun."""

    pid: int = field(default_factory=os.getpid)
    name: str = field(default_factory=_node)
    """The machine's, as others know it."""
    runs: Callable[[int], bool] = process_runs
    """Whether a process of this machine runs."""

    strict: bool = False
    """Whether an event that the catalogue does not know raises; in tests."""

    def terminal(self, stream: str) -> bool:
        """Whether `stdin`, `stdout` or `stderr` is a terminal."""
        handle = getattr(sys, stream)
        return handle is not None and handle.isatty()

    def colour(self, stream: str) -> bool:
        """Whether a stream takes colours (https://no-color.org, https://force-color.org)."""
        if self.environ.get("NO_COLOR"):
            return False
        return bool(self.environ.get("FORCE_COLOR")) or self.terminal(stream)
