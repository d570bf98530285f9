"""The syntax tree of the package, for tests that look for code which goes around a mechanism."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import reconciler

PACKAGE = Path(reconciler.__path__[0])


@cache
def nodes() -> tuple[tuple[str, ast.AST], ...]:
    """Return every node of every module, with the module's path in the package."""
    return tuple(
        (path.relative_to(PACKAGE).as_posix(), node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )


@cache
def calls() -> tuple[tuple[str, str, ast.Call], ...]:
    """Return the module, the last word of the name, and the node of every call."""
    return tuple(
        (module, node.func.id if isinstance(node.func, ast.Name) else node.func.attr, node)
        for module, node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    )
