"""Give one runner exclusive access to a job's results, for runners that share only the destination.

A claim is a file, `claim-1`, that only one runner can create. It names its holder and its expiry, and the holder renews
it while it works. A claim is dead if it has expired, or if its holder is a process of this host that no longer runs.
The next runner then takes over by creating `claim-2`, which again only one can do. No claim is renamed, so a runner
cannot remove a claim that another has just created. The highest number is valid. A runner that has taken over looks
again for the dead claim: if it is gone, others have released it, and may have claimed anew. A holder checks its claim
before it writes the summary. Until then two runners may write the same file, but with the same bytes: result files
never change.

The clocks of the hosts must differ by less than `LEASE_SECONDS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from reconciler.documents import result_summary
from reconciler.environment import Environment
from reconciler.outputs.store import ResultStore

LEASE_SECONDS: Final = 300.0
"""How long a claim is valid without a renewal."""
RENEW_SECONDS: Final = 30.0
MAX_READ_TRIES: Final = 5
READ_RETRY_SECONDS: Final = 0.2
"""Pause between reads of a claim that cannot be decoded: its holder may be writing it."""
MAX_ACQUIRE_TRIES: Final = 100
"""Attempts against runners that claim at the same time. One of them succeeds each time."""

Heartbeat: TypeAlias = Callable[[], None]
"""Called regularly during an operation. Raises `StoppedError` or `LeaseLostError` to stop it."""

_NAME: Final = re.compile(r"claim-([1-9][0-9]{0,8})")


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """The runner that works on a job's results."""

    run_id: str
    host: str
    pid: int
    until: float = 0.0
    """Expiry, Unix seconds by the holder's clock."""


UNKNOWN_HOLDER: Final = Holder(run_id="?", host="?", pid=0)


class LeaseManager(Struct, frozen=True, kw_only=True):
    """Acquires leases for one run."""

    store: ResultStore
    env: Environment

    def acquire(self, folder: str, *, again: bool = False) -> Lease | Holder | None:
        """Claim the folder of a job's results; if `again`, even if it has a summary.

        Return the lease; or the other holder; or None if the folder has a summary, so that nothing is left to do.
        Raises `OSError` if the store cannot be read or written.
        """
        for _ in range(MAX_ACQUIRE_TRIES):
            number = self.highest(folder)
            holder = self.holder(folder, number) if number else None
            if holder is not None and self.is_alive(holder):
                return holder
            lease = Lease(self, folder, number + 1)
            if self.store.create(lease.path, lease.data()):
                if number and not self._still_held(folder, number, holder):
                    self.store.remove(lease.path)
                    continue
                if again or self.store.read(f"{folder}/{result_summary.NAME}") is None:
                    return lease
                lease.release()
                return None
        return UNKNOWN_HOLDER

    def _still_held(self, folder: str, number: int, by: Holder | None) -> bool:
        """Return whether a claim is the dead one that was read: its number is free again once it is released."""
        there = self.store.read(f"{folder}/claim-{number}") is not None
        return there and self.holder(folder, number) == by

    def highest(self, folder: str) -> int:
        """Return the number of the valid claim, 0 if there is none."""
        found = (_NAME.fullmatch(name) for name in self.store.names(folder))
        return max((int(match[1]) for match in found if match), default=0)

    def is_alive(self, holder: Holder) -> bool:
        """Return whether a holder may still be working."""
        env = self.env
        if holder.host == env.name and holder.run_id != env.run_id:
            runs = holder.pid != env.pid and env.is_process_alive(holder.pid)
            return runs and holder.until > env.now()
        return holder.until > env.now()

    def holder(self, folder: str, number: int) -> Holder | None:
        """Return a claim's holder, None if the claim is gone or cannot be decoded."""
        for _ in range(MAX_READ_TRIES):
            data = self.store.read(f"{folder}/claim-{number}")
            try:
                return None if data is None else msgspec.json.decode(data, type=Holder)
            except (ValueError, RecursionError):
                self.env.sleep(READ_RETRY_SECONDS)
        return None


class Lease(AbstractContextManager["Lease"]):
    """Exclusive access to a folder. Use it in a `with` statement, which releases it."""

    def __init__(self, manager: LeaseManager, folder: str, number: int) -> None:
        self._manager = manager
        self.folder = folder
        self._number = number
        self._renewed = manager.env.monotonic()

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # then it expires
            self.release()

    @property
    def path(self) -> str:
        """The path of the claim."""
        return f"{self.folder}/claim-{self._number}"

    def data(self) -> bytes:
        """Return the content of the claim."""
        env = self._manager.env
        until = env.now() + LEASE_SECONDS
        return msgspec.json.encode(Holder(run_id=env.run_id, host=env.name, pid=env.pid, until=until))

    def beat(self) -> None:
        """Extend the claim if a renewal is due, during a long operation.

        Raises `StoppedError` if the run received a signal to stop.
        """
        if self._manager.env.stop.is_set():
            raise StoppedError
        if self._manager.env.monotonic() - self._renewed >= RENEW_SECONDS:
            self._manager.store.replace(self.path, self.data())
            self._renewed = self._manager.env.monotonic()

    def check(self) -> None:
        """Check that no other runner has taken over. Raises `LeaseLostError` if another runner has."""
        highest = self._manager.highest(self.folder)
        if highest != self._number:
            raise LeaseLostError(self._manager.holder(self.folder, highest) or UNKNOWN_HOLDER)

    def release(self) -> None:
        """Remove the claim and all dead ones before it. Ours is last, so that none of them becomes valid again."""
        for number in range(1, self._number + 1):
            self._manager.store.remove(f"{self.folder}/claim-{number}")


class StoppedError(Exception):
    """The run received a signal to stop."""


class LeaseLostError(Exception):
    """Another runner has taken over: `to`."""

    def __init__(self, to: Holder) -> None:
        super().__init__(to.run_id)
        self.to = to
