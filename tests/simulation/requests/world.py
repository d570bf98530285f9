"""One workspace, the runners that work on it, their ledgers, and the places of results."""

from __future__ import annotations

import random
import shutil
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
from reconciler.outputs import paths
from reconciler.plans.planned_run import PlannedRun
from reconciler.settings import Limits, Settings
from reconciler.specs.project import Project
from tests.helpers.overlay import NO_OVERLAY
from tests.simulation.baton import Baton
from tests.simulation.history import PROJECT, History
from tests.simulation.ledgers import Disk, LocalLedger, RefLedger, Remote
from tests.simulation.process import Killed, Process
from tests.simulation.requests import promises
from tests.simulation.requests.api import (
    ANSWER,
    ERRORS,
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
from tests.simulation.requests.specs import Spec
from tests.simulation.setups import Setup
from tests.simulation.tool import GENEROUS, TARGET, seeded

SETTLE: Final = TIMEOUT + LATE + LAG + 5


_STORED: Final = {OUTPUT: paths.OUTPUT, ERRORS: paths.ERRORS}


@dataclass(eq=False)
class Place:
    """A place of results, which may be away for a while."""

    folder: Path
    emptied: bool = False
    """Whether it was ever emptied."""

    @property
    def aside(self) -> Path:
        """The folder while it is away."""
        return self.folder.with_name(f"{self.folder.name}-away")

    def holds(self, job: AskedJob) -> set[str]:
        """Return which result files of a job it has, finished."""
        found = [it for it in self.folder.glob(f"*/jobs/{job.id}") if (it / "summary.json").exists()]
        return {name for name, file in _STORED.items() if any((it / file).exists() for it in found)}

    def go(self) -> None:
        """Let it be away: as a mount that is missing, it looks empty."""
        if self.folder.exists() and not self.aside.exists():
            self.folder.rename(self.aside)

    def come_back(self) -> None:
        """Let it be there again, and hide what was written meanwhile."""
        if self.aside.exists():
            self.emptied = self.emptied or self.folder.exists()
            shutil.rmtree(self.folder, ignore_errors=True)
            self.aside.rename(self.folder)

    def empty(self) -> None:
        """Delete everything."""
        self.emptied = True
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(eq=False)
class Runner:
    """A machine with its checkout."""

    number: int
    root: Path
    disk: Disk
    place: Place


@dataclass(frozen=True)
class View:
    """What a run could know of a job when it planned."""

    job: AskedJob
    live: bool
    over: bool
    outcomes: Mapping[Question, str]
    """Of the requests with a line in a file that it could read."""
    complete: bool
    """Whether it could read all files that the job will ever have."""
    counted_whole: bool
    """Whether the counters of a success said that everything is answered."""
    shows_results: bool
    """Whether the job's record says that there are answers or errors."""

    @property
    def answers(self) -> set[Question]:
        """The requests with an answer that it could read."""
        return {it for it, kind in self.outcomes.items() if kind == ANSWER}

    def kind(self, asked: Question) -> str:
        """Return the outcome of a request of a job that has ended."""
        return self.outcomes.get(asked, "missing" if self.job.status == "SUCCESS" else self.job.status)


@dataclass(eq=False)
class Run:
    """One run of the tool."""

    name: str
    runner: Runner
    spec: Spec
    looked: float = -1.0
    planned_on: float = -1.0
    """When it read the list on which it planned."""
    views: Mapping[str, View] = field(default_factory=dict)
    """Of every job that its list showed."""
    planned: PlannedRun | None = None
    ended: str = ""
    broken: str = ""


class World:
    """Everything in one schedule.

    Args:
        seed: of the schedule.
        setup: how the tool is run.
        folder: for the roots and places of the runners.
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

    # What runners do.

    def run(
        self,
        runner: Runner,
        spec: Spec,
        do: Callable[[RunContext[Writer], Declared], PlannedRun | None],
        *,
        trouble: Trouble = Trouble(),  # noqa: B008 - frozen
        killed_at: int | None = None,
    ) -> Run:
        """Let a runner do something with what the spec declares."""
        run = Run(f"run {len(self.runs)} on {runner.number}", runner, spec)
        dice = self.dice("run", len(self.runs))
        self.runs.append(run)
        self.history.counts["runs"] += 1
        process = Process(self.baton, run.name, dice, wall=lambda: 0.0, trace=self.trace, killed_at=killed_at)
        try:
            declared = Declared(specs=(spec.checked_out(runner.root),))
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
            run.looked = self.baton.now

        def ancestry(_: frozenset[str]) -> Ancestry:
            run.planned_on = run.looked
            run.views = {it.job.id: it for it in self._views(run)}
            return Ancestry()

        door = Door(
            self.api,
            process,
            trouble,
            dice,
            looked=looked,
            sends=lambda: self.sent.append(self.baton.now),
            accept=lambda body, lag: self.accept(body, run, lag),
            cancel=lambda job_id: self.stop(self.api.jobs[job_id], by="tool"),
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

    def _views(self, run: Run) -> list[View]:
        """Return what a run can know of the jobs that its list showed."""
        found = []
        for job in self.api.jobs.values():
            if not job.shows_at <= run.looked < job.deleted_at or job.at > run.looked:
                continue
            over = job.over and job.ended <= run.looked
            files = {name for name, it in job.files.items() if it.readable_since(run.looked, self.baton.now)}
            files |= run.runner.place.holds(job)
            there = set().union(*(job.shown_in(name) for name in files)) if over else set()
            shown = job.shown(run.looked)
            found.append(
                View(
                    job=job,
                    live=not over,
                    over=over,
                    outcomes={it: job.outcomes[it] for it in there},
                    complete=over and files == job.files.keys() and (bool(files) or not job.ran),
                    counted_whole=job.status == "SUCCESS" and shown.succeeded_requests == len(job.asked),
                    shows_results=bool(shown.output_file or shown.error_file or shown.succeeded_requests),
                )
            )
        return found

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

    def stop(self, job: AskedJob, *, by: str) -> None:
        """Take a cancel. One of a job that has ended does nothing."""
        if not job.live:
            return
        dice = self.dice("stop", job.id)
        job.status, job.stopped_by = "CANCELLATION_REQUESTED", by
        self.history.counts["cancels"] += by == "tool"
        self.history.faults["a person cancels"] += by == "person"
        self.trace("api", f"CANCELS {job.id[:8]} for {by}")
        outcomes = {it: ANSWER for it in job.asked if dice.random() < 0.4}
        delay = dice.choice((0.0, 0.0, 5.0, 30.0))
        ended = partial(self.end, job, "CANCELLED", outcomes, Lags.drawn(dice, self.climate))
        if delay:
            self.baton.at(self.baton.now + delay, ended)
        else:
            ended()

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
