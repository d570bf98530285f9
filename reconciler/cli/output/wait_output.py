"""The result of waiting, in each format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.output.streams import write_stdout
from reconciler.errors import ExitCode

if TYPE_CHECKING:
    from reconciler.cli.params.options import Output
    from reconciler.documents.reports import WaitDoc
    from reconciler.runs.wait import WaitState


def wait_doc(state: WaitState, code: ExitCode) -> WaitDoc:
    """Return the final state of all jobs."""
    from reconciler.documents.reports import WaitDoc
    from reconciler.render.status_view import status_doc

    declared = state.planned.declared
    report = status_doc(state.planned.document, declared.later, declared.selected)
    return WaitDoc(
        project=report.project,
        base_url=report.base_url,
        sandbox=report.sandbox,
        rows=report.rows,
        readiness={name: stand.value for name, stand in state.readiness.items()},
        timed_out=state.timed_out,
        exit_code=int(code),
    )


def write(report: WaitDoc, output: Output, *, now: float) -> None:
    """Write the report to stdout."""
    from reconciler.documents.reports import StatusDoc, pretty
    from reconciler.render.status_view import status_markdown, status_text, waited

    if output.form == "json":
        write_stdout(pretty(report))
        return
    rows = StatusDoc(
        project=report.project, base_url=report.base_url, sandbox=report.sandbox, rows=report.rows
    )
    if output.form == "markdown":
        write_stdout(status_markdown(rows, now=now, everything=output.everything) + f"\n{waited(report)}\n")
    else:
        write_stdout(status_text(rows, now=now, everything=output.everything) + f"\n{waited(report)}\n")
