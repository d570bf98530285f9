"""The scenarios once more with the ledger deleted after every command: it is an aid, never the truth.

What needs the ledger is named here, with what happens without it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import test_apply
from tests.cli.stage import Result, Stage

NEEDS_LEDGER = {
    "test_suspended_then_resumed_is_restored": "it is `cancelled`, on hold: who stopped it is not known",
}


class Forgetful(Stage):
    """A project whose ledger is gone after every command."""

    def run(self, *argv: str, **more: object) -> Result:
        result = super().run(*argv, **more)  # type: ignore[arg-type]  # whatever the stage takes
        self.forget()
        return result


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    return Forgetful(tmp_path, capsys)


globals().update(
    {
        name: test
        for name, test in vars(test_apply).items()
        if name.startswith("test_") and name not in NEEDS_LEDGER
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
