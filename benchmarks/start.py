"""How long commands take that do nothing or little, compared with an empty Python, the imports alone, and a peer.

python benchmarks/start.py
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import measure
import workspace
from measure import Row, spent

TIMES = 15
SPECS = 5
IMPORTS = [sys.executable, "-c", "import click, yaml, msgspec, structlog, httpx"]


def beside_imports() -> list[Row]:
    """Measure the CPU time of a plan and of a validation, and of the imports alone, in turn."""
    ours, environ = [sys.executable, "-m", "reconciler"], {"MISTRAL_API_KEY": "k"}
    with tempfile.TemporaryDirectory() as name:
        root = workspace.project(Path(name) / "project", SPECS)
        jobs = [workspace.row(spec, number + 1) for number, spec in enumerate(workspace.declared(root))]
        with workspace.serving(jobs, Path(name)) as url:
            commands = [IMPORTS, [*ours, "plan", "--base-url", url], [*ours, "validate"]]
            imports, plan, validate = measure.in_turn(
                TIMES, *(lambda it=it: spent(it, cwd=root, environ=environ).cpu for it in commands)
            )
    return [
        Row(
            f"{what} / importing click, yaml, msgspec, structlog and httpx, CPU",
            most,
            seconds / imports,
            f"{seconds * 1000:.0f} ms / {imports * 1000:.0f} ms",
        )
        for what, most, seconds in ((f"`plan` of {SPECS} specs", 1.25, plan), ("`validate`", 0.5, validate))
    ]


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
        *beside_imports(),
    ]


if __name__ == "__main__":
    sys.exit(measure.report(rows()))
