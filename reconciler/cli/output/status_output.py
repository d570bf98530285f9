"""The state of jobs, and the result of waiting for them, in each format."""

from __future__ import annotations

import msgspec

from reconciler.cli.params.options import Output
from reconciler.documents.reports import StatusDoc, WaitDoc, pretty
from reconciler.errors import ExitCode
from reconciler.render.status_view import status_doc, status_markdown, status_text, waited
from reconciler.runs.wait import WaitState


def wait_doc(state: WaitState, code: ExitCode) -> WaitDoc:
    """Return the final state of all jobs."""
    declared = state.planned.declared
    report = status_doc(state.planned.document, declared.later, declared.selected)
    return WaitDoc(
        **msgspec.structs.asdict(report),
        readiness={name: stand.value for name, stand in state.readiness.items()},
        timed_out=state.timed_out,
        exit_code=int(code),
    )


def formatted(report: StatusDoc, output: Output, *, now: float) -> str:
    """Return the state of jobs; after a wait, with a last line that counts them."""
    if output.form == "json":
        return pretty(report).decode()
    shown = (status_markdown if output.form == "markdown" else status_text)(
        report, now=now, everything=output.everything
    )
    return f"{shown}\n{waited(report)}\n" if isinstance(report, WaitDoc) else shown
