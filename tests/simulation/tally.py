"""The results of many schedules, in numbers, and the report on a failing schedule."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.simulation import budgets, schedule
from tests.simulation.history import History, Violation
from tests.simulation.play import play
from tests.simulation.requests import play as requests
from tests.simulation.server import Server

MAX_LISTED: Final = 3
JOBS: Final = ""
"""The family of schedules in which whole jobs decide."""
REQUESTS: Final = "requests"
"""The family in which jobs have results."""
STORE: Final = "store"
"""The family in which whole jobs decide, and an object store holds the ledger of several runners."""
BUDGETS: Final = "budgets"
"""The family in which runners have a budget of costs."""


@dataclass
class Tally:
    """Sums over schedules."""

    schedules: int = 0
    seconds: float = 0.0
    setups: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, Violation]] = field(default_factory=list)
    """With the seed of each."""
    family: str = JOBS

    def add(self, seed: int, history: History) -> None:
        """Count one schedule in."""
        self.schedules += 1
        self.setups[history.setup.name] += 1
        self.faults.update(history.faults)
        self.counts.update(history.counts)
        self.violations += [(seed, violation) for violation in history.violations]

    def merge(self, other: Tally) -> None:
        """Count another tally in."""
        self.schedules += other.schedules
        self.setups.update(other.setups)
        self.faults.update(other.faults)
        self.counts.update(other.counts)
        self.violations += other.violations

    def lines(self) -> Iterator[str]:
        """Yield the report."""
        rate = self.schedules / self.seconds if self.seconds else 0.0
        yield f"{self.schedules:,} schedules in {self.seconds:,.0f} s: {rate:.1f} a second"
        yield self._numbers()
        yield f"{sum(self.faults.values()):,} faults:"
        yield from _table(self.faults)
        yield "schedules by set-up:"
        yield from _table(self.setups)
        broken = Counter(violation.invariant for _, violation in self.violations)
        yield f"{len(self.violations):,} violations"
        for invariant, times in broken.most_common():
            yield f"  {invariant}: {times:,}"
            reported = [(seed, it.what) for seed, it in self.violations if it.invariant == invariant]
            for seed, what in reported[:MAX_LISTED]:
                yield f"    seed {seed}: {what}"
        if self.violations:
            option = f"--{self.family} " if self.family else ""
            yield f"see one: python -m tests.simulation {option}--seed {self.violations[0][0]}"

    def _numbers(self) -> str:
        counts = self.counts
        if self.family == REQUESTS:
            holds = sum(number for what, number in counts.items() if what.startswith("hold "))
            return (
                f"{counts['runs']:,} runs, {counts['killed']:,} of them killed, {counts['rounds']:,} later rounds; "
                f"{counts['creates']:,} creates and "
                f"{counts['cancels']:,} cancels accepted; {holds:,} holds had an exit"
            )
        if self.family == BUDGETS:
            return (
                f"{counts['runs']:,} runs, {counts['killed']:,} of them killed; {counts['creates']:,} creates "
                f"accepted, {counts['refused']:,} plans above the budget, {counts['conflicts']:,} races lost, "
                f"{counts['usages']:,} usages recorded"
            )
        return (
            f"{counts['runs']:,} runs, {counts['killed']:,} of them killed, {counts['shared']:,} with specs of the "
            f"same work; {counts['requests']:,} requests; "
            f"{counts['creates']:,} creates ({counts['later']:,} in later rounds of a run) and "
            f"{counts['cancels']:,} cancels accepted; {counts['reported']:,} ends reported; "
            f"{counts['partial']:,} jobs ended early with answers"
        )


def _table(counter: Counter[str]) -> Iterator[str]:
    for what, times in sorted(counter.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {times:10,}  {what}"


def _player(family: str, *, tracing: bool = False) -> Callable[[int], History]:
    if family == REQUESTS:
        return lambda seed: requests.play(requests.of(seed), tracing=tracing)
    server = Server()
    if family == BUDGETS:
        return lambda seed: budgets.play(budgets.of(seed), server, tracing=tracing)
    draw = schedule.in_store if family == STORE else schedule.of
    return lambda seed: play(draw(seed), server, tracing=tracing)


def run(seeds: Iterable[int], *, family: str = JOBS, until_one_fails: bool = False) -> Tally:
    """Play schedules of a family, one after the other."""
    play_one, tally = _player(family), Tally(family=family)
    began = time.perf_counter()
    for seed in seeds:
        tally.add(seed, play_one(seed))
        if until_one_fails and tally.violations:
            break
    tally.seconds = time.perf_counter() - began
    return tally


def reported(seed: int, *, family: str = JOBS) -> tuple[bool, list[str]]:
    """Play one schedule and return whether it went well, and its story."""
    history = _player(family, tracing=True)(seed)
    draw = {REQUESTS: requests.of, BUDGETS: budgets.of, JOBS: schedule.of, STORE: schedule.in_store}[family]
    lines = [f"{draw(seed)}", *(f"{at:12.1f}  {who:12}  {what}" for at, who, what in history.lines)]
    lines += [f"VIOLATION {it.invariant}: {it.what}" for it in history.violations]
    return not history.violations, lines
