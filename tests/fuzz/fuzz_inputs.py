"""Fuzz the checker of input files with atheris, which is not among our dependencies: `pip install atheris`.

    python tests/fuzz/fuzz_inputs.py [CORPUS] -runs=200000 -max_len=300

Whatever the bytes, the checker ends in problems or in none, and takes only what the standard library, made strict,
takes as well. The checker's own modules are instrumented, so that what reaches a new branch of them is kept and bred
further; the seeds are one line for each kind of problem that there is.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final, NoReturn

PREFIX: Final = "reconciler.specs.inputs."
CHECKER: Final = ("blocks", "diagnose", "findings", "reader", "requirements", "scan")
"""The modules whose branches count."""
GOOD: Final = b'{"custom_id":"1","body":{"a":[1,"\\ud83d\\ude00"]}}'
SEEDS: Final = (
    GOOD,
    GOOD + b"\n" + GOOD.replace(b"1", b"2", 1) + b"\n",
    GOOD + b"\n" + GOOD,
    GOOD + b"\r\n",
    b"\xef\xbb\xbf" + GOOD,
    b"\n",
    b"\x00",
    b'{"custom_id":"\xc3","body":{}}',
    b'{"custom_id":"1","body":{"a":"\\ud800"}}',
    b'{"custom_id":"1","body":{"a":NaN}}',
    b'{"custom_id":"1","body":{"a":1e400}}',
    b'{"custom_id":"1","body":{"a":' + b"9" * 320 + b"}}",
    b'{"custom_id":"1","body":{"a":1,"a":2}}',
    b'{"custom_id":"1","body":{"\\u0022":"\\\\u0022"},"url":1}',
    b'{"custom_id":1,"body":[]}{}',
    b'{"custom_id":"","model":1}',
    b"[" * 200,
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n",
)


def fuzzer() -> tuple[Any, Any]:
    """Return atheris (None if it is not installed) and the checker, instrumented by atheris."""
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        return None, importlib.import_module(f"{PREFIX}reader")
    for name in CHECKER:  # what was imported plain is imported anew
        sys.modules.pop(PREFIX + name, None)
    with atheris.instrument_imports(
        include=[PREFIX + name for name in CHECKER], enable_loader_override=False
    ):
        return atheris, importlib.import_module(f"{PREFIX}reader")


class Target:
    """The property, for one checker.

    Args:
        inputs: the module `reconciler.specs.inputs.reader`.
        folder: where files are written.
    """

    def __init__(self, inputs: Any, folder: Path) -> None:  # noqa: ANN401 - a module, which may be another copy
        self._inputs = inputs
        self._path = folder / "a.jsonl"
        self._limits = inputs.Limits()

    def __call__(self, data: bytes) -> None:
        """Check a file of these bytes.

        Raises:
            AssertionError: a line was taken that is no request.
        """
        self._path.write_bytes(data)
        found = self._inputs.check(self._path, "a.jsonl", self._limits)
        if found.problems or found.file.pointer:
            return
        lines = data.removesuffix(b"\n").split(b"\n")
        rows = [json.loads(line.decode(), parse_constant=_refuse, object_pairs_hook=_once) for line in lines]
        ids = {row["custom_id"] for row in rows if isinstance(row["body"], dict)}
        if len(ids) != len(lines) or found.file.requests != len(lines):
            raise AssertionError(data)


def _refuse(word: str) -> NoReturn:
    raise AssertionError(word)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise AssertionError(pairs)
    return found


def seeded(corpus: Path) -> None:
    """Write the seeds."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (corpus / f"seed-{number:02}").write_bytes(seed)


def main() -> None:
    """Run the target with atheris; start from the seeds if the command line names no corpus."""
    atheris, inputs = fuzzer()
    if atheris is None:
        raise SystemExit("atheris is not installed: pip install atheris")
    named = any(not argument.startswith("-") for argument in sys.argv[1:])
    with nullcontext() if named else tempfile.TemporaryDirectory() as corpus:
        if corpus is not None:
            seeded(Path(corpus))
            sys.argv.append(corpus)
        atheris.Setup(sys.argv, Target(inputs, Path(tempfile.mkdtemp())))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
