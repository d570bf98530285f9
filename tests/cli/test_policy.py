"""A policy from outside of the checkout, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.sandbox import BUILT_IN_KEY
from tests.cli.schemas import conforming
from tests.cli.stage import Result, Stage
from tests.cli.test_guards import played

POLICY = """\
message: Ask the platform team.
allowed_models: [mistral-small-*]
allowed_endpoints: [/v1/chat/completions]
required_metadata:
  team: [search]
may_adopt: false
max_guards: {max_new_requests: 50, max_cancels: 5, allow_empty: false}
max_limits: {requests_per_job: 40}
"""


@pytest.fixture
def bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    """A project in a folder of its own; the policy is beside it, as `../policy.yaml`."""
    (tmp_path / "repository").mkdir()
    (tmp_path / "policy.yaml").write_text(POLICY)
    return Stage(tmp_path / "repository", capsys)


def under(stage: Stage, *argv: str) -> Result:
    return stage.run(*argv, "--policy", "../policy.yaml")


def test_everything_that_a_policy_forbids_is_named_at_once(bound: Stage, golden: Callable[..., None]) -> None:
    bound.write("reconciler.yaml", "project: shop\nguards:\n  max_new_requests: null\n  allow_empty: true\n")
    bound.spec("large", model="mistral-large-2512", metadata={"team": "billing"})
    bound.spec("agent", model=None, agent_id="ag:1", suspend=True)
    found = under(bound, "validate")
    golden(found, under(bound, "plan"), under(bound, "apply", "--yes"))
    shown = json.loads(under(bound, "validate", "--format", "json").out)
    assert {it["message"].partition(":")[0] for it in shown["problems"]} == {
        "guards.max_new_requests",
        "guards.allow_empty",
        "model",
        "metadata.team",
        "metadata",
        "agent_id",
    }
    assert all("Ask the platform team." in it["hint"] for it in shown["problems"])
    assert bound.jobs() == []


def test_what_a_policy_allows_is_planned_with_its_name_and_applied(
    bound: Stage, golden: Callable[..., None]
) -> None:
    bound.spec("small", requests=40, metadata={"team": "search"})
    bound.environ["RECONCILER_POLICY"] = "../policy.yaml"
    saved = bound.run("plan", "-o", "../plan.json")
    golden(saved, bound.run("validate"), bound.run("plan", "--format", "markdown"))
    plan = conforming("plan", (bound.root.parent / "plan.json").read_text())["plan"]
    assert plan["policy"]["file"] == "policy.yaml"
    assert len(plan["policy"]["sha256"]) == 64
    assert bound.run("apply", "../plan.json").code == 0
    assert bound.live() == ["small"]


def test_a_ceiling_holds_for_a_guard_that_is_not_written(bound: Stage) -> None:
    bound.spec("one", requests=30, metadata={"team": "search"})
    bound.spec("two", requests=30, metadata={"team": "search"})
    planned = under(bound, "plan")
    assert planned.code == 3
    assert "max_new_requests" in planned.out
    assert "more than 50" in planned.out


def test_no_option_of_the_command_line_exceeds_a_ceiling(bound: Stage, golden: Callable[..., None]) -> None:
    bound.spec("small", metadata={"team": "search"})
    golden(
        under(bound, "apply", "--yes", "--max-new-requests", "none", "--max-cancels", "6", "--allow-empty"),
        under(bound, "apply", "--yes", "--max-new-requests", "50", "--max-cancels", "5"),
    )


def test_a_required_rule_about_the_checkout_holds_for_settings_without_it_and_no_option_waives_it(
    bound: Stage,
) -> None:
    bound.spec("small", metadata={"team": "search"})
    bound.commit("Begin")
    bound.spec("small", metadata={"team": "search"}, timeout_hours=2)
    (bound.root.parent / "policy.yaml").write_text("required_apply: {clean: true}\n")
    bound.environ |= {
        "RECONCILER_SANDBOX": "0",
        "MISTRAL_API_KEY": BUILT_IN_KEY,
        "RECONCILER_POLICY": "../policy.yaml",
    }
    with played(bound) as run:
        held = run("apply", "--yes")
        assert held.code == 3
        assert "held back by dirty" in held.out
        refused = run("apply", "--yes", "--allow-dirty")
        assert refused.code == 64
        assert "the policy allows only false for --allow-dirty (policy.yaml:1)" in refused.err
        bound.commit("Wait for less time")
        assert run("apply", "--yes").code == 0


def test_a_saved_plan_is_applied_only_under_the_policy_of_the_apply(bound: Stage) -> None:
    bound.spec("small", model="mistral-medium-2508")
    assert bound.run("plan", "-o", "../plan.json").code == 0
    refused = under(bound, "apply", "../plan.json")
    assert (refused.code, refused.writes) == (1, [])
    assert "model: the policy does not allow `mistral-medium-2508`" in refused.err


@pytest.mark.parametrize(
    ("files", "named", "says"),
    [
        ({"policy.yaml": POLICY}, "policy.yaml", "is in the checkout, so a pull request could change it"),
        ({"a/policy.yaml": POLICY}, "a/policy.yaml", "is in the checkout"),
        ({}, "link.yaml", "is in the checkout"),
        ({}, "folder/policy.yaml", "is in the checkout"),
        ({}, "../inward.yaml", "is in the checkout"),
        ({}, "../missing.yaml", "missing.yaml does not exist"),
        (
            {"../bad.yaml": "allowed_model: [a]\nmax_limits: {spec_depth: 201}\n"},
            "../bad.yaml",
            "unknown field",
        ),
        ({"../bad.yaml": "max_limits: {spec_depth: 201}\n"}, "../bad.yaml", "must be 1 to 200"),
        ({"../bad.yaml": ""}, "../bad.yaml", "empty"),
        ({"../bad.yaml": "allowed_models: []\n"}, "../bad.yaml", "an empty list"),
        ({}, "../repository", "is in the checkout"),
        ({}, "../outside", "a folder, not a regular file"),
    ],
)
def test_a_policy_that_cannot_bind_stops_the_command(
    bound: Stage, files: dict[str, str], named: str, says: str
) -> None:
    (bound.root.parent / "outside").mkdir()
    (bound.root.parent / "outside/policy.yaml").write_text(POLICY)
    (bound.root / "link.yaml").symlink_to("../policy.yaml")
    (bound.root / "folder").symlink_to("../outside")
    (bound.root.parent / "inward.yaml").symlink_to("repository/specs/small.yaml")
    bound.spec("small", metadata={"team": "search"})
    for path, text in files.items():
        bound.write(path, text)
    flag = bound.run("plan", "--policy", named)
    bound.environ["RECONCILER_POLICY"] = named
    for result in (flag, bound.run("validate"), bound.run("apply", "--yes")):
        assert (result.code, result.writes) == (1, [])
        assert says in result.err


def test_the_top_of_the_repository_bounds_the_checkout(bound: Stage) -> None:
    bound.commit("Begin")
    for path in ("team/reconciler.yaml", "team/specs/.gitkeep", "policy.yaml"):
        bound.write(path, "project: other\n" if path.endswith("reconciler.yaml") else "")
    result = bound.run("validate", "--config", "team/reconciler.yaml", "--policy", "policy.yaml")
    assert result.code == 1
    assert "is in the checkout" in result.err


def test_jobs_are_shown_and_cancelled_whatever_the_policy_forbids(bound: Stage) -> None:
    bound.spec("large", requests=40, model="mistral-large-2512")
    assert bound.run("apply", "--yes").code == 0
    bound.environ["RECONCILER_POLICY"] = "../policy.yaml"
    assert "large" in bound.run("status").out
    (job,) = bound.jobs()
    assert bound.run("jobs", "cancel", job["id"], "--yes").code == 0
    assert bound.live() == []


def test_doctor_says_whether_the_specs_are_within_the_policy(bound: Stage) -> None:
    bound.spec("small", metadata={"team": "search"})
    assert "1 valid, 0 warnings, within the policy" in under(bound, "doctor").out
    bound.spec("large", model="mistral-large-2512")
    assert under(bound, "doctor").code == 1
