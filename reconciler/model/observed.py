"""The API and the project, and the whole workspace that one key can see."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.declared import RunKey
from reconciler.model.jobs import Job
from reconciler.model.owned import OwnedJob, Unreadable


class OtherProjectJob(Struct, frozen=True, kw_only=True):
    """A job of another project in the same workspace."""

    job: Job
    project: str
    name: str
    run_key: RunKey


class Pending(Struct, frozen=True, kw_only=True):
    """The requests without an answer yet: a lower bound, because new jobs show no total."""

    own: int = 0
    others: int = 0
    """Of other projects, and of jobs without our tags."""


class Observed(Struct, frozen=True, kw_only=True):
    """The whole workspace, sorted by owner."""

    owned: tuple[OwnedJob, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    other_projects: tuple[OtherProjectJob, ...] = ()
    adopted_candidates: tuple[Job, ...] = ()
    """The jobs that specs adopt, if they exist, of any owner."""
    missing_ids: frozenset[str] = frozenset()
    """Ids that memory has, the list does not show, and for which GET returns 404."""
    total: int = 0
    """How many jobs were read, of all projects."""
    pages: int = 1
    """How many pages the list had. Only a single page is a consistent view."""
    pending: Pending = Pending()
    read_started_at: float = 0.0
    """Unix seconds, this machine's clock: when reading began. A create that settles later may be missing."""
    snapshot_taken_at: float | None = None
    """Unix seconds: when the jobs of a snapshot were read; None if there is no snapshot."""

    @property
    def our_jobs(self) -> tuple[Job, ...]:
        """The jobs of this project, whether their tags can be read or not."""
        return (*(it.job for it in self.owned), *(it.job for it in self.unreadable))

    def merge_earlier(self, earlier: Observed) -> Observed:
        """Add the jobs that an earlier read saw and this one did not: they may have moved between two pages."""
        seen = self.missing_ids.union(
            *({it.job.id for it in of} for of in (self.owned, self.unreadable, self.other_projects))
        )
        return replace(
            self,
            read_started_at=earlier.read_started_at,
            owned=(*self.owned, *(it for it in earlier.owned if it.job.id not in seen)),
            unreadable=(*self.unreadable, *(it for it in earlier.unreadable if it.job.id not in seen)),
            other_projects=(
                *self.other_projects,
                *(it for it in earlier.other_projects if it.job.id not in seen),
            ),
        )


class Target(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The API and the project."""

    base_url: str
    project: str
    environment: str = ""
    """The environment of the settings file; "" if it has none. For readers: the project is its own."""
    sandbox: bool = False

    @property
    def host(self) -> str:
        """The host for readers: `api.mistral.ai`, or `the sandbox`."""
        return "the sandbox" if self.sandbox else self.base_url.partition("://")[2].rstrip("/")

    @property
    def folder(self) -> str:
        """The path of the target's data, relative to this tool's folder."""
        host = "sandbox" if self.sandbox else re.sub(r"[^a-z0-9.-]", "_", self.host.lower())
        return f"{host}/{self.project}"
