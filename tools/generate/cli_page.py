"""`docs/cli.md`, from the command objects: the layout of click's help text changes between versions."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Final

import click
from msgspec.structs import fields

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

_ENVIRONMENT: Final = {
    "`MISTRAL_API_KEY`": "The API key. `--api-key-file` overrides it.",
    "`RECONCILER_KEY_COMMAND`": "A command that prints the key, such as `vault kv get -field=key secret/mistral`. It "
    "runs if there is no other key: without a shell, in the root folder, for at most 30 seconds. Its program is in "
    "`PATH` or an absolute path, and not in the checkout. What it prints is neither shown nor logged.",
    "`MISTRAL_BASE_URL`": "The API's host, or a gateway in front of it: `https://gateway.example/mistral`.",
    "`RECONCILER_HEADERS`": "Headers that the gateway wants, one `Name: value` per line. They are sent to that host "
    "only, and kept out of messages and logs like the key.",
    "`RECONCILER_CLIENT_CERT`": "A PEM file with a client certificate (mTLS) and its private key, without a password. "
    "`RECONCILER_CLIENT_KEY` names the file of the key, if it is another.",
    "`SSL_CERT_FILE`, `SSL_CERT_DIR`": "The certificate authorities to trust.",
    "`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`": "The proxy.",
    "`OTEL_EXPORTER_OTLP_ENDPOINT`": "Where to send [traces](events.md#traces). Other `OTEL_*` variables hold too.",
}

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
        "## Key, gateway and network",
        "These variables are read from the environment only, never from a file of the project.",
        markdown.table(["variable", "meaning"], ([name, meaning] for name, meaning in _ENVIRONMENT.items())),
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
