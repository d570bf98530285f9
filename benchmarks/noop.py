"""A plan without changes: time, memory and growth, compared with the floor and with other tools.

    python benchmarks/noop.py [--small]

Each spec has its own file and its job, and the list answers after 50 ms a page. Every run is its own process. octoDNS
compares the same number of records; Terraform the same number of `terraform_data`, which needs no network. A note
replaces the row of a tool that is not installed.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import measure
import workspace
from measure import Row, Spent, best, spent

JOBS = 1_000 if "--small" in sys.argv else 10_000
OLD = 10_000 if "--small" in sys.argv else 100_000
DELAY = 0.05
TIMES = 3
PLAN = [sys.executable, "-m", "reconciler", "plan", "--log-level", "warning", "--base-url"]
FLOOR = [sys.executable, str(Path(__file__).with_name("floor.py"))]


def planned(root: Path, url: str) -> Spent:
    """Plan once."""
    found = spent([*PLAN, url], cwd=root, environ={"MISTRAL_API_KEY": "k"})
    if not found.out.startswith("No changes."):
        raise SystemExit(found.out)
    return found


def plan(folder: Path, jobs: int, *, delay: float) -> tuple[Spent, Spent]:
    """Return what a plan and the floor use."""
    root = workspace.project(folder / f"{jobs}-{delay}", jobs)
    rows = [workspace.row(spec, number + 1) for number, spec in enumerate(workspace.declared(root))]
    with workspace.serving(rows, folder, delay=delay) as url:
        found = best(TIMES, lambda: planned(root, url))
        floor = best(TIMES, lambda: spent([*FLOOR, root, url]))
    shutil.rmtree(root)
    return found, floor


def among_old(folder: Path, old: int) -> Spent:
    """Plan 1,000 specs in a workspace that holds so many old jobs of ours."""
    root = workspace.project(folder / f"old-{old}", 1000)
    specs = workspace.declared(root)
    rows = [workspace.row(spec, number + 1) for number, spec in enumerate(specs)]
    rows += [
        workspace.row(specs[number % 1000], number + 1001, name=f"tickets-{number % 1000:06}")
        for number in range(old)
    ]
    with workspace.serving(rows, folder, delay=0) as url:
        return best(1, lambda: planned(root, url))


def octodns(folder: Path, records: int) -> Spent | None:
    """Compare so many records with as many in octoDNS."""
    command = shutil.which("octodns-sync")
    if not command:
        return None
    root = folder / "octodns"
    for side in ("wanted", "there"):
        (root / side).mkdir(parents=True)
        zone = {f"r{number:06}": {"type": "A", "ttl": 300, "value": "192.0.2.1"} for number in range(records)}
        (root / side / "example.org.yaml").write_text(json.dumps(zone))
    provider = {"class": "octodns.provider.yaml.YamlProvider", "enforce_order": False, "default_ttl": 300}
    config = {
        "providers": {side: {**provider, "directory": str(root / side)} for side in ("wanted", "there")},
        "zones": {"example.org.": {"sources": ["wanted"], "targets": ["there"]}},
    }
    (root / "config.yaml").write_text(json.dumps(config))
    return best(1, lambda: spent([command, "--config-file", str(root / "config.yaml"), "--quiet"]))


def terraform(folder: Path, resources: int) -> Spent | None:
    """Plan so many resources that are all there in Terraform."""
    command = shutil.which("terraform") or shutil.which("tofu")
    if not command:
        return None
    root = folder / "terraform"
    root.mkdir()
    (root / "main.tf").write_text(
        "".join(
            f'resource "terraform_data" "r{number}" {{\n  input = "{number}"\n}}\n'
            for number in range(resources)
        )
    )
    spent([command, "init", "-input=false"], cwd=root)
    (root / "terraform.tfstate").write_text(json.dumps(state(resources)))  # to apply as many takes an hour
    return best(1, lambda: spent([command, "plan", "-input=false", "-detailed-exitcode"], cwd=root))


def state(resources: int) -> dict[str, object]:
    """Return what Terraform would know once it had made the resources; its own plan then says whether that is so."""

    def resource(number: int) -> dict[str, object]:
        value = {"value": str(number), "type": "string"}
        attributes = {"id": f"id-{number}", "input": value, "output": value, "triggers_replace": None}
        return {
            "mode": "managed",
            "type": "terraform_data",
            "name": f"r{number}",
            "provider": 'provider["terraform.io/builtin/terraform"]',
            "instances": [{"schema_version": 0, "attributes": attributes, "sensitive_attributes": []}],
        }

    every = [resource(number) for number in range(resources)]
    known = {"version": 4, "terraform_version": "1.5.0", "serial": 1, "lineage": "benchmark", "outputs": {}}
    return {**known, "resources": every}


def told(
    us: Spent, they: Spent | None, what: Callable[[Spent], float], unit: str
) -> tuple[float | None, str]:
    """Return a ratio and the two figures behind it."""
    if they is None:
        return None, ""
    return what(us) / what(they), f"{what(us):.2f} {unit} / {what(they):.2f} {unit}"


def wall(it: Spent) -> float:
    """Return seconds."""
    return it.wall


def rss(it: Spent) -> float:
    """Return MB."""
    return it.rss


def rows() -> list[Row]:
    """Measure everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        waiting, floor = plan(folder, JOBS, delay=DELAY)
        at_once, _ = plan(folder, JOBS, delay=0)
        dns, hashi = octodns(folder, JOBS), terraform(folder, JOBS)
        sizes = (JOBS // 10, JOBS, JOBS * 5)
        small, large = (plan(folder, size, delay=0)[0] for size in (sizes[0], sizes[2]))
        few, many = among_old(folder, OLD // 10), among_old(folder, OLD)
    exponents = [
        math.log(bigger.wall / smaller.wall) / math.log(b / a)
        for (a, smaller), (b, bigger) in (
            ((sizes[0], small), (sizes[1], at_once)),
            ((sizes[1], at_once), (sizes[2], large)),
        )
    ]
    of = f"no-op plan of {JOBS:,}"
    growth = f"{small.wall:.2f} s, {at_once.wall:.2f} s, {large.wall:.2f} s for " + ", ".join(
        f"{it:,}" for it in sizes
    )
    return [
        Row(f"{of}, 50 ms an answer / the floor", 1.5, *told(waiting, floor, wall, "s")),
        Row(f"{of} / octoDNS", 0.25, *told(waiting, dns, wall, "s")),
        Row(f"{of} / Terraform", 1 / 30, *told(waiting, hashi, wall, "s")),
        Row(f"{of}, memory / Terraform", 1 / 30, *told(waiting, hashi, rss, "MB")),
        Row(f"{of}, memory / the floor", 3.0, *told(waiting, floor, rss, "MB")),
        Row("growth, the larger exponent", 1.05, max(exponents), growth),
        Row(
            f"1,000 specs, {OLD:,} old jobs / {OLD // 10:,}, in pages",
            1.05,
            (many.wall / few.wall) / ((OLD + 1000) / (OLD // 10 + 1000)),
            f"{many.wall:.2f} s / {few.wall:.2f} s",
        ),
        Row(f"1,000 specs, {OLD:,} old jobs, memory / 300 MB", 1.0, many.rss / 300, f"{many.rss:.0f} MB"),
    ]


if __name__ == "__main__":
    sys.exit(measure.report(rows()))
