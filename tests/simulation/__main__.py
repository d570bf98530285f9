"""Run schedules, or see one.

python -m tests.simulation --schedules 100000     as many as wanted
python -m tests.simulation --seed 4711            one, with its trace
python -m tests.simulation --requests …           the same, with jobs that have results
python -m tests.simulation --budgets …            the same, with a budget of costs and up to eight runners
python -m tests.simulation --store …              the same, with a shared ledger in an object store
python -m tests.simulation --table                create protocols side by side
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Final

from tests.simulation import protocols, tally
from tests.simulation.tally import Tally

CHUNK: Final = 200


def main(arguments: Sequence[str]) -> int:
    """Run the command of the arguments; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, help="play this one and print its trace")
    parser.add_argument("--schedules", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--start", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes side by side (default: %(default)s)"
    )
    parser.add_argument("--requests", action="store_true", help="play schedules with results of requests")
    parser.add_argument("--budgets", action="store_true", help="play schedules with a budget of costs")
    parser.add_argument(
        "--store", action="store_true", help="play schedules with a ledger in an object store"
    )
    parser.add_argument("--until-one-fails", action="store_true", help="stop at the first broken promise")
    parser.add_argument("--table", action="store_true", help="compare create protocols instead")
    chosen = parser.parse_args(arguments)
    families = (tally.REQUESTS, tally.BUDGETS, tally.STORE)
    family = next((name for name in families if getattr(chosen, name)), tally.JOBS)
    if chosen.seed is not None:
        well, lines = tally.reported(chosen.seed, family=family)
        _say(*lines)
        return not well
    if chosen.table:
        _say(*protocols.table(chosen.schedules, start=chosen.start))
        return 0
    seeds = range(chosen.start, chosen.start + chosen.schedules)
    found = _played(seeds, chosen.workers, family, until_one_fails=chosen.until_one_fails)
    _say(*found.lines())
    return bool(found.violations)


def _played(seeds: range, workers: int, family: str, *, until_one_fails: bool) -> Tally:
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    whole, began = Tally(family=family), time.perf_counter()
    with ExitStack() as stack:
        run = functools.partial(tally.run, family=family, until_one_fails=until_one_fails)
        parts: Iterable[Tally] = map(run, chunks)
        if workers > 1:
            pool = stack.enter_context(get_context("spawn").Pool(workers))
            parts = pool.imap_unordered(run, chunks)
        for part in parts:
            whole.merge(part)
            for seed, broken in part.violations:
                sys.stderr.write(f"\rseed {seed}: {broken.invariant}: {broken.what}\n")
            sys.stderr.write(f"\r{whole.schedules:,} schedules, {len(whole.violations)} violations")
            sys.stderr.flush()
            if until_one_fails and whole.violations:
                break
    sys.stderr.write("\n")
    whole.seconds = time.perf_counter() - began
    return whole


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
