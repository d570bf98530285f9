"""`reconciler schema`: print the JSON Schemas that are part of the package."""

from __future__ import annotations

from typing import Final

import click

from reconciler.cli.output.streams import write_stdout
from reconciler.specs.schema.json_schema import FOLDER

FILES: Final = {path.name.removesuffix(".schema.json"): path for path in sorted(FOLDER.glob("*.schema.json"))}


@click.command()
@click.argument("name", type=click.Choice(FILES), default="job")
def schema(name: str) -> int:
    """Print a JSON Schema: of a spec (job), defaults, reconciler.yaml (reconciler), or the output of a command."""
    write_stdout(FILES[name].read_bytes())
    return 0
