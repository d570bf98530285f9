"""All generated files of the repository: `python -m tools.generate` writes them, `--check` only compares.

One row per file. A rule, an event or an exit code is defined once, in the code that uses it; pages and schemas are
generated from there, and a test checks that each is current. To add a file, write a function that returns its text
and add a row.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from tools.generate import (
    cli_page,
    event_pages,
    exit_code_page,
    layout_page,
    planner_pages,
    policy_page,
    reference,
    report_schemas,
    spec_schemas,
)

ROOT: Final = Path(__file__).parents[2]
"""The clone."""


@dataclass(frozen=True, slots=True)
class Generated:
    """One file and the function that returns its text."""

    path: str
    """Relative to the clone, with forward slashes."""
    text: Callable[[], str]


GENERATED: Final = (
    *(  # first, since the page of specs shows mistakes that the tool finds with them
        Generated(f"schemas/{name}.schema.json", partial(spec_schemas.text, name))
        for name in spec_schemas.MODELS
    ),
    Generated("docs/cli.md", cli_page.page),
    Generated("docs/development.md", layout_page.page),
    Generated("docs/planner.md", planner_pages.page),
    Generated("docs/events.md", event_pages.page),
    Generated("docs/exit-codes.md", exit_code_page.page),
    Generated("docs/spec.md", reference.page),
    Generated("docs/policy.md", policy_page.page),
    Generated("schemas/event.schema.json", event_pages.schema),
    *(
        Generated(f"schemas/{name}.schema.json", report_schemas.schema(name))
        for name in report_schemas.SHAPES
    ),
)


def difference(row: Generated, root: Path = ROOT) -> str:
    """Return the diff between a file and its generated text, "" if they are equal."""
    path = root / row.path
    found = path.read_text(encoding="utf-8") if path.exists() else ""
    text = row.text()
    if found == text:
        return ""
    lines = difflib.unified_diff(found.splitlines(), text.splitlines(), row.path, "generated", lineterm="")
    return "\n".join(lines) or f"{row.path}: differs in its last line break"


def write(rows: Iterable[Generated], root: Path = ROOT) -> list[str]:
    """Write the files that are not current and return their paths."""
    written = []
    for row in rows:
        if difference(row, root):
            path = root / row.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(row.text(), encoding="utf-8", newline="\n")
            written.append(row.path)
    return written
