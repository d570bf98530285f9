"""The fuzzer's property, on examples of Hypothesis; and the fuzzer itself, if atheris is installed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.specs.inputs import reader
from tests.fuzz import fuzz_inputs
from tests.fuzz.fuzz_inputs import GOOD, SEEDS, Target, seeded

target = Target(reader, Path(tempfile.mkdtemp()))


@given(st.binary(max_size=120), st.integers(0, len(GOOD)), st.integers(0, len(GOOD)))
def test_any_bytes_in_a_line_are_refused_or_accepted(data: bytes, begin: int, end: int) -> None:
    target(data)
    target(GOOD[:begin] + data + GOOD[end:])


@given(st.sampled_from(SEEDS), st.sampled_from(SEEDS), st.integers(0, 100), st.integers(0, 100))
@example(SEEDS[0], SEEDS[0], 0, 0)
def test_any_mix_of_two_seeds_is_refused_or_accepted(one: bytes, other: bytes, end: int, begin: int) -> None:
    target(one[:end] + other[begin:])


def fuzzed(folder: Path, runs: int) -> tuple[int, int, int, int]:
    """Run the fuzzer from the seeds; return the edges that the seeds and that all reached, and both corpus sizes."""
    seeded(folder / "corpus")
    command = [
        sys.executable,
        fuzz_inputs.__file__,
        str(folder / "corpus"),
        f"-runs={runs}",
        "-max_len=300",
        "-seed=7",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    (first,) = re.findall(r"INITED cov: (\d+) ft: \d+ corp: (\d+)", done.stderr)
    (last,) = re.findall(r"DONE +cov: (\d+) ft: \d+ corp: (\d+)", done.stderr)
    return int(first[0]), int(last[0]), int(first[1]), int(last[1])


ATHERIS = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed: pip install atheris"
)


@ATHERIS
def test_atheris_sees_the_branches_of_the_checker_and_finds_nothing(tmp_path: Path) -> None:
    seeds, edges, before, after = fuzzed(tmp_path, 1500)
    assert seeds > 100, "the checker is instrumented, and not the target alone"
    assert edges >= seeds
    assert after > before, "what reached something new was kept"


@ATHERIS
@pytest.mark.long
@pytest.mark.timeout(600)
def test_atheris_finds_more_branches_and_nothing_wrong_in_many_runs(tmp_path: Path) -> None:
    seeds, edges, _, after = fuzzed(tmp_path, 200_000)
    assert edges > seeds
    assert after > len(SEEDS)
