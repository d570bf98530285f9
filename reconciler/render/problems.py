"""Problems as text: place, message, the line with a caret, and a hint.

specs/nightly.yaml:7:8: model: not a model name
    model: mistral small
           ^
  hint: ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from reconciler.errors import Problem
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean
from reconciler.text.suggest import some

_WINDOW: Final = 96
"""The number of a line's columns that are shown."""
_LEAD: Final = 40
"""The smallest number of columns before the caret in a line that is cut."""
_NEAR: Final = 1000
"""Characters on each side of the caret that are looked at: a line may be as long as the file."""
_TAB: Final = "    "

_BOLD, _RED, _YELLOW, _CYAN, _RESET = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[0m"


def problems_text(problems: Iterable[Problem], *, colour: bool) -> str:
    """Return the problems, each with its line and hint, and a last line that counts them; "" for none."""
    shown = list(problems)
    if not shown:
        return ""
    return "\n".join(
        [*(line for problem in shown for line in _lines(problem, colour=colour)), count_line(shown)]
    )


def left_out(errors: Iterable[Problem]) -> str:
    """Return a note about invalid specs that a command leaves out, "" if there are none."""
    files = some(sorted({problem.path for problem in errors}))
    return files and f"note: {files}: invalid, so left out here (reconciler validate shows the problems)"


def count_line(problems: Iterable[Problem]) -> str:
    """Return "3 problems, 1 warning in 2 files"."""
    shown = list(problems)
    warnings = sum(problem.warning for problem in shown)
    errors = len(shown) - warnings
    parts = [
        pluralize(number, word) for number, word in ((errors, "problem"), (warnings, "warning")) if number
    ]
    return f"{', '.join(parts) or 'no problems'} in {pluralize(len({p.path for p in shown}), 'file')}"


def _lines(problem: Problem, *, colour: bool) -> Iterator[str]:
    def paint(code: str, text: str) -> str:
        return f"{code}{text}{_RESET}" if colour else text

    kind = paint(_YELLOW, "warning: ") if problem.warning else ""
    message = paint(_BOLD, clean(problem.message))
    yield f"{paint(_CYAN, clean(problem.where))}: {kind}{message}"
    if problem.excerpt:
        text, caret = excerpt(problem.excerpt, problem.column)
        yield f"    {text}"
        if caret is not None:
            yield f"    {' ' * caret}{paint(_YELLOW if problem.warning else _RED, '^')}"
    if problem.hint:
        yield f"  hint: {clean(problem.hint)}"


def excerpt(line: str, column: int) -> tuple[str, int | None]:
    """Return the part of a file's line to show, and the number of columns before the caret.

    The column of the caret is 1-based, in characters; 0 for no caret.
    """
    first = max(0, column - 1 - _NEAR)
    line, column = line[first : max(column, 1) + _NEAR], column - first
    text, before = _visible(line), _visible(line[: max(column - 1, 0)])
    start = max(0, len(before) - _LEAD) if _width(text) > _WINDOW else 0
    lead = "…" if start else ""
    shown = lead + _cut(text[start:], _WINDOW - len(lead))
    return shown, _width(lead + before[start:]) if column else None


def _visible(text: str) -> str:
    return clean(text.replace("\t", _TAB))


def _cut(text: str, width: int) -> str:
    from rich.cells import set_cell_size  # noqa: PLC0415 - only errors need it

    return text if _width(text) <= width else f"{set_cell_size(text, width - 1)}…"


def _width(text: str) -> int:
    """Return the columns on a terminal: wide characters take two, combining ones none."""
    from rich.cells import cell_len  # noqa: PLC0415 - likewise

    return len(text) if text.isascii() else cell_len(text)
