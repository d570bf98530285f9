"""The result of waiting, in each format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.output.streams import say
from reconciler.errors import ExitCode

if TYPE_CHECKING:
    from reconciler.documents.reports import WaitDoc
    from reconciler.runs.wait import View


def wait_doc(view: View, code: ExitCode) -> WaitDoc:
    """Return how everything stood in the end."""
    from reconciler.documents.reports import WaitDoc
    from reconciler.render.status_view import status_doc

    declared = view.situation.declared
    report = status_doc(view.situation.document, declared.later, declared.selected)
    return WaitDoc(
        project=report.project,
        base_url=report.base_url,
        sandbox=report.sandbox,
        rows=report.rows,
        stands={name: stand.value for name, stand in view.stands.items()},
        timed_out=view.timed_out,
        exit_code=int(code),
    )


def write(report: WaitDoc, *, now: float, form: str, everything: bool) -> None:
    """Write it to stdout."""
    from reconciler.documents.reports import StatusDoc, pretty
    from reconciler.render.status_view import status_markdown, status_text, waited

    if form == "json":
        say(pretty(report))
        return
    rows = StatusDoc(
        project=report.project, base_url=report.base_url, sandbox=report.sandbox, rows=report.rows
    )
    if form == "markdown":
        say(status_markdown(rows, now=now, everything=everything) + f"\n{waited(report)}\n")
    else:
        say(status_text(rows, now=now, everything=everything) + f"\n{waited(report)}\n")
