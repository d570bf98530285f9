"""Run every benchmark, one after the other, each in its own process: `python -m benchmarks [--small]`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

QUESTIONS = (
    "start",
    "listing",
    "noop",
    "creates",
    "inputs",
    "results",
    "rows",
    "requests",
    "history",
    "ledger",
    "scale",
    "families",
    "lost_answers",
)


def main() -> int:
    """Return 1 where any target was missed or any script failed."""
    missed = 0
    for name in QUESTIONS:
        script = Path(__file__).with_name(f"{name}.py")
        if script.exists():
            print(f"\n## {name}\n", flush=True)
            missed |= (
                subprocess.run([sys.executable, str(script), *sys.argv[1:]], check=False).returncode != 0
            )
    return missed


if __name__ == "__main__":
    sys.exit(main())
