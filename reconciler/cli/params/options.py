"""Options that many commands share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import click
from msgspec import Struct

from reconciler.model import Names

F = TypeVar("F", bound=Callable[..., Any])

PATH: Final = click.Path(path_type=Path)


def file(option: str, text: str, *short: str) -> Callable[[F], F]:
    """Add an option that names a file."""
    return click.option(*short, option, type=PATH, metavar="FILE", help=text)


def flag(option: str, text: str, *parameter: str) -> Callable[[F], F]:
    """Add an option without a value; the command gets it by its own name, or by that of `parameter`."""
    return click.option(option, *parameter, is_flag=True, help=text)


def collect(name: str, build: Callable[..., object], *options: Callable[[F], F]) -> Callable[[F], F]:
    """Return a decorator that adds options, which the command gets as one value `name`, built from them."""

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def collected(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  whatever the command takes and returns
            given = {option.name: kwargs.pop(option.name) for option in added}
            return command(*args, **{name: build(**given)}, **kwargs)

        before = len(getattr(command, "__click_params__", ()))
        for option in reversed(options):
            option(collected)
        added = collected.__click_params__[before:]  # type: ignore[attr-defined]  # click's list
        return collected  # type: ignore[return-value]  # click keeps the type to itself

    return decorate


def quoted(word: object) -> str:
    """Return a word for the command line, in double quotes, which every shell knows, if it needs quotes."""
    return str(word) if re.fullmatch(r"[\w.,:=@%+/\\~-]+", str(word)) else f'"{word}"'


class Chosen(Struct, frozen=True, kw_only=True):
    """Which settings to use; None if not given."""

    config: Path | None = None
    env: str | None = None
    policy: Path | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """The command-line flags that choose the same settings."""
        return _given({"--config": self.config, "--env": self.env, "--policy": self.policy})


def _given(options: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(f"{name} {quoted(value)}" for name, value in options.items() if value is not None)


class Common(Chosen, frozen=True, kw_only=True):
    """The common options; None if not given."""

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
        switches = {"--sandbox": self.sandbox, "--no-sandbox": self.sandbox is False}
        return (
            *super().flags,
            *_given({"--base-url": self.base_url, "--api-key-file": key}),
            *(name for name, on in switches.items() if on),
            *(("--local-ledger",) if self.local_ledger else ()),
        )


no_cache: Final = flag("--no-cache", "Check all input files again, including unchanged ones.")
_CHOICE: Final = (
    file("--config", "Use another reconciler.yaml.  [env: RECONCILER_CONFIG; default: the nearest upwards]"),
    click.option(
        "--env",
        metavar="NAME",
        help="Use an environment of reconciler.yaml.  [env: RECONCILER_ENV]",
    ),
    file(
        "--policy",
        "Keep specs and settings within a policy, a file outside of the repository.  [env: RECONCILER_POLICY]",
    ),
)


def _with_environment(options: Callable[[F], F]) -> Callable[[F], F]:
    """Return a decorator that adds options, and passes the environment of the process as the first argument."""
    return lambda command: options(click.pass_obj(command))  # type: ignore[arg-type]  # click drops the type


chosen: Final = _with_environment(collect("chosen", Chosen, *_CHOICE))
common: Final = _with_environment(
    collect(
        "common",
        Common,
        *_CHOICE,
        click.option(
            "--sandbox/--no-sandbox",
            default=None,
            help="Use the embedded sandbox: no key, no charges.  [env: RECONCILER_SANDBOX]",
        ),
        click.option("--base-url", metavar="URL", help="Use another API host.  [env: MISTRAL_BASE_URL]"),
        file("--api-key-file", "Read the API key from a file.  [default: env MISTRAL_API_KEY]"),
        flag(
            "--local-ledger",
            "If the shared ledger is unreachable, use the local one. Duplicate protection is weaker.",
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
            help="Minimum level of events on stderr.  [env: RECONCILER_LOG_LEVEL; default: warning]",
        ),
        file("--log-file", "Append all log events to a file as JSON lines."),
    )
)


class Selection(Struct, frozen=True, kw_only=True):
    """Which specs are considered. Specs outside of a selection are not treated as removed."""

    paths: tuple[Path, ...] = ()
    """Files or folders below the spec root; all if empty."""
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def names(self) -> Names:
        """The selection by name."""
        return Names(only=self.only, exclude=self.exclude)

    @property
    def flags(self) -> tuple[str, ...]:
        """The arguments that select the same."""
        return (
            *map(quoted, self.paths),
            *(f'--only "{glob}"' for glob in self.only),
            *(f'--exclude "{glob}"' for glob in self.exclude),
        )


paths: Final = click.argument("paths", nargs=-1, type=PATH, metavar="[SPECS]...")
selection: Final = collect(
    "selection",
    Selection,
    paths,
    click.option(
        "--only",
        multiple=True,
        metavar="GLOB",
        help="Include only jobs whose names match, such as `nightly-*`; may be repeated.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="GLOB",
        help="Leave out jobs whose names match; may be repeated.",
    ),
)


def output_format(*choices: str) -> Callable[[F], F]:
    """Add `--format` with the given choices; the first is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="Format of the result on stdout.",
    )


class Output(Struct, frozen=True, kw_only=True):
    """How a result is reported."""

    form: str
    """`text`, `json`, `markdown` or `github`; "" for the comment only."""
    everything: bool = False
    """Whether to list every job of a family."""
    comment: Path | None = None
    """A file for Markdown, in addition to stdout."""


_COMMENT: Final = file(
    "--comment", "Also write the result or the error as Markdown to a file, for a pull request."
)


def output(*choices: str, comment: bool = False) -> Callable[[F], F]:
    """Add `--format`, `--all` and perhaps `--comment`; the command gets them as one value, `output`."""
    everything: Callable[[F], F] = flag(
        "--all", "List every job of a family instead of one line for similar jobs.", "everything"
    )
    return collect("output", Output, output_format(*choices), *((_COMMENT,) if comment else ()), everything)


yes: Final = flag("--yes", "Do not ask for confirmation.")
