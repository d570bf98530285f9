"""Text from outside, made safe to show.

File names, spec text, the API's messages and names in tags may contain characters that move the cursor, colour the
terminal or reverse the reading direction. Every renderer passes such text through `clean` first.
"""

from __future__ import annotations

import re
from typing import Final

_BREAKS: Final = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029]+")
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1 controls
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that change the reading direction
    "\u200b\u2060-\u2065\ufeff\U000e0000-\U000e007f"  # characters without a width or a meaning
    "\ud800-\udfff]"  # lone surrogates: they cannot be encoded
)

_RUNNER_COMMAND: Final = re.compile(r"(?:(?m:^)|\r)[^\S\r\n]*:(?=:)|##(?=\[)")
"""What GitHub's runner obeys: `::` after spaces at the beginning of a line, and `##[` anywhere
(https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs)."""

NO_WINDOWS_NAME: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?|.*\.", re.IGNORECASE)
"""Names that no file or folder can have on Windows: devices, with any extension, and those that end in a dot."""


_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Spreadsheets read a cell that begins with one of these as a formula (OWASP, CSV injection)."""


def without_formula(cell: str) -> str:
    """Return a cell of a table with an apostrophe in front, which marks it as text, if it would be a formula."""
    return f"'{cell}" if cell.lstrip().startswith(_FORMULA) else cell


def without_commands(text: str) -> str:
    """Return lines of a log with a space in whatever GitHub's runner would take for a command."""
    return _RUNNER_COMMAND.sub(r"\g<0> ", text)


def clean(text: str) -> str:
    """Return `text` on one line, without invisible characters and those that control a terminal."""
    if text.isprintable():
        return text
    return _UNSEEN.sub("", _BREAKS.sub(" ", text))
