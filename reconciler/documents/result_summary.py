"""The summary of one job's results: a small JSON document in the same folder, `summary.json`.

It is written last: if it exists, the download is complete and is not repeated. Later commands read their figures
(tokens, requests ok and failed) from it. Fields may be added; a reader ignores those that it does not know and refuses
a larger `v`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

VERSION: Final = 1
"""The version of the document. A larger one was written by a newer tool."""

NAME: Final = "summary.json"
"""The file name of the document, in the folder of its job: `<destination>/<name>/<run>/<job id>/summary.json`."""

DESTINATION: Final = "outputs"
"""The default destination of results, relative to the folder of `reconciler.yaml`."""

MAX_SUMMARY_BYTES: Final = 1_000_000
"""The largest summary that is read, in bytes; usual ones have a few thousand."""


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything in a summary."""


class FileDoc(_Part, frozen=True, kw_only=True):
    """One file in the folder of the summary."""

    path: str
    """Its file name."""
    file_id: str | None
    """Its id at the provider; None for a file that this tool made."""
    state: Literal["whole", "gone"]
    """`gone` if the provider no longer had the file, so it is missing here too."""
    bytes: int = 0
    sha256: str = ""
    """Hexadecimal digest of the content."""
    lines: int = 0


class ReasonDoc(_Part, frozen=True, kw_only=True):
    """Why requests failed."""

    text: str
    """The kind of the failure and its message, on one line."""
    count: int


class RequestsDoc(_Part, frozen=True, kw_only=True):
    """The job's requests, counted in the joined results."""

    total: int | None
    """The number of requests; None if it is known neither from the inputs nor from the API."""
    ok: int
    """Answered: its line has a body, no error, and no status of 400 or more."""
    failed: int
    missing: int | None
    """Neither answered nor failed; None if the total is not known."""
    failures: Mapping[str, int]
    """The failed ones by kind: `http_<status>`, `error`, `no_answer` or `unreadable`."""
    reasons: tuple[ReasonDoc, ...] = ()
    """The three most frequent reasons of failed requests."""
    first_missing: tuple[str, ...] = ()
    """The first custom_ids without a result, in input order, at most 20; `results.jsonl` has them all."""


class TokensDoc(_Part, frozen=True, kw_only=True):
    """Tokens, summed over all answers that report their usage."""

    prompt: int
    completion: int
    total: int
    answers: int
    """The number of answers that report their usage."""
    incomplete: int = 0
    """Answers whose usage lacks a number or has an invalid one: the sums are a lower bound."""


class TroubleDoc(_Part, frozen=True, kw_only=True):
    """Lines of the result files that could not be used. No other count includes them."""

    malformed: int = 0
    """Lines in which no custom_id can be found, or that are too long."""
    unnamed: int = 0
    """Lines of `errors.jsonl` without a custom_id: only that file has them."""
    repeated: int = 0
    """Lines with the custom_id of an earlier line; an answer counts, then the first one."""
    unknown: int = 0
    """Lines with a custom_id that the inputs do not have. Their tokens were used, and the sum includes them."""


class JobFacts(_Part, frozen=True, kw_only=True):
    """What the documents about one ended job have in common."""

    project: str
    name: str
    """The spec's name in the job's tags: the name at the time of the create."""
    job_id: str
    work: str
    """The work digest; with `rerun` the run key."""
    rerun: str
    attempt: int
    status: str
    """The API's own status."""
    endpoint: str
    model: str | None
    created_at: int
    """Unix seconds, the server's clock; so are the two below."""
    started_at: int | None
    completed_at: int | None


class ResultSummary(JobFacts, frozen=True, kw_only=True):
    """The summary of one job's results."""

    v: int = VERSION
    tool: str
    """The version of the tool that wrote it."""
    pulled_at: float
    """Unix seconds, the clock of the machine that fetched the results."""
    inputs: Literal["local", "uploaded", "none"]
    """The source of the requests' order and number; `none` if the inputs were not available."""
    requests: RequestsDoc
    tokens: TokensDoc | None
    """None if no answer reports its usage: the number is then unknown, not 0."""
    difference: str = ""
    """How the numbers of a succeeded job differ: requests submitted, counted by the API, and held by the files."""
    trouble: TroubleDoc
    files: tuple[FileDoc, ...]
    """The files in the same folder, of `output.jsonl`, `errors.jsonl` and `results.jsonl`."""


def needs_attention(summary: ResultSummary) -> bool:
    """Whether a person should look: numbers that differ, a missing file, or lines that could not be used or read."""
    gone = any(file.state == "gone" for file in summary.files)
    unreadable = "unreadable" in summary.requests.failures
    return bool(summary.difference) or summary.trouble != TroubleDoc() or gone or unreadable


def reason_words(requests: RequestsDoc) -> str:
    """Return the most frequent reasons of failed requests: `reasons: 4 http_422: too long; 1 error: lost`."""
    words = "; ".join(f"{reason.count:,} {reason.text}" for reason in requests.reasons)
    return f"reasons: {words}" if words else ""


def decode(data: bytes) -> ResultSummary | None:
    """Decode a document; None if it is invalid or of another version."""
    try:
        summary = msgspec.json.decode(data, type=ResultSummary)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return summary if summary.v == VERSION else None
