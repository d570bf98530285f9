"""The state of each request that a name wants, folded over the jobs that may have answered it. Pure.

Every wanted request is in exactly one state, so the numbers of all states add up. What is answered is never submitted
again. Requests are compared by their keys (`reconciler.requests.keys`). Columns of bytes and numbers hold one value
per request, because a work may have a million of them.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final

from msgspec import Struct

from reconciler.requests.keys import KEY_BYTES, Places

ANSWERED_VALID: Final = ""
"""The kind of an outcome that is an answer and passes its checks, or is not checked."""
ANSWERED_TRUNCATED: Final = "truncated"
ANSWERED_INVALID: Final = "invalid"
WORTH: Final = {ANSWERED_INVALID: 1, ANSWERED_TRUNCATED: 2, ANSWERED_VALID: 3}
"""How good an answer is: of several answers to a request the best counts, then the oldest."""
MISSING: Final = "missing"
"""The kind of a request without a line in the results of a job that has succeeded."""
MAX_ATTEMPTS: Final = 255


class State(IntEnum):
    """The state of a wanted request. If several are possible, the first in this order applies."""

    ANSWERED = 0
    """The results of a donor, which can be read, have an answer."""
    LIVE = 1
    """A donor that is queued, running or stopping was asked it."""
    LATE = 2
    """The donor that was asked it has just ended, and its results may not be complete yet."""
    UNREAD = 3
    """The donor that was asked it has results that this plan did not read."""
    GONE = 4
    """The donor that was asked it has answered it, and its results are lost."""
    STOPPED = 5
    """Last asked in a job that a person cancelled."""
    FAILED = 6
    """Asked in jobs that ended by themselves without answering it, or failed in one that this tool cancelled."""
    NEW = 7
    """Never asked, or only in jobs that this tool cancelled, without an outcome."""


class Account(IntEnum):
    """How a donor accounts for the requests that it was asked (`reconciler.planning.donors` decides it)."""

    READ = 0
    """By the outcomes of its results."""
    ANSWERED = 1
    """A success whose counts say that every request is answered."""
    LIVE = 2
    LATE = 3
    UNREAD = 4
    GONE = 5


class Outcomes(Struct, frozen=True, kw_only=True):
    """The outcome of each request that a donor was asked."""

    kinds: tuple[str, ...]
    """Every kind that occurs: one of `WORTH` for an answer, else why there is none."""
    kind: Sequence[int]
    """A position in `kinds` for each request."""


class Donor(Struct, frozen=True, kw_only=True):
    """A job that may have answered requests."""

    job_id: str
    asked: bytes
    """`KEY_BYTES` for each request that it was asked, in its order."""
    account: Account
    assumed: bool = False
    """Whether what it was asked is not known, so that it may be any wanted request."""
    outcomes: Outcomes | None = None
    """If the account is READ."""
    cancelled: bool = False
    by_us: bool = False
    """Whether this tool cancelled it."""
    cap: int = 1
    """How often each request might fail when the job was created. A larger number reopens what a person stopped."""


class Coverage(Struct, frozen=True, kw_only=True):
    """The state of every wanted request, in the order of the work."""

    states: bytes
    donors: tuple[str, ...] = ()
    """The ids of the jobs, the oldest first."""
    donor: Sequence[int] = ()
    """For each request 1 plus the position in `donors` of the job whose answer counts, 0 without an answer."""
    worth: bytes = b""
    """For each request the `WORTH` of its answer, 0 without one."""
    kinds: tuple[str, ...] = ("",)
    """Kinds of failures; the first one means none."""
    kind: Sequence[int] = ()
    """For each request a position in `kinds`: its last failure."""
    unread: tuple[str, ...] = ()
    """The ids of the jobs whose results were not read, and may have answers to requests that nothing else answers."""
    attempts: bytes = b""
    """For each request how often it was asked in a job that then ended by itself, answered or not."""
    cancelled: bool = False
    """Whether a person cancelled the last job that was asked some of it, and the spec allows no more attempts since."""

    def count(self) -> Mapping[State, int]:
        """Return the number of requests in each state."""
        return {state: self.states.count(state) for state in State}

    def failures(self) -> Counter[str]:
        """Count the failed requests by kind."""
        pairs = Counter(zip(self.states, self.kind, strict=True))
        return Counter(
            {self.kinds[kind]: number for (state, kind), number in pairs.items() if state == State.FAILED}
        )

    def reused(self) -> Counter[str]:
        """Count the answers by the id of the job that gave them."""
        return Counter({self.donors[at - 1]: number for at, number in Counter(self.donor).items() if at})

    def outcome_known(self, at: int) -> bool:
        """Return whether a request is answered, or has failed and was not stopped by a person since."""
        return self.states[at] == State.ANSWERED or (
            self.states[at] != State.STOPPED and self.attempts[at] > 0
        )


_FLAG: Final = {
    Account.LIVE: State.LIVE,
    Account.LATE: State.LATE,
    Account.UNREAD: State.UNREAD,
    Account.GONE: State.GONE,
}


def cover(wanted: bytes, donors: Iterable[Donor], *, cap: int) -> Coverage:
    """Return the state of every wanted request.

    Args:
        wanted: `KEY_BYTES` for each wanted request; no key is there twice.
        donors: the jobs that may answer, sorted by the time of their creation and id.
        cap: how often each request may fail.
    """
    places, fold = Places(wanted), _Fold(len(wanted) // KEY_BYTES, cap)
    for donor in donors:
        fold.add(donor, places.of(donor.asked))
    return fold.coverage()


class _Fold:
    def __init__(self, count: int, cap: int) -> None:
        self._cap = cap
        self._states = bytearray([State.NEW]) * count
        self._worth, self._attempts = bytearray(count), bytearray(count)
        self._stopped = bytearray(count)
        self._donor, self._kind = (array("H", bytes(2 * count)) for _ in range(2))
        self._kinds: dict[str, int] = {"": 0}
        self._donors: list[str] = []
        self._unread: dict[str, array[int]] = {}

    def add(self, donor: Donor, places: Iterable[int | None]) -> None:
        """Add a donor, whose requests are at these places of the work, or None if they are not wanted."""
        self._donors.append(donor.job_id)
        flag = _FLAG.get(donor.account)
        if flag is not None:
            of_work = array("Q", (place for place in places if place is not None))
            for place in of_work:
                self._states[place] = min(flag, self._states[place])
            if flag is State.UNREAD:
                self._unread[donor.job_id] = of_work
            return
        outcomes = donor.outcomes
        if outcomes is None:
            self._count(donor, ((place, ANSWERED_VALID) for place in places if place is not None))
        else:
            pairs = zip(places, outcomes.kind, strict=True)
            self._count(donor, ((place, outcomes.kinds[kind]) for place, kind in pairs if place is not None))

    def _count(self, donor: Donor, found: Iterable[tuple[int, str]]) -> None:
        stopped = donor.cancelled and not donor.by_us and self._cap <= donor.cap
        for place, kind in found:
            worth = WORTH.get(kind, 0)
            unasked = donor.cancelled and kind == UNASKED
            self._stopped[place] = stopped
            if unasked:
                continue
            self._attempts[place] = min(self._attempts[place] + 1, MAX_ATTEMPTS)
            if worth > self._worth[place]:
                self._worth[place], self._donor[place] = worth, len(self._donors)
            elif not worth:
                self._kind[place] = self._kinds.setdefault(kind, len(self._kinds))

    def coverage(self) -> Coverage:
        """Return what was folded."""
        states = self._states
        for place, worth in enumerate(self._worth):
            if worth:
                states[place] = State.ANSWERED
            elif states[place] == State.NEW:
                if self._stopped[place]:
                    states[place] = State.STOPPED
                elif self._attempts[place]:
                    states[place] = State.FAILED
        return Coverage(
            states=bytes(states),
            donors=tuple(self._donors),
            donor=self._donor,
            worth=bytes(self._worth),
            kinds=tuple(self._kinds),
            kind=self._kind,
            unread=tuple(
                job_id
                for job_id, places in self._unread.items()
                if any(states[place] == State.UNREAD for place in places)
            ),
            attempts=bytes(self._attempts),
            cancelled=any(self._stopped),
        )


UNASKED: Final = "cancelled"
"""The kind of a request without a line in the results of a job that was cancelled: it was not worked on."""
