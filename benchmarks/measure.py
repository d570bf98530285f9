"""Shared by the benchmarks: the measurement of a command in its own process, and a table of ratios with targets."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


STARTER = """
import json, os, sys, time
began = time.perf_counter()
pid = os.fork()
if not pid:
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    finally:
        os._exit(127)
_, status, usage = os.wait4(pid, 0)
spent = time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
os.write(int(sys.argv[1]), json.dumps([*spent, os.waitstatus_to_exitcode(status)]).encode())
"""
"""Starts a command and measures it. Linux counts the memory of a process before its exec in its peak, so a process that
starts another to measure its memory has to be small itself."""


class Spent(NamedTuple):
    """What a process used."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds, of user and system."""
    rss: float
    """Peak, in MB."""
    out: str


class Row(NamedTuple):
    """One question and its answer."""

    question: str
    target: float
    """The ratio may be at most this."""
    ratio: float | None
    """None if the peer is not installed."""
    detail: str


def spent(
    command: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    codes: Iterable[int] = (0,),
) -> Spent:
    """Run a command and return what it used.

    Raises:
        SystemExit: it failed.
    """
    env = {**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as told:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", STARTER, str(told.fileno()), *command],
            cwd=cwd,
            env=env,
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            pass_fds=[told.fileno()],
            check=True,
        )
        for file in (out, err, told):
            file.seek(0)
        wall, cpu, rss, code = json.load(told)
        text = out.read().decode(errors="replace")
        if code not in codes:
            raise SystemExit(f"{' '.join(map(str, command))}: {code}\n{text}{err.read().decode()}")
    return Spent(wall, cpu, rss, text)


def best(times: int, run: Callable[[], Spent]) -> Spent:
    """Return the quickest of so many runs, after one that warms the disk."""
    run()
    return min((run() for _ in range(times)), key=lambda it: it.wall)


def in_turn(times: int, *runs: Callable[[], float]) -> list[float]:
    """Return the median time of each, taken in turn so that what else the machine does strikes all alike."""
    rounds = [[run() for run in runs] for _ in range(times)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def report(rows: Sequence[Row]) -> int:
    """Print the table and the machine; return 1 if a target is missed."""
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}\n"
    )
    print("| question | at most | measured | |\n|---|--:|--:|---|")
    for row in rows:
        measured = "not installed" if row.ratio is None else f"{row.ratio:.2f}"
        mark = "" if row.ratio is None else "met" if row.ratio <= row.target else "**missed**"
        print(
            f"| {row.question} | {row.target:.2f} | {measured} | {' · '.join(filter(None, (mark, row.detail)))} |"
        )
    sys.stdout.flush()
    return int(any(row.ratio is not None and row.ratio > row.target for row in rows))
