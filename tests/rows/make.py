"""Make tables for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reconciler.model import InputFile, TableRows
from reconciler.rows.read import read_rows
from reconciler.rows.requests import Rendered, render
from reconciler.rows.row import KINDS


def table(root: Path, *names: str, **fields: Any) -> TableRows:  # noqa: ANN401 - fields of rows
    """Return the rows of some files."""
    files = tuple(
        InputFile(path=name, sha256=hashlib.sha256((root / name).read_bytes()).hexdigest(), size=0)
        for name in names
    )
    kind = KINDS.get(Path(names[0]).suffix, "files")
    given = {"kind": kind, "custom_id": "{{id}}", "body": b"{}"}
    return TableRows(**{**given, "files": files, **fields})


def rows(root: Path, source: TableRows, *columns: str) -> list[Mapping[str, Any]]:
    """Return the cells of each row."""
    return [row.cells for row in read_rows(source, root, columns)]


def rendered(root: Path, source: TableRows) -> tuple[Rendered, Sequence[bytes]]:
    """Return what is rendered, and its lines."""
    found = render(source, root, root / "out" / "requests.jsonl", longest=100_000)
    return found, (root / found.file.path).read_bytes().splitlines()
