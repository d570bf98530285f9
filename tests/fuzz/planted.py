"""A command line with faults, for the tests of the fuzzer: what a command is called is what it does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from reconciler.environment import Environment
from tests.fuzz.mutate import SECRET


def _crash(_: Environment) -> int:
    raise LookupError("a fault")


def _hang(_: Environment) -> int:
    time.sleep(60)
    return 0


def _memory(_: Environment) -> int:
    return int(not bytearray(b"x") * 200_000_000)


def _says(text: str, code: int) -> Callable[[Environment], int]:
    def say(_: Environment) -> int:
        sys.stderr.write(text)
        return code

    return say


def _write_outside(env: Environment) -> int:
    (env.cwd.parent / "outside/victim").write_text("yours")
    return 0


def _change(env: Environment) -> int:
    (env.cwd / "specs/one.yaml").unlink()
    return 0


def _says_no_json(_: Environment) -> int:
    sys.stdout.write("{")
    return 0


def _log(env: Environment) -> int:
    (env.cwd / "out.log").write_text(SECRET)
    return 0


FAULTS: Final[Mapping[str, tuple[str, Callable[[Environment], int]]]] = {
    "crash": ("crash LookupError", _crash),
    "leak": ("secret leak", _says(f"error: 401 for {SECRET.lower()}\n  hint: x\n", 0)),
    "log": ("secret in out.log", _log),
    "trace": ("traceback trace", _says("Traceback (most recent call last):\n", 0)),
    "colour": ("control colour", _says("a name of \x1b[31mred\n", 0)),
    "code": ("exit code 7", _says("", 7)),
    "silence": ("silence silence", _says("", 1)),
    "nameless": ("no file", _says("error: it is damaged\n  hint: mend it\n", 1)),
    "hintless": ("no hint", _says("error: plan.json is damaged\n", 1)),
    "outside": ("outside", _write_outside),
    "change": ("changed", _change),
    "json": ("not JSON json", _says_no_json),
    "hang": ("hang", _hang),
    "memory": ("memory", _memory),
    "well": ("", _says("error: plan.json is damaged\n  hint: mend it\n", 1)),
}
"""What a command does, and how the finding begins."""


def run(argv: Sequence[str], env: Environment) -> int:
    """Run a command."""
    return FAULTS[argv[0]][1](env)
