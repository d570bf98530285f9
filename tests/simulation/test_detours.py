"""A spec changes and changes back, step by step, without random choices."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal, get_args

import pytest
from msgspec import structs

from reconciler.model import Retry
from tests.simulation.detours import ENDLESS, Away, Back, Detour
from tests.simulation.exhaustive import WORLD
from tests.simulation.faults import CallKind, Fault, NoCancels, Peace
from tests.simulation.git import WORKS
from tests.simulation.history import PROJECT
from tests.simulation.machines import Luck
from tests.simulation.people import People
from tests.simulation.schedule import LAG
from tests.simulation.server import JOBS, LIVE, Server
from tests.simulation.setups import APART, HOST, Setup
from tests.simulation.stage import Stage
from tests.simulation.workspace import Sent

CANCELS: Final = {
    "by a person alone": Luck(),
    "which was never sent": Luck(dies_cancelling=True),
    "which the API refused": Luck(fates=NoCancels(Peace())),
}


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


@dataclass
class ThenAPerson:
    """The first cancel goes wrong and stops nothing, and a person stops the job before it is sent again."""

    detour: Detour
    how: Fault
    cancels: int = 0

    def fault(self, kind: CallKind) -> Fault | None:
        self.cancels += kind == "cancel"
        if kind != "cancel" or self.cancels > 1:
            return None
        baton = self.detour.stage.baton
        baton.at(baton.now + 0.01, partial(self.detour.people.cancel, self.detour.spec.run_key))
        return self.how


def a_detour(
    setup: Setup,
    server: Server,
    *,
    on_remove: Literal["cancel", "keep"] = "cancel",
    on_change: Literal["replace", "finish"] = "replace",
    speed: float = WORLD.speed,
) -> Detour:
    stage = Stage(replace(WORLD, setup=setup, speed=speed), server)
    dice = random.Random(0)
    detour = Detour(stage, People(stage.workspace, dice), dice, Luck)
    detour.spec = structs.replace(
        detour.spec, name="alpha", model=ENDLESS, rerun="7", on_change=on_change, on_remove=on_remove
    )
    stage.git.commits[:] = [replace(stage.git.commits[0], specs=(detour.spec,))]
    return detour


@pytest.mark.parametrize("cancel", CANCELS)
@pytest.mark.parametrize("back", [it for it in get_args(Back) if it != "never"])
@pytest.mark.parametrize("away", get_args(Away))
def test_what_a_person_stopped_stays_stopped_however_its_work_comes_back(
    server: Server, away: Away, back: Back, cancel: str
) -> None:
    detour = a_detour(HOST, server)
    stage, people, key = detour.stage, detour.people, detour.spec.run_key
    stage.apply(stage.runners[0], 0, Luck())
    if cancel == "by a person alone":
        people.cancel(key)
        stage.baton.sleep(1000.0)
    detour.leave(away)
    stage.apply(stage.runners[0], 1, CANCELS[cancel])
    people.cancel(key)
    stage.baton.sleep(1000.0)
    stage.apply(stage.runners[0], detour.come_back(back, 0), Luck())
    assert not stage.history.violations
    (job,) = stage.history.of(key)
    assert job.person_at is not None


@pytest.mark.parametrize("speed", [WORLD.speed, 1.0])
@pytest.mark.parametrize(
    "how", [Fault.ERROR_BEFORE, Fault.BUSY_SECONDS, Fault.NEVER, Fault.NO_CONNECTION, Fault.RESET_BEFORE]
)
def test_a_cancel_that_is_sent_again_does_not_pass_for_the_one_of_a_person_in_between(
    server: Server, how: Fault, speed: float
) -> None:
    detour = a_detour(HOST, server, speed=speed)
    stage, key = detour.stage, detour.spec.run_key
    stage.apply(stage.runners[0], 0, Luck())
    stage.baton.sleep(LAG)
    detour.leave("removed")
    stage.apply(stage.runners[0], 1, Luck(fates=ThenAPerson(detour, how)))
    stage.baton.sleep(1000.0)
    stage.apply(stage.runners[0], detour.come_back("edited", 0), Luck())
    assert not stage.history.violations
    (job,) = stage.history.of(key)
    assert job.person_at is not None


def test_a_person_has_stopped_the_work_even_if_a_younger_twin_of_the_job_fails(server: Server) -> None:
    detour = a_detour(APART, server)
    detour.spec = structs.replace(detour.spec, retry=Retry(max_attempts=2))
    stage, key = detour.stage, detour.spec.run_key
    stage.git.commit((detour.spec,))
    for runner in stage.runners:
        stage.apply(runner, 1, Luck(dies_creating=True))
    stage.baton.sleep(100.0)
    older, younger = sorted(stage.history.of(key), key=lambda job: (int(job.at), job.id))
    stage.workspace.take(Sent("POST", f"{JOBS}/{older.id}/cancel"))
    stage.server.doom(younger.id)
    stage.baton.sleep(1000.0)
    by = older.by
    assert by
    stage.apply(stage.runners[by.runner], 1, Luck())
    assert not stage.history.violations
    assert len(stage.history.of(key)) == 2


@pytest.mark.parametrize("back", [it for it in get_args(Back) if it not in ("never", "old commit")])
@pytest.mark.parametrize("away", ["changed", "removed", "suspended"])
def test_what_this_tool_stopped_comes_back_with_its_spec(server: Server, away: Away, back: Back) -> None:
    detour = a_detour(HOST, server, on_change="replace")
    stage, key = detour.stage, detour.spec.run_key
    stage.apply(stage.runners[0], 0, Luck())
    detour.leave(away)
    stage.apply(stage.runners[0], 1, Luck())
    stage.baton.sleep(1000.0)
    stage.apply(stage.runners[0], detour.come_back(back, 0), Luck())
    assert not stage.history.violations
    assert [stage.server.status(job.id) in LIVE for job in stage.history.of(key)] == [False, True]


@pytest.mark.parametrize("on_remove", ["cancel", "keep"])
@pytest.mark.parametrize("on_change", ["replace", "finish"])
@pytest.mark.parametrize("away", get_args(Away))
def test_of_twins_only_the_oldest_may_live_whatever_is_wanted_by_then(
    server: Server,
    away: Away,
    on_change: Literal["replace", "finish"],
    on_remove: Literal["cancel", "keep"],
) -> None:
    detour = a_detour(APART, server, on_change=on_change, on_remove=on_remove)
    stage, key = detour.stage, detour.spec.run_key
    for runner in stage.runners:
        stage.apply(runner, 0, Luck(dies_creating=True))
    stage.baton.sleep(100.0)
    detour.leave(away)
    stage.apply(stage.runners[0], 1, Luck())
    older, younger = sorted(stage.history.of(key), key=lambda job: (int(job.at), job.id))
    assert not stage.history.violations
    assert stage.server.status(younger.id) not in LIVE
    assert away in ("changed", "removed", "suspended") or stage.server.status(older.id) in LIVE


@pytest.mark.parametrize("held", [True, False])
def test_twins_of_earlier_work_live_only_while_a_newer_tool_may_have_a_job_of_their_name(
    server: Server, *, held: bool
) -> None:
    detour = a_detour(APART, server, on_change="finish")
    stage, spec = detour.stage, detour.spec
    for runner in stage.runners:
        stage.apply(runner, 0, Luck(dies_creating=True))
    stage.baton.sleep(100.0)
    works = (WORKS["two"], WORKS["twenty"], WORKS["uploaded"])
    changed, unrelated = [structs.replace(spec, inputs=(it,)) for it in works if (it,) != spec.inputs][:2]
    stage.git.commit((changed,))
    known = structs.replace(changed if held else unrelated, name="beta")
    detour.people.create(known, project=PROJECT, version="2")
    stage.baton.sleep(LAG)
    stage.apply(stage.runners[0], 1, Luck())
    assert not stage.history.violations
    alive = [stage.server.status(job.id) in LIVE for job in stage.history.of(spec.run_key)]
    assert alive.count(True) == (2 if held else 1)
