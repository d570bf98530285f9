"""What a wheel and an sdist may contain, from the files that git tracks: nothing more, and nothing less."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

ENTRY: Final = "mistral_batch_reconciler.py"
METADATA: Final = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
TEMPLATES: Final = (".github/actions/reconciler/", ".github/workflows/")
NOT_SHIPPED: Final = frozenset({".ci/run", ".github/workflows/ci.yml", ".github/workflows/release.yml"})
"""Tracked files that serve this repository alone."""


def wheel_names(tracked: Iterable[str], version: str) -> set[str]:
    """Return the names in a wheel: our package, the root module, schemas, the templates of `init`, metadata."""
    found = {f"mistral_batch_reconciler-{version}.dist-info/{name}" for name in METADATA}
    for path in tracked:
        if path == ENTRY or path.startswith("reconciler/"):
            found.add(path)
        elif path.startswith("schemas/"):
            found.add(f"reconciler/{path}")
        elif path.startswith(TEMPLATES) and path not in NOT_SHIPPED:
            found.add(f"reconciler/templates/{path}")
    return found


def sdist_names(tracked: Iterable[str], version: str) -> set[str]:
    """Return the names in an sdist: every tracked file but those that serve this repository alone, and metadata."""
    return {f"mistral_batch_reconciler-{version}/{path}" for path in {*tracked, "PKG-INFO"} - NOT_SHIPPED}


def names(file: Path) -> set[str]:
    """Return the names of the files in a wheel or an sdist."""
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as archive:
            return set(archive.namelist())
    with tarfile.open(file) as sdist:
        return {member.name for member in sdist if not member.isdir()}


def problems(file: Path, tracked: Iterable[str], version: str) -> list[str]:
    """Return a line for each name that should not be in a wheel or an sdist, and for each that is missing."""
    wanted = (wheel_names if file.suffix == ".whl" else sdist_names)(tracked, version)
    found = names(file)
    return [
        *(f"{file.name}: {name} should not be in it" for name in sorted(found - wanted)),
        *(f"{file.name}: {name} is missing" for name in sorted(wanted - found)),
    ]
