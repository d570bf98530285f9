"""What jobs cost: in summaries, history, status and `try`. An unknown cost is never 0, and an estimate never shown."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.cli.schemas import conforming
from tests.cli.stage import UNSTEADY, Fault, Stage

IN, OUT = 0.075, 0.30
"""The price of `mistral-small-2603` in batches, for a million tokens: Mistral's documentation of 2026-08-21."""
MODEL: Final = "mistral-small-2603"


def pulled(stage: Stage, name: str) -> dict[str, Any]:
    """Return the summary of the only job of a name."""
    (file,) = (stage.root / f"outputs/{name}/jobs").glob("*/summary.json")
    found: dict[str, Any] = conforming("summary", file.read_text())
    return found


def price_of(summary: dict[str, Any]) -> float:
    tokens = summary["tokens"]
    amount: float = (tokens["prompt"] * IN + tokens["completion"] * OUT) / 1e6
    return round(amount, 6)


def run(stage: Stage, **specs: Any) -> None:  # noqa: ANN401 - fields of specs
    """Apply specs, let their jobs end, and pull."""
    for name, fields in specs.items():
        stage.spec(name, **{"model": MODEL, **fields})
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    stage.run("outputs", "pull")


def records(stage: Stage, *argv: str) -> dict[str, dict[str, Any]]:
    found = conforming("history", stage.run("history", "--format", "json", *argv).out)
    return {it["name"]: it for it in found["records"]}


def rows(stage: Stage) -> dict[str, dict[str, Any]]:
    found = conforming("status", stage.run("status", "--format", "json").out)
    return {it["name"]: it for it in found["rows"]}


def test_a_cost_is_usage_times_price_in_the_summary_the_history_and_the_status(stage: Stage) -> None:
    run(stage, fine={"requests": 400})
    summary = pulled(stage, "fine")
    assert summary["cost"]["amount"] == pytest.approx(price_of(summary), abs=1e-6)
    assert summary["cost"]["amount"] > 0
    assert (summary["cost"]["currency"], summary["cost"]["lower_bound"]) == ("USD", False)
    work = conforming("work", (stage.root / "outputs/fine/summary.json").read_text())
    assert work["cost"] == summary["cost"]
    assert rows(stage)["fine"]["cost"] == summary["cost"]
    record = records(stage)["fine"]
    assert record["cost"] == summary["cost"]["amount"]
    assert (record["currency"], record["cost_is_lower_bound"]) == ("USD", False)
    assert record["prices_of"] == summary["cost"]["prices"]


def test_costs_are_shown_in_words(stage: Stage, golden: Callable[..., None]) -> None:
    stage.write(
        "prices.yaml", f"date: 2026-09-01\nmodels: [{{model: {MODEL}, batch: {{input: 900, output: 900}}}}]\n"
    )
    stage.spec("nightly", model=MODEL, metadata={"team": "search"})
    stage.spec("weekly", model=MODEL, metadata={"team": "billing"})
    stage.spec("unpriced", model="ft:acme", metadata={"team": "search"})
    stage.run("apply", "--yes")
    stage.advance(60)
    golden(
        stage.run("outputs", "pull"),
        stage.run("outputs", "show"),
        stage.run("status"),
        stage.run("history"),
        stage.run("history", "--stats", "--metadata", "team"),
        stage.run("history", "--stats", "--format", "markdown"),
    )


def test_nothing_is_shown_as_a_cost_before_results_are_pulled(stage: Stage) -> None:
    stage.spec("fine", model=MODEL)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    assert rows(stage)["fine"]["cost"] is None
    shown = stage.run("status").out
    assert "COST" not in shown
    assert "$" not in shown
    assert records(stage)["fine"]["cost"] is None
    stats = json.loads(stage.run("history", "--stats", "--format", "json").out)
    assert (stats["total"]["cost"], stats["total"]["cost_unknown"]) == (0, 1)
    assert "$" not in stage.run("history", "--stats").out


@pytest.mark.needs_ledger("the pulled results are away")
def test_a_cost_is_known_by_the_ledger_if_the_results_are_elsewhere(stage: Stage) -> None:
    run(stage, fine={"requests": 400})
    before = pulled(stage, "fine")["cost"]
    shutil.rmtree(stage.root / "outputs")
    assert rows(stage)["fine"]["cost"] == before
    assert records(stage)["fine"]["cost"] == before["amount"]
    assert records(stage, "--offline")["fine"]["cost"] == before["amount"]


def test_a_cost_is_known_by_pulled_results_if_the_ledger_is_lost(stage: Stage) -> None:
    run(stage, fine={"requests": 400})
    before = pulled(stage, "fine")["cost"]
    stage.forget()
    assert rows(stage)["fine"]["cost"] == before
    assert records(stage)["fine"]["cost"] == before["amount"]


def test_a_cost_is_a_lower_bound_if_the_usage_of_an_answer_is_not_known(stage: Stage) -> None:
    stage.spec("some", model=MODEL, requests=4)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    with stage.console() as client:
        (job,) = client.get("/v1/batch/jobs").json()["data"]
        content = client.get(f"/v1/files/{job['output_file']}/content").content
    silent = content.replace(b'"usage"', b'"usagf"', 1)
    stage.faults = [Fault("GET", r"/v1/files/[^/]+/content", 200, body=silent)]
    stage.run("outputs", "pull")
    summary = pulled(stage, "some")
    assert summary["cost"]["lower_bound"]
    assert summary["cost"]["amount"] == pytest.approx(price_of(summary), abs=1e-6)
    assert rows(stage)["some"]["cost"]["lower_bound"]
    assert records(stage)["some"]["cost_is_lower_bound"]
    for argv in (["status"], ["history"], ["history", "--stats"], ["outputs", "show"]):
        assert "≥ $" in stage.run(*argv).out
    total = json.loads(stage.run("history", "--stats", "--format", "json").out)["total"]
    assert total["cost_unknown"] == 1


def test_the_cost_of_work_is_a_lower_bound_while_a_job_of_it_is_not_pulled(stage: Stage) -> None:
    stage.spec("again", model=MODEL, retry={"max_attempts": 2, "on": ["error"]})
    stage.write("specs/data/again.jsonl", UNSTEADY)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    stage.run("outputs", "pull")
    once = rows(stage)["again"]["cost"]
    assert not once["lower_bound"]
    stage.run("apply", "--yes")
    now = rows(stage)["again"]["cost"]
    assert (now["amount"], now["lower_bound"]) == (once["amount"], True)
    assert "≥ $" in stage.run("status").out


def test_a_job_has_the_price_of_the_day_of_its_create(stage: Stage) -> None:
    dated = "\n".join(
        f"  - {{model: {MODEL}, since: {since}, batch: {{input: {rate}, output: {rate}}}}}"
        for since, rate in (("2026-09-01", 1000), ("2026-09-22", 3000))
    )
    stage.write("prices.yaml", f"date: 2026-09-01\nmodels:\n{dated}\n")
    run(stage, first={})
    stage.advance(2 * 86_400)
    run(stage, second={})
    found = records(stage)
    assert found["second"]["cost"] == pytest.approx(3 * found["first"]["cost"])
    assert found["first"]["cost"] == pytest.approx(found["first"]["total_tokens"] / 1000)


def test_what_has_no_price_costs_an_unknown_amount_and_what_is_free_nothing(stage: Stage) -> None:
    stage.write(
        "prices.yaml", f"date: 2026-09-01\nmodels: [{{model: {MODEL}, batch: {{input: 0, output: 0}}}}]\n"
    )
    run(stage, unknown={"model": "ft:acme"}, free={})
    assert pulled(stage, "unknown")["cost"] is None
    assert pulled(stage, "free")["cost"]["amount"] == 0
    found = records(stage)
    assert (found["unknown"]["cost"], found["free"]["cost"]) == (None, 0)
    table = list(csv.DictReader(io.StringIO(stage.run("history", "--format", "csv").out)))
    assert {it["name"]: it["cost"] for it in table} == {"unknown": "", "free": "0.000000"}
    shown = {it["name"]: it["cost"] for it in rows(stage).values()}
    assert shown["unknown"] is None
    assert shown["free"]["amount"] == 0


def test_in_another_currency_only_its_prices_count(stage: Stage) -> None:
    stage.write(
        "prices.yaml",
        f"date: 2026-09-01\ncurrency: EUR\nmodels: [{{model: {MODEL}, batch: {{input: 500, output: 500}}}}]\n",
    )
    run(stage, priced={}, other={"model": "mistral-large-2512"})
    found = records(stage)
    assert (found["priced"]["currency"], found["other"]["cost"]) == ("EUR", None)
    assert "€" in stage.run("history").out
    assert "$" not in stage.run("history", "--stats").out


def test_a_mistake_in_the_prices_makes_costs_unknown_and_stops_no_command_that_only_shows(
    stage: Stage,
) -> None:
    run(stage, fine={})
    stage.write("prices.yaml", "date: never\nmodels: []\n")
    assert stage.run("status").code == 0
    assert records(stage)["fine"]["cost"] is None
    assert stage.run("outputs", "pull").code == 0
    assert "prices.yaml:1:7: date: not a date" in stage.run("validate").err
    assert "prices.yaml:1:7: date: not a date" in stage.run("plan").err


def test_try_shows_the_cost_of_each_request_and_of_all_at_the_price_of_live_requests(stage: Stage) -> None:
    stage.write(
        "prices.yaml",
        f"date: 2026-09-01\nmodels: [{{model: {MODEL}, batch: {{pages: 1}}, live: {{input: 1000, output: 1000}}}}]\n",
    )
    stage.spec("some", model=MODEL)
    shown = stage.run("try", "some", "-n", "2").out
    tokens = [line.split()[1:4:2] for line in shown.splitlines() if line.startswith("  tokens")]
    paid = [sum(map(int, it)) / 1000 for it in tokens]
    costs = [line.split()[1] for line in shown.splitlines() if line.startswith("  cost")]
    assert costs == [f"${it:.4f}"[:7] if it < 0.01 else f"${it:.2f}" for it in paid]
    assert f"Live requests: ${sum(paid):.2f} in all." in shown
    stage.write("prices.yaml", f"date: 2026-09-01\nmodels: [{{model: {MODEL}, batch: {{pages: 1}}}}]\n")
    shown = stage.run("try", "some", "-n", "1").out
    assert "cost    ? as a live request" in shown
    assert "in all" not in shown
