"""Environments of one settings file through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from .stage import Stage

SETTINGS = """\
guards: {max_new_requests: 100}
environments:
  dev:
    project: shop-dev
    set:
      "nightly-*": {model: ministral-8b-2512, timeout_hours: 2, metadata: {stage: dev}}
      report: {suspend: true}
    guards: {max_new_requests: 7}
  prod: {project: shop}
"""


@pytest.fixture
def two(stage: Stage) -> Stage:
    """A project with two environments."""
    stage.write("reconciler.yaml", SETTINGS)
    for name in ("nightly-a", "nightly-b", "report"):
        stage.spec(name, model="mistral-small-2603")
    return stage


def live(stage: Stage) -> list[str]:
    """The live jobs of all environments."""
    stage.environ["RECONCILER_ENV"] = "prod"
    found = stage.live()
    del stage.environ["RECONCILER_ENV"]
    return found


def test_an_environment_is_a_project_with_other_fields(two: Stage, golden: Callable[..., None]) -> None:
    golden(
        two.run("plan", "--env", "dev"),
        two.run("plan", "--env", "dev", "--format", "markdown"),
        two.run("apply", "--env", "dev", "--yes"),
        two.run("render", "--env", "dev"),
        two.run("validate"),
        two.run("validate", "--env", "prod"),
    )
    assert live(two) == ["nightly-a", "nightly-b"]


def test_the_json_of_a_plan_names_the_environment(two: Stage) -> None:
    document = json.loads(two.run("plan", "--env", "prod", "--format", "json").out)
    target = document["plan"]["target"]
    assert (target["environment"], target["project"]) == ("prod", "shop")


def test_the_variable_chooses_and_the_flag_beats_it(two: Stage) -> None:
    two.environ["RECONCILER_ENV"] = "dev"
    assert two.run("plan").out.startswith("shop-dev (environment dev) on ")
    assert two.run("plan", "--env", "prod").out.startswith("shop (environment prod) on ")
    assert "prod: " not in two.run("validate").out


def test_what_dev_submits_and_cancels_is_not_prods(two: Stage) -> None:
    assert two.run("apply", "--env", "prod", "--yes").code == 0
    assert two.run("apply", "--env", "dev", "--yes").code == 0
    assert len(live(two)) == 5
    (two.root / "specs/nightly-b.yaml").unlink()
    (two.root / "specs/data/nightly-b.jsonl").unlink()
    assert two.run("apply", "--env", "dev", "--yes").code == 0
    assert live(two) == ["nightly-a", "nightly-a", "nightly-b", "report"]


def test_each_environment_has_its_own_folder_of_results(two: Stage) -> None:
    for name in ("dev", "prod"):
        assert two.run("apply", "--env", name, "--yes").code == 0
    two.advance(7200)
    for name in ("dev", "prod"):
        assert two.run("outputs", "pull", "--env", name).code == 0
    found = {path.relative_to(two.root).as_posix() for path in two.root.glob("outputs/**/results.jsonl")}
    assert found == {
        "outputs/dev/nightly-a/results.jsonl",
        "outputs/dev/nightly-b/results.jsonl",
        *(f"outputs/prod/{name}/results.jsonl" for name in ("nightly-a", "nightly-b", "report")),
    }


def test_a_saved_plan_is_of_its_environment(two: Stage) -> None:
    plan = two.run("plan", "--env", "dev", "-o", "plan.json")
    assert "To apply exactly this plan: reconciler apply plan.json --env dev" in plan.out
    other = two.run("apply", "plan.json", "--env", "prod", "--yes")
    assert (other.code, other.writes) == (4, [])
    assert two.run("apply", "plan.json", "--env", "dev", "--yes").code == 0


@pytest.mark.parametrize("command", ["plan", "apply --yes", "status", "render", "history"])
def test_no_environment_is_the_default(two: Stage, command: str) -> None:
    refused = two.run(*command.split())
    assert (refused.code, refused.sent) == (1, [])
    assert "reconciler.yaml:2:1: environments: none of dev, prod is chosen" in refused.err
    assert "pass --env NAME, or set RECONCILER_ENV" in refused.err


def test_validate_checks_every_environment_at_once(two: Stage) -> None:
    two.write("reconciler.yaml", SETTINGS.replace("{project: shop}", "{project: shop, set: {reprot: {}}}"))
    two.spec("nightly-a", model="mistral small")
    wrong = two.run("validate")
    assert wrong.code == 1
    assert wrong.err.count("specs/nightly-a.yaml:3:8: ") == 1, "dev sets another model"
    two.spec("nightly-a")
    wrong = two.run("validate")
    assert "reconciler.yaml:9:31: reprot: matches no spec" in wrong.err
    assert "did you mean `report`?" in wrong.err
    assert two.run("validate", "--env", "dev").code == 0
    two.write("reconciler.yaml", SETTINGS)
    found = json.loads(two.run("validate", "--format", "json").out)
    assert found["specs"] == 6


def test_rerun_does_not_edit_a_spec_whose_environment_sets_the_value(two: Stage) -> None:
    two.write("reconciler.yaml", SETTINGS.replace("{suspend: true}", "{rerun: 4}"))
    refused = two.run("rerun", "report", "--env", "dev")
    assert refused.code == 64
    assert "the `rerun` of report is set by its environment (reconciler.yaml:7)" in refused.err
    done = two.run("rerun", "report", "--env", "prod")
    assert done.code == 0
    assert "reconciler plan --only report --env prod" in done.out


def test_another_settings_file_counts_with_all_its_environments(two: Stage) -> None:
    two.write("b/reconciler.yaml", "environments: {x: {project: shop-dev}}\n")
    two.commit("all")
    assert two.run("validate", "--env", "prod").code == 0
    refused = two.run("validate")
    assert refused.code == 1
    assert "reconciler.yaml:4:14: project: b/reconciler.yaml declares the project shop-dev too" in refused.err


def test_a_broken_guard_of_the_environment_stops_its_plan_only(two: Stage) -> None:
    two.spec("nightly-c", requests=9, model="mistral-small-2603")
    assert two.run("plan", "--env", "dev").code == 3
    assert two.run("plan", "--env", "prod").code == 0
