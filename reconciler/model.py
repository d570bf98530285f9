"""The nouns: what git declares (`JobSpec`), what the API returns (`Job`), what is ours of it (`Ours`).

Frozen values without behaviour beyond their own arithmetic. Everything outside (YAML, HTTP, metadata tags) is
folded into these at the border and never seen past it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final, Literal, NamedTuple, TypeAlias

from reconciler import digests


class Phase(StrEnum):
    """Where a job is in its life, as far as a decision depends on it."""

    ACTIVE = "ACTIVE"
    """QUEUED or RUNNING: it costs money and can be cancelled."""
    STOPPING = "STOPPING"
    """CANCELLATION_REQUESTED."""
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    """Any status this version does not know. Nothing is bought or cancelled on such ground."""


class RunKey(NamedTuple):
    """The identity of a piece of work that is bought once."""

    work: str
    """The work digest, its version in front."""
    rerun: str
    """The spec's `rerun`; "" where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where in a file something was written."""

    path: str
    """Relative to the project root, with forward slashes."""
    line: int
    """1-based."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A local JSONL file that was read and checked."""

    path: str
    """Relative to the project root, with forward slashes; for readers, never part of the identity."""
    sha256: str
    size: int
    """Bytes."""
    requests: int | None
    """None where only a pointer to the content is here."""
    pointer: bool = False
    """True where a Git LFS pointer stands for the content."""

    @property
    def identity(self) -> str:
        """What the work digest sees of it."""
        return f"sha256:{self.sha256}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedFile:
    """A file that is already in the workspace, named by its id."""

    id: str

    @property
    def identity(self) -> str:
        """What the work digest sees of it."""
        return f"file:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineRequests:
    """Requests that stand in the spec itself."""

    body: bytes
    """The list of requests as canonical JSON."""
    count: int

    @property
    def identity(self) -> str:
        """What the work digest sees of it."""
        return f"requests:{digests.sha256(self.body)}"


Input: TypeAlias = InputFile | UploadedFile | InlineRequests


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often failed work is bought again without anybody asking."""

    max_attempts: int = 1
    """Jobs in all, the first among them."""
    on: frozenset[Phase] = frozenset({Phase.FAILED, Phase.TIMED_OUT})


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """One declared job, checked, with its inputs read."""

    name: str
    endpoint: str
    model: str | None = None
    agent_id: str | None = None
    inputs: tuple[Input, ...]
    """Sorted by identity: neither glob order nor file names matter."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The user's own, without our tags."""
    timeout_hours: int = 24
    rerun: str = ""
    suspend: bool = False
    retry: Retry = Retry()
    on_change: Literal["replace", "finish"] = "replace"
    on_remove: Literal["cancel", "keep"] = "cancel"
    max_failed: float = 0.0
    """Share of failed requests, 0 to 1, above which a success needs attention."""
    declared_at: Position
    family: str = ""
    """What the jobs of one spec are called together (`backfill-*`); "" for a spec of one job. For readers only."""
    defaults: Mapping[str, Position] = field(default_factory=dict)
    """Where fields of the work were written that another file gives; for readers only."""

    def work(self, version: str) -> str:
        """Digest the work in the form `version`, one of `digests.WORK_DIGESTS`."""
        return digests.WORK_DIGESTS[version](
            endpoint=self.endpoint,
            model=self.model,
            agent_id=self.agent_id,
            inputs=[part.identity for part in self.inputs],
        )

    @cached_property
    def run_keys(self) -> tuple[RunKey, ...]:
        """This work under every digest version that a job may carry, the one we write last."""
        return tuple(RunKey(self.work(version), self.rerun) for version in digests.WORK_DIGESTS)

    @property
    def run_key(self) -> RunKey:
        """The identity that a new job will carry."""
        return self.run_keys[-1]

    @cached_property
    def settings(self) -> str:
        """Digest of what accompanies the work and never buys anything."""
        return digests.settings_v1(
            timeout_hours=self.timeout_hours, metadata=self.metadata, on_remove=self.on_remove
        )

    @property
    def files(self) -> tuple[str, ...]:
        """The spec's own file and its local inputs, relative to the project root."""
        return (
            self.declared_at.path,
            *sorted(part.path for part in self.inputs if isinstance(part, InputFile)),
        )

    @property
    def requests(self) -> int | None:
        """How many requests the work holds; None where an uploaded file hides it."""
        counts = [request_count(part) for part in self.inputs]
        return None if None in counts else sum(count for count in counts if count is not None)


def request_count(part: Input) -> int | None:
    """Return how many requests an input holds, None where nobody here has read it."""
    match part:
        case InputFile():
            return part.requests
        case InlineRequests():
            return part.count
        case UploadedFile():
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A batch job as the API returns it. `timeout_hours` is not among what it returns."""

    id: str
    phase: Phase
    status: str
    """The API's own word for the phase, cleaned; for readers only."""
    endpoint: str
    model: str | None = None
    agent_id: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    input_files: tuple[str, ...] = ()
    output_file: str | None = None
    error_file: str | None = None
    errors: tuple[str, ...] = ()
    """What the API says went wrong, cleaned."""
    created_at: int
    """Unix seconds, the server's clock; so are the two below."""
    started_at: int | None = None
    completed_at: int | None = None
    total_requests: int = 0
    """0 until the server has validated the input."""
    completed_requests: int = 0
    succeeded_requests: int = 0
    failed_requests: int = 0

    @property
    def age_key(self) -> tuple[int, str]:
        """Sorts the older first; of twins the smallest is kept."""
        return (self.created_at, self.id)

    @property
    def short_id(self) -> str:
        """Enough of the id for a reader."""
        return self.id[:8]


TAG_PREFIX: Final = "reconciler."
"""Metadata keys that begin so are ours; user metadata may not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who bought it from where. Empty parts are unknown."""

    commit: str = ""
    dirty: bool = False
    """True where the work tree differed from the commit."""
    actor: str = ""
    run_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """What we wrote into a job's metadata: the state of the tool, readable by whoever has the key."""

    project: str
    name: str
    run_key: RunKey
    inputs: str
    """Digest of the inputs alone, so that a change can say what changed."""
    requests: int | None = None
    """How many requests were bought, None where unknown."""
    parts: frozenset[str] = frozenset()
    """The first characters of each input's digest; empty where they did not fit."""
    settings: str
    attempt: int
    """1 for the first job of a run key; failed jobs before it are counted."""
    op: str
    """Names the one attempt to create this job, so that a lost answer can be looked up."""
    on_remove: Literal["cancel", "keep"]
    source: Source = Source()


@dataclass(frozen=True, slots=True)
class Ours:
    """A job of our project whose tags could be read."""

    job: Job
    tags: Tags

    @property
    def phase(self) -> Phase:
        """The job's phase."""
        return self.job.phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A job that carries our project's tag and yet cannot be understood."""

    job: Job
    name: str | None
    """None where even the name cannot be read."""
    run_key: RunKey | None
    """None where even the work cannot be read; its `rerun` may be damaged."""
    newer: bool
    """True where a newer version of this tool wrote the tags."""
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A job of another project in the same workspace."""

    job: Job
    project: str
    name: str
    run_key: RunKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The requests that the workspace is still to answer: a lower bound, since new jobs show no total."""

    ours: int = 0
    others: int = 0
    """Of other projects, and of jobs without our tags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The workspace, read whole, sorted by what it is to us."""

    ours: tuple[Ours, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    gone: frozenset[str] = frozenset()
    """Ids that memory knows, the list does not show, and GET answers with 404."""
    total: int = 0
    """How many jobs were read, everybody's."""
    pending: Pending = Pending()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """Where in git's history the specs stand; empty outside of git."""

    commit: str = ""
    branch: str = ""
    uncommitted: frozenset[str] = frozenset()
    """Files that differ from the commit, relative to the project root."""
    shallow: bool = False
    """True where the clone does not know its ancestors."""

    @property
    def dirty(self) -> bool:
        """Whether anything differs from the commit."""
        return bool(self.uncommitted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Which declared jobs a command is about, by globs of their names. It never makes anything absent."""

    only: tuple[str, ...] = ()
    """The jobs whose names fit one of these; nothing for every job."""
    exclude: tuple[str, ...] = ()
    """Less those whose names fit one of these."""

    def __bool__(self) -> bool:
        """Whether anything is narrowed."""
        return bool(self.only or self.exclude)


EVERY_JOB: Final = Names()


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What git says."""

    specs: tuple[JobSpec, ...] = ()
    """Every spec of the project, whether selected or not; names and run keys are unique."""
    selected: frozenset[str] | None = None
    """The names that were asked for; None for all. Whatever is not selected is never absent."""
    later: frozenset[str] = frozenset()
    """Names whose first period has not begun: neither wanted yet nor absent."""
    lineage: frozenset[str] | None = None
    """The commits, among those that jobs name, that are HEAD or its ancestors; None without a checkout."""
    newer: frozenset[str] = frozenset()
    """The commits, among those that jobs name, that contain HEAD: this checkout is older than they are."""
    uncommitted: frozenset[str] = frozenset()
    """Files that differ from the commit: whoever checks it out will not see them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which workspace of which API."""

    base_url: str
    project: str
    sandbox: bool = False

    @property
    def host(self) -> str:
        """For readers: `api.mistral.ai`, or `the sandbox`."""
        return "the sandbox" if self.sandbox else self.base_url.partition("://")[2].rstrip("/")

    @property
    def folder(self) -> str:
        """A path for what this tool keeps about the target, relative to its own folder."""
        host = "sandbox" if self.sandbox else re.sub(r"[^a-z0-9.-]", "_", self.host.lower())
        return f"{host}/{self.project}"
