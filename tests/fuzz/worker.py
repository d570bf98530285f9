"""A process that runs many cases, and the other end of its pipe: it ends a worker whose case takes too long.

A worker reads one JSON object a line: `{"family", "seed"}` to make a case, or `{"case"}` with a case as text. It
answers each with the findings, the seconds and the highest memory.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reconciler.cli.main import run
from tests.fuzz import case, generate
from tests.fuzz.case import Case
from tests.fuzz.execute import Entry, Finding, execute, peak_memory, remove, reset_peak
from tests.fuzz.state import files_of

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one case may take."""

    seconds: float = 10.0
    megabytes: int = 500
    """Above the worker's own size."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """The outcome of a case."""

    task: Mapping[str, Any]
    findings: tuple[Finding, ...]
    seconds: float
    megabytes: float

    def case(self) -> Case:
        """Return the case, made anew from its seed if need be."""
        return case_of(self.task)


def case_of(task: Mapping[str, Any]) -> Case:
    """Return the case of a task."""
    return case.from_text(task["case"]) if "case" in task else generate.generate(task["family"], task["seed"])


def serve(megabytes: int, entry: Entry) -> None:
    """Run the cases that stdin names."""
    import resource

    os.fsync = lambda _: None  # type: ignore[assignment]  # the disk is not tested, and waiting for it takes most of the time
    answers, sys.stdout = sys.stdout, sys.stderr
    folder = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of its own below it
    with tempfile.TemporaryDirectory(dir=folder) as base:
        place = Path(base) / "case"
        own = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        most = own + megabytes * 1_000_000 + 200_000_000  # address space, of which not all is used
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        for line in sys.stdin:
            made = case_of(json.loads(line))
            files_of(made.state)
            place.mkdir()
            reset_peak()
            size, began = peak_memory(), time.monotonic()
            found = execute(made, place, entry)
            took, grown = time.monotonic() - began, (peak_memory() - size) / 1e6
            if grown > megabytes:
                found.append(Finding(kind="memory", detail=f"{grown:.0f} MB"))
            remove(place)
            row = {"findings": [it.__dict__ for it in found], "seconds": took, "megabytes": grown}
            answers.write(json.dumps(row) + "\n")
            answers.flush()


@dataclass
class Worker:
    """A worker, started when it is needed and ended when a case takes too long.

    Args:
        limits: of a case.
        entry: `module:function` of the command line.
    """

    limits: Limits = field(default_factory=Limits)
    entry: str = "reconciler.cli.main:run"
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _buffer: bytes = field(default=b"", init=False)

    def run(self, task: Mapping[str, Any]) -> Ran:
        """Run one case."""
        return next(iter(self.run_all([task])))

    def run_all(self, tasks: Iterable[Mapping[str, Any]]) -> Iterator[Ran]:
        """Run cases, one after the other."""
        for task in tasks:
            process = self._started()
            assert process.stdin
            began = time.monotonic()
            process.stdin.write(json.dumps(task).encode() + b"\n")
            process.stdin.flush()
            line = self._line(began + self.limits.seconds + (0 if self._warm else 20))
            if line:
                self._warm = True
                row = json.loads(line)
                found = [Finding(**it) for it in row["findings"]]
                if row["seconds"] > self.limits.seconds:
                    found.append(Finding(kind="hang", detail=f"{row['seconds']:.1f} s"))
                yield Ran(
                    task=task, findings=tuple(found), seconds=row["seconds"], megabytes=row["megabytes"]
                )
                continue
            took = time.monotonic() - began
            dead = process.poll()
            kind = "hang" if dead is None else "the process died"
            self.close()
            finding = Finding(kind=kind, detail=f"after {took:.1f} s: {dead}")
            yield Ran(task=task, findings=(finding,), seconds=took, megabytes=0)

    _warm: bool = field(default=False, init=False)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-m", "tests.fuzz.worker", str(self.limits.megabytes), self.entry]
            environ = {**os.environ, "MALLOC_ARENA_MAX": "1", "PYTHONPATH": str(ROOT)}
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environ
            )
            self._buffer, self._warm = b"", False
        return self._process

    def _line(self, until: float) -> bytes:
        """Return the next line of the worker, nothing if it ends or time is up."""
        assert self._process
        assert self._process.stdout
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))
            more = os.read(self._process.stdout.fileno(), 1 << 20) if ready else b""
            if not more:
                return b""
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def close(self) -> None:
        """End the worker."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def main(argv: list[str]) -> None:
    """Serve, with the entry that the command line names."""
    module, _, name = argv[1].partition(":")
    entry: Entry = run if argv[1] == Worker.entry else getattr(importlib.import_module(module), name)
    serve(int(argv[0]), entry)


if __name__ == "__main__":
    main(sys.argv[1:])
