"""`reconciler schema`: print the JSON Schemas that are part of the package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

import reconciler
from reconciler.cli.output.streams import write_stdout

_PACKAGE: Final = Path(reconciler.__file__).parent
_FOLDERS: Final = (_PACKAGE / "schemas", _PACKAGE.parent / "schemas")
"""In the installed package, and in the clone."""
SCHEMAS: Final = {
    path.name.removesuffix(".schema.json"): path
    for folder in reversed(_FOLDERS)
    for path in sorted(folder.glob("*.schema.json"))
}


@click.command()
@click.argument("name", type=click.Choice(SCHEMAS), default="job")
def schema(name: str) -> int:
    """Print a JSON Schema: of a spec (job), defaults, reconciler.yaml (reconciler), or the output of a command."""
    write_stdout(SCHEMAS[name].read_bytes())
    return 0
