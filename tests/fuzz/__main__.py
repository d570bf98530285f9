"""Fuzz what comes from outside, through the command line: `python -m tests.fuzz --help`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz import case
from tests.fuzz.case import Case
from tests.fuzz.generate import FAMILIES, SHARES
from tests.fuzz.minimise import minimise
from tests.fuzz.worker import Limits, Ran, Worker


@dataclass
class Tally:
    """The outcome of the cases of one family."""

    cases: int = 0
    seconds: float = 0.0
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[float, str] = (0.0, "")
    findings: Counter[str] = field(default_factory=Counter)
    first: dict[str, Ran] = field(default_factory=dict)

    def add(self, ran: Ran) -> None:
        """Count a case."""
        seed = str(ran.task["seed"])
        self.cases += 1
        self.seconds += ran.seconds
        self.slowest = max(self.slowest, (ran.seconds, seed))
        self.largest = max(self.largest, (ran.megabytes, seed))
        for finding in ran.findings:
            self.findings[finding.kind] += 1
            self.first.setdefault(finding.kind, ran)


def fuzz(family: str, cases: int, seed: str, limits: Limits) -> Tally:
    """Run cases of a family in one worker."""
    tally, worker = Tally(), Worker(limits)
    try:
        for ran in worker.run_all({"family": family, "seed": f"{seed}-{at}"} for at in range(cases)):
            tally.add(ran)
    finally:
        worker.close()
    return tally


def save(kind: str, ran: Ran, folder: Path, limits: Limits) -> Path:
    """Write a case to a file, minimised."""
    worker = Worker(limits)

    def fails(smaller: Case) -> bool:
        return any(it.kind == kind for it in worker.run({"case": case.to_text(smaller)}).findings)

    whole = ran.case()
    try:
        small = minimise(whole, fails, tries=30 if kind == "hang" else 250)
    finally:
        worker.close()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{whole.family}-{whole.seed}-{len(list(folder.iterdir()))}.json"
    path.write_text(case.to_text(small), encoding="utf-8")
    return path


def replay(path: Path, limits: Limits) -> int:
    """Run a saved case, and print what is wrong."""
    worker = Worker(limits)
    try:
        ran = worker.run({"case": path.read_text(encoding="utf-8")})
    finally:
        worker.close()
    for finding in ran.findings:
        sys.stdout.write(f"{finding.kind}\n{finding.detail}\n")
    sys.stdout.write(f"{len(ran.findings)} findings, {ran.seconds:.2f} s, {ran.megabytes:.0f} MB\n")
    return int(bool(ran.findings))


def report(tallies: dict[str, Tally], seed: str, took: float, folder: Path, limits: Limits) -> int:
    """Print a table and the findings, and save a case of each; return the exit code."""
    out = sys.stdout.write
    for family, tally in tallies.items():
        for kind, count in tally.findings.items():
            ran = tally.first[kind]
            path = save(kind, ran, folder, limits)
            detail = next(it.detail for it in ran.findings if it.kind == kind)
            out(f"\n{family}: {kind} ({count} times), first seed {ran.task['seed']}\n{detail}\n")
            out(f"replay: python -m tests.fuzz --replay {path}\n")
    out(
        f"\n{'family':<10}{'cases':>8}{'seconds':>9}{'a second':>10}   {'slowest':<24}{'largest':<26}findings\n"
    )
    for family, tally in tallies.items():
        slow, large = tally.slowest, tally.largest
        rate = tally.cases / max(tally.seconds, 1e-9)
        out(
            f"{family:<10}{tally.cases:>8,}{tally.seconds:>9.1f}{rate:>10.0f}   {f'{slow[0]:.2f} s ({slow[1]})':<24}"
        )
        out(f"{f'{large[0]:.0f} MB ({large[1]})':<26}{sum(tally.findings.values())}\n")
    cases = sum(tally.cases for tally in tallies.values())
    out(f"{cases:,} cases in {took:.0f} s, seed {seed}\n")
    return int(any(tally.findings for tally in tallies.values()))


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "families", nargs="*", metavar="FAMILY", help=f"of {', '.join(FAMILIES)} (default: all)"
    )
    parser.add_argument("--cases", type=int, default=1000, help="cases of each family; slow ones get fewer")
    parser.add_argument("--seed", default=str(int(time.time())), help="any text (default: the time)")
    parser.add_argument("--workers", type=int, default=1, help="how many families run at once")
    parser.add_argument("--seconds", type=float, default=10.0, help="limit of a case")
    parser.add_argument(
        "--megabytes", type=int, default=500, help="limit of a case above the worker's own size"
    )
    parser.add_argument(
        "--save", type=Path, default=Path(tempfile.gettempdir()) / "fuzz", help="folder of failing cases"
    )
    parser.add_argument("--replay", type=Path, help="run a saved case instead")
    given = parser.parse_args()
    limits = Limits(seconds=given.seconds, megabytes=given.megabytes)
    if given.replay:
        return replay(given.replay, limits)
    if unknown := set(given.families) - set(FAMILIES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    families = given.families or list(FAMILIES)
    began = time.monotonic()
    counts = [max(1, int(given.cases * SHARES.get(family, 1))) for family in families]
    with ThreadPoolExecutor(given.workers) as pool:
        found = list(
            pool.map(lambda family, cases: fuzz(family, cases, given.seed, limits), families, counts)
        )
    return report(
        dict(zip(families, found, strict=True)), given.seed, time.monotonic() - began, given.save, limits
    )


if __name__ == "__main__":
    sys.exit(main())
