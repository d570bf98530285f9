"""What a plan can do without: ended jobs that no rule looks at. History only grows, and most of it is such.

A job is left out where it has ended and all of this holds: nobody wants its work, under any rerun; no spec adopts it;
no create whose outcome is open may be it; it is too old for what is bought a day; and its name is either not declared,
or a later job of the name is there that is history as well. Of those that the ledger knows one is kept, which shows
that this is the workspace that it knows. Whatever is decided, and refused, is the same without what is left out.

What writes down how jobs have ended, or tells it, needs all of them: `apply` leaves out none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from reconciler.ledger.memory import Memory
from reconciler.model import UNDECLARED, Declared, Ours, Phase

ENDED: Final = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT, Phase.CANCELLED})


class Sieve:
    """Takes our jobs one by one, in any order, and keeps what a plan looks at.

    Args:
        declared: what git says.
        memory: what the ledger remembers.
        since: Unix seconds; jobs that were created later are kept.
    """

    def __init__(self, declared: Declared, memory: Memory, *, since: float) -> None:
        keys = {key for spec in declared.specs for key in spec.run_keys}
        adopts = [spec.adopt for spec in declared.specs if spec.adopt]
        self._works = {key.work for key in keys} | {it.work for it in adopts}
        self._adopted = {it.job for it in adopts}
        self._names = {spec.name for spec in declared.specs} | declared.later.keys()
        self._ops = {intent.op for intent in memory.open_creates}
        self._known = memory.jobs.keys()
        self._recognised = False
        self._since = since
        self._kept: list[Ours] = []
        self._last: dict[str, Ours] = {}
        self._past: Counter[str] = Counter()

    def add(self, ours: Ours) -> None:
        """Take a job."""
        if self._counts(ours):
            self._kept.append(ours)
            return
        name = ours.tags.name
        if name not in self._names:
            self._past[UNDECLARED] += 1
            return
        last = self._last.setdefault(name, ours)
        if last is not ours:
            self._past[name] += 1
            if ours.job.age_key > last.job.age_key:
                self._last[name] = ours

    def _counts(self, ours: Ours) -> bool:
        """Whether something may be decided by a job, be it the last of its name or not."""
        job, facts = ours.job, ours.tags
        if (
            job.phase not in ENDED
            or facts.run_key.work in self._works
            or job.created_at > self._since
            or job.id in self._adopted
            or facts.op in self._ops
        ):
            return True
        if self._recognised or job.id not in self._known:
            return False
        self._recognised = True
        return True

    @property
    def kept(self) -> tuple[Ours, ...]:
        """What a plan looks at."""
        return (*self._kept, *self._last.values())

    @property
    def past(self) -> Mapping[str, int]:
        """How many were left out, as `Observed.past` has it."""
        return dict(self._past)
