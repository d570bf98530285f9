"""Make the summary of a job's results from its files, and that of a work's results from those of its jobs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import compress, islice
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import structs

from reconciler import __version__
from reconciler.cost.actual import actual_cost, total_cost
from reconciler.cost.prices import Prices
from reconciler.documents.result_summary import (
    ChecksDoc,
    FileDoc,
    ReasonDoc,
    RequestsDoc,
    ResultSummary,
    TokensDoc,
    TroubleDoc,
    WorkSummary,
    usage,
)
from reconciler.model import OwnedJob, completeness
from reconciler.model.completeness import Received
from reconciler.outputs.digest import Fetched
from reconciler.outputs.paths import ERRORS, OUTPUT
from reconciler.requests import answers
from reconciler.requests.answered import Answered
from reconciler.requests.asked import Asked, AskedIndex
from reconciler.requests.checks import INVALID, KINDS
from reconciler.requests.contents import Usage
from reconciler.requests.join import MAX_LISTED, Joined
from reconciler.text.plural import pluralize

MAX_SHOWN_REASONS: Final = 3
"""Reasons of failed requests in the summary, the most frequent first."""

Files: TypeAlias = Mapping[str, Fetched | None]
"""Files by our names; None for one that the provider no longer has."""


def lacks_a_file(summary: ResultSummary, owned: OwnedJob) -> bool:
    """Return whether a job names a result file that its pulled results lack: it has appeared since."""
    there = {doc.path for doc in summary.files}
    ids = {OUTPUT: owned.job.output_file, ERRORS: owned.job.error_file}
    return any(file_id and name not in there for name, file_id in ids.items())


def summary(
    owned: OwnedJob, files: Files, origin: str, found: tuple[Asked, Answered], prices: Prices, *, now: float
) -> ResultSummary:
    """Return the summary from the files of a job and their index; `origin` is where its inputs are from."""
    asked, answered = found
    known = any(files.get(name) for name in (OUTPUT, ERRORS))
    counts = answered.counts()
    missing = counts.pop(answers.MISSING, 0)
    ok = counts.pop(answers.OK, 0)
    received = Received(ok, counts.total() if known else owned.job.failed_requests)
    total = len(asked.places) if origin != "none" else None
    submitted = max(owned.tags.requests or 0, total or 0) or None
    counted = completeness.missing_requests(owned.job, owned.tags.requests, received)
    ids = {OUTPUT: owned.job.output_file, ERRORS: owned.job.error_file}
    requests = RequestsDoc(
        total=owned.requests if total is None else total,
        ok=ok,
        failed=received.failed,
        missing=missing if known and total is not None else counted,
        failures=dict(sorted(counts.items())),
        reasons=tuple(
            ReasonDoc(text=it, count=n) for it, n in answered.why_failed().most_common(MAX_SHOWN_REASONS)
        ),
        first_failed=first(asked.places, map(bool, answered.kind)),
        first_missing=first(asked.places, (not file for file in answered.file)),
    )
    facts = owned.facts() | {
        "tool": __version__,
        "pulled_at": now,
        "inputs": origin,
        "requests": requests,
        "checks": checks(
            Counter(answered.verdict), first(asked.places, (it == INVALID for it in answered.verdict))
        ),
        **_used(answered.usage),
        "difference": completeness.difference(owned.job, submitted, received if known else None),
        "trouble": TroubleDoc(
            malformed=answered.malformed,
            unnamed=answered.unnamed.total(),
            repeated=answered.repeated,
            unknown=len(answered.unknown),
        ),
        "files": tuple(file_doc(name, ids.get(name), fetched) for name, fetched in files.items()),
    }
    made = msgspec.convert(facts, ResultSummary)
    used = usage(made, owned.job.succeeded_requests)
    return structs.replace(made, cost=actual_cost(prices, made.priced_model, made.created_at, used))


def work_summary(
    jobs: Sequence[ResultSummary],
    order: AskedIndex,
    joined: Joined,
    *,
    ordered: bool,
    **facts: Any,  # noqa: ANN401 - fields of the summary
) -> WorkSummary:
    """Return the summary of a work from those of its jobs and the join. What was used is the sum over the jobs."""
    newest, kinds = jobs[-1], joined.kinds
    ok, missing = kinds.pop(answers.OK, 0), kinds.pop(answers.MISSING, 0)
    requests = newest.requests
    if order.count or ok:
        requests = RequestsDoc(
            total=order.count if ordered else newest.of or newest.requests.total,
            ok=ok,
            failed=kinds.total(),
            missing=missing if ordered else newest.requests.missing,
            failures=dict(sorted(kinds.items())),
            reasons=newest.requests.reasons,
            first_failed=tuple(joined.first["failed"]),
            first_missing=tuple(joined.first["missing"]),
        )
    tokens = [job.tokens for job in jobs if job.tokens]
    of_work = {
        "tool": __version__,
        "ordered": ordered,
        "jobs": tuple(job.job_id for job in jobs),
        "requests": requests,
        "checks": checks(joined.verdicts, tuple(joined.first["invalid"])),
        "tokens": reduce(_sum, tokens) if tokens else None,
        "pages": sum(job.pages for job in jobs),
        "annotated_pages": sum(job.annotated_pages for job in jobs),
        "cost": total_cost([job.cost for job in jobs]),
        "audio_seconds": sum(job.audio_seconds for job in jobs),
        "models": dict(sorted(sum((Counter(job.models) for job in jobs), Counter[str]()).items())),
    }
    return msgspec.convert(structs.asdict(newest) | of_work | facts, WorkSummary)


def _sum(one: TokensDoc, two: TokensDoc) -> TokensDoc:
    names = TokensDoc.__struct_fields__
    return TokensDoc(**{name: getattr(one, name) + getattr(two, name) for name in names})


def first(names: Iterable[str], chosen: Iterable[bool]) -> tuple[str, ...]:
    """Return the first names of those that are chosen, at most `MAX_LISTED`."""
    return tuple(islice(compress(names, chosen), MAX_LISTED))


def checks(verdicts: Mapping[int, int], first_invalid: tuple[str, ...]) -> ChecksDoc:
    """Return the counts of verdicts, given by their position in `checks.KINDS`."""
    named = {name: verdicts.get(at, 0) for at, name in enumerate(KINDS) if at}
    return ChecksDoc(**named, first_invalid=first_invalid)


def _used(found: Usage) -> dict[str, Any]:
    tokens = None
    if found.answers or found.incomplete:
        names = TokensDoc.__struct_fields__
        tokens = TokensDoc(**{name: getattr(found, name) for name in names})
    return {
        "tokens": tokens,
        "pages": found.pages,
        "annotated_pages": found.annotated,
        "audio_seconds": found.audio_seconds,
        "models": dict(sorted(found.models.items())),
    }


def file_doc(name: str, file_id: str | None, fetched: Fetched | None) -> FileDoc:
    """Return the description of a file; `fetched` is None if the provider no longer has it."""
    if fetched is None:
        return FileDoc(path=name, file_id=file_id, state="gone")
    return FileDoc(path=name, file_id=file_id, bytes=fetched.size, sha256=fetched.sha256, lines=fetched.lines)


def shortage(owned: OwnedJob, files: Files) -> str:
    """Return by how much the files have fewer lines than the API counts, "" if they do not, or one is gone."""
    job = owned.job
    counted = {OUTPUT: (job.succeeded_requests, "answer"), ERRORS: (job.failed_requests, "failed request")}
    lines = sum(fetched.lines for fetched in files.values() if fetched)
    if None in files.values() or lines >= sum(counted[name][0] for name in files):
        return ""
    expected = " and ".join(pluralize(*counted[name]) for name in files)
    return f"{pluralize(lines, 'line')}, and the API counts {expected}"
