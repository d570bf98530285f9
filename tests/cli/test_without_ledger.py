"""The scenarios of apply once more with the ledger deleted after every command: it is an aid, never the truth.

`pytest --without-ledger` does so with every scenario. What needs it is marked, with what happens without it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import test_apply
from tests.cli.stage import Stage


class Forgetful(Stage):
    """A project whose ledger is gone after every command."""

    forgetful = True


def marks(test: object) -> list[pytest.Mark]:
    """Return the marks of a test function."""
    return getattr(test, "pytestmark", [])


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    return Forgetful(tmp_path, capsys)


globals().update(
    {
        name: test
        for name, test in vars(test_apply).items()
        if name.startswith("test_") and not any(mark.name == "needs_ledger" for mark in marks(test))
    }
)


def test_what_was_suspended_waits_for_a_person_without_the_ledger(stage: Stage) -> None:
    stage.spec("tickets", requests=500)
    stage.run("apply", "--yes")
    stage.spec("tickets", requests=500, suspend=True)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    stage.spec("tickets", requests=500)
    result = stage.run("apply", "--yes")
    assert result.writes == []
    assert "! hold" in result.out
