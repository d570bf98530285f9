"""The state of jobs, and the result of waiting for them, in each format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from reconciler.cli.params.options import Output
    from reconciler.documents.reports import StatusDoc, WaitDoc
    from reconciler.errors import ExitCode
    from reconciler.runs.wait import WaitState


def wait_doc(state: WaitState, code: ExitCode) -> WaitDoc:
    """Return the final state of all jobs."""
    from reconciler.documents.reports import WaitDoc
    from reconciler.render.status_view import status_doc

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
    from reconciler.documents.reports import WaitDoc, pretty
    from reconciler.render.status_view import status_markdown, status_text, waited

    if output.form == "json":
        return pretty(report).decode()
    shown = (status_markdown if output.form == "markdown" else status_text)(
        report, now=now, everything=output.everything
    )
    return f"{shown}\n{waited(report)}\n" if isinstance(report, WaitDoc) else shown
