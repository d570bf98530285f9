"""The summaries of results: small JSON documents named `summary.json`, beside the results of a name and of each job.

They are written last: if one exists, what it describes is complete. Later commands read their figures (tokens, requests
ok and failed) from it. Fields may be added; a reader ignores those that it does not know and refuses a larger `v`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import structs

from reconciler.cost.actual import Cost
from reconciler.documents.job_facts import Part, WorkFacts
from reconciler.model.money import Usage

VERSION: Final = 1
"""The version of the documents. A larger one was written by a newer tool."""

NAME: Final = "summary.json"
"""The file name: `<results>/<name>/summary.json`, and `<results>/<name>/jobs/<job id>/summary.json` for each job."""

MAX_SUMMARY_BYTES: Final = 1_000_000
"""The largest summary that is read, in bytes; usual ones have a few thousand."""


class FileDoc(Part, frozen=True, kw_only=True):
    """One file in the folder of the summary."""

    path: str
    """Its file name."""
    file_id: str | None
    """Its id at the provider; None for a file that this tool made."""
    state: Literal["whole", "gone"] = "whole"
    """`gone` if the provider no longer had the file, so it is missing here too."""
    bytes: int = 0
    sha256: str = ""
    """Hexadecimal digest of the content."""
    lines: int = 0


class ReasonDoc(Part, frozen=True, kw_only=True):
    """Why requests failed."""

    text: str
    """The kind of the failure and its message, on one line."""
    count: int


class RequestsDoc(Part, frozen=True, kw_only=True):
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
    """The three most frequent reasons of failed requests, and of invalid or unchecked answers."""
    first_failed: tuple[str, ...] = ()
    """The first custom_ids that failed, in input order, at most 20; `results.jsonl` has them all."""
    first_missing: tuple[str, ...] = ()
    """The first custom_ids without a result, likewise."""


class ChecksDoc(Part, frozen=True, kw_only=True):
    """Answers that are not valid, or not known to be."""

    truncated: int = 0
    """Answers with the `finish_reason` `length`."""
    invalid: int = 0
    """Answers that are not JSON although JSON was asked for, or break the schema of the request's `response_format`."""
    unchecked: int = 0
    """Answers whose schema could not be applied; they count as valid."""
    first_invalid: tuple[str, ...] = ()
    """The first custom_ids with an invalid answer, in input order, at most 20."""


class TokensDoc(Part, frozen=True, kw_only=True):
    """Tokens, summed over all answers that report their usage."""

    prompt: int
    completion: int
    total: int
    cached: int = 0
    """Of the prompt tokens, those that the provider had cached."""
    answers: int
    """The number of answers that report their usage."""
    incomplete: int = 0
    """Answers whose usage lacks a number or has an invalid one: the sums are a lower bound."""
    prompt_squares: float = 0.0
    """Sum of the squares of each answer's tokens in, each divided by the bytes of its request line if known."""
    completion_squares: float = 0.0
    """Sum of the squares of each answer's tokens out."""
    pages_squares: float = 0.0
    audio_squares: float = 0.0
    bytes: int = 0
    """Bytes of the request lines of these answers; 0 if the inputs were not available."""


class TroubleDoc(Part, frozen=True, kw_only=True):
    """Lines of the result files that could not be used. No other count includes them."""

    malformed: int = 0
    """Lines in which no custom_id can be found, or that are too long."""
    unnamed: int = 0
    """Lines of `errors.jsonl` without a custom_id: only that file has them."""
    repeated: int = 0
    """Lines with the custom_id of an earlier line; an answer counts, then the first one."""
    unknown: int = 0
    """Lines with a custom_id that the inputs do not have. Their tokens were used, and the sum includes them."""


class _Summary(WorkFacts, frozen=True, kw_only=True):
    """Base of both summaries."""

    v: int = VERSION
    tool: str
    """The version of the tool that wrote it."""
    requests: RequestsDoc
    checks: ChecksDoc = ChecksDoc()
    tokens: TokensDoc | None
    """None if no answer reports its usage: the number is then unknown, not 0."""
    pages: int = 0
    """Pages of documents that were processed."""
    annotated_pages: int = 0
    """Of these, pages of answers with annotations."""
    audio_seconds: float = 0.0
    """Seconds of audio that were processed."""
    cost: Cost | None = None
    """What they cost by the prices that the tool had then; null if that is not known."""
    models: Mapping[str, int] = {}
    """Answers by the model that their bodies name."""

    @property
    def priced_model(self) -> str | None:
        """The model whose price counts: the job's, or of an agent the only one that its answers name."""
        return self.model or (next(iter(self.models)) if len(self.models) == 1 else None)


class ResultSummary(_Summary, frozen=True, kw_only=True):
    """The summary of one job's results."""

    job_id: str
    attempt: int
    of: int | None = None
    """How many requests the whole work has, if the job was asked only a part of them."""
    reused: int = 0
    """How many of them were answered before."""
    recipe: str = ""
    """Digest of endpoint and declared model or agent."""
    status: str
    """The API's own status."""
    started_at: int | None
    """Unix seconds, the server's clock; so is the one below."""
    completed_at: int | None
    pulled_at: float
    """Unix seconds, the clock of the machine that fetched the results."""
    inputs: Literal["local", "uploaded", "none"]
    """The source of the requests' order and number; `none` if the inputs were not available."""
    difference: str = ""
    """How the numbers of a succeeded job differ: requests submitted, counted by the API, and held by the files."""
    trouble: TroubleDoc
    files: tuple[FileDoc, ...]
    """The files in the same folder, of `output.jsonl`, `errors.jsonl`, `asked.idx` and `answers.idx`."""


class WorkSummary(_Summary, frozen=True, kw_only=True):
    """The summary of a name's results: those of its newest work that has answers."""

    current: bool
    """False while the spec, or a newer job, asks for other work that has no answers yet."""
    ordered: bool
    """Whether the results are in the order of the inputs; otherwise these were not available."""
    jobs: tuple[str, ...]
    """The ids of the jobs that the results are from, the oldest first."""
    results: FileDoc
    """The joined results. On an object store the name of the file has its digest in it."""
    seen: str
    """A digest of the ids of all pulled jobs of this name: if it differs, there are newer results to join."""
    made_at: float
    """Unix seconds, the clock of the machine that joined the results."""


def usage(found: ResultSummary, succeeded: int) -> Usage:
    """Return what a job used, as its results say.

    Answers that do not say it, or that are not there although the API counts `succeeded`, are `incomplete`. So is a
    job whose numbers differ: it may have answers that no number shows.
    """
    tokens, answered = found.tokens, max(found.requests.ok, succeeded)
    facts = structs.asdict(tokens) if tokens else {}
    silent = max(0, answered - facts.get("answers", 0))
    return Usage(
        **{name: facts[name] for name in Usage.__struct_fields__ if name in facts and name != "incomplete"},
        pages=found.pages,
        annotated=found.annotated_pages,
        audio_seconds=found.audio_seconds,
        incomplete=max(facts.get("incomplete", 0) + silent, 1 if found.difference else 0),
    )


def needs_attention(summary: ResultSummary) -> bool:
    """Whether a person should look: numbers that differ, a missing file, or lines that could not be used or read."""
    gone = any(file.state == "gone" for file in summary.files)
    unreadable = "unreadable" in summary.requests.failures
    return bool(summary.difference) or summary.trouble != TroubleDoc() or gone or unreadable


def reason_words(requests: RequestsDoc) -> str:
    """Return the most frequent reasons of failed requests: `reasons: 4 http_422: too long; 1 error: lost`."""
    words = "; ".join(f"{reason.count:,} {reason.text}" for reason in requests.reasons)
    return f"reasons: {words}" if words else ""


def check_words(checks: ChecksDoc) -> str:
    """Return what the checks found: `checks of answers: 2 invalid, 1 truncated (invalid: t-1, t-7)`, "" for nothing."""
    counts = {"invalid": checks.invalid, "truncated": checks.truncated, "unchecked": checks.unchecked}
    found = [f"{number:,} {name}" for name, number in counts.items() if number]
    named = f" (invalid: {', '.join(checks.first_invalid[:3])})" if checks.invalid else ""
    return f"checks of answers: {', '.join(found)}{named}" if found else ""


SummaryT = TypeVar("SummaryT", ResultSummary, WorkSummary)


def decode(data: bytes | None, kind: type[SummaryT]) -> SummaryT | None:
    """Decode a summary; None if there is none, or it is invalid or of another version."""
    try:
        summary = msgspec.json.decode(data or b"", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return summary if summary.v == VERSION else None


class _Head(msgspec.Struct, frozen=True):
    v: int


def is_damaged(data: bytes) -> bool:
    """Return whether a job's summary is neither one of this version nor of a newer one."""
    try:
        newer = msgspec.json.decode(data, type=_Head).v > VERSION
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True
    return not newer and decode(data, ResultSummary) is None
