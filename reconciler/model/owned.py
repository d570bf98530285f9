"""Our jobs, by the tags that this tool wrote."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct, structs

from reconciler.model import completeness
from reconciler.model.completeness import Checked
from reconciler.model.declared import RunKey
from reconciler.model.jobs import Job, Phase
from reconciler.model.money import DOLLAR
from reconciler.model.terms import Terms

TAG_PREFIX: Final = "reconciler."
"""The prefix of our metadata keys; user metadata must not use it."""


class Source(Struct, frozen=True, kw_only=True, gc=False):
    """Who created a job, and from where. Empty parts are unknown."""

    commit: str = ""
    root: str = ""
    """The folder of the settings file in the repository, as `tags.root_of` writes it; "" for the repository's root."""
    dirty: bool = False
    """True if the work tree differed from the commit."""
    branch: str = ""
    actor: str = ""
    repository: str = ""
    """Host and path: `github.com/acme/shop`."""
    run_url: str = ""
    pull: str = ""
    """The number of the pull request."""
    plan: str = ""
    """The first characters of the saved plan's digest."""
    event: str = ""
    """What started the CI run, in the words of the CI system: `push`, `schedule`."""
    approver: str = ""
    """Who approved the pull request or the run."""


class Tags(Struct, frozen=True, kw_only=True, gc=False):
    """Our entries in a job's metadata: the state of the tool, readable with the API key."""

    project: str
    name: str
    run_key: RunKey
    inputs: str
    """Digest of the inputs alone, so that a change can say what changed."""
    requests: int | None = None
    """How many requests were submitted, None if unknown."""
    input_prefixes: frozenset[str] = frozenset()
    """The first characters of each input's digest; empty if they did not fit."""
    settings: str
    attempt: int
    """1 for the first job of a run key; failed jobs before it are counted."""
    terms: Terms = Terms()
    """The spec's settings for going on when the job was created."""
    op: str
    """Identifies the create of this job, so that the job is found if the response was lost."""
    on_remove: Literal["cancel", "keep"]
    over: frozenset[str] = frozenset()
    """The ids of the jobs of other work that this one replaced: the tool cancelled them once this one existed."""
    of: int | None = None
    """How many requests the whole work has, if the job was asked only a part of them."""
    reused: int = 0
    """How many requests of the work were answered when the job was created."""
    lenders: tuple[str, ...] = ()
    """The other names whose answers counted then, as far as they fit."""
    request_digest: str = ""
    """Digest of the sorted keys of the requests, so that their order and form do not matter; "" if unknown."""
    recipe: str = ""
    """Digest of endpoint and declared model or agent; the API may show another name for a model."""
    resolved: str = ""
    """The id of the model that the alias in the spec meant when the job was created; "" if it is none or unknown."""
    most: int | None = None
    """The most that the job can cost, in micros of `currency`; None if that was not known."""
    currency: str = DOLLAR
    source: Source = Source()


class OwnedJob(Struct, frozen=True, gc=False):
    """A job of our project whose tags could be read."""

    job: Job
    tags: Tags
    adopted: bool = False
    """True if the job has no tags and a spec adopts it. This tool never cancels it."""
    received: completeness.Received | None = None
    """What its pulled results hold; None if they are not known."""
    checked: Checked | None = None
    """What the checks of its pulled answers found; None if it is not known."""

    @property
    def phase(self) -> Phase:
        """The job's phase."""
        return self.job.phase

    @property
    def requests(self) -> int | None:
        """How many requests were submitted, or more if the API counts more; None if neither is known."""
        return completeness.submitted_requests(self.job, self.tags.requests)

    @property
    def has_results(self) -> bool:
        """Whether there are answers, or a file says why there are none."""
        return self.job.has_answers or self.job.error_file is not None

    @property
    def is_part(self) -> bool:
        """Whether the job was asked only a part of its work."""
        return self.tags.of is not None

    @property
    def of_work(self) -> int | None:
        """How many requests the whole work has, None if unknown."""
        return self.tags.requests if self.tags.of is None else self.tags.of

    @property
    def not_asked(self) -> int:
        """How many requests were neither answered nor asked with this job: a canary leaves the rest of its work."""
        return max(0, (self.tags.of or 0) - self.tags.reused - (self.tags.requests or 0))

    @property
    def completes_the_work(self) -> bool:
        """Whether the API's counts say that every request of the work is answered, here or before."""
        if self.job.phase is not Phase.SUCCEEDED:
            return False
        of = self.requests if self.tags.of is None else self.tags.of
        return of is not None and self.tags.reused + completeness.fetchable_answers(self.job) >= of

    def is_twin_of(self, other: OwnedJob) -> bool:
        """Whether an equal, older job had not ended yet when this one was created: another runner's."""
        alike = (self.tags.run_key, self.tags.inputs, self.tags.attempt)
        same = alike == (other.tags.run_key, other.tags.inputs, other.tags.attempt)
        ended = other.job.completed_at
        live = ended is None or ended >= self.job.created_at
        return same and live and other.job.age_key < self.job.age_key

    @property
    def missing(self) -> int | None:
        """How many requests have neither an answer that can be fetched nor an error; None if that is not known."""
        return completeness.missing_requests(self.job, self.tags.requests, self.received)

    @property
    def success_key(self) -> tuple[int, int, int, tuple[int, str]]:
        """Sort key of succeeded jobs of one work: the last part first, then the most complete, then the oldest."""
        return (-self.tags.reused, self.missing or 0, self.job.failed_requests, self.job.age_key)

    @property
    def difference(self) -> str:
        """How the numbers of a succeeded job differ; "" if they agree."""
        return completeness.difference(self.job, self.tags.requests, self.received)

    def facts(self) -> dict[str, Any]:
        """Return the fields of the job that documents have, by name."""
        return structs.asdict(self.job) | {
            "job_id": self.job.id,
            "project": self.tags.project,
            "name": self.tags.name,
            "work": self.tags.run_key.work,
            "rerun": self.tags.run_key.rerun,
            "attempt": self.tags.attempt,
            "of": self.tags.of,
            "reused": self.tags.reused,
            "recipe": self.tags.recipe,
        }


class Unreadable(Struct, frozen=True, kw_only=True):
    """A job of our project whose other tags cannot be read."""

    job: Job
    name: str | None
    """None if the name cannot be read."""
    run_key: RunKey | None
    """None if the work cannot be read; its `rerun` may be damaged."""
    from_newer_version: bool
    """True if a newer version of this tool wrote the tags."""
    problem: str
    hint: str = ""
    """What to do, if a look at it is no help."""
    of_any_name: bool = False
    """True if nothing shows whose job it is, so that it may be the job of any name."""
