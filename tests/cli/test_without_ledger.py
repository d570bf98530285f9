"""Some scenarios of `apply` with the ledger deleted after every command: their results are the same.

`pytest --without-ledger` runs every scenario this way. A test that needs the ledger is marked, with the reason.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import test_apply
from tests.cli.stage import Stage

SOME = (
    "test_first_apply_creates_and_the_second_changes_nothing",
    "test_changed_input_is_named_and_replaces_the_running_job",
    "test_rename_move_and_reordered_inputs_do_nothing",
    "test_old_checkout_leaves_the_newer_job_alone_and_says_so",
    "test_accepted_create_with_a_lost_answer_is_recovered",
    "test_job_stopped_by_hand_stays_stopped",
)
"""One test of each kind: create once, replace, the same work, another commit, a lost answer, a person's cancel."""


class Forgetful(Stage):
    """A project whose ledger is gone after every command."""

    forgetful = True


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    return Forgetful(tmp_path, capsys)


globals().update({name: getattr(test_apply, name) for name in SOME})


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
