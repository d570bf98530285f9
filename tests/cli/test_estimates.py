"""A plan says what its creates may cost: before the canary a bound, after it an interval that holds the actual cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.cost.prices import cost_of
from reconciler.cost.shipped import shipped
from reconciler.model.money import Usage
from tests.cli.schemas import conforming
from tests.cli.stage import HI, Stage

MODELS = {
    "/v1/chat/completions": "mistral-small-2603",
    "/v1/embeddings": "mistral-embed-2312",
    "/v1/ocr": "mistral-ocr-2512",
}
DOCUMENT = {"document": {"type": "document_url", "document_url": "https://x.example/a.pdf"}, "pages": "0-9"}


def bodies(stage: Stage, body: dict[str, Any], count: int = 60) -> Path:
    """Write an input file with the same body many times."""
    rows = (json.dumps({"custom_id": f"r{at}", "body": body}) + "\n" for at in range(count))
    return stage.write("specs/data/a.jsonl", "".join(rows))


def costs(stage: Stage) -> dict[str, dict[str, Any]]:
    """Return the cost of each create of a plan."""
    plan = conforming("plan", stage.run("plan", "--format", "json").out)
    return {
        it["name"]: action["cost"]
        for it in plan["plan"]["decisions"]
        for action in it["actions"]
        if action["action"] == "create"
    }


def actual(stage: Stage, endpoint: str, *, parts: slice) -> float:
    """Return what the jobs of a name cost by the usage in their results, in the order of their creation."""
    assert stage.run("outputs", "pull").code == 0
    jobs = sorted(
        (json.loads(path.read_bytes()) for path in stage.root.glob("outputs/a/jobs/*/summary.json")),
        key=lambda it: it["created_at"],
    )[parts]
    tokens = [it["tokens"] or {} for it in jobs]
    used = Usage(
        answers=sum(it["requests"]["ok"] for it in jobs),
        prompt=sum(it.get("prompt", 0) for it in tokens),
        completion=sum(it.get("completion", 0) for it in tokens),
        pages=sum(it.get("pages", 0) for it in jobs),
    )
    found = cost_of(shipped().of(MODELS[endpoint], "2026-09-21"), used)
    assert found
    return found / 1_000_000


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/chat/completions", HI | {"max_tokens": 100}),
        ("/v1/embeddings", {"input": "Bonjour tout le monde. " * 20}),
        ("/v1/ocr", DOCUMENT),
    ],
)
def test_the_interval_after_a_canary_holds_what_the_rest_costs(
    stage: Stage, endpoint: str, body: dict[str, Any]
) -> None:
    stage.spec("a", endpoint=endpoint, model=MODELS[endpoint], canary={"requests": 20})
    bodies(stage, body)
    before = costs(stage)["a"]
    assert before["in_all"] >= before["at_most"] > 0
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    after = costs(stage)["a"]
    assert "from 20 answers" in after["basis"][0]
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    rest = actual(stage, endpoint, parts=slice(1, None))
    assert after["low"] <= rest <= after["high"] <= after["at_most"]
    assert after["at_most"] <= before["in_all"]
    assert actual(stage, endpoint, parts=slice(None)) <= before["in_all"]


def test_earlier_answers_of_the_name_say_what_another_file_costs(stage: Stage) -> None:
    stage.spec("a", model="mistral-small-2603")
    bodies(stage, HI | {"max_tokens": 100})
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    assert stage.run("outputs", "pull").code == 0
    bodies(stage, HI | {"max_tokens": 90})
    assert costs(stage)["a"]["basis"] == ["output from 60 answers"]
    stage.spec("a", model="mistral-small-2603", endpoint="/v1/fim/completions")
    bodies(stage, {"prompt": "def f", "max_tokens": 90})
    assert costs(stage)["a"]["basis"] == ["output by `max_tokens`"], "another recipe"


def test_what_is_not_known_is_said_and_never_nothing(stage: Stage) -> None:
    stage.spec("agent", model=None, agent_id="ag_1")
    stage.spec("priceless", model="mistral-tomorrow-2701")
    stage.spec("open", model="mistral-small-2603")
    found = stage.run("plan").out
    assert "agent      new · 3 requests · cost ?" in found
    assert "the model of an agent is not known, and so is its price" in found
    assert "the price of mistral-tomorrow-2701 is not known: add it to prices.yaml" in found
    assert (
        "no `max_tokens` for 3 answers: set it in the body; the bound is the context of the model, 262,144"
        in found
    )
    assert "and 2 jobs of unknown cost" in found
    assert "(mistral-tomorrow-2701), cost ?, upload" in stage.run("plan", "--only", "priceless").out


def test_a_replacement_says_how_it_differs_from_what_is_running(stage: Stage) -> None:
    stage.spec("a", model="mistral-small-2603", reuse=False, on_change="replace")
    bodies(stage, HI | {"max_tokens": 1_000_000}, count=10)
    assert stage.run("apply", "--yes").code == 0
    bodies(stage, HI | {"max_tokens": 2_000_000}, count=10)
    assert "upper bound \\$3.00 above that of 00000002" in stage.run("plan", "--format", "markdown").out


def test_a_plan_that_creates_nothing_reads_no_prices(stage: Stage) -> None:
    stage.spec("a")
    assert stage.run("apply", "--yes").code == 0
    assert "cost" not in stage.run("plan").out


def test_a_saved_plan_shows_its_costs_later(stage: Stage) -> None:
    stage.spec("a", model="mistral-small-2603")
    bodies(stage, HI | {"max_tokens": 100}, count=10)
    shown = stage.run("plan", "-o", "plan.json").out
    later = stage.run("show", "plan.json").out
    (line,) = [line for line in shown.splitlines() if "at most $" in line and line.startswith("  +")]
    assert line in later
