"""The ledger's lines: one JSON object each, versioned, understood in any order.

Every line says what it is about by id (`op` for a create, `job_id` for the rest), so that two ledgers merge by union
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

Fields with a default may be added within a version: who does not know them reads past them.
"""

_END_OF_TIME: Final = 253_402_300_800
"""The year 10000: what no calendar can show."""

Seconds: TypeAlias = Annotated[float, Meta(ge=0, lt=_END_OF_TIME)]
Count: TypeAlias = Annotated[int, Meta(ge=0, lt=_END_OF_TIME)]


class CreateIntended(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="create_intended"):
    """A create is about to be sent. Durable before the first byte leaves."""

    at: Seconds
    """Wall clock of the writer, Unix seconds; so everywhere below."""
    run_id: str
    op: str
    name: str
    work: str
    rerun: str
    attempt: Count
    reason: str
    lease: Seconds = 0.0
    """Seconds after `at` within which it may still be sent: a claim, made before its turn has come."""
    commit: str = ""
    actor: str = ""
    run_url: str = ""


class CreateConfirmed(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="create_confirmed"):
    """The create took effect: answered, or found in the list by its op."""

    at: Seconds
    run_id: str
    op: str
    job_id: str
    name: str
    work: str
    rerun: str
    attempt: Count
    recovered: bool = False
    """True where the answer was lost and the job was found by its op."""
    endpoint: str = ""
    """"" where an older version of this tool wrote the line; None below."""
    model: str = ""
    """Or the agent's id."""
    requests: Count | None = None
    """How many were bought; None where an uploaded file hides it, too."""
    created_at: Count | None = None
    """The server's clock, Unix seconds."""


class CreateRefused(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="create_refused"):
    """The create certainly had no effect."""

    at: Seconds
    run_id: str
    op: str
    error: str


class CreateUnknown(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="create_unknown"):
    """The create's outcome could not be found out in time."""

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
    """What came of a cancel. Without an error, the API accepted it while the job was running."""

    at: Seconds
    run_id: str
    job_id: str
    status: str = ""
    """The API's word for how the job was left; "" if it could not be read."""
    error: str = ""
    """Why it is not known that this cancel stopped the job, even if `status` says that the job has stopped."""


class Ended(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="ended"):
    """A job of ours was seen to have ended."""

    at: Seconds
    run_id: str
    job_id: str
    name: str
    work: str
    rerun: str
    attempt: Count
    phase: str
    status: str = ""
    """The API's own word. "" where an older version of this tool wrote the line; so below, and None for numbers."""
    endpoint: str = ""
    model: str = ""
    """Or the agent's id."""
    created_at: Count | None = None
    """The server's clock, Unix seconds; so are the two below. None for what never happened, too."""
    started_at: Count | None = None
    completed_at: Count | None = None
    requests: Count | None = None
    """How many the API counted, or else how many were bought."""
    succeeded: Count | None = None
    failed: Count | None = None


class NotificationsEnabled(
    Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="notifications_enabled"
):
    """From here on the ends of jobs are told to `on_end`; those before are not."""

    at: Seconds
    run_id: str


class NotificationClaimed(
    Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="notification_claimed"
):
    """The end of a job is about to be told to `on_end`, by this run and nobody else."""

    at: Seconds
    run_id: str
    job_id: str
    lease: Seconds
    """Seconds after `at` for which the claim holds, unless an `NotificationDelivered` ends it before."""


class NotificationDelivered(
    Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="notification_delivered"
):
    """What came of telling it: nothing more to be done, or the error, after which it is told again."""

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
"""How every line begins that this tool wrote."""
_USUAL_BYTES: Final = _USUAL.encode()
_BLOCK: Final = 1 << 17
"""So many bytes of a ledger are looked at together: few enough for the processor's cache."""


def encode(line: Line) -> str:
    """Return the line's text, without the line feed; fields that have their default are left out."""
    names, defaults = line.__struct_fields__, line.__struct_defaults__
    least = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    facts = {name: getattr(line, name) for name in names}
    given = {name: value for name, value in facts.items() if name not in least or value != least[name]}
    head = {"v": VERSION, "kind": line.__struct_config__.tag}
    return json.dumps({**head, **given}, ensure_ascii=False)


def decode(text: str) -> Line | None:
    """Understand one line; None for what is not a whole line (torn by a crash, or not ours).

    Raises:
        LedgerError: a newer version of this tool wrote the line; ignoring it might buy work twice.
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
    except (ValueError, RecursionError):  # the latter: brackets without end
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
    """Understand a ledger, some lines at a time: every whole line, in order.

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
        except (ValueError, RecursionError):  # some line is none: look at each
            pass
        else:
            if len(lines) == data.count(b"\n" + _USUAL_BYTES) + 1 == data.count(b"\n"):
                return lines
    rows = data.decode(errors="replace").split("\n")
    return [line for row in rows if (line := decode(row)) is not None]
