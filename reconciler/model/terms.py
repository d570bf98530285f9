"""How submitted work goes on: what is retried and how often, and what stops the rest of a canary."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from reconciler.model.completeness import Checks
from reconciler.model.jobs import Phase

RETRY_STATUSES: Final = {"FAILED": Phase.FAILED, "TIMEOUT_EXCEEDED": Phase.TIMED_OUT}
"""The statuses that a spec may list in `retry.on`, as the API names them."""
RETRY_KINDS: Final = ("missing", "http_429", "http_5xx")
"""Kinds of failures of single requests that are retried unless a spec names others."""


class Retry(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How often failed work is submitted again automatically."""

    max_attempts: int = 2
    """How often one request may be submitted."""
    on: frozenset[Phase] = frozenset({Phase.TIMED_OUT})
    """Ends of a job after which what it did not answer is submitted again."""
    kinds: frozenset[str] = frozenset(RETRY_KINDS)
    """Kinds of failures of single requests after which they are: `missing`, `error`, `http_429`, `http_5xx`."""

    @property
    def words(self) -> tuple[str, ...]:
        """All of `on` in the words of the spec, sorted."""
        return (*(it for it, phase in RETRY_STATUSES.items() if phase in self.on), *sorted(self.kinds))


class Terms(Struct, frozen=True, kw_only=True, gc=False):
    """The settings with which submitted work goes on. Each job carries those of its spec when it was created."""

    max_attempts: int = 1
    """`retry.max_attempts`."""
    on: tuple[str, ...] = Retry().words
    """The words of `retry.on`."""
    canary: int = 0
    """How many requests need an outcome before the others are submitted; 0 without a canary."""
    checks: Checks = Checks()

    def widened(self, before: Terms) -> list[str]:
        """Return in words what these allow and earlier ones did not; checks count only if there was a canary."""
        numbers = {"retry.max_attempts": (before.max_attempts, self.max_attempts)}
        for name in Checks.__struct_fields__ if before.canary else ():
            numbers[f"checks.{name}"] = (getattr(before.checks, name), getattr(self.checks, name))
        more = [
            f"{name} was raised from {old:g} to {new:g}" for name, (old, new) in numbers.items() if new > old
        ]
        added = [it for it in self.on if not {it, f"{it[:6]}xx"} & {*before.on}]
        if added and self.max_attempts > 1:
            more.append(f"{', '.join(added)} was added to retry.on")
        if self.canary < before.canary:
            more.append(f"canary.requests was lowered from {before.canary:,} to {self.canary:,}")
        return more
