"""`status --format prometheus`: a parser of Prometheus reads it, and the numbers are those of `status`."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.documents.reports import StatusDoc, StatusRow
from reconciler.planning.tally import Tally
from reconciler.render.prometheus import exposition

from .stage import Stage


def parsed(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the values by name and labels; each is a gauge with a meaning."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert (family.type, bool(family.documentation)) == ("gauge", True), family
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def by_name(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for (name, labels), value in parsed(text).items():
        found.setdefault(name, []).append((dict(labels), value))
    return found


def test_the_metrics_are_the_numbers_of_status(stage: Stage) -> None:
    stage.spec("done", requests=3)
    stage.spec("failed", model="sandbox-unknown-x")
    stage.run("apply", "--yes")
    stage.advance(7200)
    stage.spec("new", requests=4)
    rows = json.loads(stage.run("status", "--format", "json").out)["rows"]
    told = stage.run("status", "--format", "prometheus")
    assert (told.code, told.writes) == (0, [])
    found = by_name(told.out)
    states = {labels["state"]: value for labels, value in found["reconciler_jobs"]}
    assert states == Counter(row["state"] for row in rows)
    assert found["reconciler_jobs_needing_attention"][0][1] == sum(row["attention"] for row in rows) > 0
    still = {labels["spec"]: value for labels, value in found["reconciler_requests_open"]}
    assert (still["done"], still["new"]) == (0, 4)
    assert all(labels["project"] == "shop" for samples in found.values() for labels, _ in samples)
    ((_, age),) = found["reconciler_last_apply_age_seconds"]
    assert 7200 <= age < 7300


def test_the_cost_is_that_of_status(stage: Stage) -> None:
    stage.spec("one", requests=3)
    stage.run("apply", "--yes")
    stage.advance(7200)
    assert "reconciler_cost" not in by_name(stage.run("status", "--format", "prometheus").out)
    stage.run("outputs", "pull")
    (row,) = json.loads(stage.run("status", "--format", "json").out)["rows"]
    ((labels, cost),) = by_name(stage.run("status", "--format", "prometheus").out)["reconciler_cost"]
    assert (labels["currency"], cost) == (row["cost"]["currency"], row["cost"]["amount"])


def test_an_apply_that_leaves_something_is_not_the_last_successful_one(stage: Stage) -> None:
    stage.spec("one", requests=3)
    held = stage.run("apply", "--yes", "--max-new-requests", "1")
    assert held.code == 3
    assert "reconciler_last_apply_age_seconds" not in stage.run("status", "--format", "prometheus").out
    stage.run("apply", "--yes")
    stage.advance(100)
    stage.spec("two", requests=3)
    stage.run("apply", "--yes", "--max-new-requests", "1")
    ((_, age),) = by_name(stage.run("status", "--format", "prometheus").out)[
        "reconciler_last_apply_age_seconds"
    ]
    assert age >= 100


def test_the_oldest_hold_has_the_age_of_its_job(stage: Stage) -> None:
    stage.spec("failed", model="sandbox-unknown-x")
    stage.run("apply", "--yes")
    stage.advance(500)
    stage.spec("failed-too", model="sandbox-unknown-x", text="another")
    stage.run("apply", "--yes")
    stage.advance(500)
    ((_, age),) = by_name(stage.run("status", "--format", "prometheus").out)[
        "reconciler_oldest_hold_age_seconds"
    ]
    assert 1000 <= age < 1100


@pytest.mark.parametrize("odd", ['a"b', "a\\b", "a\nb", '\\n"', "é*", 'x"} 1\nreconciler_jobs{project="y'])
def test_no_text_in_a_label_leaves_its_label(odd: str) -> None:
    rows = tuple(
        StatusRow(
            name=f"n{at}",
            family=odd,
            state=odd,
            reason="new",
            job=None,
            attention=False,
            detail="",
            states=Tally(of=2, new=2),
        )
        for at in range(3)
    )
    report = StatusDoc(project=odd, environment=odd, base_url="http://localhost", sandbox=True, rows=rows)
    found = by_name(exposition(report, now=9.0, held_since=2.0, applied_at=None))
    ((jobs, count),) = found["reconciler_jobs"]
    assert count == 3
    assert set(jobs) == {"project", "environment", "state"}
    assert {name for name in found if found[name][0][0]["project"] != jobs["project"]} == set()
    assert found["reconciler_requests_open"][0][1] == 6
    assert found["reconciler_oldest_hold_age_seconds"][0][1] == 7
    if "\n" not in odd:
        assert jobs["project"] == odd
