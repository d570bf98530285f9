"""The layout of the package in `docs/development.md`, from the layers and the first line of each module's docstring."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.generate import markdown

ROOT: Final = Path(__file__).parents[2]
_BLOCK: Final = re.compile(r"(?<=<!-- layout -->\n).*?(?=<!-- /layout -->)", re.DOTALL)


def page() -> str:
    """Return `docs/development.md` with the current layout of the package.

    Raises:
        ValueError: the page has no place for the layout.
    """
    text = (ROOT / "docs/development.md").read_text(encoding="utf-8")
    text, found = _BLOCK.subn(lambda _: f"\n{layout()}\n\n", text, count=1)
    if not found:
        raise ValueError("docs/development.md has no place between <!-- layout --> and <!-- /layout -->")
    return text


def layout() -> str:
    """Return a table of the package's folders, the upper layers first."""
    return markdown.table(["folder or module", "what it is", "modules"], _rows())


def _rows() -> Iterator[list[str]]:
    for layer in layers():
        for name in layer:
            place = ROOT / "reconciler" / name
            if not place.is_dir():
                yield [f"`{name}.py`", _first_line(place.with_suffix(".py")), ""]
                continue
            for init in sorted(place.rglob("__init__.py"), key=lambda it: it.parent):
                folder = init.parent.relative_to(ROOT / "reconciler").as_posix()
                names = (it.stem for it in sorted(init.parent.glob("*.py")) if it != init)
                yield [f"`{folder}/`", _first_line(init), ", ".join(f"`{it}`" for it in names)]


def _first_line(module: Path) -> str:
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def layers() -> list[list[str]]:
    """Return the layers of the contract "Imports run one way", each sorted by name."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    lines = next(it["layers"] for it in contracts if it["id"] == "layers")
    return [sorted(line.split(" | ")) for line in lines]
