"""`reconciler convert`: write another provider's batch file in this tool's form. No project, no key, no network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile

import click

from reconciler import file_access
from reconciler.cli.output.streams import write_stderr, write_stdout
from reconciler.cli.params import options
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.settings import Limits
from reconciler.specs.conversion import convert as conversion
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean


@click.command()
@click.argument("file", type=options.PATH)
@click.option("-o", "--output", type=options.PATH, help="The new file; it must not exist. Default: stdout.")
@click.pass_obj
def convert(env: Environment, *, file: Path, output: Path | None) -> int:
    """Convert another provider's batch file to JSONL of `custom_id` and `body`.

    FILE is of OpenAI, Anthropic, Gemini or Bedrock, as JSONL, as an array, or as JSON over several lines. A file that
    cannot be converted as a whole is refused, with line numbers. The model goes into a suggested spec on stderr.
    """
    target = env.cwd / output if output else None
    if target and target.exists():
        raise ReconcilerError(f"{output} exists", hint="choose another name, or remove it")
    with TemporaryFile() as lines:
        found = conversion.convert(env.cwd / file, lines, Limits())
        lines.seek(0)
        if target:
            save(target, lines)
        else:
            for line in lines:
                write_stdout(line)
    providers = " and ".join(sorted(found.providers))
    write_stderr(
        clean(
            f"{pluralize(found.requests, 'request')} converted from the form of {providers}. A spec for it:"
        )
    )
    spec = conversion.suggested_spec(output.name if output else "NEW.jsonl", found)
    write_stderr("".join(f"    {clean(line)}\n" for line in spec.splitlines()).rstrip("\n"))
    return ExitCode.OK


def save(target: Path, lines: Iterable[bytes]) -> None:
    """Write a new file, or nothing. Raises `OSError` if it exists, or cannot be written."""
    with file_access.create(target, mode=file_access.SHARED) as stream:
        try:
            stream.writelines(lines)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
