"""The layout of the package in `docs/development.md`, from the layers and the first line of each module's docstring."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from reconciler.generate import markdown

ROOT: Final = Path(__file__).parents[2]
_BLOCK: Final = re.compile(r"(?<=<!-- layout -->\n).*?(?=<!-- /layout -->)", re.DOTALL)


def page() -> str:
    """Return `docs/development.md` with its layout as the package is.

    Raises:
        ValueError: the page has no place for the layout.
    """
    text = (ROOT / "docs/development.md").read_text(encoding="utf-8")
    text, found = _BLOCK.subn(lambda _: f"\n{layout()}\n\n", text, count=1)
    if not found:
        raise ValueError("docs/development.md has no place between <!-- layout --> and <!-- /layout -->")
    return text


def layout() -> str:
    """Return a table of the package's modules, the upper layers first."""
    return markdown.table(["module", "what it is"], ([f"`{name}`", words] for name, words in _modules()))


def _modules() -> Iterator[tuple[str, str]]:
    for layer in layers():
        for name in layer:
            folder = ROOT / "reconciler" / name
            module = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
            words = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
            yield (f"{name}/" if folder.is_dir() else f"{name}.py"), words.partition("\n")[0]


def layers() -> list[list[str]]:
    """Return the layers of the contract "Imports run one way", each sorted by name."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    lines = next(it["layers"] for it in contracts if it["id"] == "layers")
    return [sorted(line.split(" | ")) for line in lines]
