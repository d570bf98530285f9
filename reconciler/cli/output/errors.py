"""An error as text for the terminal."""

from __future__ import annotations

from reconciler.cli.output.streams import write_stderr
from reconciler.environment import Environment
from reconciler.errors import ReconcilerError, SpecError
from reconciler.text.sanitize import clean


def error_text(error: ReconcilerError, *, colour: bool) -> str:
    """Return the message and the hint."""
    if isinstance(error, SpecError):
        from reconciler.render.problems import problems_text

        return problems_text(error.problems, colour=colour)
    label = "\x1b[1;31merror:\x1b[0m" if colour else "error:"
    message = "\n  ".join(map(clean, str(error).splitlines()))
    hint = "\n    ".join(map(clean, error.hint.splitlines()))
    return f"{label} {message}" + (f"\n  hint: {hint}" if hint else "")


def write_error(env: Environment, error: ReconcilerError) -> None:
    """Write the message and the hint to stderr."""
    write_stderr(error_text(error, colour=env.colour("stderr")))
