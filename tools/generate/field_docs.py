"""The docstrings below the fields of classes, which Python does not keep."""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path


def field_docs(modules: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return what is below the fields of the classes of modules, as one line, by class and field.

    A class has the fields of its bases too, if they are before it in the modules.
    """
    trees = (ast.parse(Path(it).read_text(encoding="utf-8")) for it in modules)
    found: dict[str, dict[str, str]] = {}
    for shape in (it for tree in trees for it in tree.body if isinstance(it, ast.ClassDef)):
        bases = (found.get(base.id, {}) for base in shape.bases if isinstance(base, ast.Name))
        found[shape.name] = dict(ChainMap(_of_class(shape), *bases))
    return found


def _of_class(shape: ast.ClassDef) -> dict[str, str]:
    return {
        _name(field, field.target.id): " ".join(text.value.value.split())
        for field, text in pairwise(shape.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _name(field: ast.AnnAssign, attribute: str) -> str:
    """Return the name of a field in JSON: that of its attribute, unless the field says otherwise."""
    words = field.value.keywords if isinstance(field.value, ast.Call) else []
    return next((str(ast.literal_eval(word.value)) for word in words if word.arg == "name"), attribute)
