from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler import __version__

ROOT = Path(__file__).parents[2]
HEAVY = {"httpx", "jsonschema", "yaml", "flask", "werkzeug", "rich", "structlog", "msgspec", "click"}


def imported(*arguments: str) -> set[str]:
    """Run the command in a fresh interpreter and return the top-level names of all that it imported."""
    command = [sys.executable, "-X", "importtime", "-m", "reconciler", *arguments]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    names = re.findall(r"^import time:[^|]*\|[^|]*\| +(\S+)$", done.stderr, re.MULTILINE)
    assert "reconciler" in names
    return {name.partition(".")[0] for name in names}


def test_the_version_is_reported_without_importing_anything_heavy() -> None:
    assert imported("--version") & HEAVY == set()


def test_the_version_is_that_of_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert (done.stdout, done.stderr) == (f"reconciler {__version__}\n", "")


@pytest.mark.parametrize("arguments", [("--help",), ("schema", "job")])
def test_a_command_imports_only_what_it_needs(arguments: tuple[str, ...]) -> None:
    assert imported(*arguments) & (HEAVY - {"click", "msgspec"}) == set()
