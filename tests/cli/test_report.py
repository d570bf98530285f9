"""`report` writes one page: what the list, the ledger and the results show, and what needs a person."""

from __future__ import annotations

import json

from tests.cli.stage import Stage
from tests.report.test_page import rows_of


def test_a_report_shows_jobs_and_what_needs_a_person(stage: Stage) -> None:
    stage.spec("fine", requests=4)
    stage.spec("broken", model="sandbox-unknown-x", retry={"max_attempts": 1})
    stage.run("apply", "--yes", "--wait")
    result = stage.run("report", "-o", "out/page.html")
    assert (result.code, result.out) == (1, ""), "the folder does not exist"
    result = stage.run("report", "-o", "page.html")
    assert (result.code, result.out) == (0, ""), result
    assert "\n2 jobs in page.html, " in result.err
    assert {request.method for request in result.sent} == {"GET"}
    text = (stage.root / "page.html").read_text()
    needs = text[text.index('id="needs"') : text.index('id="sum"')]
    assert "<strong>broken</strong>" in needs
    assert "fine" not in needs
    stats = json.loads(stage.run("history", "--stats", "--format", "json").out)["total"]
    rows = rows_of(text)
    assert {row[1] for row in rows} == {"fine", "broken"}
    assert sum(row[4] or 0 for row in rows) == stats["answered"] == 4


def test_offline_a_report_does_not_say_that_nothing_needs_a_person(stage: Stage) -> None:
    stage.spec("fine")
    stage.run("apply", "--yes", "--wait")
    result = stage.run("report", "--offline")
    assert (result.code, result.sent) == (0, [])
    text = (stage.root / "report.html").read_text()
    assert "Not known: this report was made without the API." in text
