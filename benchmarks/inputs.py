"""How fast input files are checked, and in how much memory, compared with common programs.

    python benchmarks/inputs.py [--folder FOLDER] [--small]
    python benchmarks/inputs.py --decoders

Writes three files, 250,000 long lines in ASCII and beyond it and 1,000,000 short ones, and runs over each of them in
turn, every method in a process of its own: `wc -l`, `sha256sum`, the same digest by OpenSSL, this tool's checker, and
loops that only decode each line. Compare ratios within one run, because the machine's speed varies. `--decoders`
measures several JSON decoders, and shows which lines each of them refuses. Writes Markdown.
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
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from reconciler.settings import Limits
from reconciler.specs.inputs.decode import _decode
from reconciler.specs.inputs.reader import check

ROUNDS: Final = 3
MEGABYTE: Final = 1_000_000


BEYOND: Final = "Grüße aus Köln: ein Satz mit Umlauten, Zahlen 0123456789 und einem Bild 🙂. " * 23
PLAIN: Final = (
    "A sentence of plain words, with figures 0123456789 and some marks; nothing beyond ASCII. " * 22
)


def long_lines(count: int, text: str) -> Iterator[bytes]:
    """Yield requests of about 2 KB."""
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


def openssl(path: Path) -> int:
    """Hash alone, 4 MiB at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(4 * 1024 * 1024):
            digest.update(block)
    return digest.digest_size


class Empty(msgspec.Struct):
    """An object that is skipped."""


class Skipped(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A request whose body is not looked into."""

    custom_id: str
    body: Empty


def _decoders() -> dict[str, Callable[[bytes], object]]:
    found: dict[str, Callable[[bytes], object]] = {
        "msgspec": _decode,  # the very one
        "msgspec, body skipped": msgspec.json.Decoder(Skipped).decode,
        "json": json.loads,
    }
    with suppress(ImportError):
        found["orjson"] = importlib.import_module("orjson").loads
    return found


def alone(name: str) -> Callable[[Path], int]:
    """Return a loop that decodes each line and does nothing else."""

    def loop(path: Path) -> int:
        decode = _decoders()[name]
        with path.open("rb") as stream:
            for line in stream:
                decode(line)
        return 0

    return loop


METHODS: Final[dict[str, Callable[[Path], int]]] = {
    "SHA-256 by OpenSSL": openssl,
    "reconciler": ours,
    **{f"{name}, decoding alone": alone(name) for name in _decoders() if "skipped" not in name},
}
LOOP: Final = "msgspec, decoding alone"
PROGRAMS: Final = {"wc -l": ["wc", "-l"], "sha256sum": ["sha256sum"]}

HOSTILE: Final = {
    "no UTF-8": b'"\xff"',
    "half a surrogate pair": rb'"\ud800"',
    "NaN": b"NaN",
    "1e400": b"1e400",
    "a key twice": b'{"a":1,"a":2}',
}
"""Values in a body that are no JSON, or that readers of JSON make different things of."""


def refused(decode: Callable[[bytes], object], value: bytes) -> bool:
    """Return whether a decoder refuses a line with a value in its body."""
    try:
        decode(b'{"custom_id":"1","body":{"a":' + value + b"}}")
    except ValueError:  # that of each of them is one
        return True
    return False


def compare(folder: Path) -> None:
    """Write the table of decoders."""
    lines = {name: path.read_bytes().splitlines() for name, _, path in files(folder, 10)}
    best: dict[str, dict[str, float]] = {}
    for _ in range(ROUNDS):
        for name, decode in _decoders().items():
            for kind, rows in lines.items():
                began = time.thread_time()
                for row in rows:
                    decode(row)
                speed = sum(map(len, rows)) / MEGABYTE / (time.thread_time() - began)
                best.setdefault(name, {})[kind] = max(speed, best.get(name, {}).get(kind, 0))
    print(f"| decoder | {', MB/s | '.join(lines)}, MB/s | takes |\n|{'---|' * (len(lines) + 2)}")
    for name, decode in _decoders().items():
        takes = ", ".join(what for what, value in HOSTILE.items() if not refused(decode, value))
        print(f"| {name} | {' | '.join(f'{best[name][kind]:,.0f}' for kind in lines)} | {takes} |")


def files(folder: Path, part: int) -> Iterator[tuple[str, int, Path]]:
    """Write one file after the other; yield its content's name, its number of lines and its path."""
    long, short = 250_000 // part, 1_000_000 // part
    for name, count, lines in (
        ("long lines in ASCII", long, long_lines(long, PLAIN)),
        ("long lines beyond ASCII", long, long_lines(long, BEYOND)),
        ("short lines", short, short_lines(short)),
    ):
        path = folder / "lines.jsonl"
        with path.open("wb") as stream:
            stream.writelines(lines)
        yield name, count, path


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


def table(name: str, count: int, path: Path) -> None:
    """Run every method on one file, and print the measurements."""
    size = path.stat().st_size / MEGABYTE
    found = list(rows(path))
    sha = next(seconds for method, seconds, _, _ in found if method == "sha256sum")
    loop = next(seconds for method, seconds, _, _ in found if method == LOOP)
    bound = 60 + count * 110 / MEGABYTE
    print(f"\n{count:,} {name}, {size:,.0f} MB; 60 MB + 110 bytes an id are {bound:,.0f} MB\n")
    print("| method | seconds | CPU seconds | MB/s | of sha256sum | of decoding | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for method, seconds, work, memory in found:
        text = (
            f"{seconds:.2f} | {work:.2f} | {size / seconds:,.0f} | {seconds / sha:.2f} | {seconds / loop:.2f}"
        )
        print(f"| {method} | {text} | {memory:,.0f} |", flush=True)


def main() -> None:
    """Write the files, run everything, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--small", action="store_true", help="a hundredth of the lines")
    parser.add_argument("--decoders", action="store_true", help="compare JSON decoders")
    parser.add_argument("--run", nargs=2, metavar=("METHOD", "FILE"), help="for the script itself")
    arguments = parser.parse_args()
    if "orjson" not in _decoders():
        print("orjson is not installed: pip install orjson", file=sys.stderr)
    if arguments.run:
        METHODS[arguments.run[0]](Path(arguments.run[1]))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if arguments.decoders:
            compare(Path(folder))
        else:
            for name, count, path in files(Path(folder), 100 if arguments.small else 1):
                table(name, count, path)


if __name__ == "__main__":
    main()
