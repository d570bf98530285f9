"""What is ours of the jobs that are there, by the tags we wrote; and the workspace, read whole."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from msgspec import Struct, structs
from msgspec.structs import replace

from reconciler.model.declared import RunKey
from reconciler.model.jobs import Job, Phase

TAG_PREFIX: Final = "reconciler."
"""Metadata keys that begin so are ours; user metadata may not."""


class Source(Struct, frozen=True, kw_only=True, gc=False):
    """Who bought it from where. Empty parts are unknown."""

    commit: str = ""
    dirty: bool = False
    """True where the work tree differed from the commit."""
    branch: str = ""
    actor: str = ""
    repository: str = ""
    """Host and path: `github.com/acme/shop`."""
    run_url: str = ""


class Tags(Struct, frozen=True, kw_only=True, gc=False):
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
    over: frozenset[str] = frozenset()
    """The ids of the jobs of other work that this one replaced: the tool cancelled them once this one existed."""
    source: Source = Source()


class Ours(Struct, frozen=True, gc=False):
    """A job of our project whose tags could be read."""

    job: Job
    tags: Tags
    adopted: bool = False
    """True where no tag is there and a spec says that the job counts: it is never cancelled from here."""

    @property
    def phase(self) -> Phase:
        """The job's phase."""
        return self.job.phase

    @property
    def requests(self) -> int | None:
        """How many requests the API counts, or else how many were bought; None if neither is known."""
        return self.job.total_requests or self.tags.requests

    @property
    def missing(self) -> int | None:
        """How many requests have neither an answer nor an error; None if their number is not known."""
        return None if self.requests is None else max(0, self.requests - self.job.answered_requests)

    def facts(self) -> dict[str, Any]:
        """Return what documents hold of the job, by the names of their fields."""
        return structs.asdict(self.job) | {
            "job_id": self.job.id,
            "project": self.tags.project,
            "name": self.tags.name,
            "work": self.tags.run_key.work,
            "rerun": self.tags.run_key.rerun,
            "attempt": self.tags.attempt,
        }


class Unreadable(Struct, frozen=True, kw_only=True):
    """A job that carries our project's tag and yet cannot be understood."""

    job: Job
    name: str | None
    """None where even the name cannot be read."""
    run_key: RunKey | None
    """None where even the work cannot be read; its `rerun` may be damaged."""
    newer: bool
    """True where a newer version of this tool wrote the tags."""
    problem: str


class Elsewhere(Struct, frozen=True, kw_only=True):
    """A job of another project in the same workspace."""

    job: Job
    project: str
    name: str
    run_key: RunKey


class Pending(Struct, frozen=True, kw_only=True):
    """The requests that the workspace is still to answer: a lower bound, since new jobs show no total."""

    ours: int = 0
    others: int = 0
    """Of other projects, and of jobs without our tags."""


class Observed(Struct, frozen=True, kw_only=True):
    """The workspace, read whole, sorted by what it is to us."""

    ours: tuple[Ours, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    named: tuple[Job, ...] = ()
    """The jobs that specs adopt, as far as they are there, whoever's they are."""
    gone: frozenset[str] = frozenset()
    """Ids that memory knows, the list does not show, and GET answers with 404."""
    total: int = 0
    """How many jobs were read, everybody's."""
    pages: int = 1
    """On how many pages the list stood: only one page is read in one moment."""
    pending: Pending = Pending()
    began: float = 0.0
    """Unix seconds, this machine's clock: when reading began. What settles later may show later than it was read."""
    at: float | None = None
    """Unix seconds: when they were read, where that was not just now but a snapshot tells it."""

    def beside(self, earlier: Observed) -> Observed:
        """Add what an earlier look has seen and this one has not: it may have slipped between two pages."""
        seen = self.gone.union(
            *({it.job.id for it in of} for of in (self.ours, self.unreadable, self.elsewhere))
        )
        return replace(
            self,
            began=earlier.began,
            ours=(*self.ours, *(it for it in earlier.ours if it.job.id not in seen)),
            unreadable=(*self.unreadable, *(it for it in earlier.unreadable if it.job.id not in seen)),
            elsewhere=(*self.elsewhere, *(it for it in earlier.elsewhere if it.job.id not in seen)),
        )


class Target(Struct, frozen=True, kw_only=True):
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
