"""Answers that differ from the workspace: pages that shift, wrong totals, repeated rows, altered tags."""

from __future__ import annotations

import random
from typing import Any, Final

import msgspec

from reconciler.model import tags
from tests.simulation.faults import Fault
from tests.simulation.history import RunRecord
from tests.simulation.server import Answer
from tests.simulation.workspace import IDENTITY, Sent, page_answer

ODD_ID: Final = 7
ODD: Final[tuple[dict[str, Any], ...]] = (
    {"error_file": ""},
    {"errors": None},
    {"input_files": None},
    {"created_at": "2026-11-28T12:00:00Z"},
    {"total_requests": None},
    {"status": None},
    {"endpoint": None},
    {"model": {}},
    {"id": ODD_ID},
    {"metadata": []},
    {"metadata": "reconciler.project=shop"},
)
"""Fields that do not match the API's description."""
UNKNOWN_STATUS: Final = "PAUSED"


def tell(
    fault: Fault,
    sent: Sent,
    answer: Answer,
    *,
    dice: random.Random,
    record: RunRecord,
) -> Answer:
    """Return a true answer made wrong.

    Args:
        fault: how.
        sent: the request.
        answer: a job, or a page of jobs.
        dice: choose where.
        record: the run that receives the answer.
    """
    said = answer.json()
    if not sent.is_list:
        _alter(said, dice, record)
        return Answer(answer.status, (), msgspec.json.encode(said))
    rows: list[dict[str, Any]] = said.get("data", [])
    total: int = said["total"]
    if rows and fault not in (Fault.TOTAL_HIGH, Fault.TOTAL_LOW):
        rows = _other_rows(fault, rows, dice, record)
    elif fault is Fault.TOTAL_HIGH:
        total += dice.choice((1, 2, 200))
    elif rows:
        # A first page that ends at this total equals a smaller workspace: no client can see the difference.
        total = next((low for low in (total - 1, total - 2) if 0 <= low != len(rows)), total)
    return page_answer(rows, total=total)


def _other_rows(
    fault: Fault, rows: list[dict[str, Any]], dice: random.Random, record: RunRecord
) -> list[dict[str, Any]]:
    at = dice.randrange(len(rows))
    match fault:
        case Fault.DOUBLED:
            rows.insert(dice.randrange(len(rows) + 1), rows[at])
        case Fault.REPLACED:
            rows[at] = rows[at - 1]
        case Fault.SHORT:
            del rows[at:]
        case Fault.EMPTY:
            rows = []
        case Fault.STATUS:
            rows[at]["status"] = UNKNOWN_STATUS
        case Fault.ODD:
            odd = dice.choice(ODD)
            if "metadata" in odd:
                record.misled.add(rows[at]["id"])
            if "id" in odd:
                record.nameless.add(rows[at]["id"])
            rows[at] |= odd
        case Fault.ALTERED:
            _alter(rows[at], dice, record)
        case _:  # shifted: the workspace has answered so already
            pass
    return rows


def _alter(job: dict[str, Any], dice: random.Random, record: RunRecord) -> None:
    """Drop or damage one of the tags that identify a job."""
    tag = dice.choice(IDENTITY)
    pairs = job.get("metadata") or {}
    if tag not in pairs:
        return
    record.misled.add(job["id"])
    if tag == tags.PROJECT or dice.random() < 0.5:
        del pairs[tag]
    else:
        pairs[tag] = f"?{pairs[tag]}"
