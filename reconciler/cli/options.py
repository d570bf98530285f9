"""Options that many commands share. They stand after the command's name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])

PATH: Final = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The common options as they were given; None where they were not."""

    config: Path | None = None
    sandbox: bool | None = None
    base_url: str | None = None
    api_key_file: Path | None = None
    log_format: Literal["auto", "console", "json"] = "auto"
    log_level: str | None = None
    log_file: Path | None = None


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
        "--log-format",
        type=click.Choice(["auto", "console", "json"]),
        default="auto",
        help="How events are written to stderr; auto: pretty on a terminal, else JSON lines.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        help="The least important events to show.  [default: info; on a terminal warning, for apply info]",
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


yes: Final = click.option("--yes", is_flag=True, help="Do not ask.")
