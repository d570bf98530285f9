"""What a seed determines: who runs the tool, how hostile the world is, and within which bounds."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Final

from reconciler.settings import Limits
from tests.simulation.setups import CLONES, REF, SETUPS, WEIGHTS, Setup
from tests.simulation.wire import Delays
from tests.simulation.workspace import Climate

TIMEOUT: Final = 10.0
LATE: Final = 15.0
LAG: Final = 20.0
SKEW: Final = 2.0
"""How far hosts' clocks may be apart, and the server rounds times down to seconds."""
SETTLE: Final = TIMEOUT + LATE + LAG + 2 * SKEW + 1
"""The settle time that these bounds ask for."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One schedule. Everything else about it is drawn from dice that its seed makes."""

    seed: int | str
    setup: Setup
    bounds: bool = True
    """Whether late requests, lagging lists and clocks keep the bounds from which the settle time follows."""
    in_git: bool = True
    epochs: int = 1
    limits: Limits
    delays: Delays
    climate: Climate
    speed: float = 0.05
    """How fast jobs run: at 1, they take a second; at 0.01, two minutes."""
    faults: float = 0.0
    """Share of requests that go wrong."""
    kills: float = 0.0
    """Share of runs that are killed."""
    stops: float = 0.0
    """Share of runs that are asked to stop."""
    full: float = 0.0
    """Share of runs that meet a full disk."""
    cut_off: float = 0.0
    """Share of calls of the shared ledger's remote that fail."""
    people: int = 0
    """How many people interfere."""
    jumps: float = 0.0
    """Share of runs during which the wall clock jumps."""
    waits: float = 0.0
    """Share of applies that wait, and go on with later rounds."""
    on_end: bool = False
    """Whether the project reports ends with `on_end`."""
    forged: int = 0
    """How often in each epoch, and before each detour's end, a neighbour appends lines to a shared ledger."""
    by_hand: int = 0
    """How many jobs a person made by hand before there were specs, for specs to adopt."""
    detours: int = 0
    """How often, after all that, a spec asks for something else for a while and comes back."""
    in_store: bool = False
    """Whether an object store holds the shared ledger."""


def in_store(seed: int) -> Schedule:
    """Return the schedule of a seed with a ledger in an object store."""
    dice = random.Random(f"store {seed}")
    return replace(
        of(seed),
        setup=dice.choices((REF, CLONES), (2, 1))[0],
        cut_off=dice.choice((0.0, 0.1, 0.3)),
        in_store=True,
    )


def of(seed: int) -> Schedule:
    """Return the schedule of a seed."""
    dice = random.Random(seed)
    bounds = dice.random() < 0.75
    hostile = dice.choice((0.0, 0.04, 0.12, 0.25, 0.5))
    return Schedule(
        seed=seed,
        setup=SETUPS[dice.choices(tuple(SETUPS), WEIGHTS)[0]],
        bounds=bounds,
        in_git=dice.random() < 0.9,
        epochs=dice.choice((1, 2, 3, 3)),
        limits=Limits(
            timeout_seconds=TIMEOUT,
            settle_seconds=SETTLE,
            late_seconds=0.0,
            deadline_seconds=dice.choice((60.0, 200.0, 900.0)),
            in_flight=dice.choice((1, 2, 8)),
            reads_in_flight=dice.choice((1, 4)),
            max_pending=dice.choice((None, None, None, 3, 21, 22)),
        ),
        delays=Delays(
            timeout=TIMEOUT,
            late=LATE if bounds else dice.choice((LATE, 10 * LATE)),
            slow=dice.choice((0.0, 0.3, 1.0)),
        ),
        climate=Climate(
            lag=LAG if bounds else dice.choice((LAG, 5 * LAG)),
            lagging=dice.choice((0.0, 0.3, 1.0)),
            page_cap=dice.choice((0, 0, 0, 1, 2, 3)),
            unlucky=dice.choice((0.0, 0.2, 0.5)),
            altering=dice.choice((0.0, 0.0, 0.0, 0.05)),
            uncounted=dice.random() < 0.25,
        ),
        speed=dice.choice((0.002, 0.002, 0.006, 0.02, 0.1)),
        faults=hostile,
        kills=dice.choice((0.0, 0.2, 0.5)),
        stops=dice.choice((0.0, 0.0, 0.1)),
        full=dice.choice((0.0, 0.0, 0.2)),
        cut_off=dice.choice((0.0, 0.1)),
        people=dice.choice((0, 0, 1, 2, 3)),
        jumps=dice.choice((0.0, 0.0, 0.3)),
        waits=dice.choice((0.0, 0.2, 0.6)),
        by_hand=dice.choice((0, 0, 0, 1, 2)),
        forged=dice.choice((0, 0, 1, 3)),
        on_end=dice.random() < 0.3,
        detours=dice.choice((0, 0, 1, 1, 2)),
    )
