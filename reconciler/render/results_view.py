"""What a pull of results did, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from reconciler.documents.reports import PullDoc, PulledJob
from reconciler.documents.result_summary import RequestsDoc, Summary, lossy
from reconciler.model import Target
from reconciler.render.text import WIDEST_NAME, paint
from reconciler.text.plural import count
from reconciler.text.sanitize import clean

SHORT_ID: Final = 8
SUCCESS: Final = "SUCCESS"
"""The API's word for an end that need not be said."""


def pull_text(report: PullDoc, target: Target, *, colour: bool) -> str:
    """Return what was fetched, what was there, and what could not be had."""
    states = Counter(job.state for job in report.jobs)
    where = clean(f"{report.project} on {target.host}")
    told = [job for job in report.jobs if job.state != "present"]
    ended = count(len(report.jobs), "job") + " ended"
    running = f", {report.running:,} not yet" if report.running else ""
    if not told:
        rest = f"all pulled before, into {report.to}" if report.jobs else "no results yet"
        return clean(f"Nothing to pull. {where} · {ended}{running} · {rest}") + "\n"
    width = min(WIDEST_NAME, max(len(job.name) for job in told))
    lines = [clean(f"{where} · {ended}{running} · into {report.to}"), ""]
    for job in told:
        sign = "+" if job.summary and not lossy(job.summary) else "!"
        facts = " · ".join(clean(fact) for fact in _facts(job))
        lines.append(
            f"  {paint(f'{sign} {job.state:<7}', sign, colour=colour)} {clean(job.name):<{width}}  {facts}"
        )
        lines += [f"      {clean(line)}" for line in _below(job)]
    before = f", {states['present']:,} before" if states["present"] else ""
    parts = [f"{states['pulled']:,} pulled{before}"]
    parts += [f"{states[state]:,} {state}" for state in ("failed", "stopped") if states[state]]
    summaries = [job.summary for job in told if job.summary]
    if summaries:
        parts += [totals(summaries)]
    return "\n".join([*lines, "", " · ".join(parts)]) + "\n"


def _facts(job: PulledJob) -> Iterator[str]:
    yield job.job_id[:SHORT_ID]
    if job.status != SUCCESS:
        yield job.status
    if job.summary is None:
        yield job.message
        return
    yield requests_words(job.summary.requests)
    if job.summary.tokens:
        yield count(job.summary.tokens.total, "token")


def _below(job: PulledJob) -> Iterator[str]:
    if job.hint:
        yield f"hint: {job.hint}"
    if job.summary is None:
        return
    yield job.path
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


def trouble_words(summary: Summary) -> Iterator[str]:
    """Yield what a person should know of a job's results."""
    first = summary.requests.first_missing
    if first:
        more = (summary.requests.missing or 0) - len(first[:3])
        yield f"without an answer: {', '.join(first[:3])}" + (f" and {more:,} more" if more > 0 else "")
    if summary.inputs == "none" and any(file.file_id is None for file in summary.files):
        yield "the inputs are neither here nor in the workspace: results.jsonl is in the order of the answers"
    for file in summary.files:
        if file.state == "gone":
            yield f"{file.path} is gone: the provider has deleted it, or somebody has"
    trouble = summary.trouble
    told = {"malformed": trouble.malformed, "repeated": trouble.repeated, "of no request": trouble.unknown}
    if any(told.values()):
        what = ", ".join(f"{number:,} {kind}" for kind, number in told.items() if number)
        yield f"lines that could not be used: {what}"


def totals(summaries: Iterable[Summary]) -> str:
    """Return what all of it amounts to."""
    ok = failed = missing = tokens = 0
    for summary in summaries:
        ok += summary.requests.ok
        failed += summary.requests.failed
        missing += summary.requests.missing or 0
        tokens += summary.tokens.total if summary.tokens else 0
    parts = [f"{ok:,} ok", f"{failed:,} failed" if failed else "", f"{missing:,} missing" if missing else ""]
    words = ", ".join(part for part in parts if part)
    return f"{words} · {count(tokens, 'token')}" if tokens else words
