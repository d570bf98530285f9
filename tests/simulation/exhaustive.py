"""One reference apply with each single fault, killed at each step, and run again until it reaches its goal.

The apply makes a new job, a replacement, a retry and a removal. `python -m tests.simulation.exhaustive` checks all
cases and counts them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.model import JobSpec, Phase, Position, Retry
from reconciler.settings import Limits
from tests.simulation.faults import FAULTS, CallKind, Fault, Once
from tests.simulation.git import WORKS, Commit
from tests.simulation.machines import Luck
from tests.simulation.schedule import LAG, LATE, SETTLE, TIMEOUT, Schedule
from tests.simulation.server import LIVE, Server
from tests.simulation.setups import HOST
from tests.simulation.stage import Stage
from tests.simulation.wire import Delays
from tests.simulation.workspace import Climate


def _spec(name: str, work: str) -> JobSpec:
    return JobSpec(
        name=name,
        endpoint="/v1/chat/completions",
        model="mistral-small-latest",
        inputs=(WORKS[work],),
        retry=Retry(max_attempts=2, on=frozenset({Phase.FAILED})),
        declared_at=Position(path=f"specs/{name}.yaml", line=1),
    )


AGAIN: Final = _spec("again", "one")
BEFORE: Final = (AGAIN, _spec("removed", "twenty"), _spec("replaced", "uploaded"))
NEW: Final = _spec("new", "two")
REPLACEMENT: Final = _spec("replaced", "failing")
AFTER: Final = (AGAIN, NEW, REPLACEMENT)
GOAL: Final = {"again": 2, "new": 1, "replaced": 1}
"""The names that have a live job in the end, and its attempt."""

WORLD: Final = Schedule(
    seed="reference",
    setup=HOST,
    limits=Limits(timeout_seconds=TIMEOUT, settle_seconds=SETTLE, in_flight=2, reads_in_flight=1),
    delays=Delays(timeout=TIMEOUT, late=LATE, slow=0.0),
    climate=Climate(lag=LAG, lagging=1.0),
    speed=0.001,
)
FAILED_BY: Final = 600.0
"""Virtual seconds after which the doomed job has failed, and the others run."""


@dataclass(frozen=True)
class Case:
    """What happens to the reference apply."""

    request: int
    """The number of the request that goes wrong; -1 for none."""
    fault: Fault | None
    killed_at: int | None
    """The step at which the run is killed; None to let it live."""

    def __str__(self) -> str:
        what = f"request {self.request}: {self.fault}" if self.fault else "no fault"
        return f"{what}, {f'killed at step {self.killed_at}' if self.killed_at else 'not killed'}"


@dataclass
class _Kinds:
    """Lets every request succeed, and records its kind."""

    kinds: list[CallKind]

    def fault(self, kind: CallKind) -> Fault | None:
        self.kinds.append(kind)
        return None


def placements(server: Server) -> list[tuple[int, Fault]]:
    """Return every fault at every request of the reference apply."""
    stage, watched = _prepared(server), _Kinds([])
    stage.apply(stage.runners[0], 1, Luck(fates=watched))
    return [
        (number, fault) for number, kind in enumerate(watched.kinds) for fault in dict.fromkeys(FAULTS[kind])
    ]


def steps(server: Server, request: int, fault: Fault | None) -> int:
    """Return how many steps the reference apply takes with a fault."""
    stage = _prepared(server)
    _run(stage, Case(request, fault, None))
    return stage.last_steps


def _prepared(server: Server) -> Stage:
    stage = Stage(WORLD, server)
    stage.git.commits[:] = [Commit("a" * 40, BEFORE), Commit("b" * 40, AFTER)]
    stage.apply(stage.runners[0], 0, Luck())
    doomed = next(job for job in stage.history.jobs.values() if job.name == "again")
    server.doom(doomed.id)
    stage.baton.sleep(FAILED_BY)
    return stage


def _run(stage: Stage, case: Case) -> None:
    fates = Once(case.request, case.fault) if case.fault else Luck().fates
    stage.apply(stage.runners[0], 1, Luck(fates=fates, killed_at=case.killed_at))


def check(server: Server, case: Case) -> list[str]:
    """Play a case and return what is wrong in the end."""
    stage = _prepared(server)
    _run(stage, case)
    stage.apply(stage.runners[1], 1, Luck())
    stage.baton.sleep(SETTLE + TIMEOUT + LATE + LAG)
    stage.apply(stage.runners[0], 1, Luck())
    last = stage.apply(stage.runners[1], 1, Luck())
    wrong = [f"{it.invariant}: {it.what}" for it in stage.history.violations]
    if last is None or last.plan.pending:
        wrong.append("it has not come to rest")
    live = [job for job in stage.history.jobs.values() if server.status(job.id) in LIVE]
    if sorted((job.name, job.attempt) for job in live) != sorted(GOAL.items()):
        wrong.append(f"live in the end: {[(job.name, job.attempt) for job in live]}")
    created = Counter((job.key, job.attempt) for job in stage.history.jobs.values())
    wrong += [f"{key} was created {times} times" for key, times in created.items() if times > 1]
    return [f"{case}: {it}" for it in wrong]


def cases(server: Server, *, every: int = 1) -> Iterator[Case]:
    """Yield every fault at every request, each not killed and killed at every step; or every so many of them."""
    number = 0
    for request, fault in [(-1, None), *placements(server)]:
        for killed_at in (None, *range(1, steps(server, request, fault) + 1)):
            if number % every == 0:
                yield Case(request, fault, killed_at)
            number += 1


def main(arguments: Sequence[str]) -> int:
    """Check every n-th case, all without an argument; return 1 if one fails."""
    server = Server()
    every = int(arguments[0]) if arguments else 1
    checked, wrong = 0, 0
    for case in cases(server, every=every):
        checked += 1
        for what in check(server, case):
            wrong += 1
            sys.stdout.write(f"{what}\n")
    faults = len(placements(server))
    unfaulted = steps(server, -1, None)
    sys.stdout.write(
        f"{checked:,} cases: {faults:,} faults, each at its request, and none; not killed, and killed at each of "
        f"{unfaulted:,} steps and more: {wrong:,} wrong\n"
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
