"""How long a command takes that does nothing, compared with an empty Python and a peer.

python benchmarks/start.py
"""

from __future__ import annotations

import shutil
import sys

import measure
from measure import Row, spent

TIMES = 15


def rows() -> list[Row]:
    """Measure, in turn."""
    ours = [sys.executable, "-m", "reconciler"]
    commands = {
        "pass": [sys.executable, "-c", "pass"],
        "version": [*ours, "--version"],
        "help": [*ours, "--help"],
    }
    peer = shutil.which("octodns-sync")
    if peer:
        commands["octodns"] = [peer, "--help"]
    for command in commands.values():
        spent(command)
    found = measure.in_turn(
        TIMES, *(lambda command=command: spent(command).wall for command in commands.values())
    )
    times = dict(zip(commands, found, strict=True))
    detail = {name: f"{seconds * 1000:.0f} ms" for name, seconds in times.items()}
    beside = times.get("octodns")
    return [
        Row(
            "`--version` / `python -c pass`",
            5,
            times["version"] / times["pass"],
            f"{detail['version']} / {detail['pass']}",
        ),
        Row(
            "`--help` / `python -c pass`",
            5,
            times["help"] / times["pass"],
            f"{detail['help']} / {detail['pass']}",
        ),
        Row(
            "`--help` / `octodns-sync --help`",
            0.5,
            times["help"] / beside if beside else None,
            f"{detail['help']} / {detail['octodns']}" if beside else "",
        ),
    ]


if __name__ == "__main__":
    sys.exit(measure.report(rows()))
