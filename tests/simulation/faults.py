"""What can go wrong with one request or its answer, and who decides it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Protocol, TypeAlias

CallKind: TypeAlias = Literal["create", "cancel", "list", "get", "upload", "find uploads"]


class Fault(StrEnum):
    """One way for a request to go wrong."""

    # It certainly does nothing.
    REFUSED = "connection refused"
    NO_CONNECTION = "no connection in time"
    BUSY_SECONDS = "429 with seconds"
    BUSY_DATE = "429 with a date"
    BUSY = "429"
    # It does nothing, and the tool cannot know.
    NEVER = "never arrives"
    RESET_BEFORE = "reset before it arrives"
    ERROR_BEFORE = "5xx before the handler"
    PAGE_BEFORE = "an HTML page with 5xx, before the handler"
    # It does something, and the tool cannot know.
    RESET_AFTER = "reset after the handler"
    DISCONNECTED = "disconnected after the handler"
    TIMEOUT_AFTER = "timeout after the handler"
    ERROR_AFTER = "5xx after the handler"
    TRUNCATED = "truncated JSON"
    PAGE_AFTER = "an HTML page with 200"
    MID_BODY = "reset in mid-body"
    DRIP = "an answer that drips"
    # It does something later.
    LATE = "arrives after the client gave up"
    ERROR_LATE = "504, and arrives later"
    # It does something twice: a gateway repeats it. No bound allows that.
    TWICE = "arrives twice"
    # The answer lies.
    SHIFTED = "the pages shift"
    TOTAL_HIGH = "the total is too high"
    TOTAL_LOW = "the total is too low"
    DOUBLED = "a row twice"
    REPLACED = "a row twice instead of another"
    SHORT = "a page comes short"
    EMPTY = "a page comes empty"
    ALTERED = "tags altered in an answer"
    STATUS = "an unknown status"
    ODD = "an odd field in a row"


_TRANSPORT: Final = (
    Fault.REFUSED,
    Fault.NO_CONNECTION,
    Fault.BUSY_SECONDS,
    Fault.BUSY_DATE,
    Fault.BUSY,
    Fault.NEVER,
    Fault.RESET_BEFORE,
    Fault.ERROR_BEFORE,
    Fault.PAGE_BEFORE,
    Fault.RESET_AFTER,
    Fault.DISCONNECTED,
    Fault.TIMEOUT_AFTER,
    Fault.ERROR_AFTER,
    Fault.TRUNCATED,
    Fault.PAGE_AFTER,
    Fault.MID_BODY,
    Fault.DRIP,
)
_LATE: Final = (Fault.LATE, Fault.ERROR_LATE)
LISTS: Final = (
    Fault.SHIFTED,
    Fault.TOTAL_HIGH,
    Fault.TOTAL_LOW,
    Fault.DOUBLED,
    Fault.REPLACED,
    Fault.SHORT,
    Fault.EMPTY,
    Fault.ALTERED,
    Fault.STATUS,
    Fault.ODD,
)
"""What can be wrong with a page."""

FAULTS: Final[dict[CallKind, tuple[Fault, ...]]] = {
    "create": (*_TRANSPORT, *_LATE, *_LATE, Fault.ALTERED),
    "cancel": (*_TRANSPORT, *_LATE),
    "list": (*_TRANSPORT, *LISTS, *LISTS),
    "get": _TRANSPORT,
    "upload": (*_TRANSPORT, *_LATE),
    "find uploads": _TRANSPORT,
}
"""What can happen to each call within the bounds; a fault that is listed twice is drawn twice as often."""

BEYOND: Final = frozenset({Fault.TWICE})
"""The faults that the strong promise does not cover."""


class Fates(Protocol):
    """Who decides what goes wrong."""

    def fault(self, kind: CallKind) -> Fault | None:
        """Return the fault of the next request, None for no fault."""


@dataclass
class Peace:
    """Nothing goes wrong."""

    def fault(self, kind: CallKind) -> Fault | None:
        """Return None."""
        return None


@dataclass
class Hostile:
    """Any request may go wrong in any way.

    Args:
        dice: decide.
        share: of requests that go wrong.
        bounds: whether only what the strong promise is made for may happen.
    """

    dice: random.Random
    share: float
    bounds: bool

    def fault(self, kind: CallKind) -> Fault | None:
        """Draw."""
        if self.dice.random() >= self.share:
            return None
        beyond = () if self.bounds or kind not in ("create", "cancel") else (Fault.TWICE,)
        options: tuple[Fault, ...] = (*FAULTS[kind], *beyond)
        return self.dice.choice(options)


@dataclass
class NoCancels:
    """The API answers 503 to every cancel, and cancels nothing; `others` decides about all other requests.

    Args:
        others: decides about everything else.
    """

    others: Fates

    def fault(self, kind: CallKind) -> Fault | None:
        """Return the fault of a cancel."""
        return Fault.ERROR_BEFORE if kind == "cancel" else self.others.fault(kind)


@dataclass
class Once:
    """One request goes wrong in one way.

    Args:
        which: the request's number, from 0.
        how: what happens to it.
        of: the kind of the requests that are counted; None for all.
    """

    which: int
    how: Fault
    of: CallKind | None = None
    seen: int = 0
    happened: bool = False

    def fault(self, kind: CallKind) -> Fault | None:
        """Return the fault when the request's turn has come."""
        if self.of not in (kind, None):
            return None
        number, self.seen = self.seen, self.seen + 1
        if number != self.which or self.how not in FAULTS[kind]:
            return None
        self.happened = True
        return self.how
