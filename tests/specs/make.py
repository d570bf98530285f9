"""Projects in a temporary folder, written by a test as a mapping of paths to contents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yaml import ScalarEvent

from reconciler.errors import Problem, SpecError
from reconciler.settings import Limits
from reconciler.specs.load import Loaded, load
from reconciler.specs.project import Project, load_project
from reconciler.specs.yaml.reader import read
from reconciler.specs.yaml.source import QUOTE_ALL, SourceFile, decode
from reconciler.specs.yaml.tree import Document

NOW = 1_795_392_000.0
"""2026-11-23 00:00 UTC, a Monday."""

LINE = '{"custom_id":"1","body":{"input":"x"}}\n'

SPEC = """\
name: one
endpoint: /v1/embeddings
model: mistral-embed
input_files: [data.jsonl]
"""
"""The shortest spec; its four lines are the base of most tests."""


def project(root: Path, files: Mapping[str, str | bytes], settings: str = "") -> Project:
    """Write a project whose spec folder holds `files`, beside a `data.jsonl` of one request."""
    contents: dict[str, str | bytes] = {
        "reconciler.yaml": f"project: demo\n{settings}",
        "specs/data.jsonl": LINE,
    }
    contents |= {f"specs/{path}": content for path, content in files.items()}
    for path, content in contents.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_project(None, start=root)


def loaded(root: Path, files: Mapping[str, str | bytes], settings: str = "") -> Loaded:
    """Load such a project."""
    return load(project(root, files, settings), now=NOW)


def problems(root: Path, files: Mapping[str, str | bytes], settings: str = "") -> tuple[Problem, ...]:
    """Return the problems of such a project that are not warnings."""
    try:
        load(project(root, files, settings), now=NOW)
    except SpecError as error:
        return tuple(problem for problem in error.problems if not problem.warning)
    return ()


def spec(**changes: str | None) -> str:
    """Return `SPEC` with fields changed, added or (None) left out; values are YAML."""
    fields = dict(line.split(": ", 1) for line in SPEC.splitlines())
    fields |= {name: value for name, value in changes.items() if value is not None}
    return "".join(
        f"{name}: {value}\n" for name, value in fields.items() if changes.get(name, "") is not None
    )


def documents(text: str, limits: Limits | None = None) -> tuple[list[Document], list[Problem]]:
    """Read YAML text."""
    source = decode("x.yaml", text.encode(), QUOTE_ALL)
    assert isinstance(source, SourceFile)
    return read(source, limits or Limits())


def document(value: Any) -> Document:  # noqa: ANN401 - JSON
    """Return a document that holds `value` and was written nowhere."""
    return Document(
        SourceFile("x.yaml", ""), ScalarEvent(None, None, (True, False), ""), value, (), incomplete=False
    )
