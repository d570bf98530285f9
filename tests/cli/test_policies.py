"""The policies of `docs/policies.md`, run by a Rego engine on plans that the command line saved."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stage import Stage

regopy = pytest.importorskip("regopy")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/policies.md").read_text(encoding="utf-8")
GOOD: dict[str, Any] = {
    "model": "mistral-small-2603",
    "metadata": {"team": "search", "cost_centre": "cc-1"},
}


def denied(stage: Stage) -> set[str]:
    """Save a plan, and return the messages of the policies that deny it."""
    assert stage.run("plan", "-o", "plan.json").code == 0
    saved = (stage.root / "plan.json").read_text(encoding="utf-8")
    assert json.loads(stage.run("plan", "--format", "json").out)["plan"] == json.loads(saved)["plan"]
    (policy,) = re.findall(r"```rego\n(.*?)```", PAGE, re.DOTALL)
    engine = regopy.Interpreter()
    engine.add_module("plan.rego", policy)
    engine.set_input(json.loads(saved))
    (messages,) = engine.query("data.main.deny").results[0].expressions
    return set(messages)


def test_a_plan_that_keeps_every_policy_is_not_denied(stage: Stage) -> None:
    stage.spec("good", **GOOD)
    stage.spec("large", requests=9_997, **GOOD)
    assert denied(stage) == set()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (GOOD | {"model": "mistral-large-2512"}, "bad: its model is not allowed"),
        (GOOD | {"model": None, "agent_id": "ag_1"}, "bad: its model is not allowed"),
        (GOOD | {"metadata": {"team": "search"}}, "bad: metadata.cost_centre is missing"),
        (GOOD | {"requests": 9_998}, "the plan submits 10001 requests, more than 10000"),
        (
            GOOD | {"input_files": ["0f9d1b6e-0000-4000-8000-000000000001"]},
            "bad: the number of its requests is not known",
        ),
    ],
)
def test_each_policy_denies_the_plan_that_breaks_it(
    stage: Stage, fields: dict[str, Any], message: str
) -> None:
    stage.spec("bad", **fields)
    stage.spec("good", **GOOD)
    assert denied(stage) == {message}


def test_the_examples_of_this_repository_break_the_policies_that_they_should(stage: Stage) -> None:
    shutil.copytree(ROOT / "specs", stage.root / "specs", dirs_exist_ok=True)
    found = denied(stage)
    assert {it for it in found if "model" in it} == {"catalogue-texts: its model is not allowed"}
    assert {it.partition(":")[0] for it in found if "metadata.cost_centre" in it} == {
        "catalogue-texts",
        "comment-moderation",
        "faq-embeddings",
        "prompt-smoke",
        "ticket-classes",
    }
    assert {it for it in found if "metadata.team" in it} == {"prompt-smoke: metadata.team is missing"}


def test_a_job_that_is_not_created_is_not_judged(stage: Stage) -> None:
    stage.spec("bad", **GOOD | {"model": "mistral-large-2512"})
    assert stage.run("apply", "--yes").code == 0
    assert denied(stage) == set()


def test_the_paths_that_the_page_names_are_in_the_schema() -> None:
    schema = json.loads((ROOT / "schemas/plan.schema.json").read_text(encoding="utf-8"))["$defs"]
    create, settings = (schema[name]["properties"].keys() for name in ("CreateDoc", "SettingsDoc"))
    table = PAGE.partition("| … of a create |")[2].partition("\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) <= create
    named = re.findall(r"`(\w+)`", PAGE.partition("| … `.settings` |")[2].partition("\n")[0])
    assert set(named) == settings
