"""Error classes, by what the reader can do about them, and the table of exit codes.

An error answers three questions: what happened, to what, and what to do next. Code catches one only to add facts that
the caller does not have; only `reconciler.cli.main` prints them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from reconciler.text.plural import pluralize


class ExitCode(IntEnum):
    """The exit code of a command. If several apply, the first of `EXIT_CODES` wins."""

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
    (ExitCode.PARTIAL, "something was written, and something else failed or has an unknown outcome"),
    (ExitCode.FAILED, "failed; nothing was written"),
    (ExitCode.GUARD, "a guard holds something back; the rest was done"),
    (ExitCode.STALE, "the saved plan no longer holds; nothing was written"),
    (
        ExitCode.ATTENTION,
        (
            "something needs a person (with `--fail-on-attention`; always: `wait`, `apply --wait`, their timeout, and "
            "`history verify`; `outputs pull`: results are incomplete, gone, damaged or refused; `init --upgrade`: "
            "files were not renewed)"
        ),
    ),
    (
        ExitCode.PENDING,
        "changes are pending, or will be once a job has ended (`plan` and `show` with `--detailed-exitcode`)",
    ),
    (ExitCode.OK, "done, nothing to do, or answered no at the prompt"),
    (ExitCode.USAGE, "the command line is wrong"),
)
"""Every exit code with its meaning, in order of precedence. `docs/exit-codes.md` is generated from it."""


def first_that_holds(codes: set[ExitCode]) -> ExitCode:
    """Return the exit code that wins if several apply: the first of `EXIT_CODES`."""
    return next((code for code, _ in EXIT_CODES if code in codes), ExitCode.OK)


class ReconcilerError(Exception):
    """An error that a person can act on. Printed without a traceback.

    Attributes:
        hint: the next step, or "" if the message already says it.
        exit_code: the exit code if nothing was written before.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@contextmanager
def explaining(what: str, hint: str, kind: type[ReconcilerError] = ReconcilerError) -> Iterator[None]:
    """Turn an `OSError` of the block into an error that says what failed, and what to do unless the first says it."""
    try:
        yield
    except OSError as error:
        raise kind(f"{what}: {error.strerror or error}", hint=getattr(error, "hint", hint)) from error


class UsageError(ReconcilerError):
    """The command line is wrong."""

    exit_code = ExitCode.USAGE


class StalePlanError(ReconcilerError):
    """A saved plan can no longer be applied."""

    exit_code = ExitCode.STALE


class ListingError(ReconcilerError):
    """The list of jobs could not be read completely, so nothing may be concluded from it."""


class LedgerError(ReconcilerError):
    """The ledger cannot be read, or an intent cannot be made durable, so no job may be created."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One mistake in a file that a person wrote."""

    path: str
    """The file, relative to the project root, with forward slashes."""
    line: int = 0
    """1-based; 0 if the problem concerns the whole file."""
    column: int = 0
    """1-based; 0 if the problem concerns the whole line."""
    message: str
    hint: str = ""
    """The next step, or ""."""
    excerpt: str = ""
    """The line of text, shown with a caret; "" if there is none."""
    warning: bool = False
    """True if the spec is still usable."""

    @property
    def where(self) -> str:
        """`file:line:column`, as far as they are known."""
        return ":".join([self.path, *(str(n) for n in (self.line, self.column) if n)])


class SpecError(ReconcilerError):
    """Specs, their inputs or `reconciler.yaml` have mistakes; the error has all of them.

    Attributes:
        problems: every problem found, sorted by file, line and column; warnings among them.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        errors = sum(not problem.warning for problem in problems)
        super().__init__(f"{pluralize(errors, 'problem')} in the specs")
        self.problems = problems
