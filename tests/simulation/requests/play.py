"""One schedule: a spec is applied, edited, interrupted and lied about; then peace comes, and everything ends."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from reconciler.api.client import Writer
from reconciler.context import RunContext
from reconciler.model import Declared, Observed, Phase
from reconciler.outputs.place import make_place, open_place
from reconciler.outputs.submitted import index_submitted
from reconciler.planning.actions import Decision, Hold, Keep, Reason
from reconciler.plans.approval import approval_of
from reconciler.plans.outcomes import Outcome
from reconciler.plans.planned_run import PlannedRun
from reconciler.runs import gather
from reconciler.runs.apply import plan_and_apply
from reconciler.runs.apply_loop import ApplyLoop, requests_submitted
from reconciler.runs.known_requests import with_requests
from reconciler.runs.pulling import puller
from reconciler.runs.wait import PollPolicy, wait_until_ended
from reconciler.workspace.recall import recall
from tests.simulation.history import History
from tests.simulation.requests import cancels, plans
from tests.simulation.requests.api import ANSWER, AskedJob
from tests.simulation.requests.door import Trouble
from tests.simulation.requests.ends import complete_stays_complete
from tests.simulation.requests.lags import Climate, Lags
from tests.simulation.requests.promises import lends
from tests.simulation.requests.specs import Commit, Spec, edited, first
from tests.simulation.requests.world import SETTLE, Run, Runner, Sizes, World
from tests.simulation.setups import ALONE, HOST, REF, Setup

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - folders below it have random names
DAY: Final = 24 * 3600.0
_EVERY_END: Final = frozenset({Phase.TIMED_OUT, Phase.FAILED})
_DONE: Final = (Reason.SUCCEEDED, Reason.SAME_WORK)
SPEC_BYTES: Final = 1_000_000
"""Larger specs are refused."""
ROUNDS: Final = 48
"""So many applies are enough for anything, and for every exit of a hold."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What a seed determines."""

    seed: int
    setup: Setup
    one_place: bool
    climate: Climate
    sizes: Sizes
    steps: int
    reads: float
    writes: float
    lagging: float
    kills: float
    people: float
    deletes: float
    expiry: float
    places: float
    losses: float
    names: float
    """Share of edits that rename, split or merge."""
    waits: float
    """Share of applies that wait and go on with the rest: `apply --wait`."""


def of(seed: int) -> Schedule:
    """Return the schedule of a seed."""
    dice = random.Random(f"requests {seed}")
    return Schedule(
        seed=seed,
        setup=dice.choice((ALONE, ALONE, HOST, REF, REF)),
        one_place=dice.random() < 0.5,
        climate=Climate(
            late=dice.choice((0.0, 0.3, 0.6)),
            withheld=dice.choice((0.0, 0.0, 0.5, 1.0)),
            uncounted=dice.random() < 0.15,
        ),
        sizes=Sizes(
            requests=dice.choice((1_000_000, 1_000_000, 1, 2, 3)),
            file_bytes=dice.choice((512_000_000, 512_000_000, 512_000_000, 250)),
        ),
        steps=dice.randrange(6, 26),
        reads=dice.choice((0.0, 0.0, 0.02, 0.1)),
        writes=dice.choice((0.0, 0.1, 0.4)),
        lagging=dice.choice((0.0, 0.3, 1.0)),
        kills=dice.choice((0.0, 0.1, 0.3)),
        people=dice.choice((0.0, 0.05, 0.1)),
        deletes=dice.choice((0.0, 0.0, 0.0, 0.05)),
        expiry=dice.choice((0.0, 0.0, 0.05)),
        places=dice.choice((0.0, 0.0, 0.06)),
        losses=dice.choice((0.0, 0.0, 0.0, 0.05)),
        names=dice.choice((0.0, 0.0, 0.0, 0.3)),
        waits=dice.choice((0.0, 0.0, 0.5)),
    )


def play(schedule: Schedule, *, tracing: bool = False) -> History:
    """Play a schedule and return what happened."""
    folder = Path(tempfile.mkdtemp(prefix="requests-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        story = Story(schedule, folder, tracing=tracing)
        story.tell()
        story.end_in_peace()
    finally:
        shutil.rmtree(folder)
    return story.world.history


class Story:
    """What happens in one schedule."""

    def __init__(self, schedule: Schedule, folder: Path, *, tracing: bool) -> None:
        self.schedule = schedule
        self.world = World(
            schedule.seed,
            schedule.setup,
            folder,
            climate=schedule.climate,
            sizes=schedule.sizes,
            tracing=tracing,
            one_place=schedule.one_place,
        )
        self.dice = self.world.dice("story")
        self.commits: list[Commit] = [self._readable((first(self.world.dice("specs")),))]
        self.caps_in_peace: dict[str, int] = {}

    @property
    def specs(self) -> Commit:
        """The newest specs."""
        return self.commits[-1]

    def declare(self, specs: Commit) -> None:
        """Commit specs."""
        specs = self._readable(specs)
        self.commits.append(specs)
        self.world.trace("git", " ".join(map(str, specs)))

    def _readable(self, specs: Commit) -> Commit:
        """Return specs that the loader takes: what is in a spec itself is far smaller than a file may be."""
        if self.world.limits.file_bytes >= SPEC_BYTES:
            return specs
        return tuple(replace(it, inline=False) for it in specs)

    def change(self, spec: Spec, now: Spec) -> None:
        """Commit a change of one spec."""
        self.declare(tuple(now if it.name == spec.name else it for it in self.specs))

    def tell(self) -> None:
        """Let it happen, step by step."""
        world, dice, schedule = self.world, self.dice, self.schedule
        world.trace("git", f"{self.specs[0]}")
        chances: dict[Callable[[], object], float] = {
            self._apply_somewhere: 0.4,
            self._let_one_end: 0.18,
            self._edit: 0.16,
            self._look: 0.06,
            lambda: self._pull(dice.choice(world.runners)): 0.08,
            self._let_a_person_cancel: schedule.people,
            self._let_a_person_delete: schedule.deletes,
            self._expire: schedule.expiry,
            self._disturb_a_place: schedule.places,
            self._lose_the_ledger: schedule.losses,
        }
        for _ in range(schedule.steps):
            world.baton.sleep(dice.choice((0.0, 0.0, 1.0, 20.0, SETTLE, 130.0, 5000.0)))
            what = dice.choices(tuple(chances), tuple(chances.values()))[0]
            what()

    @property
    def _running(self) -> list[AskedJob]:
        return [it for it in self.world.api.jobs.values() if it.live]

    def _let_one_end(self) -> None:
        if self._running:
            self._end(self.dice.choice(self._running))

    def _let_a_person_cancel(self) -> None:
        if self._running:
            self.world.stop(self.dice.choice(self._running), by="person")

    def _let_a_person_delete(self) -> None:
        over = [it for it in self.world.api.jobs.values() if it.over and it.deleted_at > self.world.baton.now]
        if over:
            self.world.delete(self.dice.choice(over))

    def _disturb_a_place(self) -> None:
        place = self.dice.choice(self.world.runners).place
        what = self.dice.choice((place.go, place.come_back, place.empty))
        self.world.trace("place", f"{what.__name__} {place.folder.name}")
        what()
        self.world.history.faults[f"a place of results: {what.__name__}"] += 1

    def _lose_the_ledger(self) -> None:
        """Lose it once every create has settled: until then its intents are the only trace of one that was lost."""
        world = self.world
        if not world.setup.by_claims and all(it + SETTLE < world.baton.now for it in world.sent):
            world.runners[0].disk.forget()
            world.history.faults["the ledger is lost"] += 1
            world.trace("ledger", "LOST")

    def _apply_somewhere(self) -> None:
        world, dice = self.world, self.dice
        if len(world.runners) > 1 and world.setup.by_claims and dice.random() < 0.4:
            world.baton.side_by_side(lambda it: self.apply(it, hostile=True), world.runners, at_once=2)
        else:
            self.apply(dice.choice(world.runners), hostile=True)

    def apply(self, runner: Runner, *, hostile: bool = False) -> Run:
        """Let a runner apply the newest spec."""
        dice, schedule = self.world.dice("luck", len(self.world.runs)), self.schedule
        killed = hostile and dice.random() < schedule.kills
        trouble = Trouble()
        if hostile:
            trouble = Trouble(
                reads=schedule.reads,
                writes=schedule.writes,
                lagging=schedule.lagging,
                dies_creating=killed and dice.random() < 0.4,
            )

        def apply(run: RunContext[Writer], declared: Declared) -> PlannedRun:
            planned, outcomes = plan_and_apply(run, declared, lambda _: True, asks=True)
            index_submitted(run, declared.specs, outcomes)
            return self._go_on(run, declared, (planned, outcomes)) if waits else planned

        at = dice.randrange(1, 60) if killed and not trouble.dies_creating else None
        waits = hostile and dice.random() < schedule.waits
        run = self.world.run(runner, self.specs, apply, trouble=trouble, killed_at=at)
        for promise in (plans.a_hold_has_a_cause, plans.complete_work_is_kept):
            for wrong in promise(run):
                self.world.history.violated(promise.__name__, f"{run.name}: {wrong}")
        return run

    def _go_on(
        self, run: RunContext[Writer], declared: Declared, first: tuple[PlannedRun, tuple[Outcome, ...]]
    ) -> PlannedRun:
        """Wait for the jobs, which end meanwhile, and let the run create what is left."""
        world, (planned, outcomes) = self.world, first
        record = next(it for it in world.runs if it.name == run.env.run_id)
        record.agreed = planned
        rounds = ApplyLoop(
            run=run,
            declared=declared,
            approval=approval_of(planned.plan).record_attempts(planned.proposed),
            submitted=requests_submitted(planned.plan, planned.observed, outcomes),
            locked=nullcontext,
            report=lambda _, done: index_submitted(run, declared.specs, done),
            outcomes=outcomes,
        )

        def look() -> PlannedRun:
            for job in self._running:
                if self.dice.random() < 0.7:
                    world.baton.at(
                        world.baton.now + self.dice.choice((5.0, 40.0, 150.0)), partial(self._end_once, job)
                    )
            world.history.counts["rounds"] += 1
            return rounds.run_round()

        policy = PollPolicy(first_seconds=10.0, factor=2.0, timeout_seconds=self.dice.choice((60.0, 400.0)))
        held = lambda: rounds.approval.names_held  # noqa: E731 - the approval changes
        return wait_until_ended(run, look, policy, lambda _: None, held).planned

    def _end_once(self, job: AskedJob) -> None:
        if job.live:
            self._end(job)

    def _look(self) -> None:
        """Let runners plan without a fault, and see that equal views lead to equal plans whose numbers add up."""
        world, seen = self.world, []
        one = world.runners[0]
        alike = [it for it in world.runners if it.place is one.place and world.rows(it) == world.rows(one)]
        for runner in (alike[0], alike[0], alike[-1]):
            run = world.run(runner, self.specs, plans.plan)
            seen.append(run)
        for wrong in plans.planning_twice_is_equal(seen):
            world.history.violated("planning_twice_is_equal", wrong)
        for wrong in plans.states_add_up(seen[0]):
            world.history.violated("states_add_up", f"{seen[0].name}: {wrong}")
        for wrong in cancels.other_work_is_replaced_as_on_change_says(seen[0]):
            world.history.violated("other_work_is_replaced_as_on_change_says", f"{seen[0].name}: {wrong}")

    def _pull(self, runner: Runner) -> Run:
        def pull(run: RunContext[Writer], declared: Declared) -> None:
            memory = recall(run).memory
            observed = gather.read_workspace(run, declared, memory)
            specs = with_requests(run, declared, Observed(owned=observed.owned), results=False).specs
            work = frozenset(key for spec in specs for key in spec.run_keys)
            over = [it for it in observed.owned if it.phase.ended]
            make_place(run.project, run.env.environ)
            store = open_place(run.project, run.env.environ, staging=run.folder / "pulling")
            pulling = puller(run, store, specs, observed.owned, work)
            pulling.join(pulling.pull(over), over)

        return self.world.run(runner, self.specs, pull)

    def _end(self, job: AskedJob) -> None:
        dice, climate = self.dice, self.schedule.climate
        status = dice.choice(("SUCCESS",) * 4 + ("TIMEOUT_EXCEEDED", "FAILED"))
        good = status == "SUCCESS"
        outcomes = {}
        for asked in job.asked:
            draw = dice.random()
            if draw < (0.8 if good else 0.4):
                outcomes[asked] = ANSWER
            elif draw < (0.95 if good else 0.5):
                outcomes[asked] = dice.choice(("http_503", "http_400", "error"))
        if status == "FAILED" and dice.random() < 0.7:
            outcomes = {}
        lags = Lags.of_a_success(dice, climate) if good else Lags.drawn(dice, climate)
        self.world.end(job, status, outcomes, lags)

    def _edit(self) -> None:
        self.declare(edited(self.specs, self.commits[:-1], self.dice, names=self.schedule.names))

    def _expire(self) -> None:
        now = self.world.baton.now
        files = [
            it
            for job in self.world.api.jobs.values()
            for it in job.files.values()
            if it.readable(now) and it.named_from + it.there_from < now
        ]
        if files:
            gone = self.dice.choice(files)
            gone.gone_from, gone.gone_as = now, self.dice.choice((404, 410))
            self.world.history.faults["a result file is gone"] += 1
            self.world.trace("api", f"DELETES {gone.id}")

    # In peace.

    def end_in_peace(self) -> None:
        """Let faults stop, take the exit of every hold, and see that all requests are answered at last."""
        world = self.world
        for runner in world.runners:
            runner.place.come_back()
        self.declare(tuple(replace(it, suspend=False) for it in self.specs))
        self.caps_in_peace = {it.name: it.cap + 2 for it in self.specs}
        world.baton.sleep(DAY)
        runner = world.runners[0]
        left: list[Decision] = []
        for _ in range(ROUNDS):
            run = self.apply(runner)
            for job in [it for it in world.api.jobs.values() if it.live]:
                world.end(job, "SUCCESS", dict.fromkeys(job.asked, ANSWER), Lags())
            world.baton.sleep(DAY)
            if run.planned is None:
                world.history.violated("a_hold_has_an_exit", f"an apply in peace ended so: {run.ended}")
                return
            names = {it.name for it in self.specs}
            left = [it for it in run.planned.plan.decisions if it.name in names]
            if any(it.pending for it in run.planned.plan.decisions):
                continue
            done = [self._is_done(self._spec(it.name), it) for it in left]
            if all(done):
                self._see_that_all_is_answered(runner)
                return
        words = "; ".join(f"{it.name}: {it.actions}" for it in left)
        world.history.violated("a_hold_has_an_exit", f"{ROUNDS} applies were not enough: {words}")

    def _spec(self, name: str) -> Spec:
        return next(it for it in self.specs if it.name == name)

    def _is_done(self, spec: Spec, decision: Decision) -> bool:
        """Return whether nothing is left to do for a name in peace; otherwise take the exit of its hold."""
        world, holds, keeps = self.world, decision.of(Hold), decision.of(Keep)
        if any(it.reason is Reason.RECORD_GONE for it in keeps):
            self.change(spec, replace(spec, rerun=f"{spec.rerun}x"))
        elif any(it.reason in _DONE for it in keeps) and not holds:
            mine = [job for job in world.api.jobs.values() if lends(spec, job, self.specs)]
            answered = {it for job in mine for it in job.given()}
            unanswered = [it for it in spec.questions if it not in answered]
            may_retry = spec.cap < self.caps_in_peace[spec.name] and any(it.attention for it in keeps)
            if not may_retry or not (unanswered or not spec.reuse):
                return True
            self._retry_everything(spec)
        for hold in holds:
            world.history.counts[f"hold {hold.reason}"] += 1
            self._take_the_exit(spec, hold)
        return False

    def _take_the_exit(self, spec: Spec, hold: Hold) -> None:
        match hold.reason:
            case Reason.CANCELLED | Reason.PARTIAL if spec.cap > self.caps_in_peace[spec.name]:
                self.change(spec, replace(spec, rerun=f"{spec.rerun}x"))
            case Reason.INCOMPLETE | Reason.CANCELLED | Reason.FAILED | Reason.PARTIAL:
                self._retry_everything(spec)
            case Reason.CANARY_FAILED:
                self.change(spec, replace(spec, failed=1.0))
            case Reason.ANSWERS_GONE | Reason.RECORD_GONE | Reason.RESULTS_NEEDED:
                self.change(spec, replace(spec, rerun=f"{spec.rerun}x"))
            case _:
                pass

    def _retry_everything(self, spec: Spec) -> None:
        every = frozenset({"missing", "http_4xx", "http_5xx", "http_429", "error"})
        self.change(spec, replace(spec, cap=spec.cap + 1, kinds=every, on=_EVERY_END))

    def _see_that_all_is_answered(self, runner: Runner) -> None:
        world = self.world
        run = self._pull(runner)
        for wrong in complete_stays_complete(world, self.specs, run):
            world.history.violated("complete_stays_complete", wrong)
