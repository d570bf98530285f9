"""How fast a million answers are joined with their requests, and in how much memory, beside reading both files.

    python benchmarks/results.py [--folder FOLDER] [--requests N] [--long N]

Writes an input file and, in three orders (that of the input, turned round in blocks of 100, shuffled), an output and
an error file. Every method runs in a process of its own, in turn, best of three: reading all lines of the three files
with `msgspec.json.decode`, which makes values of them; reading them with a decoder that skips what it does not look at;
the index of the requests; and all that a pull does: both indexes and the join. On a machine that does other work as
well, CPU time is what counts. Writes Markdown.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from reconciler.requests import answered, answers, asked
from reconciler.requests.checks import Checker, Patterns
from reconciler.requests.join import Joined, Part, join

ROUNDS: Final = 3
BLOCK: Final = 100
MEGABYTE: Final = 1_000_000
LIMIT_MB: Final = 300
INDEX_SECONDS: Final = 15
"""CPU seconds in which a million requests must be indexed."""
LONGEST: Final = 96 * MEGABYTE
ORDERS: Final = ("same", "blocks", "shuffled")
ASKED: Final = (
    b'{"custom_id":"request-%07d","body":{"max_tokens":30,"messages":[{"role":"user","content":"Which queue does '
    b'this ticket belong to? My parcel number %d has not arrived, and nobody answers the phone."}]}}\n'
)
ANSWERED: Final = (
    b'{"id":"batch-1a2b3c4d-%d-5e6f7a8b-aaaa-4bbb-8ccc-0123456789ab","custom_id":"request-%07d","response":'
    b'{"status_code":200,"body":{"id":"5e6f7a8baaaabbbbcccc0123456789ab","object":"chat.completion","created":'
    b'1790000000,"model":"mistral-small-latest","choices":[{"index":0,"message":{"role":"assistant","content":'
    b'"Delivery. The customer writes about a parcel that has not arrived.","tool_calls":null,"prefix":false},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":41,"completion_tokens":17,"total_tokens":58}}},"error":null}\n'
)
FAILED: Final = (
    b'{"id":"batch-1a2b3c4d-%d-5e6f7a8b-aaaa-4bbb-8ccc-0123456789ab","custom_id":"request-%07d","response":'
    b'{"status_code":422,"body":{"object":"error","message":"no"}},"error":null}\n'
)


def turned(count: int, order: str) -> Iterator[int]:
    """Yield the numbers of requests in the order of their answers."""
    numbers = list(range(count))
    if order == "shuffled":
        random.Random(7).shuffle(numbers)  # noqa: S311 - the same each time is the point
    elif order == "blocks":
        numbers = [at for start in range(0, count, BLOCK) for at in reversed(numbers[start : start + BLOCK])]
    yield from numbers


def line(template: bytes, number: int, long: int) -> bytes:
    """Return a line; the first `long` ones have 50 MB."""
    written = template % (number, number)
    return written.replace(b"parcel", b"p" * 50 * MEGABYTE) if number < long else written


def prepare(folder: Path, count: int, long: int) -> None:
    """Write the files."""
    with (folder / "input").open("wb") as file:
        file.writelines(line(ASKED, number, long) for number in range(count))
    for order in ORDERS:
        with (
            (folder / f"output-{order}").open("wb") as output,
            (folder / f"errors-{order}").open("wb") as errors,
        ):
            for number in turned(count, order):
                failed = number % BLOCK == 0
                (errors if failed else output).write(line(FAILED if failed else ANSWERED, number, long))


class Asked(msgspec.Struct):
    """The one field of an input line that a join looks at."""

    custom_id: str


def read(folder: Path, order: str, *decoders: Callable[[bytes], object]) -> None:
    """Decode every line of the three files and keep nothing."""
    for name, decode in zip(("input", f"output-{order}", f"errors-{order}"), decoders, strict=True):
        with (folder / name).open("rb") as file:
            for line in file:
                decode(line)


def decode_all(folder: Path, order: str) -> None:
    """Decode every line completely."""
    read(folder, order, *[msgspec.json.decode] * 3)


def decode_little(folder: Path, order: str) -> None:
    """Read as little as a join must."""
    asked = msgspec.json.Decoder(Asked).decode
    read(folder, order, asked, answers.decode_line, answers.decode_line)


def index(folder: Path, order: str) -> None:
    """Index the requests, and write the index."""
    del order
    found = asked.read_inputs([folder / "input"], model="m", longest=LONGEST, heartbeat=lambda: None)
    found.write(folder / asked.NAME, {})


def joined(folder: Path, order: str) -> None:
    """Index and join as `outputs pull` does."""
    files = {name: folder / f"{name[:6]}-{order}" for name in answered.FILES}
    found = asked.read_inputs([folder / "input"], model="m", longest=LONGEST, heartbeat=lambda: None)
    with Patterns() as patterns:
        checker = Checker(found.schemas, patterns)
        came = answered.read_answers(
            files, found, checker, ordered=True, longest=LONGEST, heartbeat=lambda: None
        )
    found.write(folder / asked.NAME, {})
    came.write(folder / answered.NAME, {})
    del found, came, checker
    requests, places = asked.load(folder / asked.NAME), answered.load(folder / answered.NAME)
    if requests is None or places is None:
        raise SystemExit("the index is wrong")
    numbered = dict(enumerate(files.values(), start=1))
    part = Part(job_id="job", asked=requests, answered=places, files=numbered)
    counts = Joined()
    with (folder / "results").open("wb") as results:
        results.writelines(join([part], requests, lambda: None, counts))
    if counts.kinds[answers.MISSING] or counts.kinds.total() != requests.count:
        raise SystemExit(f"the join is wrong: {counts}")


METHODS: Final = {"decode all": decode_all, "decode little": decode_little, "index": index, "join": joined}


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--folder", type=Path, help="where the files are written and kept")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--small", dest="requests", action="store_const", const=10_000)
    parser.add_argument("--long", type=int, default=0, help="how many of them have lines of 50 MB")
    parser.add_argument(
        "--method", choices=METHODS, help="run one method and end: what the script calls itself with"
    )
    parser.add_argument("--order", choices=ORDERS, default="same")
    given = parser.parse_args()
    if given.method:
        METHODS[given.method](given.folder, given.order)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as made:
        measure(Path(made), given.requests, given.long)


def measure(folder: Path, count: int, long: int) -> None:
    """Run every method on every order, and print what it took."""
    prepare(folder, count, long)
    size = sum((folder / name).stat().st_size for name in ("input", "output-same", "errors-same")) / MEGABYTE
    print(f"{count:,} requests, {size:,.0f} MB to be read\n")
    print(
        "| order of the answers | method | seconds | CPU seconds | of decode all | of decode little | peak MB |"
    )
    print("|---|---|---|---|---|---|---|")
    for order in ORDERS:
        best: dict[str, tuple[float, float, float]] = {}
        for _ in range(ROUNDS):
            for method in METHODS:
                took = once(folder, method, order)
                best[method] = min(best.get(method, took), took, key=lambda each: each[1])
        for method, (wall, cpu, peak) in best.items():
            ratios = " | ".join(f"{cpu / best[other][1]:.2f}" for other in ("decode all", "decode little"))
            print(f"| {order} | {method} | {wall:.2f} | {cpu:.2f} | {ratios} | {peak:,.0f} |", flush=True)
        if best["join"][2] > LIMIT_MB and not long:
            raise SystemExit(f"the join took more than {LIMIT_MB} MB")
        if not long and best["index"][1] * MEGABYTE / count > INDEX_SECONDS:
            raise SystemExit(f"the index took more than {INDEX_SECONDS} s for a million requests")


def once(folder: Path, method: str, order: str) -> tuple[float, float, float]:
    """Run one method in a process of its own; return wall and CPU seconds and its peak in MB."""
    command = [sys.executable, __file__, "--folder", str(folder), "--method", method, "--order", order]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
