"""One schedule from its first commit to its peaceful end."""

from __future__ import annotations

from functools import partial
from typing import Final

from reconciler.runs.wait import PollPolicy
from tests.simulation import liveness
from tests.simulation.detours import Detour
from tests.simulation.faults import Hostile
from tests.simulation.history import History
from tests.simulation.machines import Luck, Runner
from tests.simulation.people import People
from tests.simulation.schedule import SKEW, Schedule
from tests.simulation.server import FAILED, Server
from tests.simulation.stage import Stage

STEPS: Final = 90
"""About how many steps a run takes: at one of them it is killed."""
LONG: Final = 60 * 24 * 3600.0
"""By then every job has ended, and every create has settled."""


def play(schedule: Schedule, server: Server, *, tracing: bool = False) -> History:
    """Play a schedule and return what happened."""
    stage = Stage(schedule, server, tracing=tracing)
    story = Story(stage)
    story.tell()
    liveness.end_in_peace(stage)
    early = [job for job in stage.history.jobs.values() if server.status(job.id) in FAILED]
    stage.history.counts["partial"] += sum(server.answered(job.id) > 0 for job in early)
    return stage.history


class Story:
    """What happens until peace comes."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._dice = stage.dice("story")
        self._people = People(stage.workspace, stage.dice("people"))
        self._asking = stage.dice("asking")

    def tell(self) -> None:
        """Let it happen."""
        stage, dice = self._stage, self._dice
        for runner in stage.runners:
            runner.offset = dice.uniform(-SKEW, SKEW)
        if stage.setup.ledger == "one file":
            stage.runners[-1].offset = stage.runners[0].offset
        for _ in range(stage.schedule.by_hand):
            self._people.create(dice.choice(stage.git.commits[-1].specs), project="")
            stage.git.adopt()
            stage.baton.sleep(dice.choice((0.0, 30.0, 300.0)))
        for epoch in range(stage.schedule.epochs):
            if epoch:
                stage.git.commit()
            self._let_people_interfere()
            stage.baton.side_by_side(self._work, stage.runners, at_once=len(stage.runners))
            stage.baton.sleep(dice.choice((0.0, 1.0, 5.0, 20.0, 60.0, 60.0, 200.0, LONG)))
        for number in range(stage.schedule.detours):
            Detour(stage, self._people, stage.dice("detour", number), self._luck).tell()

    def _let_people_interfere(self) -> None:
        stage, dice = self._stage, self._dice
        for _ in range(stage.schedule.people):
            when = stage.baton.now + dice.random() * dice.choice((5, 60, 300))
            stage.baton.at(when, partial(self._people.interfere, stage.git.commits[-1].specs))
        for _ in range(stage.schedule.forged):
            stage.forge_later(dice.random() * dice.choice((5, 60, 300)))

    def _work(self, runner: Runner) -> None:
        left = self._dice.choice((1, 1, 2))
        while left:
            self._stage.baton.sleep(self._dice.choice((0.0, 0.0, 0.0, 1.0, 20.0, 60.0)))
            killed = self._stage.history.counts["killed"]
            self._one_run(runner)
            if self._stage.history.counts["killed"] == killed or self._dice.random() < 0.3:
                left -= 1  # a killed run is started again

    def _one_run(self, runner: Runner) -> None:
        stage, dice = self._stage, self._dice
        newest = len(stage.git.commits) - 1
        commit = max(newest - (dice.random() < 0.15), 0)
        luck = self._luck()
        wish = dice.choice(("apply",) * 16 + ("select", "decline", "plan", "plan", "saved", "saved", "saved"))
        if wish == "saved" and runner.saved is None:
            wish = "apply"
        if wish == "plan":
            stage.plan(runner, commit, luck)
            return
        names = [spec.name for spec in stage.git.commits[commit].specs]
        stage.apply(
            runner,
            commit,
            luck,
            saved=runner.saved if wish == "saved" else None,
            agrees=wish != "decline",
            asks=self._asking.random() < 0.5,
            permissive=dice.random() < 0.5,
            selected=frozenset(dice.sample(names, 1)) if names and wish == "select" else None,
            policy=self._patience() if dice.random() < stage.schedule.waits else None,
        )

    def _patience(self) -> PollPolicy:
        """Return few looks over a long time, since each costs."""
        timeout = self._dice.choice((100.0, 1000.0, 8000.0))
        return PollPolicy(factor=2.5, most_seconds=2000.0, timeout_seconds=timeout)

    def _luck(self) -> Luck:
        stage, dice, schedule = self._stage, self._dice, self._stage.schedule
        draw, share = dice.random(), schedule.kills
        full_from = dice.randrange(STEPS)
        return Luck(
            fates=Hostile(
                stage.dice("fates", len(stage.history.runs)), schedule.faults, bounds=schedule.bounds
            ),
            killed_at=dice.randrange(1, STEPS) if draw < share / 2 else None,
            dies_creating=share / 2 < draw < share,
            stopped_at=dice.randrange(1, STEPS) if dice.random() < schedule.stops else None,
            full=range(full_from, full_from + dice.choice((1, 10, 100)))
            if dice.random() < schedule.full
            else range(0),
            cut_off=schedule.cut_off,
            unheard=schedule.faults,
            jump=self._jump() if dice.random() < schedule.jumps else 0.0,
        )

    def _jump(self) -> float:
        """Return a jump that the bounds allow.

        A clock that goes back makes its own machine wait longer. One that goes forward, or falls behind those of
        other hosts who read its times, breaks the bounds.
        """
        back = -self._dice.choice((5.0, 100.0, 3600.0))
        if self._stage.schedule.bounds:
            return 0.0 if self._stage.setup.by_claims else back
        return self._dice.choice((back, -back))
