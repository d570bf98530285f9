"""One workspace, the runners that work on it, their ledgers, and the places of results."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from reconciler.api.client import Writer
from reconciler.api.retry import Retrier, RetryPolicy
from reconciler.api.values import CreateJob
from reconciler.context import RunContext
from reconciler.environment import Ledger
from reconciler.errors import ReconcilerError
from reconciler.model import Ancestry, Checkout, Declared, Source
from reconciler.plans.planned_run import PlannedRun
from reconciler.settings import Limits, Settings
from reconciler.specs.project import Project
from tests.helpers.overlay import NO_OVERLAY
from tests.simulation.baton import Baton
from tests.simulation.history import PROJECT, History
from tests.simulation.ledgers import Disk, LocalLedger, RefLedger, Remote
from tests.simulation.process import Killed, Process
from tests.simulation.requests import cancels, promises
from tests.simulation.requests.api import (
    ANSWER,
    NEVER,
    OUTPUT,
    Api,
    AskedJob,
    Question,
    ResultFile,
    write_files,
)
from tests.simulation.requests.door import LAG, LATE, TIMEOUT, Door, Trouble
from tests.simulation.requests.lags import LATE_SECONDS, Climate, Lags
from tests.simulation.requests.places import Place
from tests.simulation.requests.specs import Commit, Spec
from tests.simulation.requests.views import View, views
from tests.simulation.setups import Setup
from tests.simulation.tool import GENEROUS, TARGET, seeded

SETTLE: Final = TIMEOUT + LATE + LAG + 5


MAX_LISTS: Final = 300
"""No run reads the list as often as this; `apply --wait` reads it in each of its rounds."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What fits into one job."""

    requests: int = 1_000_000
    file_bytes: int = 512_000_000


@dataclass(eq=False)
class Runner:
    """A machine with its checkout."""

    number: int
    root: Path
    disk: Disk
    place: Place


@dataclass(eq=False)
class Run:
    """One run of the tool."""

    name: str
    runner: Runner
    specs: Commit
    looked: float = -1.0
    lists: int = 0
    """How often it has read the whole list."""
    planned_on: float = -1.0
    """When it read the list on which it planned."""
    views: Mapping[str, View] = field(default_factory=dict)
    """Of every job that its list showed."""
    planned: PlannedRun | None = None
    agreed: PlannedRun | None = None
    """What it planned first, in later rounds of `apply --wait`."""
    had_answers: frozenset[str] = frozenset()
    """The jobs whose answers were in its place of results when it last sent a create."""
    ended: str = ""
    broken: str = ""

    def spec(self, name: str) -> Spec:
        """Return what its checkout said about a name."""
        return next(it for it in self.specs if it.name == name)


class World:
    """Everything in one schedule.

    Args:
        seed: of the schedule.
        setup: how the tool is run.
        folder: for the roots and places of the runners.
        climate: how often files and counters are late.
        sizes: what fits into one job.
        tracing: whether to keep a trace.
        one_place: whether all runners share one place of results.
    """

    def __init__(
        self,
        seed: int,
        setup: Setup,
        folder: Path,
        *,
        climate: Climate,
        sizes: Sizes,
        tracing: bool = False,
        one_place: bool,
    ) -> None:
        self.seed = seed
        self.climate = climate
        self.setup = setup
        self.history = History(setup, bounds=True, tracing=tracing)
        self.baton = Baton(self.dice("baton"))
        self.api = Api(self.baton, self.dice("api"))
        self.remote = Remote()
        common = Disk()
        places = [Place(folder / f"place-{number}") for number in range(setup.runners)]
        self.runners = []
        for number in range(setup.runners):
            root = folder / f"root-{number}"
            root.mkdir()
            disk = common if setup.ledger == "one file" else Disk()
            self.runners.append(Runner(number, root, disk, places[0 if one_place else number]))
        self.limits = Limits(
            timeout_seconds=TIMEOUT,
            settle_seconds=SETTLE,
            late_seconds=LATE_SECONDS,
            deadline_seconds=300.0,
            in_flight=1,
            reads_in_flight=1,
            downloads_in_flight=1,
            requests_per_job=sizes.requests,
            file_bytes=sizes.file_bytes,
        )
        self.runs: list[Run] = []
        self.sent: list[float] = []
        """When creates were sent."""

    def dice(self, *purpose: object) -> random.Random:
        """Return dice for one purpose."""
        return seeded(self.seed, *purpose)

    def trace(self, who: str, what: str) -> None:
        """Write into the trace."""
        self.history.trace(self.baton.now, who, what)

    def rows(self, runner: Runner) -> frozenset[str]:
        """Return what a runner can read of the ledger: a run that was killed may not have published all of its rows."""
        return frozenset((*runner.disk.rows(), *self.remote.rows)) - {""}

    # What runners do.

    def run(
        self,
        runner: Runner,
        specs: Commit,
        do: Callable[[RunContext[Writer], Declared], PlannedRun | None],
        *,
        trouble: Trouble = Trouble(),  # noqa: B008 - frozen
        killed_at: int | None = None,
    ) -> Run:
        """Let a runner do something with what the specs declare."""
        run = Run(f"run {len(self.runs)} on {runner.number}", runner, specs)
        dice = self.dice("run", len(self.runs))
        self.runs.append(run)
        self.history.counts["runs"] += 1
        process = Process(self.baton, run.name, dice, wall=lambda: 0.0, trace=self.trace, killed_at=killed_at)
        try:
            declared = Declared(specs=tuple(it.checked_out(runner.root, self.limits) for it in specs))
            run.planned = do(self._context(run, process, trouble, dice), declared)
            run.ended = "done"
        except Killed:
            run.ended = "killed"
            self.history.counts["killed"] += 1
        except ReconcilerError as error:
            run.ended = f"{type(error).__name__}: {error}"
        except Exception:  # noqa: BLE001 - whatever it is, it is a finding
            run.broken = traceback.format_exc()
            self.history.violated("nothing_but_its_own_errors", run.broken)
        process.dead = True
        self.trace(run.name, f"ENDS: {run.ended}")
        return run

    def _context(
        self, run: Run, process: Process, trouble: Trouble, dice: random.Random
    ) -> RunContext[Writer]:
        runner, root = run.runner, run.runner.root
        env = replace(
            process.world(self._ledger(runner, process, dice)), name=f"host-{runner.number}", cwd=root
        )

        def looked() -> None:
            run.looked, run.lists = self.baton.now, run.lists + 1
            if run.lists > MAX_LISTS:
                self.history.violated("a_run_ends", f"{run.name} has read the list {run.lists} times")
                process.die("it does not end")

        def remembers(job: AskedJob) -> bool:
            return any(job.id in row for row in self.rows(runner))

        def ancestry(_: frozenset[str]) -> Ancestry:
            run.planned_on = run.looked
            found = views(self.api, runner.place, remembers, run.looked, self.baton.now)
            run.views = {it.job.id: it for it in found}
            return Ancestry()

        def sends() -> None:
            self.sent.append(self.baton.now)
            jobs = self.api.jobs.values()
            run.had_answers = frozenset(it.id for it in jobs if OUTPUT in runner.place.holds(it))

        door = Door(
            self.api,
            process,
            trouble,
            dice,
            looked=looked,
            sends=sends,
            accept=lambda body, lag: self.accept(body, run, lag),
            cancel=lambda job_id: self.cancel(self.api.jobs[job_id], run),
        )
        retrier = Retrier(
            RetryPolicy(deadline_seconds=self.limits.deadline_seconds),
            rng=dice,
            now=process.now,
            monotonic=process.monotonic,
            sleep=process.sleep,
        )
        settings = Settings(project=PROJECT, results=str(runner.place.folder))
        project = Project(
            root=root,
            config_path=root / "reconciler.yaml",
            settings=settings,
            spec_root=root / "specs",
            overlay=NO_OVERLAY,
        )
        return RunContext(
            api=door,
            retrier=retrier,
            env=env,
            project=project,
            target=TARGET,
            limits=self.limits,
            guards=GENEROUS,
            checkout=Checkout(),
            ancestry=ancestry,
            source=Source(actor="ada"),
            folder=root / ".reconciler",
            began=0.0,
            redact=str,
        )

    def _ledger(self, runner: Runner, process: Process, dice: random.Random) -> Ledger:
        local = LocalLedger(process, runner.disk, full=lambda: False)
        if not self.setup.by_claims:
            return local
        return RefLedger(process, local, self.remote, dice=dice, cut_off=str)

    # What happens at the API.

    def accept(self, body: CreateJob, run: Run, lag: float) -> AskedJob:
        """Take a create, and ask the promises about it."""
        job = self.api.create(body, run, lag)
        self.history.counts["creates"] += 1
        ids = " ".join(it.custom_id for it in job.asked)
        self.trace("api", f"ACCEPTS {job.id[:8]} from {run.name}: {ids} {dict(job.tags)}")
        self.history.ask(
            promises.OF_A_CREATE, promises.Accepted(self, job, run), f"{run.name} created {job.id[:8]}"
        )
        return job

    def cancel(self, job: AskedJob, run: Run) -> None:
        """Take a cancel of a run, and ask the promises about it."""
        about = cancels.Cancelled(self, job, run)
        self.history.ask(cancels.OF_A_CANCEL, about, f"{run.name} cancelled {job.id[:8]}")
        self.stop(job, by="tool")

    def stop(self, job: AskedJob, *, by: str) -> None:
        """Take a cancel. One of a job that has ended does nothing."""
        if not job.live:
            return
        dice = self.dice("stop", job.id)
        job.status, job.stopped_by = "CANCELLATION_REQUESTED", by
        self.history.counts["cancels"] += by == "tool"
        self.history.faults["a person cancels"] += by == "person"
        self.trace("api", f"CANCELS {job.id[:8]} for {by}")
        drawn = {it: dice.random() for it in job.asked}
        outcomes = {it: ANSWER if draw < 0.4 else "http_503" for it, draw in drawn.items() if draw < 0.55}
        delay = dice.choice((0.0, 0.0, 5.0, 30.0))
        ended = partial(self.end, job, "CANCELLED", outcomes, Lags.drawn(dice, self.climate))
        if delay:
            self.baton.at(self.baton.now + delay, ended)
        else:
            ended()

    def delete(self, job: AskedJob) -> None:
        """Let a person delete the record of a job that has ended."""
        job.deleted_at = self.baton.now
        self.history.faults["a record is deleted"] += 1
        self.trace("a person", f"DELETES {job.id[:8]}")

    def end(self, job: AskedJob, status: str, outcomes: Mapping[Question, str], lags: Lags) -> None:
        """Let a job end, with an outcome for each request that has a line."""
        now = self.baton.now
        job.status, job.ended, job.outcomes = status, now, dict(outcomes)
        job.ran = status != "FAILED" or bool(outcomes)
        job.counts_from = now + lags.counts
        for name, content in write_files(job, outcomes).items():
            if lags.named[name] < NEVER:
                named = now + lags.named[name]
                there = named + lags.there[name]
                job.files[name] = ResultFile(f"{job.id}-{name}", content, named, there)
        words = " ".join(f"{it.custom_id}={outcomes.get(it, 'missing') or 'ok'}" for it in job.asked)
        self.trace("api", f"{job.id[:8]} {status}: {words}; {lags}")
