"""A snapshot: the workspace as one run saw it, in a file, for plans on another machine and without an API key.

It has only what a plan needs: the project's jobs that may decide something, with the tool's own tags and without the
users' metadata, actors and CI runs; the number and the pending requests of all other jobs, and digests of the work of
other projects, which may not be submitted again; and the ledger's lines about what the list does not explain. A job
that has succeeded is left out once no spec declares its name or its work. It has no prompts, no answers and no key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct, structs

from reconciler.api import wire
from reconciler.errors import ReconcilerError
from reconciler.ledger import line_format
from reconciler.ledger.lines import Line
from reconciler.ledger.memory import Memory
from reconciler.model import (
    Job,
    Observed,
    OtherProjectJob,
    Pending,
    Phase,
    RunKey,
    Target,
    digests,
)
from reconciler.model.jobs import Count
from reconciler.plans import checksum_envelope
from reconciler.workspace import observe

FORMAT_VERSION: Final = "2.0"
"""Readers ignore unknown fields within a major version, and refuse another major version."""
HINT: Final = "create it again: reconciler jobs snapshot observed.json"


class OtherProject(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Another project of the workspace: what it has submitted, as `fingerprint` writes it."""

    project: str
    holding: tuple[str, ...] = ()
    """Work that runs, has succeeded, or is in a state that this version does not know."""
    ended: tuple[str, ...] = ()
    """Other work."""


class SnapshotDoc(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The workspace as one run saw it."""

    format_version: str
    tool_version: str
    created_at: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    """RFC 3339, UTC: when the jobs had been read."""
    target: Target
    jobs: tuple[wire.BatchJob, ...]
    """The project's jobs, and those that a spec adopts. Of the metadata, only what decides something."""
    other_jobs: Count = 0
    """All other jobs of the workspace."""
    other_pending: Count = 0
    """Requests of those jobs without an answer yet."""
    other_projects: tuple[OtherProject, ...] = ()
    ledger: tuple[str, ...] = ()
    """The ledger's lines that may decide something, as the ledger writes them."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """A snapshot that was read."""

    at: float
    """Unix seconds: when the jobs had been read."""
    jobs: tuple[Job, ...]
    other_jobs: int
    other_pending: int
    other_projects: tuple[OtherProject, ...]
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
            other_projects=tuple(self._elsewhere(watched)),
            total=found.total + self.other_jobs,
            pending=pending,
            read_started_at=self.at,
            snapshot_taken_at=self.at,
        )

    def _elsewhere(self, watched: observe.Watched) -> Iterator[OtherProjectJob]:
        """Yield a job for the wanted work of each other project."""
        wanted = {fingerprint(key): key for key in sorted(watched.wanted)}
        for other in self.other_projects:
            for phase, works in ((Phase.SUCCEEDED, other.holding), (Phase.FAILED, other.ended)):
                for key in filter(None, map(wanted.get, works)):
                    job = Job(id="-", phase=phase, status="", endpoint="", created_at=0)
                    yield OtherProjectJob(job=job, project=other.project, name="", run_key=key)


def fingerprint(key: RunKey) -> str:
    """Return the beginning of a digest of a run key: enough to recognise work, and not to read it."""
    return digests.sha256(f"{key.work} {key.rerun}".encode())[:16]


def encode(document: SnapshotDoc) -> bytes:
    """Return the bytes of a snapshot file."""
    return checksum_envelope.wrap(
        "snapshot", msgspec.json.encode(document, order="deterministic"), indented=False
    )


def decode(data: bytes, target: Target) -> Snapshot:
    """Read a snapshot file of a target.

    Raises `ReconcilerError` if it is not a snapshot file, has another major version, was altered, or is of another
    target; `LedgerError` if a newer version of this tool wrote the ledger in it.
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
        other_projects=document.other_projects,
        ledger=tuple(line for row in document.ledger if (line := line_format.decode(row)) is not None),
    )
