"""Write a result besides stdout: to a file for a pull request's comment, and to GitHub's step summary."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from reconciler import file_access
from reconciler.cli.output.streams import save, write_annotations
from reconciler.cli.params.options import Output
from reconciler.environment import Environment
from reconciler.errors import ReconcilerError, UsageError
from reconciler.render.github import error_github
from reconciler.render.markdown import error_markdown

SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""The variable that names the file for the step summary's Markdown."""


def publish(env: Environment, text: str, output: Output) -> None:
    """Write Markdown to the `--comment` file, and with `--format github` to the step summary.

    Raises:
        ReconcilerError: one of the files cannot be written.
    """
    if output.comment is not None:
        save(env.cwd / output.comment, text.encode())
    page = env.environ.get(SUMMARY)
    if output.form == "github" and page:
        try:
            with os.fdopen(file_access.append(page), "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ReconcilerError(
                f"the step summary {page} cannot be written: {error.strerror}",
                hint=f"GitHub sets {SUMMARY}; elsewhere, do not use --format github",
            ) from error


@contextmanager
def reporting_errors(env: Environment, output: Output, *, what: str) -> Iterator[None]:
    """Report an error in the comment, the step summary and annotations, then raise it again."""
    try:
        yield
    except UsageError:
        raise
    except ReconcilerError as error:
        if output.form == "github":
            write_annotations(error_github(error))
        publish(env, error_markdown(error, what=what), output)
        raise
