"""Everything that is not pure, as one value. `cli` creates it; tests and simulations replace it."""

from __future__ import annotations

import contextvars
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar, cast

from reconciler.errors import LedgerError
from reconciler.telemetry.progress import UNWATCHED, Progress

if TYPE_CHECKING:
    from concurrent.futures import Future

    from reconciler.api.transport import Transport
    from reconciler.ledger.lines import Line
    from reconciler.telemetry.logs import LogSink
    from reconciler.telemetry.traces import OpenSpan
    from reconciler.vcs.git import Git

_T = TypeVar("_T")
_R = TypeVar("_R")


class Log(Protocol):
    """Logs one event; `events.EVENTS` lists them all."""

    def __call__(self, event: str, /, **facts: object) -> None:
        """Log that `event` happened."""


class MapConcurrently(Protocol):
    """Calls a function for many items, several at once."""

    def __call__(self, do: Callable[[_T], _R], items: Sequence[_T], *, max_workers: int) -> list[_R]:
        """Return what `do` returns for each item, in the items' order."""


class Ledger(Protocol):
    """Records intents and outcomes."""

    def read(self) -> Iterator[Line]:
        """Yield every known line, of other runners too if it is shared. Raises `LedgerError` if that is impossible."""

    def locate(self, texts: Collection[str]) -> Mapping[str, str]:
        """Return `file:line` of lines that `read` yielded, by their text."""

    def rewritten(self) -> str:
        """Return what a shared ledger had lost at the last whole `read`, "" for nothing."""

    def claim(self, lines: Sequence[Line]) -> bool:
        """Record intents for other runners to see, before the creates are sent.

        Return False if another runner wrote since `read`: read and plan again. Raises `LedgerError` if they could not
        be recorded.
        """

    def publish(self) -> None:
        """Let other runners see what was appended. Raises `LedgerError` if the lines could not be published."""

    def append(self, *lines: Line) -> None:
        """Record lines durably. Raises `LedgerError` if they could not be made durable."""


class Stop(Protocol):
    """Whether the run was asked to stop. From then on, nothing new is started."""

    def is_set(self) -> bool:
        """Return whether the run was asked to stop."""

    def set(self) -> None:
        """Ask the run to stop."""


class RunInBackground(Protocol):
    """Runs a function concurrently with the code that follows."""

    def __call__(self, do: Callable[[], _R]) -> Callable[[], _R]:
        """Return a function that waits for the end of `do`, and returns its result or raises its error."""


class _NoLedger:
    """The ledger of a process that has not opened one. Its methods fail, before anything is sent."""

    def __getattr__(self, _: str) -> NoReturn:
        raise LedgerError("no ledger is open")


def side_by_side(do: Callable[[_T], _R], items: Sequence[_T], *, max_workers: int) -> list[_R]:
    """Call `do` for the items in threads; without a thread if there is one item or one worker."""
    if len(items) <= 1 or max_workers <= 1:
        return [do(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(min(max_workers, len(items)))
    wait = True
    try:
        futures = [pool.submit(contextvars.copy_context().run, do, item) for item in items]
        return [future.result() for future in futures]
    except BaseException as error:
        wait = isinstance(error, Exception)  # after Ctrl-C, do not wait for the threads
        raise
    finally:  # calls that have started end, the others are cancelled
        pool.shutdown(wait=wait, cancel_futures=True)


def in_background(do: Callable[[], _R]) -> Callable[[], _R]:
    """Start `do` in a thread; the returned function waits for its result, or raises its error.

    If the result is never requested, the daemon thread may be killed when the process ends.
    """
    from concurrent.futures import Future

    found: Future[_R] = Future()

    def run() -> None:
        try:
            found.set_result(do())
        except BaseException as error:  # noqa: BLE001 - the caller of `result` gets it
            found.set_exception(error)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    return found.result


def process_is_alive(pid: int) -> bool:
    """Return whether a process of this machine is running; True if that cannot be checked safely."""
    if os.name != "posix":  # Windows would send signal 0
        return True
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)  # otherwise it belongs to another user
    return True


def _uuid() -> str:
    import uuid

    return str(uuid.uuid4())


def _open_git() -> Callable[[Path], Git]:
    def opened(root: Path) -> Git:
        from reconciler.vcs.git import Git

        return Git(root)

    return cache(opened)


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # such as a container's user id without an entry
        return ""


def _ignored(event: str, /, **facts: object) -> None:
    """Log nothing."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The environment variables, clocks, randomness, threads and terminal of a process; log and ledger of a run."""

    environ: Mapping[str, str]
    cwd: Path
    now: Callable[[], float] = time.time
    """Wall clock, Unix seconds, for records."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds from an arbitrary start, for waits."""
    sleep: Callable[[float], object] = time.sleep
    """May return early once `stop` is set."""
    random: Random = field(default_factory=SystemRandom)
    map_concurrently: MapConcurrently = side_by_side
    run_in_background: RunInBackground = in_background
    result_of: Callable[[Future[Any]], Any] = lambda future: future.result()
    """Waits for what another thread computes."""
    wrap_transport: Callable[[Transport], Transport] = lambda transport: transport
    """Wraps the HTTP transport; tests inject faults and record requests with it."""
    git: Callable[[Path], Git] = field(default_factory=_open_git)
    """What git knows about a folder; of one folder, always the same value."""
    uuid: Callable[[], str] = _uuid
    """Returns the ids of the embedded sandbox."""
    stop: Stop = field(default_factory=threading.Event)
    """Set by the first signal: nothing new is started."""

    pid: int = field(default_factory=os.getpid)
    name: str = field(default_factory=platform.node)
    """The machine's host name."""
    user: Callable[[], str] = _user
    """Returns the name of the operating system's user, "" if that has none."""
    is_process_alive: Callable[[int], bool] = process_is_alive
    """Whether a process of this machine is running."""

    check_event: Callable[[str, Mapping[str, object]], None] = lambda *_: None
    """Called with each event of the log; tests compare it with the catalogue."""

    logs: list[LogSink] = field(default_factory=list)
    """The logs that the command opened. `cli.main` closes them."""
    log: Log = _ignored
    ledger: Ledger = field(default_factory=lambda: cast("Ledger", _NoLedger()))
    span: OpenSpan = nullcontext
    """Opens a span of the run's trace."""
    progress: Progress = UNWATCHED
    """Receives the progress of long operations."""
    run_id: str = ""
    """Identifies the run in every event and ledger line."""

    def new_op(self) -> str:
        """Return a random name for one create, unique across runs."""
        return f"{self.random.getrandbits(96):024x}"

    def terminal(self, stream: str) -> bool:
        """Whether `stdin`, `stdout` or `stderr` is a terminal."""
        handle = getattr(sys, stream)
        return handle is not None and handle.isatty()

    def colour(self, stream: str) -> bool:
        """Whether a stream shows colours (https://no-color.org, https://force-color.org)."""
        forced = bool(self.environ.get("FORCE_COLOR"))
        return not self.environ.get("NO_COLOR") and (forced or self.terminal(stream))

    def width(self) -> int | None:
        """Return how many columns the terminal at stdout has; None if stdout is no terminal."""
        if not self.terminal("stdout"):
            return None
        columns = self.environ.get("COLUMNS", "")
        if columns.isdecimal() and columns.isascii() and int(columns) > 0:
            return int(columns)
        with suppress(OSError):  # no terminal after all
            return os.get_terminal_size().columns or None
        return None
