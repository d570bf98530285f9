"""A workspace of twelve teams with up to 200,000 jobs: what a plan of one team takes.

    python benchmarks/scale.py [--small]

Each team has 1,000 specs and a twelfth of the jobs; the last row is one team that has all of them. The list answers
after 50 ms a page. Prints a table; there is no target.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import noop
import workspace

from reconciler.model import tags

TEAMS: Final = 12
SPECS: Final = 1_000
MANY: Final = 20_000 if "--small" in sys.argv else 200_000
SIZES: Final = (MANY // 20, MANY // 4, MANY // 2, MANY)


def jobs(root: Path, count: int, *, teams: int) -> list[dict[str, object]]:
    """Return so many jobs: one of each spec, and older ones of the same names, in turn of each team."""
    specs = workspace.declared(root)
    rows = [workspace.row(spec, number + 1) for number, spec in enumerate(specs)]
    for number in range(SPECS, count):
        row = workspace.row(specs[number % SPECS], number + 1, name=f"tickets-{number % SPECS:06}")
        metadata = row["metadata"]
        if isinstance(metadata, dict) and number % teams:
            metadata[tags.PROJECT] = f"team-{number % teams}"
        rows.append(row)
    return rows


def main() -> int:
    """Print the table."""
    print("| jobs in the workspace | of this team | plan, seconds | CPU seconds | peak MB |")
    print("|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        for size, teams in (*((size, TEAMS) for size in SIZES), (MANY, 1)):
            root = workspace.project(Path(name) / "project", SPECS)
            rows = jobs(root, size, teams=teams)
            own = sum(it["metadata"][tags.PROJECT] == "bench" for it in rows)  # type: ignore[index]
            with workspace.serving(rows, Path(name), delay=noop.DELAY) as url:
                del rows
                found = noop.planned(root, url)
            print(f"| {size:,} | {own:,} | {found.wall:.1f} | {found.cpu:.1f} | {found.rss:.0f} |", flush=True)
            shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
