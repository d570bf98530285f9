"""The fuzzer's own property, on what Hypothesis makes; and the fuzzer, where atheris is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_inputs

GOOD = b'{"custom_id":"1","body":{"a":[1,"\\ud83d\\ude00"]}}'


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120), st.integers(0, len(GOOD)), st.integers(0, len(GOOD)))
def test_whatever_is_put_into_a_line_is_told_or_taken(data: bytes, begin: int, end: int) -> None:
    fuzz_inputs.one(data)
    fuzz_inputs.one(GOOD[:begin] + data + GOOD[end:])


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
def test_atheris_finds_nothing_in_a_few_thousand_runs(tmp_path: Path) -> None:
    command = [sys.executable, fuzz_inputs.__file__, "-runs=20000", "-max_len=200"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
