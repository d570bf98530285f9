"""The syntax tree of the package, for tests that look for code which goes around a mechanism."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import reconciler

PACKAGE = Path(reconciler.__path__[0])


@cache
def texts() -> dict[str, str]:
    """Return the text of every module, by its path in the package."""
    return {
        path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def nodes(pattern: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of the modules in which a pattern occurs: to parse all of them takes two seconds."""
    for module, text in texts().items():
        if re.search(pattern, text):
            for node in ast.walk(ast.parse(text)):
                yield module, node


def calls(*words: str) -> Iterator[tuple[str, str, ast.Call]]:
    """Yield the module, the last word of the name, and the node of every call whose name ends with one of `words`."""
    for module, node in nodes(rf"\b(?:{'|'.join(words)})\("):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            word = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if word in words:
                yield module, word, node
