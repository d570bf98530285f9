"""What can go wrong, sorted by what the reader can do about it, and the one table of exit codes.

An error answers three questions: what happened, to what, and what to do next. Code raises these classes and
catches only to add what the caller cannot know; `reconciler.cli.main` is the one place that prints them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from reconciler.text.plural import count


class ExitCode(IntEnum):
    """How a command ends. Where several hold, the first of `EXIT_CODES` wins."""

    OK = 0
    FAILED = 1
    PENDING = 2
    GUARD = 3
    STALE = 4
    PARTIAL = 5
    ATTENTION = 6
    USAGE = 64
    INTERRUPTED = 130
    TERMINATED = 143


EXIT_CODES: tuple[tuple[ExitCode, str], ...] = (
    (ExitCode.INTERRUPTED, "stopped by SIGINT (Ctrl-C)"),
    (ExitCode.TERMINATED, "stopped by SIGTERM"),
    (ExitCode.PARTIAL, "something was written, and something else failed or is unknown"),
    (ExitCode.FAILED, "failed; nothing was written"),
    (ExitCode.GUARD, "a guard refused the plan; nothing was written"),
    (ExitCode.STALE, "the saved plan no longer holds; nothing was written"),
    (
        ExitCode.ATTENTION,
        (
            "something needs a person (with `--fail-on-attention`; always: `wait`, `apply --wait`, their timeout, and "
            "`history verify`; `outputs pull`: results are gone or damaged)"
        ),
    ),
    (ExitCode.PENDING, "changes are pending (`plan` and `show` with `--detailed-exitcode`)"),
    (ExitCode.OK, "done, nothing to do, or answered no at the prompt"),
    (ExitCode.USAGE, "the command line is wrong"),
)
"""Every exit code with its meaning, in order of precedence. `docs/exit-codes.md` is generated from it."""


def first_that_holds(codes: set[ExitCode]) -> ExitCode:
    """Return the exit code that wins where several hold: the earliest of `EXIT_CODES`."""
    return next((code for code, _ in EXIT_CODES if code in codes), ExitCode.OK)


class ReconcilerError(Exception):
    """Something a person can act on. Printed without a traceback.

    Attributes:
        hint: the next step, or "" where the message already says it.
        exit_code: how the process ends when nothing was written before.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ReconcilerError):
    """The command line asks for something that cannot be."""

    exit_code = ExitCode.USAGE


class GuardError(ReconcilerError):
    """A guard refused the plan."""

    exit_code = ExitCode.GUARD


class StalePlanError(ReconcilerError):
    """What a saved plan relies on no longer holds."""

    exit_code = ExitCode.STALE


class ListingError(ReconcilerError):
    """The list of jobs could not be read whole, so nothing may be concluded from it."""


class LedgerError(ReconcilerError):
    """The ledger cannot be read, or an intent cannot be made durable, so nothing may be bought."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing that is wrong in a file that a person wrote."""

    path: str
    """The file, relative to the project root, with forward slashes."""
    line: int = 0
    """1-based; 0 where the problem is the file's as a whole."""
    column: int = 0
    """1-based; 0 where the line's as a whole."""
    message: str
    hint: str = ""
    """The next step, or ""."""
    excerpt: str = ""
    """The line of text itself, for the caret; "" where there is none."""
    warning: bool = False
    """True where the spec is still usable."""

    @property
    def where(self) -> str:
        """`file:line:column`, as far as they are known."""
        return ":".join([self.path, *(str(n) for n in (self.line, self.column) if n)])


class SpecError(ReconcilerError):
    """Specs, their inputs or `reconciler.yaml` hold mistakes; carries all of them.

    Attributes:
        problems: every problem found, sorted by file, line and column; warnings among them.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        errors = sum(not problem.warning for problem in problems)
        super().__init__(f"{count(errors, 'problem')} in the specs")
        self.problems = problems
