"""Fixtures for scenarios."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.stage import Result, Stage

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    """A fresh project on an empty sandbox."""
    return Stage(tmp_path, capsys)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Compare transcripts with `golden/<test>.txt`; BLESS=1 writes them instead: read the diff, then commit."""

    def check(*results: Result) -> None:
        path = GOLDEN / f"{request.node.name}.txt"
        text = "\n".join(result.transcript() for result in results)
        if os.environ.get("BLESS"):
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.read_text(encoding="utf-8") == text

    return check
