"""This host's ledger and the shared one as one: claims are pushed before creates, outcomes afterwards.

Every line is durable in the file on this host before anything is sent to the API, and a claim is in the remote before
that. Other hosts and fresh clones see the ref in the remote. Both have the same lines, and they merge by union.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, TypeVar

from reconciler.errors import LedgerError
from reconciler.ledger.file import FileLedger, located
from reconciler.ledger.git import LOST, SharedLedger
from reconciler.ledger.git_lock import LockedError
from reconciler.ledger.git_push import ConflictError
from reconciler.ledger.lines import Line, encode, union
from reconciler.text.plural import pluralize

MAX_TRIES: Final = 10
"""How often a push is tried, because others push or fetch at the same time."""
PAUSE_SECONDS: Final = 0.2

_T = TypeVar("_T")


class ReplicatedLedger:
    """A ledger that other hosts see.

    Args:
        local: this host's file.
        shared: the ref in the remote.
        run_id: named in the commits.
        now: wall clock, Unix seconds.
        sleep: waits between two pushes.
    """

    def __init__(
        self,
        local: FileLedger,
        shared: SharedLedger,
        *,
        run_id: str,
        now: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._local = local
        self._shared = shared
        self._run_id = run_id
        self._now = now
        self._sleep = sleep
        self._tip = ""
        self._rows: frozenset[str] = frozenset()
        """The text of the lines at the tip."""
        self._rewritten = ""

    def read(self) -> tuple[Line, ...]:
        """Fetch, and return the lines of the remote and of this host, and those that the remote has lost.

        Raises:
            LedgerError: the remote cannot be reached.
        """
        here = union(self._fetch(), self._local.read())
        lost = self._shared.missed(LOST)
        lines = union(here, *map(self._shared.read, lost))
        self._rewritten = ""
        if missing := len(lines) - len(here):
            of = ", ".join(commit[:10] for commit in lost)
            self._rewritten = f"the shared ledger was rewritten: it lost {pluralize(missing, 'line')} of {of}"
        return lines

    def _fetch(self) -> tuple[Line, ...]:
        self._tip = self._unlocked(self._shared.fetch)
        found = self._shared.read(self._tip)
        self._rows = frozenset(map(encode, found))
        return found

    def rewritten(self) -> str:
        """Return which lines the remote has lost, "" if this clone misses none."""
        return self._rewritten

    def locate(self, texts: Collection[str]) -> Mapping[str, str]:
        """Return `file:line` of lines, by their text.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        found = dict(self._local.locate(texts))
        for name, rows in self._shared.files(self._tip):
            found |= located(f"{self._tip[:10]}:{name}", rows, texts)
        return found

    def append(self, *lines: Line) -> None:
        """Record lines durably on this host; `publish` lets others see them."""
        self._local.append(*lines)

    def claim(self, lines: Sequence[Line]) -> bool:
        """Push intents on top of what was read.

        Returns:
            False if another runner pushed since `read`.

        Raises:
            LedgerError: they could not be pushed.
        """
        if not lines:
            return True
        try:
            self._push([*self._local.read(), *lines], f"{len(lines)} intents of run {self._run_id}")
        except ConflictError:
            return False
        self._local.append(*lines)
        return True

    def publish(self) -> None:
        """Push the lines that the remote lacks. These are facts, so a conflict needs only a new try.

        Raises:
            LedgerError: the remote cannot be reached; the next run publishes what this one could not.
        """
        for attempt in range(MAX_TRIES):
            try:
                self._push(self._local.read(), f"outcomes of run {self._run_id}")
            except ConflictError:
                self._sleep(PAUSE_SECONDS * (attempt + 1))
                self._fetch()
            else:
                return
        raise LedgerError(
            f"others pushed to the shared ledger first, {MAX_TRIES} times in a row",
            hint="the next run publishes what this one could not",
        )

    def _push(self, lines: Sequence[Line], message: str) -> None:
        month = dt.datetime.fromtimestamp(self._now(), dt.UTC).strftime("%Y-%m")
        tip, known = self._tip, self._rows
        self._tip = self._unlocked(lambda: self._shared.push(tip, known, lines, part=month, message=message))
        self._rows = known.union(map(encode, lines))

    def _unlocked(self, do: Callable[[], _T]) -> _T:
        """Call `do`; try again while a git that may still be running has locked the file.

        Raises:
            LockedError: the lock file is too old for that, or still exists after the last try.
        """
        for attempt in range(1, MAX_TRIES):
            try:
                return do()
            except LockedError as error:
                if not error.may_pass:
                    raise
            self._sleep(PAUSE_SECONDS * attempt)
        return do()
