"""`reconciler schema`: print the JSON Schemas that are part of the package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

import reconciler
from reconciler.cli.output.streams import write_stdout

NAMES: Final = (
    "job",
    "defaults",
    "reconciler",
    "plan",
    "snapshot",
    "apply",
    "status",
    "wait",
    "history",
    "verify",
    "outputs",
    "summary",
    "end",
    "jobs",
    "validate",
    "doctor",
    "prune",
    "event",
)


@click.command()
@click.argument("name", type=click.Choice(NAMES), default="job")
def schema(name: str) -> int:
    """Print a JSON Schema: of a spec (job), defaults, reconciler.yaml (reconciler), or the output of a command."""
    write_stdout(read_schema(name))
    return 0


def read_schema(name: str) -> bytes:
    """Return a schema's bytes, from the installed package or from the clone."""
    package = Path(reconciler.__file__).parent
    installed = package / "schemas" / f"{name}.schema.json"
    here = installed if installed.exists() else package.parent / "schemas" / installed.name
    return here.read_bytes()
