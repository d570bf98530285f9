"""The reports of `outputs pull` and `outputs show` as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from reconciler.cost.actual import total_cost
from reconciler.documents.reports import NameResults, PullDoc, PulledJob
from reconciler.documents.result_summary import (
    RequestsDoc,
    ResultSummary,
    WorkSummary,
    needs_attention,
    reason_words,
)
from reconciler.model import Target
from reconciler.render.text import NameLine, cost_words, name_lines
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean

SHORT_ID_LENGTH: Final = 8
MAX_NAMED: Final = 3
"""Custom_ids that are named."""
MAX_JOBS: Final = 3
"""Jobs of one work that are named, the newest."""
SUCCESS: Final = "SUCCESS"
"""The status that is not shown, because it is the usual one."""


def pull_text(report: PullDoc, target: Target, *, colour: bool) -> str:
    """Return the results that were fetched, that were present, and that failed."""
    states = Counter(job.state for job in report.jobs)
    where = clean(f"{report.project} on {target.host}")
    joined = {it.name: it for it in report.results}
    listed = [job for job in report.jobs if job.state != "present" or job.summary]
    failed = [it for it in report.results if it.state in ("failed", "stopped")]
    ended = pluralize(len(report.jobs), "job") + " ended"
    running = f", {report.running:,} not yet" if report.running else ""
    deleted = [_line(it.state, it.name, [f"file {it.file_id}", it.reason], ()) for it in report.files]
    files = [*name_lines(deleted, colour=colour)]
    if report.kept:
        files.append(clean(f"No file was deleted at the provider: {report.kept}"))
    if not listed and not failed:
        rest = f"all pulled before into {report.place}" if report.jobs else "no results yet"
        return "\n".join([clean(f"Nothing to pull. {where} · {ended}{running} · {rest}"), *files]) + "\n"
    lines = [clean(f"{where} · {ended}{running} · into {report.place}"), ""]
    pulled = [
        _line(
            job.state,
            job.name,
            _facts(job),
            _below(job, joined.get(job.name)),
            attention=bool(job.summary and needs_attention(job.summary)),
        )
        for job in listed
    ]
    wrong = [_line(it.state, it.name, [it.message], [f"hint: {it.hint}"] if it.hint else []) for it in failed]
    lines += [*name_lines(pulled, colour=colour), *name_lines(wrong, colour=colour)]
    before = f", {states['present']:,} before" if states["present"] else ""
    parts = [f"{states['pulled']:,} pulled{before}"]
    parts += [
        f"{states[state]:,} {state}" for state in ("due", "refused", "failed", "stopped") if states[state]
    ]
    summaries = [job.summary for job in listed if job.summary]
    if summaries:
        parts += [totals(summaries)]
    return "\n".join([*lines, "", " · ".join(parts), *files]) + "\n"


def results_text(found: Sequence[tuple[str, WorkSummary]], *, colour: bool) -> str:
    """Return the results of names, given with their paths."""
    if not found:
        return "no results\n"
    rows = [
        _line(
            "current" if it.current else "earlier",
            it.name,
            [" + ".join(job[:SHORT_ID_LENGTH] for job in it.jobs[-MAX_JOBS:]), *_counts(it)],
            [path, *_result_words(it)],
            attention=not it.current,
        )
        for path, it in found
    ]
    total = f"{pluralize(len(found), 'name')} · {totals(it for _, it in found)}"
    return "\n".join([*name_lines(rows, colour=colour), "", total]) + "\n"


def _line(
    state: str, name: str, facts: Iterable[str], below: Iterable[str], *, attention: bool = False
) -> NameLine:
    sign = "!" if attention or state in ("refused", "failed", "stopped") else "+"
    return NameLine(sign, state, clean(name), [*map(clean, facts)], [*map(clean, below)])


def _facts(job: PulledJob) -> Iterator[str]:
    yield job.job_id[:SHORT_ID_LENGTH]
    if job.status != SUCCESS:
        yield job.status
    if job.message:
        yield job.message
    if job.summary:
        yield from _counts(job.summary)


def _counts(summary: ResultSummary | WorkSummary) -> Iterator[str]:
    yield requests_words(summary.requests)
    checks = summary.checks
    named = {"invalid": checks.invalid, "truncated": checks.truncated, "unchecked": checks.unchecked}
    yield from (f"{number:,} {name}" for name, number in named.items() if number)
    if summary.tokens and (summary.tokens.total or not summary.pages):
        yield pluralize(summary.tokens.total, "token")
    if summary.pages:
        yield pluralize(summary.pages, "page")
    if summary.audio_seconds:
        yield f"{summary.audio_seconds:,.0f} s of audio"
    if summary.cost and summary.tokens:
        yield cost_words(summary.cost)


def _below(job: PulledJob, joined: NameResults | None) -> Iterator[str]:
    if job.hint:
        yield f"hint: {job.hint}"
    if job.summary is None:
        return
    newest = joined is not None and joined.summary is not None and job.job_id in joined.summary.jobs
    yield joined.path if joined is not None and newest else job.path
    yield from _result_words(job.summary)
    yield from trouble_words(job.summary)


def _result_words(summary: ResultSummary | WorkSummary) -> Iterator[str]:
    requests, checks, models = summary.requests, summary.checks, summary.models
    if requests.reasons:
        yield reason_words(requests)
    if requests.first_missing:
        yield f"without an answer: {_some(requests.first_missing, requests.missing or 0)}"
    if checks.first_invalid:
        yield f"invalid: {_some(checks.first_invalid, checks.invalid)}"
    if len(models) > 1:
        yield "models: " + ", ".join(f"{name} {count:,}" for name, count in models.items())
    if summary.tokens and summary.tokens.incomplete:
        answers = pluralize(summary.tokens.incomplete, "answer")
        yield f"the usage is a lower bound: {answers} with an incomplete one"


def _some(names: Sequence[str], count: int) -> str:
    more = count - len(names[:MAX_NAMED])
    return ", ".join(names[:MAX_NAMED]) + (f" and {more:,} more" if more > 0 else "")


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
    if summary.inputs == "none" and any(file.file_id for file in summary.files):
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


def totals(summaries: Iterable[ResultSummary | WorkSummary]) -> str:
    """Return the sums over all summaries."""
    ok = failed = missing = tokens = 0
    costs = []
    for summary in summaries:
        costs.append(summary.cost)
        ok += summary.requests.ok
        failed += summary.requests.failed
        missing += summary.requests.missing or 0
        tokens += summary.tokens.total if summary.tokens else 0
    parts = [f"{ok:,} ok", f"{failed:,} failed" if failed else "", f"{missing:,} missing" if missing else ""]
    words = ", ".join(part for part in parts if part)
    cost = total_cost(costs)
    used = [pluralize(tokens, "token")] if tokens else []
    return " · ".join([words, *used, *([cost_words(cost)] if cost and tokens else [])])
