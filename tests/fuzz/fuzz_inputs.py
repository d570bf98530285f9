"""Fuzz the checker of input files with atheris, which is not among our dependencies: `pip install atheris`.

    python tests/fuzz/fuzz_inputs.py -runs=200000 -max_len=300

Whatever the bytes, the checker ends in problems or in none, and takes only what the standard library, made strict,
takes as well.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from reconciler.settings import Limits
from reconciler.specs.inputs import check

FOLDER = Path(tempfile.mkdtemp())


def one(data: bytes) -> None:
    """Check a file of these bytes.

    Raises:
        AssertionError: a line was taken that is no request.
    """
    path = FOLDER / "a.jsonl"
    path.write_bytes(data)
    found = check(path, "a.jsonl", Limits())
    if found.problems:
        return
    lines = data.removesuffix(b"\n").split(b"\n")
    rows = [json.loads(line.decode(), parse_constant=_refuse) for line in lines]
    ids = {row["custom_id"] for row in rows if isinstance(row["body"], dict)}
    if len(ids) != len(lines) or found.file.requests != len(lines):
        raise AssertionError(data)


def _refuse(word: str) -> NoReturn:
    raise AssertionError(word)


def main() -> None:
    """Hand `one` to atheris."""
    atheris = importlib.import_module("atheris")

    atheris.instrument_func(one)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
