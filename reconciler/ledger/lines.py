"""The ledger's lines: one versioned JSON object each, in any order.

Every line refers to its subject by id (`op` for a create, `job_id` for the rest), so that two ledgers merge by union
and a repeated line changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, BinaryIO, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from reconciler.errors import LedgerError

VERSION: Final = 1
"""The version of the line format. A larger one was written by a newer tool.

Fields with a default may be added within a version: older readers ignore them.
"""

_END_OF_TIME: Final = 253_402_300_800
"""The year 10000, which `datetime` cannot represent."""

Seconds: TypeAlias = Annotated[float, Meta(ge=0, lt=_END_OF_TIME)]
Count: TypeAlias = Annotated[int, Meta(ge=0, lt=_END_OF_TIME)]


class CreateIntended(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="create_intended"):
    """A create is about to be sent. The line is durable before the request is sent."""

    at: Seconds
    """Wall clock of the writer, Unix seconds, as in all lines below."""
    run_id: str
    op: str
    name: str
    work: str
    rerun: str
    attempt: Count
    reason: str
    lease: Seconds = 0.0
    """Seconds after `at` within which the create may still be sent, if it is recorded ahead of the run's creates."""
    commit: str = ""
    actor: str = ""
    run_url: str = ""


class CreateConfirmed(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="create_confirmed"):
    """The create took effect: the API responded, or the list shows the job by its op."""

    at: Seconds
    run_id: str
    op: str
    job_id: str
    name: str
    work: str
    rerun: str
    attempt: Count
    recovered: bool = False
    """True if the response was lost and the job was found by its op."""
    endpoint: str = ""
    """"" if an older version of this tool wrote the line; None in the fields below."""
    model: str = ""
    """Or the agent's id."""
    requests: Count | None = None
    """How many were submitted; None also if an input is an uploaded file."""
    created_at: Count | None = None
    """The server's clock, Unix seconds."""


class CreateRefused(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="create_refused"):
    """The create certainly had no effect."""

    at: Seconds
    run_id: str
    op: str
    error: str


class CreateUnknown(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="create_unknown"):
    """The outcome of the create was not known in time."""

    at: Seconds
    run_id: str
    op: str
    error: str


class CancelIntended(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="cancel_intended"):
    """A cancel is about to be sent."""

    at: Seconds
    run_id: str
    job_id: str
    name: str
    reason: str
    commit: str = ""
    actor: str = ""
    run_url: str = ""


class CancelEnded(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="cancel_ended"):
    """The outcome of a cancel. Without an error, the API accepted it while the job was running."""

    at: Seconds
    run_id: str
    job_id: str
    status: str = ""
    """The API's status of the job afterwards; "" if it could not be read."""
    error: str = ""
    """Why this cancel may not have stopped the job, even if `status` says that it has stopped."""


class Ended(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="ended"):
    """A run saw that a job of ours had ended."""

    at: Seconds
    run_id: str
    job_id: str
    name: str
    work: str
    rerun: str
    attempt: Count
    phase: str
    status: str = ""
    """The API's status. If an older version of this tool wrote the line: "", and None for the numbers below."""
    endpoint: str = ""
    model: str = ""
    """Or the agent's id."""
    created_at: Count | None = None
    """The server's clock, Unix seconds, as in the two below; None also if it never happened."""
    started_at: Count | None = None
    completed_at: Count | None = None
    requests: Count | None = None
    """How many the API counted, or else how many were submitted."""
    succeeded: Count | None = None
    failed: Count | None = None


class NotificationsEnabled(
    Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="notifications_enabled"
):
    """From here on, `on_end` is notified of ended jobs; not of those that ended before."""

    at: Seconds
    run_id: str


class NotificationClaimed(
    Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="notification_claimed"
):
    """This run, and no other, is about to notify `on_end` of an ended job."""

    at: Seconds
    run_id: str
    job_id: str
    lease: Seconds
    """Seconds after `at` for which the claim is valid, unless a `NotificationDelivered` ends it before."""


class NotificationDelivered(
    Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="notification_delivered"
):
    """The outcome of a notification: delivered, or an error, after which it is tried again."""

    at: Seconds
    run_id: str
    job_id: str
    error: str = ""


Line: TypeAlias = (
    CreateIntended
    | CreateConfirmed
    | CreateRefused
    | CreateUnknown
    | CancelIntended
    | CancelEnded
    | Ended
    | NotificationsEnabled
    | NotificationClaimed
    | NotificationDelivered
)

_DECODER: Final = msgspec.json.Decoder(Line)
_USUAL: Final = f'{{"v": {VERSION}, "kind": "'
"""The beginning of every line that this version writes."""
_USUAL_BYTES: Final = _USUAL.encode()
_BLOCK: Final = 1 << 17
"""Bytes of a ledger that are decoded together: few enough for the processor's cache."""


def encode(line: Line) -> str:
    """Return the line's text, without the line feed; fields with their default are left out."""
    names, defaults = line.__struct_fields__, line.__struct_defaults__
    least = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    facts = {name: getattr(line, name) for name in names}
    given = {name: value for name, value in facts.items() if name not in least or value != least[name]}
    head = {"v": VERSION, "kind": line.__struct_config__.tag}
    return json.dumps({**head, **given}, ensure_ascii=False)


def decode(text: str) -> Line | None:
    """Decode one line; None if it is not a complete line of ours.

    Raises:
        LedgerError: a newer version of this tool wrote the line; ignoring it might create a job twice.
    """
    if text.startswith(_USUAL):
        try:
            line: Line = _DECODER.decode(text)
        except (ValueError, RecursionError):
            pass
        else:
            return line
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):  # RecursionError: endless brackets
        return None
    if not isinstance(facts, dict):
        return None
    version = facts.pop("v", None)
    if isinstance(version, int) and version > VERSION:
        raise LedgerError(
            f"a newer version of this tool wrote the ledger (lines of version {version})",
            hint="upgrade mistral-batch-reconciler to at least the version that wrote it",
        )
    if version != VERSION:
        return None
    try:
        slowly: Line = msgspec.convert(facts, Line)
    except (ValueError, OverflowError):
        return None
    return slowly


def blocks(file: BinaryIO) -> Iterator[list[Line]]:
    """Decode a ledger, some lines at a time: every complete line, in order.

    Raises:
        LedgerError: a newer version of this tool wrote some of it.
        OSError: it cannot be read.
    """
    while data := file.read(_BLOCK) + file.readline():
        yield _decode_block(data)


def _decode_block(data: bytes) -> list[Line]:
    if data.startswith(_USUAL_BYTES) and data.endswith(b"\n"):
        try:
            lines: list[Line] = _DECODER.decode_lines(data)
        except (ValueError, RecursionError):  # some line is not ours: decode each
            pass
        else:
            if len(lines) == data.count(b"\n" + _USUAL_BYTES) + 1 == data.count(b"\n"):
                return lines
    rows = data.decode(errors="replace").split("\n")
    return [line for row in rows if (line := decode(row)) is not None]
