"""A snapshot: the workspace as one run saw it, in a file, for plans on another machine and without an API key.

It has only what a plan needs: the jobs that this tool created, with the tool's own tags and without the users'
metadata; the number and the pending requests of all other jobs; and the ledger's lines. It has no prompts, no answers
and no key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct, structs

import reconciler
from reconciler.api import wire
from reconciler.api.values import OddRow
from reconciler.errors import ReconcilerError
from reconciler.ledger import lines
from reconciler.ledger.fold import remember
from reconciler.ledger.lines import Line
from reconciler.ledger.memory import Memory
from reconciler.model import TAG_PREFIX, Job, Observed, Pending, Target, tags
from reconciler.model.jobs import Count
from reconciler.plans import checksum_envelope
from reconciler.text.sanitize import clean
from reconciler.text.timestamps import rfc3339
from reconciler.workspace import observe

FORMAT_VERSION: Final = "1.0"
"""Readers ignore unknown fields within a major version, and refuse another major version."""
HINT: Final = "create it again: reconciler jobs snapshot observed.json"
MAX_ERROR: Final = 500
"""Maximum characters of each error of a job."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of everything in a snapshot."""


class SnapshotDoc(_Part, frozen=True, kw_only=True):
    """The workspace as one run saw it."""

    format_version: str
    tool_version: str
    created_at: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    """RFC 3339, UTC: when the jobs had been read."""
    target: Target
    jobs: tuple[wire.BatchJob, ...]
    """Jobs that this tool created, of any project, or that a spec adopts. Of the metadata, only our tags."""
    other_jobs: Count = 0
    """Jobs without tags of this tool."""
    other_pending: Count = 0
    """Requests of those jobs without an answer yet."""
    ledger: tuple[str, ...] = ()
    """The ledger's lines, as the ledger writes them."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """A snapshot that was read."""

    at: float
    """Unix seconds: when the jobs had been read."""
    jobs: tuple[Job, ...]
    other_jobs: int
    other_pending: int
    ledger: tuple[Line, ...]

    def observed(self, watched: observe.Watched, memory: Memory) -> Observed:
        """Split the jobs into owned, foreign and unreadable. Remembered jobs that the list lacks count as gone."""
        shown = {job.id for job in self.jobs}
        found = observe.sort_out(
            self.jobs,
            watched,
            missing_ids=frozenset(memory.jobs.keys() - shown),
            known=observe.by_memory(memory, self.jobs),
        )
        pending = Pending(own=found.pending.own, others=found.pending.others + self.other_pending)
        return structs.replace(
            found,
            total=found.total + self.other_jobs,
            pending=pending,
            read_started_at=self.at,
            snapshot_taken_at=self.at,
        )


def of(
    jobs: Sequence[Job],
    ledger: Sequence[Line],
    *,
    target: Target,
    now: float,
    adopted: frozenset[str] = frozenset(),
    odd: Sequence[OddRow] = (),
) -> SnapshotDoc:
    """Make a snapshot of a whole list and a ledger; of foreign jobs, only those that specs adopt. Pure.

    Raises:
        ReconcilerError: a job that may be ours cannot be read, so a plan from the snapshot could submit its work again.
    """
    memory = remember(ledger, settle_seconds=0)
    wanted = observe.Watched(project=target.project, wanted=frozenset(), adopted=adopted)
    known_jobs = observe.by_memory(memory, [row.job for row in odd])
    for lost in observe.sort_out((), wanted, known=known_jobs, odd=odd).unreadable:
        raise ReconcilerError(
            f"no snapshot was saved: job {lost.job.id} may be of this project, and {lost.problem}",
            hint="run `reconciler plan` without a snapshot: that plan holds what the job may be",
        )
    known = memory.jobs.keys() | adopted
    own_jobs = [job for job in jobs if job.id in known or any(map(_is_tag, job.metadata))]
    watched = observe.Watched(project=target.project, wanted=frozenset())
    kept = {job.id for job in own_jobs}
    others = [job for job in jobs if job.id not in kept]
    return SnapshotDoc(
        format_version=FORMAT_VERSION,
        tool_version=reconciler.__version__,
        created_at=rfc3339(now),
        target=target,
        jobs=tuple(map(_written, own_jobs)),
        other_jobs=len(others) + len(odd),
        other_pending=observe.sort_out(others, watched, odd=odd).pending.others,
        ledger=tuple(map(lines.encode, ledger)),
    )


def encode(document: SnapshotDoc) -> bytes:
    """Return the bytes of a snapshot file."""
    return checksum_envelope.wrap("snapshot", msgspec.json.encode(document, order="deterministic"))


def decode(data: bytes, target: Target) -> Snapshot:
    """Read a snapshot file of a target.

    Raises:
        ReconcilerError: it is not a snapshot file, has another major version, was altered, or is of another target.
        LedgerError: a newer version of this tool wrote the ledger in it.
    """
    body = checksum_envelope.unwrap("snapshot", data, version=FORMAT_VERSION, hint=HINT)
    try:
        document = msgspec.json.decode(body, type=SnapshotDoc)
        at = dt.datetime.fromisoformat(document.created_at).timestamp()
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError) as error:
        raise ReconcilerError(
            f"the snapshot file does not contain a complete snapshot: {error}", hint=HINT
        ) from error
    made_of = document.target
    if made_of != target:
        raise ReconcilerError(
            f"the snapshot is of project {made_of.project} on {made_of.host}, "
            f"and this is project {target.project} on {target.host}",
            hint="use a snapshot of this project and this API, or check --config and --base-url",
        )
    return Snapshot(
        at=at,
        jobs=tuple(sorted((job.fold() for job in document.jobs), key=lambda job: job.age_key)),
        other_jobs=document.other_jobs,
        other_pending=document.other_pending,
        ledger=tuple(line for row in document.ledger if (line := lines.decode(row)) is not None),
    )


def _is_tag(key: str) -> bool:
    return key.startswith(TAG_PREFIX)


def _written(job: Job) -> wire.BatchJob:
    errors = [{"message": error[:MAX_ERROR]} for error in job.errors]
    return msgspec.convert(
        structs.asdict(structs.replace(job, error_file=None))
        | {"metadata": _tags(job.metadata), "errors": errors},
        wire.BatchJob,
    )


def _tags(metadata: Mapping[str, object]) -> dict[str, str]:
    """Return our tags. A tag that cleaning would alter is marked, so that it stays unreadable."""
    found = {key: str(value) for key, value in metadata.items() if _is_tag(key)}
    texts = {key: value if clean(value) == value else f"\ufffd{clean(value)}" for key, value in found.items()}
    return {clean(key): value[: tags.MAX_VALUE] for key, value in texts.items()}
