"""Where a result goes beside stdout: into a file for a pull request's comment, and onto the page of a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reconciler.environment import World
from reconciler.errors import GuardError, ReconcilerError, UsageError

SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""Names the file whose Markdown GitHub shows on the page of a step."""


def publish(world: World, text: str, comment: Path | None, *, form: str) -> None:
    """Write Markdown where it was asked for: to a file, and with `--format github` to the step's page.

    Raises:
        ReconcilerError: a file cannot be written.
    """
    from reconciler.cli.output.files import save

    if comment is not None:
        save(world.cwd / comment, text.encode())
    page = world.environ.get(SUMMARY)
    if form == "github" and page:
        try:
            with Path(page).open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ReconcilerError(
                f"the step summary {page} cannot be written: {error.strerror}",
                hint=f"{SUMMARY} is GitHub's to set; leave --format github out elsewhere",
            ) from error


@contextmanager
def telling_errors(world: World, comment: Path | None, *, form: str, what: str) -> Iterator[None]:
    """Tell in the comment, on the step's page and in annotations what ended a command; the error goes on its way.

    What a guard refuses stands in the plan that was shown.
    """
    try:
        yield
    except (GuardError, UsageError):
        raise
    except ReconcilerError as error:
        from reconciler.cli.output.streams import say
        from reconciler.render.github import error_github
        from reconciler.render.markdown import error_markdown

        if form == "github":
            say(error_github(error))
        publish(world, error_markdown(error, what=what), comment, form=form)
        raise
