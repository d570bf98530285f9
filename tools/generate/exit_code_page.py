"""`docs/exit-codes.md`, from the one table of exit codes."""

from __future__ import annotations

from typing import Final

from reconciler.errors import EXIT_CODES
from tools.generate import markdown

_INTRODUCTION: Final = """\
# Exit codes

The exit codes of commands, for scripts and CI. If several apply, the first in this table wins: a run that was
interrupted after half of its work ends with 130, and one that did some of its actions and failed at others with 5.
"""

_USE: Final = """\
`plan` ends with 0 whether or not there are changes, unless `--detailed-exitcode` is set. Like `apply`, it ends with 3
if a [guard](troubleshooting.md#guards) holds something back. After an `apply`, 0 means that all is done that can be
done now: what waits, for room or for the outcome of a create, is listed as a hold. 3 means that a guard holds back
the rest. 5, 130 and 143 mean that some changes may have been made: run `apply` again to continue; it never submits the
same request twice. Every other code means that nothing was changed.
"""


def page() -> str:
    """Return the page."""
    rows = ([f"**{code.value}**", meaning] for code, meaning in EXIT_CODES)
    return markdown.page(
        _INTRODUCTION,
        markdown.table(["code", "when"], rows),
        _USE,
        source="`EXIT_CODES` in `reconciler/errors.py`",
    )
