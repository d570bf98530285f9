"""The ledger's lines: one JSON object each, versioned, understood in any order.

Every line says what it is about by id (`op` for a create, `job_id` for the rest), so that two ledgers merge by union
and a repeated line changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Final, TypeAlias

from reconciler.errors import LedgerError

VERSION: Final = 1
"""The version of the line format. A larger one was written by a newer tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateIntended:
    """A create is about to be sent. Durable before the first byte leaves."""

    at: float
    """Wall clock of the writer, Unix seconds; so everywhere below."""
    run_id: str
    op: str
    name: str
    work: str
    rerun: str
    attempt: int
    reason: str
    lease: float = 0.0
    """Seconds after `at` within which it may still be sent: a claim, made before its turn has come."""
    commit: str = ""
    actor: str = ""
    run_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The create took effect: answered, or found in the list by its op."""

    at: float
    run_id: str
    op: str
    job_id: str
    name: str
    work: str
    rerun: str
    attempt: int
    adopted: bool = False
    """True where the answer was lost and the job was found by its op."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRefused:
    """The create certainly had no effect."""

    at: float
    run_id: str
    op: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateUnknown:
    """The create's outcome could not be found out in time."""

    at: float
    run_id: str
    op: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelIntended:
    """A cancel is about to be sent."""

    at: float
    run_id: str
    job_id: str
    name: str
    reason: str
    commit: str = ""
    actor: str = ""
    run_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelEnded:
    """What came of a cancel: the status that the job was left in, or the error."""

    at: float
    run_id: str
    job_id: str
    status: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job of ours was seen to have ended."""

    at: float
    run_id: str
    job_id: str
    name: str
    work: str
    rerun: str
    attempt: int
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TellingBegan:
    """From here on the ends of jobs are told to `on_end`; those before are not."""

    at: float
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndClaimed:
    """The end of a job is about to be told to `on_end`, by this run and nobody else."""

    at: float
    run_id: str
    job_id: str
    lease: float
    """Seconds after `at` for which the claim holds, unless an `EndTold` ends it before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTold:
    """What came of telling it: nothing more to be done, or the error, after which it is told again."""

    at: float
    run_id: str
    job_id: str
    error: str = ""


Line: TypeAlias = (
    CreateIntended
    | Created
    | CreateRefused
    | CreateUnknown
    | CancelIntended
    | CancelEnded
    | Ended
    | TellingBegan
    | EndClaimed
    | EndTold
)

_KINDS: Final[dict[str, type[Line]]] = {
    "create_intended": CreateIntended,
    "created": Created,
    "create_refused": CreateRefused,
    "create_unknown": CreateUnknown,
    "cancel_intended": CancelIntended,
    "cancel_ended": CancelEnded,
    "ended": Ended,
    "telling_began": TellingBegan,
    "end_claimed": EndClaimed,
    "end_told": EndTold,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


def encode(line: Line) -> str:
    """Return the line's text, without the line feed; fields that have their default are left out."""
    defaults = {field.name: field.default for field in fields(line)}
    facts = {key: value for key, value in asdict(line).items() if value != defaults[key]}
    return json.dumps({"v": VERSION, "kind": _NAMES[type(line)], **facts}, ensure_ascii=False)


def decode(text: str) -> Line | None:
    """Understand one line; None for what is not a whole line (torn by a crash, or not ours).

    Raises:
        LedgerError: a newer version of this tool wrote the line; ignoring it might buy work twice.
    """
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):  # the latter: brackets without end
        return None
    if not isinstance(facts, dict):
        return None
    version, kind = facts.pop("v", None), facts.pop("kind", None)
    if isinstance(version, int) and version > VERSION:
        raise LedgerError(
            f"a newer version of this tool wrote the ledger (lines of version {version})",
            hint="upgrade mistral-batch-reconciler to at least the version that wrote it",
        )
    shape = _KINDS.get(kind) if version == VERSION and isinstance(kind, str) else None
    if shape is None:
        return None
    known = {field.name: field.type for field in fields(shape)}
    wanted = {key: value for key, value in facts.items() if key in known}
    if not all(_fits(value, str(known[key])) for key, value in wanted.items()):
        return None
    try:
        return shape(**wanted)
    except TypeError:  # a required field is missing
        return None


_END_OF_TIME: Final = 253_402_300_800
"""The year 10000: what no calendar can show."""


def _fits(value: object, annotation: str) -> bool:
    """Whether a JSON value is one of a field's."""
    number = isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value < _END_OF_TIME
    match annotation:
        case "float":  # each is a time
            return number
        case "int":
            return number and isinstance(value, int)
        case _:
            return type(value).__name__ == annotation
