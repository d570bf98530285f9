"""Answers of earlier work count, under the same name or under the names that a spec lists."""

from __future__ import annotations

import json

import pytest

from tests.cli.stage import Stage
from tests.cli.test_requests import apply, done, reusing
from tests.helpers.requests_of import answered, asked


def renamed(stage: Stage, count: int, *, reuse: object) -> None:
    """Rename the spec of `reusing`, and write other requests for it."""
    (stage.root / "specs/a.yaml").unlink()
    (stage.root / "specs/data/a.jsonl").rename(stage.root / "specs/data/old.jsonl")
    stage.spec("b", requests=0, reuse=reuse)
    stage.lines("specs/data/b.jsonl", count, text="a")
    (stage.root / "specs/data/old.jsonl").unlink()


def rows_of(stage: Stage, name: str) -> list[dict[str, object]]:
    """Return the joined results of a name."""
    assert stage.run("outputs", "pull").code == 0
    lines = (stage.root / f"outputs/{name}/results.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("reuse", "submitted"), [(["a"], ["r5", "r6"]), (True, [f"r{at}" for at in range(7)])]
)
def test_after_a_rename_with_an_edit_the_answers_of_the_names_that_a_spec_lists_count(
    stage: Stage, reuse: object, submitted: list[str]
) -> None:
    reusing(stage, 5)
    done(stage)
    renamed(stage, 7, reuse=reuse)
    done(stage)
    assert asked(stage)[1:] == [submitted]
    rows = rows_of(stage, "b")
    assert [row["custom_id"] for row in rows] == [f"r{at}" for at in range(7)]
    assert all(row["ok"] for row in rows)


def test_a_renamed_spec_that_wants_less_submits_nothing_and_has_its_results(stage: Stage) -> None:
    reusing(stage, 5)
    done(stage)
    renamed(stage, 3, reuse=["a"])
    done(stage)
    assert len(asked(stage)) == 1
    assert [row["ok"] for row in rows_of(stage, "b")] == [True] * 3
    assert stage.run("plan", "--detailed-exitcode", "--fail-on-attention").code == 0


def test_a_job_of_a_name_that_a_spec_lists_ends_before_anything_is_submitted(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nguards: {allow_empty: true}\n")
    reusing(stage, 3000)
    apply(stage, after=5)
    renamed(stage, 3001, reuse=["a"])
    assert "waiting" in apply(stage, after=60).out
    assert len(asked(stage)) == 1
    before = answered(stage)
    assert before
    stage.run("plan", "-o", "plan.json")  # without a replacement, only the ledger shows who cancelled it
    stage.run("apply", "plan.json")
    assert len(asked(stage)) == 2
    assert not before & set(asked(stage)[1])
    assert len(before) + len(asked(stage)[1]) == 3001


def test_the_answers_of_a_split_count_for_each_half(stage: Stage) -> None:
    reusing(stage, 6)
    done(stage)
    for name, lines in (("b", slice(0, 3)), ("c", slice(3, 6))):
        stage.spec(name, requests=0, reuse=["a"])
        text = (stage.root / "specs/data/a.jsonl").read_text().splitlines(keepends=True)
        stage.write(f"specs/data/{name}.jsonl", "".join(text[lines]))
    (stage.root / "specs/a.yaml").unlink()
    (stage.root / "specs/data/a.jsonl").unlink()
    done(stage)
    assert len(asked(stage)) == 1
    assert [row["custom_id"] for name in "bc" for row in rows_of(stage, name)] == [
        f"r{at}" for at in range(6)
    ]


def test_a_job_that_another_spec_took_over_still_answers_for_the_name_in_its_tags(stage: Stage) -> None:
    reusing(stage, 5)
    done(stage)
    whole = (stage.root / "specs/data/a.jsonl").read_text()
    stage.spec("b", requests=0)
    stage.write("specs/data/b.jsonl", whole)
    reusing(stage, 6)
    done(stage)
    assert asked(stage)[1:] == [["r5"]]
    assert [len(rows_of(stage, name)) for name in "ab"] == [6, 5]


def test_what_was_reused_stays_in_the_results_after_reuse_is_switched_off(stage: Stage) -> None:
    reusing(stage, 5)
    done(stage)
    reusing(stage, 6)
    done(stage)
    assert len(rows_of(stage, "a")) == 6
    spec = stage.root / "specs/a.yaml"
    spec.write_text(spec.read_text().replace("reuse: true\n", "reuse: false\n"))
    for file in (stage.root / "outputs/a").glob("*.json*"):
        file.unlink()
    assert [row["ok"] for row in rows_of(stage, "a")] == [True] * 6
    assert stage.run("plan", "--detailed-exitcode", "--fail-on-attention").code == 0
    assert [len(part) for part in asked(stage)] == [5, 1]


def test_without_reuse_a_change_submits_everything_and_the_new_answers_are_the_results(stage: Stage) -> None:
    reusing(stage, 5)
    done(stage)
    stage.spec("a", requests=6, reuse=False)
    done(stage)
    assert [len(part) for part in asked(stage)] == [5, 6]
    newest = max(stage.jobs(), key=lambda job: job["created_at"])["id"]
    assert {row["job"] for row in rows_of(stage, "a")} == {newest}


def test_pulled_answers_of_earlier_work_count_after_its_record_is_deleted(stage: Stage) -> None:
    reusing(stage, 5)
    done(stage)
    stage.run("outputs", "pull")
    with stage.console() as client:
        client.delete(f"/v1/batch/jobs/{stage.jobs()[0]['id']}").raise_for_status()
    reusing(stage, 6)
    for _ in range(2):
        stage.run("apply", "--yes", "--allow-other-workspace")
        stage.advance(60)
    assert asked(stage) == [["r5"]]
    assert len(rows_of(stage, "a")) == 6
