"""A spec changes and later changes back, and in between a person stops one of its jobs.

Random edits rarely do that. Each detour combines one way to change with one way to change back, with cancels that fail
in between; the last detour may not change back at all, so that no spec declares its jobs.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, Literal, TypeAlias

from msgspec import structs

from reconciler.model import JobSpec
from tests.simulation.faults import NoCancels
from tests.simulation.git import NAMES, WORKS, Specs
from tests.simulation.machines import Luck, Runner
from tests.simulation.people import People
from tests.simulation.stage import Stage

Away: TypeAlias = Literal["changed", "rerun", "removed", "suspended", "renamed"]
Back: TypeAlias = Literal["edited", "reverted", "old commit", "other name", "never"]
AWAYS: Final[tuple[Away, ...]] = ("changed", "changed", "rerun", "rerun", "removed", "suspended", "renamed")
BACKS: Final[tuple[Back, ...]] = ("edited", "reverted", "old commit", "other name", "never")
ENDLESS: Final = "sandbox-stuck-1"
OTHER_NAME: Final = "delta"


class Detour:
    """One way away and back.

    Args:
        stage: where.
        people: one of them may stop a job of the spec.
        dice: choose the way, and when a person comes.
        luck: draws what happens to a run.
    """

    def __init__(self, stage: Stage, people: People, dice: random.Random, luck: Callable[[], Luck]) -> None:
        self.stage = stage
        self.people = people
        self._dice = dice
        self._luck = luck if dice.random() < 0.5 else Luck
        """Half of the detours meet no fault but cancels that fail: more of them come to their end."""
        self.spec = self._a_spec()

    def tell(self) -> None:
        """Let it happen."""
        git, dice = self.stage.git, self._dice
        git.commit(self.with_specs(self.spec))
        home = len(git.commits) - 1
        self._somebody_comes()
        self._apply(home)
        self._somebody_comes()
        for _ in range(dice.choice((1, 1, 2))):
            self.leave(dice.choice(AWAYS))
            for _ in range(dice.choice((0, 1, 1, 2))):
                self._apply(len(git.commits) - 1, cancelling=True)
            self._somebody_comes()
        for _ in range(self.stage.schedule.forged):
            self.stage.forge_later(0.0)
        self.stage.baton.sleep(1.0)
        self._apply(self.come_back(dice.choice(BACKS), home))

    def _a_spec(self) -> JobSpec:
        """Return a spec whose job mostly outlives the detour."""
        spec, dice = self.stage.git.a_spec(self._dice.choice(NAMES)), self._dice
        model = ENDLESS if dice.random() < 0.6 else spec.model
        return structs.replace(
            spec,
            model=model,
            inputs=(WORKS[dice.choice(tuple(WORKS))],),
            rerun=dice.choice(("", "7", "8")),
            suspend=False,
        )

    def with_specs(self, *specs: JobSpec) -> Specs:
        """Return the last commit's specs with these instead of those of the same name or work."""
        names, keys = {it.name for it in specs}, {it.run_key for it in specs}
        others = (
            it for it in self.stage.git.commits[-1].specs if it.name not in names and it.run_key not in keys
        )
        return tuple(sorted((*specs, *others), key=lambda it: it.name))

    def leave(self, away: Away) -> None:
        """Commit a way to ask for something else."""
        spec, git = self.spec, self.stage.git
        others = [work for work in WORKS.values() if (work,) != spec.inputs]
        other = structs.replace(spec, inputs=(self._dice.choice(others),))
        match away:
            case "changed":
                git.commit(self.with_specs(other))
            case "rerun":
                git.commit(
                    self.with_specs(structs.replace(spec, rerun=self._dice.choice(("", "7", "8", "9"))))
                )
            case "removed":
                git.commit(tuple(it for it in git.commits[-1].specs if it.name != spec.name))
            case "suspended":
                git.commit(self.with_specs(structs.replace(spec, suspend=True)))
            case "renamed":
                git.commit(self.with_specs(other, structs.replace(spec, name=OTHER_NAME)))

    def come_back(self, back: Back, home: int) -> int:
        """Commit a way to ask for the first work again, and return what is checked out next."""
        spec, git = self.spec, self.stage.git
        match back:
            case "edited":
                git.commit(self.with_specs(spec))
            case "reverted":
                git.commit(git.commits[home].specs)
            case "old commit":
                return home
            case "other name":
                git.commit(self.with_specs(structs.replace(spec, name=OTHER_NAME)))
            case "never":
                pass
        return len(git.commits) - 1

    def _somebody_comes(self) -> None:
        """Let a person stop a job of the spec, soon."""
        dice, baton = self._dice, self.stage.baton
        if self.stage.schedule.people and dice.random() < 0.5:
            when = baton.now + dice.random() * dice.choice((0, 3, 30, 120))
            baton.at(when, partial(self.people.cancel, self.spec.run_key))

    def _apply(self, commit: int, *, cancelling: bool = False) -> None:
        """Let one machine apply, or all at the same time."""
        stage, dice = self.stage, self._dice
        asks = dice.random() < 0.7
        runners = stage.runners if dice.random() < 0.5 else [dice.choice(stage.runners)]

        def work(runner: Runner) -> None:
            luck = self._failing(self._luck()) if cancelling else self._luck()
            stage.apply(runner, commit, luck, asks=asks)

        stage.baton.side_by_side(work, runners, at_once=len(runners))
        stage.baton.sleep(dice.choice((0.0, 1.0, 20.0, 60.0)))

    def _failing(self, luck: Luck) -> Luck:
        """Let cancels fail in a way that cancels nothing, in half of the runs."""
        ways = (luck, luck, replace(luck, dies_cancelling=True), replace(luck, fates=NoCancels(luck.fates)))
        return self._dice.choice(ways)
