"""`docs/exit-codes.md`, from the one table of exit codes."""

from __future__ import annotations

from typing import Final

from reconciler.errors import EXIT_CODES
from tools.generate import markdown

_INTRODUCTION: Final = """\
# Exit codes

How a command ends, for scripts and CI. Where several hold, the first of this table wins: a run that was interrupted
after half of its work ends with 130, and one that bought something and failed at something else with 5.
"""

_USE: Final = """\
`plan` ends with 0 whether or not there is something to do, unless `--detailed-exitcode` asks, and whether or not a
guard would refuse it: that is told in the plan, and `apply` is what ends with 3. After an `apply`, 0 means done; 5, 130
and 143 mean that something may have been written: run again, and the new run goes on from there, since what was bought
is never bought twice. Every other code means that nothing was written.
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
