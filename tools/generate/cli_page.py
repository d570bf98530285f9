"""`docs/cli.md`, from the command objects: the layout of click's help text changes between versions."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Final

import click

from reconciler.cli.main import cli
from reconciler.cli.params.options import Common
from tools.generate import markdown

_INTRODUCTION: Final = """\
# The command line

`reconciler` is also installed as `mistral-batch-reconciler`, so that `uvx mistral-batch-reconciler plan` and
`pipx run mistral-batch-reconciler plan` find it. Write options after the command's name. A flag overrides the
environment, and the environment overrides `reconciler.yaml`; the project's name is never a flag. See also
[exit codes](exit-codes.md).
"""

_COMMON: Final = frozenset(field.name for field in fields(Common))


def page() -> str:
    """Return the page."""
    found = list(_commands(cli, ()))
    common = next(command for _, command in found if _takes_common(command))
    shared = [option for option in common.params if option.name in _COMMON]
    return markdown.page(
        _INTRODUCTION,
        markdown.table(
            ["command", "what it does"],
            (
                [f"[`{' '.join(names)}`](#{'-'.join(names)})", _paragraphs(command)[0]]
                for names, command in found
            ),
        ),
        *(part for names, command in found for part in _section(names, command)),
        "## Common options",
        _options(shared),
        source="`reconciler/cli`",
    )


def _commands(group: click.Group, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from _commands(command, (*names, name))
            elif command is not None:
                yield (*names, name), command


def _section(names: tuple[str, ...], command: click.Command) -> Iterator[str]:
    yield f"## {' '.join(names)}"
    arguments = [it for it in command.params if isinstance(it, click.Argument)]
    options = [it for it in command.params if isinstance(it, click.Option) and it.name not in _COMMON]
    words = ("reconciler", *names, *map(_placeholder, arguments), "[OPTIONS]" if command.params else "")
    yield f"```\n{' '.join(filter(None, words))}\n```"
    yield from _paragraphs(command)
    if options:
        yield _options(options)
    if _takes_common(command):
        yield "And the [common options](#common-options)."


def _takes_common(command: click.Command) -> bool:
    return {it.name for it in command.params} >= _COMMON


def _paragraphs(command: click.Command) -> list[str]:
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    return [" ".join(part.split()) for part in text.split("\n\n")]


def _options(options: Iterable[click.Parameter]) -> str:
    rows = ([_spelled(it), it.help or ""] for it in options if isinstance(it, click.Option) and not it.hidden)
    return markdown.table(["option", "meaning"], rows)


def _spelled(option: click.Option) -> str:
    value = "" if option.is_flag else f" {_placeholder(option)}"
    default = f", default `{option.default}`" if option.show_default and not option.is_flag else ""
    return f"`{', '.join((*option.opts, *option.secondary_opts))}{value}`{default}"


def _placeholder(parameter: click.Parameter) -> str:
    if parameter.metavar:
        return parameter.metavar
    if isinstance(parameter.type, click.Choice):
        return "|".join(map(str, parameter.type.choices))
    return (parameter.type.name if isinstance(parameter, click.Option) else parameter.name or "").upper()
