"""Options that many commands share. They stand after the command's name."""

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
    """The common options as they were given; None where they were not."""

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
        """The options that say where to work, as they were given."""
        pipe = self.api_key_file is not None and self.api_key_file.is_relative_to("/dev")
        key = None if pipe else self.api_key_file  # what `<(pass …)` stands for is gone by then
        given = {"--config": self.config, "--base-url": self.base_url, "--api-key-file": key}
        switches = {"--sandbox": self.sandbox, "--no-sandbox": self.sandbox is False}
        return (
            *(f"{name} {quoted(value)}" for name, value in given.items() if value is not None),
            *(name for name, on in switches.items() if on),
            *(("--local-ledger",) if self.local_ledger else ()),
        )


def quoted(word: object) -> str:
    """Return a word as it is typed: in double quotes, which every shell knows, where it needs some."""
    return str(word) if re.fullmatch(r"[\w.,:=@%+/\\~-]+", str(word)) else f'"{word}"'


no_cache: Final = click.option(
    "--no-cache", is_flag=True, help="Check every input file again, also those that have not changed."
)
_OPTIONS: Final = (
    click.option(
        "--config",
        type=PATH,
        metavar="FILE",
        help="Another reconciler.yaml: another environment.  [default: the nearest one upwards]",
    ),
    click.option(
        "--sandbox/--no-sandbox",
        default=None,
        help="Work on the embedded sandbox: no key, nothing is bought.  [env: RECONCILER_SANDBOX]",
    ),
    click.option("--base-url", metavar="URL", help="Another API host.  [env: MISTRAL_BASE_URL]"),
    click.option(
        "--api-key-file",
        type=PATH,
        metavar="FILE",
        help="Read the API key from a file.  [default: env MISTRAL_API_KEY]",
    ),
    click.option(
        "--local-ledger",
        is_flag=True,
        help="Go on with this host's ledger alone where the shared one cannot be reached: the weaker promise.",
    ),
    no_cache,
    click.option(
        "--log-format",
        type=click.Choice(["auto", "console", "json"]),
        default="auto",
        help="How events are written to stderr; auto: pretty on a terminal, else JSON lines.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        help="The least important events to show.  [default: info; on a terminal warning]",
    ),
    click.option("--log-file", type=PATH, metavar="FILE", help="Append all events to a file as JSON lines."),
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
"""Files or folders below the spec root: a selection, never an absence."""


_ONLY: Final = click.option(
    "--only",
    multiple=True,
    metavar="GLOB",
    help="Consider the jobs whose names fit, such as `nightly-*`; may be given several times.",
)
_EXCLUDE: Final = click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave out the jobs whose names fit; may be given several times.",
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
    help="List every job of a family instead of one line for those alike.",
)


def name_flags(names: Names) -> tuple[str, ...]:
    """Return `--only` and `--exclude` as they are typed again."""
    return (
        *(f'--only "{glob}"' for glob in names.only),
        *(f'--exclude "{glob}"' for glob in names.exclude),
    )


def output_format(*choices: str) -> Callable[[_F], _F]:
    """Add `--format` with the given choices, the first being the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="How the result is written to stdout.",
    )


comment: Final = click.option(
    "--comment",
    type=PATH,
    metavar="FILE",
    help="Also write the result, or what went wrong, as Markdown to a file: for a pull request.",
)
yes: Final = click.option("--yes", is_flag=True, help="Do not ask.")


def confirmed(question: str) -> bool:
    """Ask on the terminal; the end of the input (Ctrl-D) is no answer, so it is no."""
    try:
        return click.confirm(question, default=False, err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise
        click.echo(err=True)
        return False
