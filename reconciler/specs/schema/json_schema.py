"""The JSON Schemas that ship with the package: of specs and settings, and of what commands write.

`tools.generate` writes them. Editors read them, and `explain` uses them to find every mistake of a refused document.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

import reconciler

_PACKAGE: Final = Path(reconciler.__file__).parent
FOLDER: Final = (_PACKAGE if (_PACKAGE / "schemas").is_dir() else _PACKAGE.parent) / "schemas"
"""In the installed package, or in the clone."""

Schema = dict[str, Any]


def schema_text(name: str) -> bytes:
    """Return the file of a schema."""
    return (FOLDER / f"{name}.schema.json").read_bytes()


@cache
def schema(name: str) -> Schema:
    """Return a schema."""
    return msgspec.json.decode(schema_text(name), type=Schema)
