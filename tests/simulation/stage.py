"""Everything that a schedule is played with: machines, their ledgers and clocks, one workspace, one lock."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from reconciler.api.client import Writer
from reconciler.guards import Allowed
from reconciler.model import Declared
from reconciler.run import Run, Situation
from reconciler.settings import Guards
from reconciler.world import Ledger
from tests.simulation.baton import Baton
from tests.simulation.faults import Fates, Peace
from tests.simulation.git import Git
from tests.simulation.history import History, RunRecord
from tests.simulation.ledgers import Disk, LocalLedger, NoLedger, RefLedger, Remote
from tests.simulation.process import Process
from tests.simulation.schedule import Schedule
from tests.simulation.server import Server
from tests.simulation.tool import ALLOWED, GENEROUS, Order, Tool, seeded
from tests.simulation.wire import Wire
from tests.simulation.workspace import Workspace

LOCK_POLLS: Final = 20


@dataclass(eq=False)
class Runner:
    """A machine that runs the tool now and then."""

    number: int
    disk: Disk
    offset: float = 0.0
    """How far its wall clock is from the server's."""
    saved: bytes | None = None
    """The file of a plan that was saved here."""


@dataclass(frozen=True, kw_only=True)
class Luck:
    """What happens to one run."""

    fates: Fates = field(default_factory=Peace)
    killed_at: int | None = None
    """The step at which it is killed."""
    stopped_at: int | None = None
    """The step at which it is asked to stop."""
    dies_creating: bool = False
    """Whether it is killed while its first create is on its way."""
    full: range = range(0)
    """The steps during which the disk is full."""
    cut_off: float = 0.0
    """Share of calls of the remote that fail."""
    jump: float = 0.0
    """By how much the wall clock jumps in the middle of it."""


class Stage:
    """One workspace and the machines that work on it.

    Args:
        schedule: what is to be played.
        server: emptied first.
        tracing: whether to keep a trace.
    """

    def __init__(self, schedule: Schedule, server: Server, *, tracing: bool = False) -> None:
        self.schedule = schedule
        self.setup = schedule.setup
        self.baton = Baton(self.dice("baton"))
        self.server = server
        self.history = History(schedule.setup, bounds=schedule.bounds, tracing=tracing)
        server.begin(now=lambda: self.baton.now, speed=schedule.speed, dice=self.dice("server"))
        self.workspace = Workspace(server, self.baton, self.history, schedule.climate, self.dice("workspace"))
        self.git = Git(self.dice("git"), used=schedule.in_git)
        self.remote = Remote()
        common = Disk()
        self.runners = [
            Runner(number, common if self.setup.ledger == "one file" else Disk())
            for number in range(self.setup.runners)
        ]
        self._locked = False
        self.last_steps = 0
        """How many steps the last run took."""

    def dice(self, *purpose: object) -> random.Random:
        """Return dice for one purpose."""
        return seeded(self.schedule.seed, *purpose)

    def trace(self, who: str, what: str) -> None:
        """Write into the trace."""
        self.history.trace(self.baton.now, who, what)

    def plan(self, runner: Runner, commit: int, luck: Luck) -> None:
        """Let a runner plan and save the plan."""
        declared = self.git.declared(commit)
        with self._tool(runner, commit, declared, luck, to="plan") as tool:
            runner.saved = tool.plan(self._order(commit, declared, permissive=True)) or runner.saved

    def apply(
        self,
        runner: Runner,
        commit: int,
        luck: Luck,
        *,
        saved: bytes | None = None,
        agrees: bool = True,
        permissive: bool = True,
        selected: frozenset[str] | None = None,
    ) -> Situation | None:
        """Let a runner apply; return what it decided last, None where it ended otherwise."""
        if not self._lock():
            return None
        try:
            declared = self.git.declared(commit, selected)
            with self._tool(runner, commit, declared, luck, to="apply") as tool:
                order = self._order(commit, declared, permissive=permissive, saved=saved, agrees=agrees)
                return tool.apply(order)
        finally:
            self._locked = False

    def follow(self, runner: Runner, protocol: Callable[[Run[Writer], Declared], None], luck: Luck) -> None:
        """Let a runner create what is declared in another way than the tool's own."""
        if not self._lock():
            return
        try:
            declared = self.git.declared(0)
            with self._tool(runner, 0, declared, luck, to="follow a protocol") as tool:
                tool.follow(protocol, self._order(0, declared, permissive=True))
        finally:
            self._locked = False

    def _lock(self) -> bool:
        """Take the lock that all runners share, where they share one."""
        for _ in range(LOCK_POLLS):
            if not self._locked:
                self._locked = self.setup.lock
                return True
            self.baton.sleep(10.0)
        return False

    def _order(
        self,
        commit: int,
        declared: Declared,
        *,
        permissive: bool,
        saved: bytes | None = None,
        agrees: bool = True,
    ) -> Order:
        return Order(
            declare=self.git.declare(commit, declared),
            commit_id=self.git.commits[commit].id if self.git.used else "",
            saved=saved,
            agrees=agrees,
            allowed=ALLOWED if permissive else Allowed(),
            guards=GENEROUS if permissive else Guards(),
        )

    @contextmanager
    def _tool(
        self, runner: Runner, commit: int, declared: Declared, luck: Luck, *, to: str
    ) -> Iterator[Tool]:
        """Start a process of the tool, and see to what it leaves behind."""
        number = len(self.history.runs)
        name = f"run {number} on {runner.number}"
        process = Process(
            self.baton,
            name,
            self.dice("process", number),
            wall=lambda: runner.offset,
            trace=self.trace,
            killed_at=luck.killed_at,
            stopped_at=luck.stopped_at,
            dies_creating=luck.dies_creating,
        )
        ledger = self._ledger(runner, process, luck)
        record = RunRecord(
            name=name,
            runner=runner.number,
            declared=declared,
            commit=commit if self.git.used else -1,
            ledger=lambda: runner.disk.rows() + self.remote.rows,
            shared=(lambda: self.remote.rows) if self.setup.by_claims else None,
        )
        self.history.runs.append(record)
        self.history.counts["runs"] += 1
        self.trace(name, f"STARTS to {to} commit {commit}")
        wire = Wire(
            process,
            self.workspace,
            record,
            fates=luck.fates,
            dice=self.dice("wire", number),
            delays=self.schedule.delays,
        )
        if luck.jump:
            self._jump_later(runner, luck.jump)
        yield Tool(process, record, wire, ledger, limits=self.schedule.limits)
        if record.broken:
            self.history.violated("nothing_but_its_own_errors", record.broken)
        self.history.counts["killed"] += record.ended == "killed"
        self.last_steps = process.steps
        self._check_disk(runner, name)
        if self.setup.ledger in ("deleted", "ref, fresh clones"):
            runner.disk.forget()

    def _ledger(self, runner: Runner, process: Process, luck: Luck) -> Ledger:
        if self.setup.ledger == "none":
            return NoLedger(process)
        dice = self.dice("ledger", process.name)

        def full() -> bool:
            if process.steps in luck.full:
                self.history.faults["the disk is full"] += 1
                return True
            return False

        def cut_off() -> str:
            if dice.random() >= luck.cut_off:
                return ""
            how = dice.choice(("before", "after"))
            self.history.faults[f"the shared ledger fails, {how} the effect"] += 1
            return how

        local = LocalLedger(process, runner.disk, full=full)
        if not self.setup.by_claims:
            return local
        return RefLedger(process, local, self.remote, dice=dice, cut_off=cut_off)

    def _jump_later(self, runner: Runner, seconds: float) -> None:
        def jump() -> None:
            machines = self.runners if self.setup.ledger == "one file" else [runner]
            for machine in machines:
                machine.offset += seconds
            self.history.faults["the wall clock jumps"] += 1
            self.trace("clock", f"JUMPS by {seconds:.0f} s")

        self.baton.at(self.baton.now + self.dice("jump", self.baton.now).random() * 20, jump)

    def _check_disk(self, runner: Runner, name: str) -> None:
        """Hold the ledger to `ledger_parses_after_any_crash`."""
        there = set(runner.disk.rows())
        for row in runner.disk.promised:
            if row not in there:
                self.history.violated("ledger_parses_after_any_crash", f"{name}: {row} is lost")
