"""Make the summary of a job's results from its files and their join. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, TypeAlias

import msgspec

from reconciler import __version__
from reconciler.documents.result_summary import (
    FileDoc,
    ReasonDoc,
    RequestsDoc,
    ResultSummary,
    TokensDoc,
    TroubleDoc,
)
from reconciler.model import OwnedJob, completeness
from reconciler.model.completeness import Received
from reconciler.results.digest import Fetched
from reconciler.results.join import Joined
from reconciler.results.paths import ERRORS, OUTPUT, RESULTS
from reconciler.text.plural import pluralize

MAX_SHOWN_REASONS: Final = 3
"""Reasons of failed requests in the summary, the most frequent first."""

Files: TypeAlias = Mapping[str, Fetched | None]
"""The provider's files by our names; None for a file that the provider no longer has."""


def summary(
    owned: OwnedJob, files: Files, origin: str, joined: Joined | None, results: Fetched | None, *, now: float
) -> ResultSummary:
    """Return the summary."""
    ids = {OUTPUT: owned.job.output_file, ERRORS: owned.job.error_file}
    documents = [_document(name, ids[name], fetched) for name, fetched in files.items()]
    if results is not None:
        documents.append(_document(RESULTS, None, results))
    found = joined or Joined()
    submitted = max(owned.tags.requests or 0, found.requests or 0) or None
    trouble = {name: getattr(found, name) for name in TroubleDoc.__struct_fields__}
    return msgspec.convert(
        owned.facts()
        | {
            "tool": __version__,
            "pulled_at": now,
            "inputs": origin,
            "requests": _requests(owned, joined),
            "tokens": TokensDoc(**asdict(found.usage)) if found.usage.answers else None,
            "difference": completeness.difference(
                owned.job, submitted, _received(joined) if joined else None
            ),
            "trouble": TroubleDoc(**trouble),
            "files": tuple(documents),
        },
        ResultSummary,
    )


def _document(name: str, file_id: str | None, fetched: Fetched | None) -> FileDoc:
    if fetched is None:
        return FileDoc(path=name, file_id=file_id, state="gone")
    facts: dict[str, Any] = {"bytes": fetched.size, "sha256": fetched.sha256, "lines": fetched.lines}
    return FileDoc(path=name, file_id=file_id, state="whole", **facts)


def _received(joined: Joined) -> Received:
    return Received(joined.ok, sum(joined.failures.values()))


def _requests(owned: OwnedJob, joined: Joined | None) -> RequestsDoc:
    """Return the numbers of requests in the files. Without a file no request is answered, whatever the API counts."""
    received = _received(joined) if joined else Received(0, owned.job.failed_requests)
    found = joined or Joined()
    counted = completeness.missing_requests(owned.job, owned.tags.requests, received)
    return RequestsDoc(
        total=owned.requests if found.requests is None else found.requests,
        ok=received.ok,
        failed=received.failed,
        missing=counted if found.requests is None else found.missing,
        failures=found.failures,
        reasons=tuple(ReasonDoc(text=it, count=n) for it, n in found.reasons.most_common(MAX_SHOWN_REASONS)),
        first_missing=tuple(found.first_missing),
    )


def shortage(owned: OwnedJob, files: Files) -> str:
    """Return by how much the files have fewer lines than the API counts, "" if they do not, or one is gone."""
    job = owned.job
    counted = {OUTPUT: (job.succeeded_requests, "answer"), ERRORS: (job.failed_requests, "failed request")}
    lines = sum(fetched.lines for fetched in files.values() if fetched)
    if None in files.values() or lines >= sum(counted[name][0] for name in files):
        return ""
    expected = " and ".join(pluralize(*counted[name]) for name in files)
    return f"{pluralize(lines, 'line')}, and the API counts {expected}"
