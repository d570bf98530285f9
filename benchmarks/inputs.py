"""How fast input files are checked, and in how much memory, beside the programs that everybody has.

    python benchmarks/inputs.py [--folder FOLDER] [--small]

Writes two files, 250,000 long lines and 1,000,000 short ones, and runs over each of them in turn, every method in a
process of its own: `wc -l`, `sha256sum`, this tool's checker, and a plain loop with other JSON decoders. Ratios within
one run are what counts; the machine's own speed is not ours. Writes Markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from reconciler.settings import Limits
from reconciler.specs.inputs import check

ROUNDS: Final = 3
MEGABYTE: Final = 1_000_000


def long_lines(count: int) -> Iterator[bytes]:
    """Yield requests of about 2 KB, each with characters beyond ASCII."""
    text = "Grüße aus Köln: ein Satz mit Umlauten, Zahlen 0123456789 und einem Bild 🙂. " * 23
    for number in range(count):
        body = {"max_tokens": 200, "messages": [{"role": "user", "content": f"{number} {text}"}]}
        row = {"custom_id": f"request-{number:07}", "body": body}
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"


def short_lines(count: int) -> Iterator[bytes]:
    """Yield requests of about 110 bytes."""
    for number in range(count):
        yield (
            b'{"custom_id":"request-%07d","body":{"messages":[{"role":"user","content":"Bonjour, ca va?"}]}}\n'
            % number
        )


def ours(path: Path) -> int:
    """Check as `reconciler validate` does."""
    found = check(path, path.name, Limits(file_bytes=10**10))
    if found.problems:
        raise SystemExit(str(found.problems[0]))
    return found.file.requests or 0


def decoder(name: str) -> Callable[[Path], int]:
    """Return a loop that decodes, looks at custom_id and body, and hashes, with another decoder."""

    def loop(path: Path) -> int:
        loads: Callable[[bytes], Any] = importlib.import_module(name).loads
        digest, ids = hashlib.sha256(), set[str]()
        with path.open("rb") as stream:
            for line in stream:
                digest.update(line)
                row = loads(line)
                if not isinstance(row["body"], dict):
                    raise SystemExit("no body")
                ids.add(row["custom_id"])
        return len(ids)

    return loop


METHODS: Final[dict[str, Callable[[Path], int]]] = {
    "reconciler": ours,
    "orjson": decoder("orjson"),
    "json": decoder("json"),
}
PROGRAMS: Final = {"wc -l": ["wc", "-l"], "sha256sum": ["sha256sum"]}


def measured(command: list[str]) -> tuple[float, float, float]:
    """Run a command and return its seconds, those that its threads worked, and its peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    return elapsed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MEGABYTE


def rows(path: Path) -> Iterator[tuple[str, float, float, float]]:
    """Yield name, best seconds, best work and peak memory of every method on one file, the methods taking turns."""
    commands = {name: [*command, str(path)] for name, command in PROGRAMS.items()}
    commands |= {name: [sys.executable, __file__, "--run", name, str(path)] for name in METHODS}
    rounds = [{name: measured(command) for name, command in commands.items()} for _ in range(ROUNDS)]
    for name in commands:
        seconds, work, memory = zip(*(found[name] for found in rounds), strict=True)
        yield name, min(seconds), min(work), max(memory)


def main() -> None:
    """Write the files, run everything, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--small", action="store_true", help="a hundredth of the lines")
    parser.add_argument("--run", nargs=2, metavar=("METHOD", "FILE"), help="for the script itself")
    arguments = parser.parse_args()
    if arguments.run:
        METHODS[arguments.run[0]](Path(arguments.run[1]))
        return
    part = 100 if arguments.small else 1
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for name, count, lines in (
            ("long", 250_000 // part, long_lines),
            ("short", 1_000_000 // part, short_lines),
        ):
            path = Path(folder, f"{name}.jsonl")
            with path.open("wb") as stream:
                stream.writelines(lines(count))
            size = path.stat().st_size / MEGABYTE
            found = list(rows(path))
            sha = next(seconds for method, seconds, _, _ in found if method == "sha256sum")
            bound = 60 + count * 110 / MEGABYTE
            print(f"\n{count:,} {name} lines, {size:,.0f} MB; 60 MB + 110 bytes an id are {bound:,.0f} MB\n")
            print(
                "| method | seconds | of sha256sum's | CPU seconds | MB/s | peak MB |\n|---|---|---|---|---|---|"
            )
            for method, seconds, work, memory in found:
                told = f"{seconds:.2f} | {seconds / sha:.2f} | {work:.2f} | {size / seconds:,.0f} | {memory:,.0f}"
                print(f"| {method} | {told} |")
            path.unlink()


if __name__ == "__main__":
    main()
