"""`--only`, `--exclude` and `rerun` through the command line."""

from __future__ import annotations

from .stage import Stage


def test_what_is_excluded_is_left_alone(stage: Stage) -> None:
    for name in ("day-1", "day-2", "slow"):
        stage.spec(name)
    plan = stage.run("plan", "--exclude", "slow")
    assert "2 specs selected" in plan.out
    assert "slow" not in plan.out.replace('--exclude "slow"', "")
    assert 'reconciler plan --exclude "slow" -o plan.json' in plan.out
    stage.run("apply", "--yes", "--exclude", "slow")
    assert stage.live() == ["day-1", "day-2"]


def test_only_and_exclude_together_take_away_from_what_is_selected(stage: Stage) -> None:
    for name in ("day-1", "day-2", "slow"):
        stage.spec(name)
    stage.run("apply", "--yes", "--only", "day-*", "--exclude", "*-2")
    assert stage.live() == ["day-1"]
    assert stage.run("render", "--exclude", "day-*").out.count("name:") == 1
    assert "day-1" not in stage.run("status", "--exclude", "day-*").out


def test_a_removed_job_is_not_cancelled_by_an_apply_that_leaves_something_out(stage: Stage) -> None:
    stage.spec("gone")
    stage.spec("stays")
    stage.spec("slow")
    stage.run("apply", "--yes")
    (stage.root / "specs/gone.yaml").unlink()
    (stage.root / "specs/data/gone.jsonl").unlink()
    stage.run("apply", "--yes", "--exclude", "slow")
    assert "gone" in stage.live()
    stage.run("apply", "--yes")
    assert "gone" not in stage.live()


def test_an_exclude_that_fits_nothing_creates_nothing(stage: Stage) -> None:
    stage.spec("nightly")
    refused = stage.run("apply", "--yes", "--exclude", "nigthly")
    assert (refused.code, refused.writes) == (64, [])
    assert "did you mean `nightly`?" in refused.err
    nothing = stage.run("apply", "--yes", "--exclude", "*")
    assert (nothing.code, nothing.writes) == (64, [])
    assert "--exclude excludes every job" in nothing.err


def test_a_plan_file_takes_no_exclude(stage: Stage) -> None:
    stage.spec("nightly")
    stage.run("plan", "-o", "plan.json")
    refused = stage.run("apply", "plan.json", "--exclude", "x")
    assert refused.code == 64
    assert "pass --exclude to plan" in refused.err


def test_rerun_changes_the_file_and_then_the_work_is_created_once_more(stage: Stage) -> None:
    stage.spec("nightly", metadata={"team": "search"})
    stage.run("apply", "--yes")
    stage.advance(600)
    assert stage.run("plan", "--detailed-exitcode").code == 0
    done = stage.run("rerun", "nightly")
    assert (done.code, done.sent) == (0, [])
    assert done.out == (
        "specs/nightly.yaml:2: rerun: none -> 1\n"
        "Review what it would submit, then commit it: reconciler plan --only nightly\n"
    )
    plan = stage.run("plan", "--only", "nightly")
    assert "+ create  nightly  rerun · 3 requests" in plan.out
    assert "rerun: none -> 1" in plan.out
    stage.run("apply", "--yes")
    assert len(stage.jobs()) == 2
    assert stage.run("rerun", "nightly", "--to", "november").out.startswith(
        "specs/nightly.yaml:2: rerun: 1 -> november\n"
    )
    assert stage.run("rerun", "nightly").code == 64


def test_rerun_of_an_unknown_name_writes_nothing(stage: Stage) -> None:
    path = stage.spec("nightly")
    before = path.read_bytes()
    refused = stage.run("rerun", "\x1b[31mnightli")
    assert refused.code == 64
    assert "\x1b" not in refused.err
    assert path.read_bytes() == before
