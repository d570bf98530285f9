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


class RequestsDoc(_Part, frozen=True, kw_only=True):
    """The job's requests, counted in the joined results."""

    total: int | None
    """The number of requests; None if it is known neither from the inputs nor from the API."""
    ok: int
    """Answered, without an error and with a status below 400."""
    failed: int
    missing: int | None
    """Neither answered nor failed; None if the total is not known."""
    failures: Mapping[str, int]
    """The failed ones by kind: `error` (the line carries one), `http_<status>`, `no_answer` (neither)."""
    first_missing: tuple[str, ...] = ()
    """The first custom_ids without a result, in input order, at most 20; `results.jsonl` has them all."""


class TokensDoc(_Part, frozen=True, kw_only=True):
    """Tokens, summed over all answers that report their usage."""

    prompt: int
    completion: int
    total: int
    answers: int
    """The number of answers that report their usage."""


class TroubleDoc(_Part, frozen=True, kw_only=True):
    """Lines of the result files that could not be used. No other count includes them."""

    malformed: int = 0
    """Lines that are not a JSON object in UTF-8, have no custom_id, or are too long."""
    repeated: int = 0
    """Lines with the custom_id of an earlier line; the first one counts."""
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
    trouble: TroubleDoc
    files: tuple[FileDoc, ...]
    """The files in the same folder, of `output.jsonl`, `errors.jsonl` and `results.jsonl`."""


def lossy(summary: ResultSummary) -> bool:
    """Whether a part of a job's results is lost: a missing file, or lines that could not be used."""
    return summary.trouble != TroubleDoc() or any(file.state == "gone" for file in summary.files)


def decode(data: bytes) -> ResultSummary | None:
    """Decode a document; None if it is invalid or of another version."""
    try:
        summary = msgspec.json.decode(data, type=ResultSummary)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return summary if summary.v == VERSION else None
