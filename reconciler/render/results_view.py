"""The reports of `outputs pull` and `outputs show` as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from reconciler.documents.reports import PullDoc, PulledJob
from reconciler.documents.result_summary import RequestsDoc, ResultSummary, needs_attention, reason_words
from reconciler.model import Target
from reconciler.render.text import MAX_NAME_WIDTH, paint
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean

SHORT_ID_LENGTH: Final = 8
SUCCESS: Final = "SUCCESS"
"""The status that is not shown, because it is the usual one."""


def pull_text(report: PullDoc, target: Target, *, colour: bool) -> str:
    """Return the results that were fetched, that were present, and that failed."""
    states = Counter(job.state for job in report.jobs)
    where = clean(f"{report.project} on {target.host}")
    listed = [job for job in report.jobs if job.state != "present" or job.summary]
    ended = pluralize(len(report.jobs), "job") + " ended"
    running = f", {report.running:,} not yet" if report.running else ""
    if not listed:
        rest = f"all pulled before into {report.to}" if report.jobs else "no results yet"
        return clean(f"Nothing to pull. {where} · {ended}{running} · {rest}") + "\n"
    lines = [clean(f"{where} · {ended}{running} · into {report.to}"), "", *_rows(listed, colour=colour)]
    before = f", {states['present']:,} before" if states["present"] else ""
    parts = [f"{states['pulled']:,} pulled{before}"]
    parts += [f"{states[state]:,} {state}" for state in ("refused", "failed", "stopped") if states[state]]
    summaries = [job.summary for job in listed if job.summary]
    if summaries:
        parts += [totals(summaries)]
    return "\n".join([*lines, "", " · ".join(parts)]) + "\n"


def results_text(jobs: Sequence[PulledJob], *, colour: bool) -> str:
    """Return the results that a folder has."""
    if not jobs:
        return "no results\n"
    summaries = [job.summary for job in jobs if job.summary]
    total = f"{pluralize(len(jobs), 'job')} · {totals(summaries)}"
    return "\n".join([*_rows(jobs, colour=colour), "", total]) + "\n"


def _rows(jobs: Sequence[PulledJob], *, colour: bool) -> Iterator[str]:
    width = min(MAX_NAME_WIDTH, max(len(job.name) for job in jobs))
    for job in jobs:
        sign = "+" if job.summary and not needs_attention(job.summary) else "!"
        facts = " · ".join(clean(fact) for fact in _facts(job))
        state = paint(f"{sign} {job.state:<7}", sign, colour=colour)
        yield f"  {state} {clean(job.name):<{width}}  {facts}"
        yield from (f"      {clean(line)}" for line in _below(job))


def _facts(job: PulledJob) -> Iterator[str]:
    yield job.job_id[:SHORT_ID_LENGTH]
    if job.status != SUCCESS:
        yield job.status
    if job.summary is None:
        yield job.message
        return
    yield requests_words(job.summary.requests)
    if job.summary.tokens:
        yield pluralize(job.summary.tokens.total, "token")


def _below(job: PulledJob) -> Iterator[str]:
    if job.hint:
        yield f"hint: {job.hint}"
    if job.summary is None:
        return
    yield job.path
    if job.summary.requests.reasons:
        yield reason_words(job.summary.requests)
    yield from trouble_words(job.summary)


def requests_words(requests: RequestsDoc) -> str:
    """Return `1,180 ok, 20 failed (19 http_400, 1 error), 3 missing`."""
    parts = [f"{requests.ok:,} ok"]
    if requests.failed:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in requests.failures.items())
        parts.append(f"{requests.failed:,} failed" + (f" ({kinds})" if kinds else ""))
    if requests.missing:
        parts.append(f"{requests.missing:,} missing")
    return ", ".join(parts)


def trouble_words(summary: ResultSummary) -> Iterator[str]:
    """Yield the problems with a job's results."""
    if summary.difference:
        yield summary.difference
    first = summary.requests.first_missing
    if first:
        more = (summary.requests.missing or 0) - len(first[:3])
        yield f"without an answer: {', '.join(first[:3])}" + (f" and {more:,} more" if more > 0 else "")
    if summary.tokens and summary.tokens.incomplete:
        answers = pluralize(summary.tokens.incomplete, "answer")
        yield f"the tokens are a lower bound: {answers} with an incomplete usage"
    if summary.inputs == "none" and any(file.file_id is None for file in summary.files):
        yield "the inputs were found neither here nor in the workspace: results.jsonl is in the order of the answers"
    for file in summary.files:
        if file.state == "gone":
            yield f"{file.path} is missing: it was deleted from the workspace"
    trouble = summary.trouble
    if trouble.unnamed:
        yield f"{pluralize(trouble.unnamed, 'error')} without a custom_id: see errors.jsonl"
    counts = {
        "malformed": trouble.malformed,
        "repeated": trouble.repeated,
        "with an unknown custom_id": trouble.unknown,
    }
    if any(counts.values()):
        what = ", ".join(f"{number:,} {kind}" for kind, number in counts.items() if number)
        yield f"lines that could not be used: {what}"


def totals(summaries: Iterable[ResultSummary]) -> str:
    """Return the sums over all summaries."""
    ok = failed = missing = tokens = 0
    for summary in summaries:
        ok += summary.requests.ok
        failed += summary.requests.failed
        missing += summary.requests.missing or 0
        tokens += summary.tokens.total if summary.tokens else 0
    parts = [f"{ok:,} ok", f"{failed:,} failed" if failed else "", f"{missing:,} missing" if missing else ""]
    words = ", ".join(part for part in parts if part)
    return f"{words} · {pluralize(tokens, 'token')}" if tokens else words
