"""One runner has a job to itself: claims beside the results, for runners that share nothing else.

A claim is a file, `claim-1`, that only one of many can create. It says who holds it and until when, and is renewed
while its holder works. Of a holder that is gone (its time is over, or it was a process of this very host that does
not run any more) the next runner takes over by creating `claim-2`, which again only one can: nothing is renamed, so
nobody takes away what somebody else has just taken. The highest number holds. Whoever lost it meanwhile finds out
before it writes the summary, and what both wrote until then are the same bytes of a file that never changes.

Clocks of hosts that share a destination may differ by less than the lease.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from reconciler.documents import result_summary
from reconciler.results.store import Store

LEASE_SECONDS: Final = 300.0
"""How long a claim holds without being renewed."""
RENEW_SECONDS: Final = 30.0
GLANCES: Final = 5
GLANCE_SECONDS: Final = 0.2
"""A claim that cannot be understood is looked at again so often: it may just be being written."""
TRIES: Final = 100
"""Against others who claim at the same time, one of whom succeeds each time."""

_NAME: Final = re.compile(r"claim-([1-9][0-9]{0,8})")


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who works on a job's results."""

    run_id: str
    host: str
    pid: int
    until: float = 0.0
    """Unix seconds, the holder's clock."""


NOBODY: Final = Holder(run_id="?", host="?", pid=0)


@dataclass(frozen=True, kw_only=True)
class Clerk:
    """What it takes to claim."""

    store: Store
    me: Holder
    running: Callable[[int], bool]
    """Whether a process of this host runs."""
    now: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], object]

    def claim(self, folder: str) -> Claim | Holder | None:
        """Claim a folder.

        Returns:
            The claim; or who else holds it; or None where its summary is there: nothing is left to be done.

        Raises:
            OSError: the store cannot be read or written.
        """
        for _ in range(TRIES):
            number = self.highest(folder)
            holder = self.holder(folder, number) if number else None
            if holder is not None and self.lives(holder):
                return holder
            claim = Claim(self, folder, number + 1)
            if self.store.create(claim.path, claim.data()):
                if self.store.read(f"{folder}/{result_summary.NAME}") is None:
                    return claim
                claim.release()
                return None
        return NOBODY

    def highest(self, folder: str) -> int:
        """Return the number of the claim that holds, 0 where there is none."""
        found = (_NAME.fullmatch(name) for name in self.store.names(folder))
        return max((int(match[1]) for match in found if match), default=0)

    def lives(self, holder: Holder) -> bool:
        """Tell whether a holder may still be at work."""
        if holder.host == self.me.host and holder.run_id != self.me.run_id:
            alive = holder.pid != self.me.pid and self.running(holder.pid)
            return alive and holder.until > self.now()
        return holder.until > self.now()

    def holder(self, folder: str, number: int) -> Holder | None:
        """Return whose claim it is, None where it is nobody's any more, or cannot be understood."""
        for _ in range(GLANCES):
            data = self.store.read(f"{folder}/claim-{number}")
            try:
                return None if data is None else msgspec.json.decode(data, type=Holder)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                self.sleep(GLANCE_SECONDS)
        return None


class Claim:
    """A folder that this run has to itself."""

    def __init__(self, clerk: Clerk, folder: str, number: int) -> None:
        self._clerk = clerk
        self.folder = folder
        self._number = number
        self._renewed = clerk.monotonic()

    @property
    def path(self) -> str:
        """The claim's own file."""
        return f"{self.folder}/claim-{self._number}"

    def data(self) -> bytes:
        """Return what it says."""
        until = self._clerk.now() + LEASE_SECONDS
        return msgspec.json.encode(msgspec.structs.replace(self._clerk.me, until=until))

    def renew(self) -> None:
        """Say that we are still at work, where it is time to."""
        if self._clerk.monotonic() - self._renewed >= RENEW_SECONDS:
            self._clerk.store.replace(self.path, self.data())
            self._renewed = self._clerk.monotonic()

    def check(self) -> None:
        """Make sure that nobody has taken over.

        Raises:
            LostError: somebody has.
        """
        highest = self._clerk.highest(self.folder)
        if highest != self._number:
            raise LostError(self._clerk.holder(self.folder, highest) or NOBODY)

    def release(self) -> None:
        """Give it up, and remove the claims of those who are gone; ours last, so that none of them holds again."""
        for number in range(1, self._number + 1):
            self._clerk.store.remove(f"{self.folder}/claim-{number}")


class LostError(Exception):
    """Another runner has taken over.

    Attributes:
        to: who.
    """

    def __init__(self, to: Holder) -> None:
        super().__init__(to.run_id)
        self.to = to
