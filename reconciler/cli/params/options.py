"""Options that many commands share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import click

if TYPE_CHECKING:
    from reconciler.model import Names

_F = TypeVar("_F", bound=Callable[..., Any])

PATH: Final = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The common options; None if not given."""

    config: Path | None = None
    sandbox: bool | None = None
    base_url: str | None = None
    api_key_file: Path | None = None
    local_ledger: bool = False
    no_cache: bool = False
    log_format: Literal["auto", "console", "json"] = "auto"
    log_level: str | None = None
    log_file: Path | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """The command-line flags that select the same project and target."""
        pipe = self.api_key_file is not None and self.api_key_file.is_relative_to("/dev")
        key = None if pipe else self.api_key_file  # the pipe of `<(pass …)` cannot be read again
        given = {"--config": self.config, "--base-url": self.base_url, "--api-key-file": key}
        switches = {"--sandbox": self.sandbox, "--no-sandbox": self.sandbox is False}
        return (
            *(f"{name} {quoted(value)}" for name, value in given.items() if value is not None),
            *(name for name, on in switches.items() if on),
            *(("--local-ledger",) if self.local_ledger else ()),
        )


def quoted(word: object) -> str:
    """Return a word for the command line, in double quotes, which every shell knows, if it needs quotes."""
    return str(word) if re.fullmatch(r"[\w.,:=@%+/\\~-]+", str(word)) else f'"{word}"'


no_cache: Final = click.option(
    "--no-cache", is_flag=True, help="Check all input files again, including unchanged ones."
)
_OPTIONS: Final = (
    click.option(
        "--config",
        type=PATH,
        metavar="FILE",
        help="Use another reconciler.yaml, such as that of another environment.  [default: the nearest upwards]",
    ),
    click.option(
        "--sandbox/--no-sandbox",
        default=None,
        help="Use the embedded sandbox: no key, no charges.  [env: RECONCILER_SANDBOX]",
    ),
    click.option("--base-url", metavar="URL", help="Use another API host.  [env: MISTRAL_BASE_URL]"),
    click.option(
        "--api-key-file",
        type=PATH,
        metavar="FILE",
        help="Read the API key from a file.  [default: env MISTRAL_API_KEY]",
    ),
    click.option(
        "--local-ledger",
        is_flag=True,
        help="If the shared ledger is unreachable, use the local one. Duplicate protection is weaker.",
    ),
    no_cache,
    click.option(
        "--log-format",
        type=click.Choice(["auto", "console", "json"]),
        default="auto",
        help="Format of the log on stderr; auto: readable on a terminal, else JSON lines.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        help="Minimum log level.  [default: info; warning on a terminal]",
    ),
    click.option(
        "--log-file", type=PATH, metavar="FILE", help="Append all log events to a file as JSON lines."
    ),
)


def common(command: _F) -> _F:
    """Add the common options; the command gets them as one value, `common`."""

    @functools.wraps(command)
    def collected(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  whatever the command takes and returns
        given = {field.name: kwargs.pop(field.name) for field in fields(Common)}
        return command(*args, common=Common(**given), **kwargs)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected  # type: ignore[return-value]  # click keeps the function's type to itself


paths: Final = click.argument("paths", nargs=-1, type=PATH, metavar="[SPECS]...")
"""Files or folders below the spec root. They only select: specs outside of them are not treated as removed."""


_ONLY: Final = click.option(
    "--only",
    multiple=True,
    metavar="GLOB",
    help="Include only jobs whose names match, such as `nightly-*`; may be repeated.",
)
_EXCLUDE: Final = click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave out jobs whose names match; may be repeated.",
)


def names(command: _F) -> _F:
    """Add `--only` and `--exclude`; the command gets them as one value, `names`."""

    @functools.wraps(command)
    def collected(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  whatever the command takes and returns
        from reconciler.model import Names

        given = Names(only=kwargs.pop("only"), exclude=kwargs.pop("exclude"))
        return command(*args, names=given, **kwargs)

    return _ONLY(_EXCLUDE(collected))  # type: ignore[return-value]  # as above


everything: Final = click.option(
    "--all",
    "everything",
    is_flag=True,
    help="List every job of a family instead of one line for similar jobs.",
)


def name_flags(names: Names) -> tuple[str, ...]:
    """Return the command-line flags that reproduce `--only` and `--exclude`."""
    return (
        *(f'--only "{glob}"' for glob in names.only),
        *(f'--exclude "{glob}"' for glob in names.exclude),
    )


def output_format(*choices: str) -> Callable[[_F], _F]:
    """Add `--format` with the given choices; the first is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="Format of the result on stdout.",
    )


comment: Final = click.option(
    "--comment",
    type=PATH,
    metavar="FILE",
    help="Also write the result or the error as Markdown to a file, for a pull request.",
)
yes: Final = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def confirmed(question: str) -> bool:
    """Ask on the terminal. The end of the input (Ctrl-D) counts as no."""
    try:
        return click.confirm(question, default=False, err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise
        click.echo(err=True)
        return False
