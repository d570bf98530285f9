"""Whoever joins results records in the ledger what they show, so that hosts without the results know it."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.cli.stage import Stage
from tests.cli.test_requests import apply, canary


def seen(stage: Stage) -> list[dict[str, Any]]:
    """The lines of the ledger about the requests of whole works, without their times."""
    (ledger,) = stage.root.rglob("ledger.jsonl")
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    return [{key: it[key] for key in ("counts", "jobs")} for it in lines if it["kind"] == "work_seen"]


def test_a_pull_records_what_an_apply_would(stage: Stage) -> None:
    canary(stage, bad=1)
    stage.run("apply", "--yes")
    stage.advance(60)
    assert seen(stage) == []
    stage.run("outputs", "pull")
    (line,) = seen(stage)
    assert line["counts"] == {"of": 12, "answered": 3, "kinds": {"http_400": 1}, "left": 8}
    stage.run("outputs", "pull")
    apply(stage)
    assert seen(stage) == [line]
