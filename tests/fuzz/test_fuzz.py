"""The fuzzer finds every kind of fault, and a few cases of each family find nothing."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import case, planted
from tests.fuzz.case import Case
from tests.fuzz.execute import execute
from tests.fuzz.generate import FAMILIES, SHARES, generate
from tests.fuzz.minimise import minimise
from tests.fuzz.worker import ROOT, Limits, Worker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and pipes as Linux has them")


def of(*commands: str, **more: object) -> Case:
    """Return a case of commands without arguments."""
    words = tuple((command,) for command in commands)
    fields = {"family": "plans2", "seed": "1", "state": "project", "commands": words, "named": ("plan.json",)}
    return Case(**{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", sorted(set(planted.FAULTS) - {"hang", "memory", "well"}))
def test_each_fault_of_a_command_is_found(tmp_path: Path, fault: str) -> None:
    found = execute(of(fault), tmp_path, planted.run)
    assert [it.kind[: len(planted.FAULTS[fault][0])] for it in found] == [planted.FAULTS[fault][0]]


def test_a_command_without_a_fault_has_no_finding(tmp_path: Path) -> None:
    assert execute(of("well"), tmp_path, planted.run) == []


def test_too_much_memory_and_a_hang_are_found_and_other_cases_run() -> None:
    worker = Worker(Limits(seconds=2, megabytes=100), "tests.fuzz.planted:run")
    kinds = []
    try:
        for command in ("well", "memory", "crash", "hang"):
            ran = worker.run({"case": case.to_text(of(command))})
            kinds.append([it.kind.split()[0] for it in ran.findings])
    finally:
        worker.close()
    assert kinds == [[], ["memory"], ["crash"], ["hang"]]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_few_cases_of_each_family_find_nothing(tmp_path: Path, family: str) -> None:
    for at in range(12 if SHARES.get(family, 1) == 1 else 4):
        folder = tmp_path / str(at)
        folder.mkdir()
        made = generate(family, f"few-{at}")
        assert execute(made, folder) == [], case.to_text(made)


@pytest.mark.thorough
def test_hundreds_of_cases_of_each_family_find_nothing(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.fuzz",
        "--cases",
        "200",
        "--seed",
        "suite",
        "--save",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "1,880 cases in " in done.stdout


@pytest.mark.parametrize("family", FAMILIES)
def test_a_case_is_made_from_its_seed_alone_and_survives_being_saved(family: str) -> None:
    random.seed(1)
    made = generate(family, "7")
    random.seed(2)
    assert generate(family, "7") == made
    assert case.from_text(case.to_text(made)) == made
    assert any(generate(family, str(at)) != made for at in range(5))


def test_a_failing_case_is_made_small() -> None:
    whole = of(
        "a", "b", files={"x": b"0123456789" * 20 + b"!" + b"0123456789" * 9, "y": b"z"}, answers={0: 1, 2: 3}
    )
    small = minimise(whole, lambda it: b"!" in it.files.get("x", b"") and ("b",) in it.commands, tries=500)
    assert (small.commands, small.files, small.answers) == ((("b",),), {"x": b"!"}, {})
