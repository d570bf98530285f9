"""The declared specs: a `JobSpec` with its inputs read, and all of them with their checkout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from reconciler.facts import cached_property
from reconciler.model import digests
from reconciler.model.completeness import Checks
from reconciler.model.inputs import Input, InputFile, paths_of, request_count, upload_of
from reconciler.model.requests import KnownRequests
from reconciler.model.terms import Retry, Terms


class RunKey(NamedTuple):
    """The identity of a piece of work, which is submitted once."""

    work: str
    """The work digest, with its version as a prefix."""
    rerun: str
    """The spec's `rerun`; "" if it has none."""


class Position(Struct, frozen=True, kw_only=True, gc=False):
    """A position in a file."""

    path: str
    """Relative to the project root, with forward slashes."""
    line: int
    """1-based."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class Adopt(Struct, frozen=True, kw_only=True, gc=False):
    """A job without tags that counts as the job of a spec."""

    job: str
    """Its id."""
    work: str
    """The digest of the work of that job, as the author of the spec states it."""


class JobSpec(Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """One declared job, checked, with its inputs read."""

    name: str
    endpoint: str
    model: str | None = None
    agent_id: str | None = None
    inputs: tuple[Input, ...]
    """Sorted by identity: neither glob order nor file names matter."""
    metadata: Mapping[str, str] = {}
    """The user's metadata, without our tags."""
    timeout_hours: int = 24
    rerun: str = ""
    period: str = ""
    """`day`, `week` or `month` if `rerun` is the current one. For readers only."""
    suspend: bool = False
    retry: Retry = Retry()
    on_change: Literal["auto", "replace", "finish"] = "auto"
    on_remove: Literal["cancel", "keep"] = "cancel"
    reuse: bool | tuple[str, ...] = True
    """Whether answers of other work of this name count, with the same recipe and rerun; or the names whose do too."""
    checks: Checks = Checks()
    canary: int = 0
    """How many requests need an outcome before the others are submitted; 0 without a canary."""
    large: bool = False
    """Whether one job cannot hold the work, so that several do, one after the other."""
    show_requests: bool = True
    """Whether a plan shows some requests before and after a change of the template. For readers only."""
    adopt: Adopt | None = None
    declared_at: Position
    family: str = ""
    """The name of all jobs of one spec together (`backfill-*`); "" for a spec of one job. For readers only."""
    defaults: Mapping[str, Position] = {}
    """The positions of `retry` and of fields of the work that come from another file. For readers only."""
    same_as: tuple[RunKey, ...] = ()
    """The run keys of earlier jobs of the name that were asked the same requests; `same_requests` adds them."""

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
        """The run key under every digest version that a job may have; the last is the one that new jobs get."""
        versions = [RunKey(self.work(version), self.rerun) for version in digests.WORK_DIGESTS]
        return (*self.same_as, *versions)

    @property
    def in_parts(self) -> bool:
        """Whether the first job is asked only a part of the work."""
        return self.large or self.canary > 0

    @cached_property
    def recipe(self) -> str:
        """Digest of what answers the requests: the endpoint, and the declared model or agent."""
        return digests.recipe_v1(endpoint=self.endpoint, model=self.model, agent_id=self.agent_id)

    @property
    def run_key(self) -> RunKey:
        """The run key that a new job gets."""
        return self.run_keys[-1]

    @cached_property
    def terms(self) -> Terms:
        """The settings with which its work goes on once it was submitted."""
        retry = self.retry
        return Terms(max_attempts=retry.max_attempts, on=retry.words, canary=self.canary, checks=self.checks)

    @cached_property
    def settings(self) -> str:
        """Digest of the settings that accompany the work. A change of them submits nothing."""
        return digests.settings_v1(
            timeout_hours=self.timeout_hours, metadata=self.metadata, on_remove=self.on_remove
        )

    @property
    def files(self) -> tuple[str, ...]:
        """The spec's own file, its local inputs, and what rows are made of, relative to the project root."""
        return (
            self.declared_at.path,
            *sorted(path for part in self.inputs for path in paths_of(part)),
        )

    @cached_property
    def uploads(self) -> tuple[InputFile, ...]:
        """What a create uploads: the local files, and the requests in the spec."""
        return tuple(file for part in self.inputs if (file := upload_of(part, self.declared_at.path)))

    @property
    def reused_names(self) -> tuple[str, ...]:
        """The other names whose answers count."""
        return self.reuse if isinstance(self.reuse, tuple) else ()

    @property
    def requests(self) -> int | None:
        """How many requests the work has; None if an input is an uploaded file."""
        counts = [request_count(part) for part in self.inputs]
        return None if None in counts else sum(count for count in counts if count is not None)


class SubmittedPart(Struct, frozen=True, kw_only=True):
    """What one job is asked of a work."""

    inputs: tuple[Input, ...]
    """The inputs of the work with the lines of the part alone."""
    requests: int
    of: int
    """How many requests the whole work has."""
    reused: int
    """How many of them are answered by other jobs, whose results are here."""


class Checkout(Struct, frozen=True, kw_only=True):
    """The commit that the specs come from; empty outside of git."""

    commit: str = ""
    branch: str = ""
    root: str = ""
    """The folder of the settings file in the repository; "" for the repository's root."""
    uncommitted: frozenset[str] = frozenset()
    """Files that differ from the commit, relative to the project root."""
    shallow: bool = False
    """True if the clone does not have all ancestors."""
    pushed: bool = False
    """True if a remote-tracking branch contains the commit; read only if a setting asks for it."""

    @property
    def dirty(self) -> bool:
        """Whether anything differs from the commit."""
        return bool(self.uncommitted)


def not_committed(files: Iterable[str], uncommitted: frozenset[str]) -> tuple[str, ...]:
    """Return the files that are uncommitted. Of a submodule, git names only the folder: all its files count."""
    return tuple(
        path for path in files if not uncommitted.isdisjoint(accumulate(path.split("/"), "{}/{}".format))
    )


class Names(Struct, frozen=True, kw_only=True):
    """Which declared jobs a command is limited to, by globs of their names. The other jobs still count as declared."""

    only: tuple[str, ...] = ()
    """Include jobs whose names match one of these; empty for every job."""
    exclude: tuple[str, ...] = ()
    """Exclude jobs whose names match one of these."""

    def __bool__(self) -> bool:
        """Whether there is a limit."""
        return bool(self.only or self.exclude)


EVERY_JOB: Final = Names()


class NotYetStarted(Struct, frozen=True, kw_only=True):
    """A job whose first period has not begun. For readers."""

    begins: str
    """The day and its time zone."""
    family: str = ""
    """The name of all jobs of its spec together; "" for a spec of one job."""


class Ancestry(Struct, frozen=True, kw_only=True):
    """How some commits relate to HEAD."""

    contained: frozenset[str] | None = None
    """Those that are HEAD or its ancestors; None outside of a checkout."""
    descendants: frozenset[str] = frozenset()
    """Those that contain HEAD, without HEAD itself: this checkout is older than they are."""


class Declared(Struct, frozen=True, kw_only=True, dict=True):
    """The specs of the project, and their checkout."""

    specs: tuple[JobSpec, ...] = ()
    """Every spec of the project, whether selected or not; names and run keys are unique."""
    selected: frozenset[str] | None = None
    """The selected names; None for all. Names that are not selected still count as declared."""
    later: Mapping[str, NotYetStarted] = {}
    """The jobs whose first period has not begun, by name: not wanted yet, but declared."""
    roots: frozenset[str] = frozenset({""})
    """The folder of the settings file in the repository, and those that it was in before, as the tags have them."""
    ancestry: Ancestry = Ancestry()
    """Of the commits that jobs name."""
    uncommitted: frozenset[str] = frozenset()
    """Files that differ from the commit: other checkouts of it do not have these changes."""
    only_shown: bool = False
    """Whether the command only shows what it reads, and goes on without what has mistakes."""
    requests: Mapping[RunKey, KnownRequests] = {}
    """What is known about the requests of changed work."""

    @cached_property
    def run_keys(self) -> frozenset[RunKey]:
        """The run keys that specs want, under every digest version."""
        return frozenset([key for spec in self.specs for key in spec.run_keys])
