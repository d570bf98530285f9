"""The summary of one job's results: a small JSON document that stands beside them, `summary.json`.

It is written last, so it is also the mark that everything else is there and whole: whoever finds it fetches nothing
again. Later commands read their figures (tokens, requests ok and failed) from it. Fields may be added; a reader
ignores those that it does not know and refuses a larger `v`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

VERSION: Final = 1
"""The version of the document. A larger one was written by a newer tool."""

NAME: Final = "summary.json"
"""What the document is called, in the folder of its job: `<destination>/<name>/<run>/<job id>/summary.json`."""

DESTINATION: Final = "outputs"
"""The folder beside `reconciler.yaml` where results go, where nothing else is asked for."""

LARGEST: Final = 1_000_000
"""Bytes of a summary that are read: ours have a few thousand."""


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything in a summary."""


class FileDoc(_Part, frozen=True, kw_only=True):
    """One file beside the summary."""

    path: str
    """Its name in the same folder."""
    file_id: str | None
    """The id that it has at the provider; None for what was made here."""
    state: Literal["whole", "gone"]
    """`gone` where the provider no longer had it: then it is not here either."""
    bytes: int = 0
    sha256: str = ""
    """Of its bytes, in hexadecimal."""
    lines: int = 0


class RequestsDoc(_Part, frozen=True, kw_only=True):
    """The job's requests, as they are in the joined results."""

    total: int | None
    """How many there are; None where neither the inputs nor the API say."""
    ok: int
    """Answered, without an error and with a status below 400."""
    failed: int
    missing: int | None
    """Neither answered nor failed; None where the total is not known."""
    failures: Mapping[str, int]
    """The failed ones by kind: `error` (the line carries one), `http_<status>`, `no_answer` (neither)."""
    first_missing: tuple[str, ...] = ()
    """The first custom_ids without a line, in input order, at most 20; `results.jsonl` has them all."""


class TokensDoc(_Part, frozen=True, kw_only=True):
    """Tokens, summed over every answer that says how many it took."""

    prompt: int
    completion: int
    total: int
    answers: int
    """How many answers say so; where none does, the tokens are not known, and not 0."""


class TroubleDoc(_Part, frozen=True, kw_only=True):
    """Lines of the result files that could not be used, and are in no other count."""

    malformed: int = 0
    """No JSON object, no UTF-8, no custom_id, or longer than a line may be."""
    repeated: int = 0
    """Lines with a custom_id that an earlier line has; the first one counts."""
    unknown: int = 0
    """Lines with a custom_id that the inputs do not have. Their tokens were used, and are in the sum."""


class Summary(_Part, frozen=True, kw_only=True):
    """What is known of one job's results."""

    v: int = VERSION
    tool: str
    """The version of the tool that wrote it."""
    project: str
    name: str
    """The spec's name in the job's tags: the one that it was bought under."""
    job_id: str
    work: str
    """The work digest; with `rerun` the run key."""
    rerun: str
    attempt: int
    status: str
    """How the job ended, in the API's words."""
    endpoint: str
    model: str | None
    created_at: int
    """Unix seconds, the server's clock; so are the two below."""
    started_at: int | None
    completed_at: int | None
    pulled_at: float
    """Unix seconds, the clock of whoever fetched the results."""
    inputs: Literal["local", "uploaded", "none"]
    """Where the order and the number of the requests are from; `none` where the inputs were nowhere to be had."""
    requests: RequestsDoc
    tokens: TokensDoc | None
    """None where no answer says how many it took."""
    trouble: TroubleDoc
    files: tuple[FileDoc, ...]
    """The files in the same folder: `output.jsonl`, `errors.jsonl`, `results.jsonl`, those that there are."""


def lossy(summary: Summary) -> bool:
    """Tell whether something of a job's results is lost: a file that is gone, or lines that could not be used."""
    return summary.trouble != TroubleDoc() or any(file.state == "gone" for file in summary.files)


def encode(summary: Summary) -> bytes:
    """Return the document's bytes."""
    return msgspec.json.format(msgspec.json.encode(summary), indent=1) + b"\n"


def decode(data: bytes) -> Summary | None:
    """Understand a document; None for what is none, or of a newer version."""
    try:
        summary = msgspec.json.decode(data, type=Summary)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return summary if summary.v == VERSION else None
