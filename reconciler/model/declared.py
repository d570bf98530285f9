"""What git declares: a `JobSpec` with its inputs read, and all of them with their checkout."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct

from reconciler.model import digests
from reconciler.model.jobs import Phase


class RunKey(NamedTuple):
    """The identity of a piece of work that is bought once."""

    work: str
    """The work digest, its version in front."""
    rerun: str
    """The spec's `rerun`; "" where it has none."""


class Position(Struct, frozen=True, kw_only=True, gc=False):
    """Where in a file something was written."""

    path: str
    """Relative to the project root, with forward slashes."""
    line: int
    """1-based."""


class InputFile(Struct, frozen=True, kw_only=True, gc=False, tag="file"):
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


class UploadedFile(Struct, frozen=True, kw_only=True, gc=False, tag="uploaded"):
    """A file that is already in the workspace, named by its id."""

    id: str

    @property
    def identity(self) -> str:
        """What the work digest sees of it."""
        return f"file:{self.id}"


class InlineRequests(Struct, frozen=True, kw_only=True, gc=False, tag="inline"):
    """Requests that stand in the spec itself."""

    body: bytes
    """The list of requests as canonical JSON."""
    count: int

    @property
    def identity(self) -> str:
        """What the work digest sees of it."""
        return f"requests:{digests.sha256(self.body)}"


Input: TypeAlias = InputFile | UploadedFile | InlineRequests


class Retry(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How often failed work is bought again without anybody asking."""

    max_attempts: int = 1
    """Jobs in all, the first among them."""
    on: frozenset[Phase] = frozenset({Phase.FAILED, Phase.TIMED_OUT})


class Adopt(Struct, frozen=True, kw_only=True, gc=False):
    """A job without tags that counts as a spec's own."""

    job: str
    """Its id."""
    work: str
    """The digest of the work that it has bought, as whoever wrote the spec vouches."""


class JobSpec(Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """One declared job, checked, with its inputs read."""

    name: str
    endpoint: str
    model: str | None = None
    agent_id: str | None = None
    inputs: tuple[Input, ...]
    """Sorted by identity: neither glob order nor file names matter."""
    metadata: Mapping[str, str] = {}
    """The user's own, without our tags."""
    timeout_hours: int = 24
    rerun: str = ""
    suspend: bool = False
    retry: Retry = Retry()
    on_change: Literal["replace", "finish"] = "replace"
    on_remove: Literal["cancel", "keep"] = "cancel"
    max_failed: float = 0.0
    """Share of failed requests, 0 to 1, above which a success needs attention."""
    adopt: Adopt | None = None
    declared_at: Position
    family: str = ""
    """What the jobs of one spec are called together (`backfill-*`); "" for a spec of one job. For readers only."""
    defaults: Mapping[str, Position] = {}
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
        return tuple([RunKey(self.work(version), self.rerun) for version in digests.WORK_DIGESTS])

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


class Checkout(Struct, frozen=True, kw_only=True):
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


class Names(Struct, frozen=True, kw_only=True):
    """Which declared jobs a command is about, by globs of their names. It never makes anything absent."""

    only: tuple[str, ...] = ()
    """The jobs whose names fit one of these; nothing for every job."""
    exclude: tuple[str, ...] = ()
    """Less those whose names fit one of these."""

    def __bool__(self) -> bool:
        """Whether anything is narrowed."""
        return bool(self.only or self.exclude)


EVERY_JOB: Final = Names()


class Later(Struct, frozen=True, kw_only=True):
    """A job whose first period has not begun. For readers."""

    begins: str
    """The day, and the time zone whose day it is."""
    family: str = ""
    """What the jobs of its spec are called together; "" for a spec of one job."""


class Ancestry(Struct, frozen=True, kw_only=True):
    """What git knows of some commits."""

    contained: frozenset[str] | None = None
    """Those that are HEAD or its ancestors; None outside of a checkout."""
    newer: frozenset[str] = frozenset()
    """Those that contain HEAD and are not it: this checkout is older than they are."""


class Declared(Struct, frozen=True, kw_only=True):
    """What git says."""

    specs: tuple[JobSpec, ...] = ()
    """Every spec of the project, whether selected or not; names and run keys are unique."""
    selected: frozenset[str] | None = None
    """The names that were asked for; None for all. Whatever is not selected is never absent."""
    later: Mapping[str, Later] = {}
    """The jobs whose first period has not begun, by name: neither wanted yet nor absent."""
    lineage: frozenset[str] | None = None
    """The commits, among those that jobs name, that are HEAD or its ancestors; None without a checkout."""
    newer: frozenset[str] = frozenset()
    """The commits, among those that jobs name, that contain HEAD: this checkout is older than they are."""
    uncommitted: frozenset[str] = frozenset()
    """Files that differ from the commit: whoever checks it out will not see them."""
