"""`reconciler schema`: print the JSON Schemas that are part of the package."""

from __future__ import annotations

from typing import Final

import click

from reconciler.cli.output.streams import write_stdout
from reconciler.specs.schema.json_schema import FOLDER, schema_text

NAMES: Final = sorted(path.name.removesuffix(".schema.json") for path in FOLDER.iterdir())


@click.command()
@click.argument("name", type=click.Choice(NAMES), default="job")
def schema(name: str) -> int:
    """Print a JSON Schema: of a spec (job), defaults, reconciler.yaml (reconciler), or the output of a command."""
    write_stdout(schema_text(name))
    return 0
