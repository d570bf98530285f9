"""A mistake in one spec stops what would write, and hides nothing else."""

from __future__ import annotations

import pytest

from tests.cli.stage import Stage

NOTE = "note: specs/broken.yaml: invalid, so left out here (reconciler validate shows the problems)"


@pytest.fixture
def half(stage: Stage) -> Stage:
    """Two jobs are running, and then one spec is broken."""
    stage.spec("good")
    stage.spec("broken")
    stage.run("apply", "--yes")
    stage.write("specs/broken.yaml", "name: broken\nmodel: 7\n")
    return stage


@pytest.mark.parametrize(
    "command", [("plan",), ("apply", "--yes"), ("validate",), ("plan", "--only", "good")]
)
def test_what_could_write_stops(half: Stage, command: tuple[str, ...]) -> None:
    result = half.run(*command)
    assert (result.code, result.writes) == (1, [])
    assert "specs/broken.yaml:" in result.out + result.err
    assert half.live() == ["broken", "good"]


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("status", "specs/good.yaml"),
        ("wait",),
        ("wait", "good"),
        ("outputs", "pull"),
        ("history", "good"),
    ],
)
def test_what_only_shows_goes_on_and_says_once_what_it_leaves_out(
    half: Stage, command: tuple[str, ...]
) -> None:
    result = half.run(*command)
    assert (result.code, result.writes) == (0, [])
    assert result.err.count(NOTE) == 1
    assert "good" in result.out or command[0] != "status"


@pytest.mark.parametrize("command", [("history",), ("jobs", "list"), ("history", "verify")])
def test_what_needs_no_spec_says_nothing(half: Stage, command: tuple[str, ...]) -> None:
    result = half.run(*command)
    assert (result.code, NOTE in result.err) == (0, False)


def test_the_status_of_the_valid_one_is_whole_and_the_other_is_not_called_removed(half: Stage) -> None:
    status = half.run("status").out
    assert "good" in status
    assert "broken" not in status
    assert "no longer declared" not in status


def test_the_results_of_both_are_pulled(half: Stage) -> None:
    assert half.run("wait").code == 0
    half.advance(3600)
    pulled = half.run("outputs", "pull")
    assert pulled.code == 0
    assert "broken" in pulled.out
    assert "good" in pulled.out


@pytest.mark.parametrize("command", [("status", "specs/broken.yaml"), ("wait", "broken")])
def test_to_ask_for_the_broken_one_says_what_is_wrong(half: Stage, command: tuple[str, ...]) -> None:
    result = half.run(*command)
    assert result.code == 1
    assert "specs/broken.yaml:" in result.err
