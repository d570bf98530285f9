"""Sums over the jobs of a history in each format."""

from __future__ import annotations

from typing import Final

from reconciler.documents.reports import pretty
from reconciler.history.stats import StatsDoc, StatsRow
from reconciler.render.history_view import UNKNOWN, WORKS_HEAD, TextRow, work_cells
from reconciler.render.tables import table_markdown, table_text
from reconciler.text.money import spent

STATS_HEAD: Final = ("JOBS", "REQUESTS", "ANSWERED", "FAILED", "TOKENS", "COST")


def sums(document: StatsDoc, form: str) -> str | bytes:
    """Return sums over jobs in a format: a table for each thing that they are counted by, and the total."""
    if form == "json":
        return pretty(document)
    tables = {title.upper(): [(row.key, *_sums(row)) for row in rows] for title, rows in document.by.items()}
    total = [("all jobs", *_sums(document.total))]
    table = table_markdown if form == "markdown" else table_text
    lower = [row for rows in document.by.values() for row in rows if "≥" in "".join(_sums(row))]
    note = (
        "\n≥ some jobs' numbers are not known: `reconciler outputs pull` fetches tokens, and `reconciler prices` shows"
        " which models have a price\n"
    )
    shown = [table((title, *STATS_HEAD), rows) for title, rows in tables.items() if rows]
    shown += [table(WORKS_HEAD, [work_cells(it) for it in document.works])] if document.works else []
    return "\n".join([*shown, table(("", *STATS_HEAD), total)]) + (note if lower else "")


def _sums(row: StatsRow) -> TextRow:
    """Return the cells of sums; one that is a lower bound says so, and one of unknown numbers alone is unknown."""

    def cell(number: int, unknown: int) -> str:
        return UNKNOWN if unknown and not number else ("≥ " if unknown else "") + f"{number:,}"

    return (
        f"{row.jobs:,}",
        cell(row.requests, row.requests_unknown),
        cell(row.answered, row.answered_unknown),
        cell(row.failed, row.answered_unknown),
        cell(row.tokens, row.tokens_unknown),
        spent(row.cost, row.currency, lower=row.cost_unknown > 0)
        if row.currency or row.cost_unknown
        else "-",
    )
