"""What a table of a million rows costs until its requests are checked, beside a bare loop that formats the same lines.

    python benchmarks/rows.py [--rows N] [--small]

The real command line, with the sandbox in its process. Parquet and queries are read by a second process, so the memory
is that of all processes together. Targets: CSV takes at most twice the CPU of the bare loop, and each 400 MB.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import measure
from measure import Row, Spent

MOST_MB = 400.0
SPEC = """\
name: tickets
endpoint: /v1/chat/completions
model: mistral-small-2603
rows: {}
custom_id: "{{{{id}}}}"
body:
  temperature: 0
  messages:
    - {{role: system, content: Classify the ticket.}}
    - {{role: user, content: "{{{{subject}}}}\\n\\n{{{{text}}}}"}}
"""
TABLE = """
select format('ticket-{:07}', i) as id, 'Subject ' || i as subject, 'x' as more,
  'My parcel, number ' || i || ', has been at the "depot" for nine days.' as text from range(?) as t(i)
"""
FORMS = {
    "CSV": "data/t.csv",
    "JSON lines": "data/t.jsonl",
    "Parquet": "data/t.parquet",
    "a query of CSV": "{sql: 'select * from files where true', files: [data/t.csv]}",
    "a query of JSON lines": "{sql: 'select * from files where true', files: [data/t.jsonl]}",
    "a query of Parquet": "{sql: 'select * from files where true', files: [data/t.parquet]}",
}
BARE = """
import csv, json, sys
with open("specs/data/t.csv", newline="") as table, open(sys.argv[1], "w") as out:
    for row in csv.DictReader(table):
        user = {"role": "user", "content": row["subject"] + "\\n\\n" + row["text"]}
        body = {"temperature": 0, "messages": [{"role": "system", "content": "Classify the ticket."}, user]}
        out.write(json.dumps({"custom_id": row["id"], "body": body}) + "\\n")
"""


def write(root: Path, count: int) -> None:
    """Write the project and its table in each form."""
    (root / "specs/data").mkdir(parents=True)
    (root / "reconciler.yaml").write_text("project: bench\nlimits: {max_workspace_pending: 90000000}\n")
    with duckdb.connect() as made:
        for name, form in {"t.csv": "csv", "t.jsonl": "json", "t.parquet": "parquet"}.items():
            made.execute(f"copy ({TABLE}) to '{root}/specs/data/{name}' (format {form})", [count])


def memory_of(pid: int) -> float:
    """Return the memory of a process and all below it, in MB: Linux only."""
    found = 0.0
    with suppress(OSError):
        found = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += memory_of(int(child))
    return found


def spent(command: list[str], root: Path) -> Spent:
    """Run a command, and return what it and the processes below it used."""
    env = {**os.environ, "PYTHONPATH": str(measure.ROOT), "RECONCILER_SANDBOX": "1"}
    before, began, peak = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), 0.0
    with (root.parent / "out").open("w+") as out:
        process = subprocess.Popen(command, cwd=root, env=env, stdout=out, stderr=out)
        while process.poll() is None:
            peak = max(peak, memory_of(process.pid))
            time.sleep(0.02)
        out.seek(0)
        said = out.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(said)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(time.perf_counter() - began, cpu, peak, said)


def main() -> int:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--small", action="store_true", help="a hundredth of the rows")
    given = parser.parse_args()
    count = given.rows // (100 if given.small else 1)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "project"
        write(root, count)
        bare = spent([sys.executable, "-c", BARE, f"{name}/bare"], root)
        print(
            f"{count:,} rows\n\n| table | command | seconds | CPU seconds | peak MB |\n|---|---|--:|--:|--:|"
        )
        print(f"| CSV | a bare loop | {bare.wall:.1f} | {bare.cpu:.1f} | {bare.rss:,.0f} |", flush=True)
        for form, value in FORMS.items():
            (root / "specs/tickets.yaml").write_text(SPEC.format(value))
            for command in ("validate", "plan"):
                found = spent([sys.executable, "-m", "reconciler", command], root)
                if f"{count:,} requests" not in found.out:
                    raise SystemExit(found.out)
                print(
                    f"| {form} | {command} | {found.wall:.1f} | {found.cpu:.1f} | {found.rss:,.0f} |",
                    flush=True,
                )
                if form == "CSV":
                    rows.append(
                        Row(f"{command}, CPU / bare loop", 2.0, found.cpu / bare.cpu, f"{found.cpu:.1f} s")
                    )
                rows.append(
                    Row(f"{form}, {command}, MB / 400", 1.0, found.rss / MOST_MB, f"{found.rss:.0f} MB")
                )
    print()
    return measure.report(rows)


if __name__ == "__main__":
    sys.exit(main())
