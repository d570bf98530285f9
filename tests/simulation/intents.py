"""The promise about every write before it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconciler.ledger.line_format import decode
from reconciler.ledger.lines import CancelIntended, CreateIntended
from tests.simulation.history import History, RunRecord

if TYPE_CHECKING:
    from tests.simulation.workspace import Sent


def on_sent(history: History, sent: Sent, by: RunRecord) -> None:
    """Look at a request that is about to leave."""
    if sent.is_cancel:
        sent.reason = by.reasons().get(sent.job_id, "")
        sent.again = sent.job_id in by.tried
        by.tried.add(sent.job_id)
    elif sent.is_create:
        for wrong in an_attempt_is_sent_once(sent, by):
            history.violated(an_attempt_is_sent_once.__name__, f"{by.name}: {wrong}")
        by.ops.add(sent.op)
    else:
        by.tried.discard(sent.job_id)
    if (sent.is_cancel or sent.is_create) and history.setup.ledger != "none":
        for wrong in every_write_has_its_intent(sent, by):
            history.violated(every_write_has_its_intent.__name__, f"{by.name}: {wrong}")


def every_write_has_its_intent(sent: Sent, by: RunRecord) -> Iterator[str]:
    """Before a create or cancel is sent, its intent is durable, and visible to all that share the ledger by claims."""
    if sent.is_cancel and not _intended(by.ledger(), CancelIntended, sent.job_id):
        yield f"the cancel of {sent.job_id[:8]} is not in its ledger"
    if sent.is_create and not _intended(by.ledger(), CreateIntended, sent.op):
        yield f"the create {sent.op[:6]} is not in its ledger"
    if sent.is_create and by.shared and not _intended(by.shared(), CreateIntended, sent.op):
        yield f"the create {sent.op[:6]} is not in the shared ledger"


def an_attempt_is_sent_once(sent: Sent, by: RunRecord) -> Iterator[str]:
    """A run sends an attempt at a piece of work under one op: what was refused, or lost, is left to the next run."""
    sends = {it.op: (it.work, it.rerun, it.attempt) for it in by.wrote if isinstance(it, CreateIntended)}
    for op in by.ops - {sent.op}:
        if op in sends and sends[op] == sends.get(sent.op):
            yield f"{sent.op[:6]} is the same attempt as {op[:6]}"


def _intended(rows: list[str], kind: type[CreateIntended | CancelIntended], what: str) -> bool:
    """Whether a whole line of a kind names an op or a job."""
    return any(isinstance(decode(row), kind) for row in reversed(rows) if what in row)
