"""The parts of a schedule: machines with their ledgers and clocks, one workspace and one lock."""

from __future__ import annotations

import random
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from reconciler.api.client import Writer
from reconciler.context import RunContext
from reconciler.environment import Ledger
from reconciler.ledger.file import LockHeldError
from reconciler.model import Declared
from reconciler.plans.planned_run import PlannedRun
from reconciler.runs.wait import PollPolicy
from reconciler.settings import Guards
from tests.simulation.baton import Baton
from tests.simulation.bucket import WAYS, Bucket, BucketLedger
from tests.simulation.following import Waiting
from tests.simulation.forging import Forger
from tests.simulation.git import Git
from tests.simulation.history import History, RunRecord
from tests.simulation.ledgers import Disk, LocalLedger, NoLedger, RefLedger, Remote
from tests.simulation.machines import Lock, Luck, Runner
from tests.simulation.process import Process
from tests.simulation.reporting import OnEnd
from tests.simulation.schedule import Schedule
from tests.simulation.server import Server
from tests.simulation.tool import GENEROUS, Order, Tool, seeded
from tests.simulation.wire import Wire
from tests.simulation.workspace import Workspace

FAILURES: Final = {
    "before": "the shared ledger fails, before the effect",
    "after": "the shared ledger fails, after the effect",
    "late": "a write to the store arrives late",
    "doubled": "a write to the store arrives twice",
}


def _new_folder(owner: object) -> str:
    """Return a folder that lasts as long as its owner, in memory if possible."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder with a random name in it
    folder = tempfile.mkdtemp(prefix="simulation-", dir=memory if memory.is_dir() else None)
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


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
        jobs = self.history.jobs
        self.git = Git(self.dice("git"), used=schedule.in_git, jobs=lambda: [*jobs.values()])
        self.remote: Remote | Bucket = Bucket() if schedule.in_store else Remote()
        self._folder = Path(_new_folder(self)) if schedule.in_store else Path()
        common = Disk()
        self.runners = [
            Runner(number, common if self.setup.ledger == "one file" else Disk())
            for number in range(self.setup.runners)
        ]
        self.lock = Lock(self.baton, self.setup.lock)
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
        asks: bool = True,
        permissive: bool = True,
        selected: frozenset[str] | None = None,
        policy: PollPolicy | None = None,
    ) -> PlannedRun | None:
        """Let a runner apply; return what it decided last, None if it ended with an error.

        With patience it goes on as `apply --wait` does.
        """
        with ExitStack() as first:
            if not self._entered(first):
                return None
            declared = self.git.declared(commit, selected)
            waiting = Waiting(first.close, self.lock.held, policy) if policy else None
            with self._tool(runner, commit, declared, luck, to="apply", lasting=bool(waiting)) as tool:
                order = self._order(
                    commit, declared, permissive=permissive, saved=saved, agrees=agrees, asks=asks
                )
                return tool.apply(order, waiting)

    def follow(
        self, runner: Runner, protocol: Callable[[RunContext[Writer], Declared], None], luck: Luck
    ) -> None:
        """Let a runner create what is declared in another way than the tool's own."""
        with ExitStack() as first:
            if not self._entered(first):
                return
            declared = self.git.declared(0)
            with self._tool(runner, 0, declared, luck, to="follow a protocol") as tool:
                tool.follow(protocol, self._order(0, declared, permissive=True))

    def _entered(self, stack: ExitStack) -> bool:
        """Take the lock until the stack is closed; False where another run has it for long."""
        try:
            stack.enter_context(self.lock.held(patient=True))
        except LockHeldError:
            return False
        return True

    def _order(
        self,
        commit: int,
        declared: Declared,
        *,
        permissive: bool,
        saved: bytes | None = None,
        agrees: bool = True,
        asks: bool = True,
    ) -> Order:
        return Order(
            ancestry=self.git.ancestry(commit),
            commit_id=self.git.commits[commit].id if self.git.used else "",
            saved=saved,
            agrees=agrees,
            asks=asks,
            guards=self.guards(permissive=permissive),
        )

    def guards(self, *, permissive: bool) -> Guards:
        """Return the guards of a run."""
        return GENEROUS if permissive else Guards()

    @contextmanager
    def _tool(
        self, runner: Runner, commit: int, declared: Declared, luck: Luck, *, to: str, lasting: bool = False
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
            dies_cancelling=luck.dies_cancelling,
        )
        ledger = self._ledger(runner, process, luck)
        record = RunRecord(
            name=name,
            runner=runner.number,
            declared=declared,
            commit=commit if self.git.used else -1,
            ledger=lambda: runner.disk.rows() + self.remote.rows,
            shared=(lambda: self.remote.rows) if self.setup.by_claims else None,
            disturbed=bool(luck.full or luck.cut_off or luck.stopped_at),
        )
        process.events_received.append(partial(_note, self.history, record))
        self.history.runs.append(record)
        self.history.counts["runs"] += 1
        self.history.counts["shared"] += len({it.run_key for it in declared.specs}) < len(declared.specs)
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
        on_end = OnEnd(process, record, self.history, self.dice("on end", number), luck.unheard)
        yield Tool(
            process,
            record,
            wire,
            ledger,
            limits=self.schedule.limits,
            lasting=lasting,
            on_end=on_end if self.schedule.on_end and self.setup.ledger != "none" else None,
        )
        if record.broken:
            self.history.violated("nothing_but_its_own_errors", record.broken)
        self.history.counts["killed"] += record.ended == "killed"
        self.last_steps = process.steps
        self._check_disk(runner, name)
        if self.setup.ledger in ("deleted", "ref, fresh clones"):
            runner.disk.forget()
            shutil.rmtree(self._folder / str(runner.number), ignore_errors=True)

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
            how = dice.choice(WAYS if self.schedule.in_store else ("before", "after"))
            self.history.faults[FAILURES[how]] += 1
            return how

        local = LocalLedger(process, runner.disk, full=full)
        if not self.setup.by_claims:
            return local
        if isinstance(self.remote, Remote):
            return RefLedger(process, local, self.remote, dice=dice, cut_off=cut_off)
        state = self._folder / str(runner.number)
        return BucketLedger(
            process,
            local,
            self.remote,
            state,
            baton=self.baton,
            dice=dice,
            cut_off=cut_off,
            violated=self.history.violated,
        )

    def forge_later(self, seconds: float) -> None:
        """Let a neighbour append lines to the shared ledger, if there is one."""
        if not self.setup.by_claims:
            return
        forger = Forger(self.history, self.remote, self.dice("forger", self.baton.now, seconds))

        def forge() -> None:
            forger.forge(self.git.commits[-1].specs, self.baton.now)
            self.trace("a neighbour", f"FORGES {self.remote.rows[-1]}")

        self.baton.at(self.baton.now + seconds, forge)

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


def _note(history: History, record: RunRecord, event: str) -> None:
    """Note that a guard refused, or that another runner wrote first: then only what is left of the plan is done."""
    history.counts["refused"] += event == "guard.refused"
    history.counts["conflicts"] += event == "ledger.conflict"
    record.disturbed = record.disturbed or event == "ledger.conflict"
