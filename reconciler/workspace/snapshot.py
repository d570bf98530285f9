"""A snapshot: the workspace as one run saw it, in a file, for plans on another machine and without an API key.

It has only what a plan needs: the project's jobs, with the tool's own tags and without the users' metadata, actors and
CI runs; the number and the pending requests of all other jobs, and digests of the work of other projects, which may
not be submitted again; and the ledger's lines about what the list does not explain. A spec may declare the work of any
ended job again, so each of the project's is in it. It has no prompts, no answers and no key.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct, structs

import reconciler
from reconciler.api import wire
from reconciler.api.values import OddRow
from reconciler.errors import ReconcilerError
from reconciler.ledger import lines
from reconciler.ledger.fold import remember
from reconciler.ledger.lines import (
    CreateConfirmed,
    CreateIntended,
    CreateRefused,
    CreateUnknown,
    Ended,
    Line,
    NotificationLine,
)
from reconciler.ledger.memory import Memory
from reconciler.model import (
    TAG_PREFIX,
    Job,
    Observed,
    OtherProjectJob,
    OwnedJob,
    Pending,
    Phase,
    RunKey,
    Target,
    digests,
    tags,
)
from reconciler.model.jobs import Count
from reconciler.plans import checksum_envelope
from reconciler.text.plural import DAY
from reconciler.text.sanitize import clean
from reconciler.text.timestamps import rfc3339
from reconciler.workspace import observe

FORMAT_VERSION: Final = "2.0"
"""Readers ignore unknown fields within a major version, and refuse another major version."""
HINT: Final = "create it again: reconciler jobs snapshot observed.json"
MAX_ERROR: Final = 500
"""Maximum characters of each error of a job."""


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
    known = memory.jobs.keys() | adopted | observe.by_memory(memory, jobs).keys()
    own_jobs = [job for job in jobs if job.id in known or tags.project_of(job) == target.project]
    watched = observe.Watched(project=target.project, wanted=frozenset())
    kept = {job.id for job in own_jobs}
    others = [job for job in jobs if job.id not in kept]
    return SnapshotDoc(
        format_version=FORMAT_VERSION,
        tool_version=reconciler.__version__,
        created_at=rfc3339(now),
        target=target,
        jobs=tuple(_written(job, adopted) for job in own_jobs),
        other_jobs=len(others) + len(odd),
        other_pending=observe.sort_out(others, watched, odd=odd).pending.others,
        other_projects=tuple(_of_others(others)),
        ledger=tuple(map(lines.encode, _deciding(ledger, own_jobs, target.project, before=now - DAY))),
    )


def _of_others(jobs: Iterable[Job]) -> Iterator[OtherProject]:
    found: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for job in jobs:
        read = tags.read(job) if tags.project_of(job) else None
        if isinstance(read, OwnedJob):
            holds = job.phase in (Phase.ACTIVE, Phase.SUCCEEDED, Phase.UNKNOWN)
            found[clean(read.tags.project)][not holds].add(fingerprint(read.tags.run_key))
    for project, (holding, ended) in sorted(found.items()):
        rest = ended - holding
        yield OtherProject(project=project, holding=tuple(sorted(holding)), ended=tuple(sorted(rest)))


def _deciding(ledger: Sequence[Line], jobs: Iterable[Job], project: str, *, before: float) -> Iterator[Line]:
    """Yield the lines that may decide something.

    The list shows the jobs that have succeeded, so lines about them add nothing, unless they contradict the list or are
    as recent as `before` (Unix seconds). Lines about one of them stay: they show that this is the ledger's workspace. A
    create whose outcome is known, and notifications, decide nothing.
    """
    read = (tags.read(job) for job in jobs if job.phase is Phase.SUCCEEDED)
    done = {
        it.job.id: it.tags.run_key for it in read if isinstance(it, OwnedJob) and it.tags.project == project
    }
    settled = {line.op for line in ledger if isinstance(line, CreateConfirmed | CreateRefused)}
    recorded: dict[str, set[RunKey | None]] = defaultdict(set)
    for line in ledger:
        if isinstance(line, CreateConfirmed | Ended):
            recorded[line.job_id].add(RunKey(line.work, line.rerun) if line.at < before else None)
    explained = sorted(job_id for job_id, key in done.items() if recorded.get(job_id) == {key})
    left_out = frozenset(explained[1:])
    for line in ledger:
        match line:
            case CreateIntended() | CreateUnknown() | CreateRefused():
                decides = line.op not in settled
            case CreateConfirmed() | Ended():
                decides = line.job_id not in left_out
            case _:
                decides = not isinstance(line, NotificationLine)
        if decides:
            yield line


def encode(document: SnapshotDoc) -> bytes:
    """Return the bytes of a snapshot file."""
    return checksum_envelope.wrap(
        "snapshot", msgspec.json.encode(document, order="deterministic"), indented=False
    )


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
        other_projects=document.other_projects,
        ledger=tuple(line for row in document.ledger if (line := lines.decode(row)) is not None),
    )


def _is_tag(key: str) -> bool:
    return key.startswith(TAG_PREFIX)


def _written(job: Job, adopted: Collection[str]) -> wire.BatchJob:
    errors = [{"message": error[:MAX_ERROR]} for error in job.errors]
    if job.id not in adopted:  # whose inputs are compared with the spec's
        job = structs.replace(job, input_files=())
    return msgspec.convert(
        structs.asdict(structs.replace(job, error_file=None))
        | {"metadata": _tags(job.metadata), "errors": errors},
        wire.BatchJob,
    )


def _tags(metadata: Mapping[str, object]) -> dict[str, str]:
    """Return our tags, of the source only commit and folder.

    A tag that cleaning would alter is marked, so that it stays unreadable.
    """
    found = {key: str(value) for key, value in metadata.items() if _is_tag(key)}
    texts = {key: value if clean(value) == value else f"\ufffd{clean(value)}" for key, value in found.items()}
    shown = {clean(key): value[: tags.MAX_VALUE] for key, value in texts.items()}
    words = shown.pop(tags.SOURCE, "").split(" ")
    place = " ".join(word for word in words if word.startswith(("commit=", "root=")))
    return shown | ({tags.SOURCE: place} if place else {})
