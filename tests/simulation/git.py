"""The specs at each commit: random ones, and random edits of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from msgspec import structs

from reconciler.model import (
    Adopt,
    Ancestry,
    Declared,
    InlineRequests,
    Input,
    JobSpec,
    Phase,
    Position,
    Retry,
    UploadedFile,
    digests,
)
from tests.simulation.history import CreatedJob
from tests.simulation.server import UPLOADS

NAMES: Final = ("alpha", "beta", "gamma")
MODELS: Final = ("mistral-small-latest", "mistral-small-latest", "mistral-small-latest", "sandbox-stuck-1")
NOBODY: Final = "00000000-0000-4000-8000-000000000000"
"""The id of a job that was never there."""
Specs: TypeAlias = tuple[JobSpec, ...]


def _inline_named(*ids: str) -> InlineRequests:
    body: digests.Json = {"messages": [{"content": "Hi", "role": "user"}]}
    requests: list[digests.Json] = [{"body": body, "custom_id": custom_id} for custom_id in ids]
    return InlineRequests(body=digests.canonical(requests), count=len(ids))


def _inline(word: str, count: int) -> InlineRequests:
    return _inline_named(*(f"{word}-{number}" for number in range(count)))


WORKS: Final[Mapping[str, Input]] = {
    "one": _inline("one", 1),
    "two": _inline("two", 1),
    "twenty": _inline("twenty", 20),
    "uploaded": UploadedFile(id=UPLOADS[0]),
    "failing": _inline_named("a!fail", "b"),
}
"""Few, so that run keys collide over time."""


@dataclass(frozen=True)
class Commit:
    """A commit, and what the specs were at it."""

    id: str
    specs: Specs


class Git:
    """A linear history of commits.

    Args:
        dice: choose specs and edits.
        used: False outside of git: then commits are unknown.
        jobs: what is in the workspace, for those who adopt some of it.
    """

    def __init__(
        self, dice: random.Random, *, used: bool = True, jobs: Callable[[], Sequence[CreatedJob]] = tuple
    ) -> None:
        self._dice = dice
        self.used = used
        self.jobs = jobs
        self.commits = [
            Commit(self._id(), _tidy([self.a_spec(name) for name in NAMES[: dice.choice((1, 2, 3, 3))]]))
        ]

    def commit(self, specs: Specs | None = None) -> None:
        """Commit these specs, or an edit of the last ones."""
        self.commits.append(Commit(self._id(), self._edited() if specs is None else specs))

    def adopt(self) -> None:
        """Let a spec of the last commit adopt a job."""
        last = self.commits.pop()
        self.commits.append(replace(last, specs=_tidy(_with_one(_adopting)(self, list(last.specs)))))

    def declared(self, commit: int, selected: frozenset[str] | None = None) -> Declared:
        """Return what a checkout of a commit declares."""
        ancestry = Ancestry(contained=frozenset() if self.used else None)
        return Declared(specs=self.commits[commit].specs, selected=selected, ancestry=ancestry)

    def ancestry(self, commit: int) -> Callable[[frozenset[str]], Ancestry]:
        """Return what says which commits a checkout of a commit contains, and which came later."""
        contained = {it.id for it in self.commits[: commit + 1]}
        later = {it.id for it in self.commits[commit + 1 :]}

        def ancestry(commits: frozenset[str]) -> Ancestry:
            if not self.used:
                return Ancestry()
            return Ancestry(contained=commits & contained, descendants=commits & later)

        return ancestry

    def a_spec(self, name: str) -> JobSpec:
        """Return a spec of any kind."""
        dice = self._dice
        return JobSpec(
            name=name,
            endpoint="/v1/chat/completions",
            model=dice.choice(MODELS),
            inputs=(WORKS[dice.choice(tuple(WORKS))],),
            rerun=dice.choice(("", "", "2")),
            suspend=dice.random() < 0.04,
            retry=Retry(
                max_attempts=dice.choice((1, 2, 3)),
                on=dice.choice((frozenset({Phase.FAILED, Phase.TIMED_OUT}), frozenset({Phase.FAILED}))),
            ),
            reuse=False,
            on_change=dice.choice(("replace", "replace", "finish")),
            on_remove=dice.choice(("cancel", "cancel", "cancel", "keep")),
            timeout_hours=dice.choice((1, 2)),
            declared_at=Position(path=f"specs/{name}.yaml", line=1),
        )

    def _id(self) -> str:
        return f"{self._dice.getrandbits(160):040x}"

    def _edited(self) -> Specs:
        specs, dice = list(self.commits[-1].specs), self._dice
        for _ in range(dice.choice((1, 2, 2, 3))):
            edit = dice.choice(EDITS)
            specs = edit(self, specs)
        return _tidy(specs)


Edit: TypeAlias = Callable[[Git, "list[JobSpec]"], "list[JobSpec]"]


def _with_one(change: Callable[[Git, JobSpec], JobSpec]) -> Edit:
    def edit(git: Git, specs: list[JobSpec]) -> list[JobSpec]:
        if not specs:
            return [git.a_spec(NAMES[0])]
        chosen = git._dice.randrange(len(specs))
        return [change(git, spec) if at == chosen else spec for at, spec in enumerate(specs)]

    return edit


def _changed(git: Git, spec: JobSpec) -> JobSpec:
    other = git.a_spec(spec.name)
    return structs.replace(spec, inputs=other.inputs, model=other.model)


def _rerun(git: Git, spec: JobSpec) -> JobSpec:
    return structs.replace(spec, rerun=git._dice.choice(("", "2", "3")))


def _renamed(git: Git, spec: JobSpec) -> JobSpec:
    return structs.replace(spec, name=git._dice.choice((*NAMES, "delta")))


def _suspended(_: Git, spec: JobSpec) -> JobSpec:
    return structs.replace(spec, suspend=not spec.suspend)


def _settled_otherwise(git: Git, spec: JobSpec) -> JobSpec:
    other = git.a_spec(spec.name)
    return structs.replace(
        spec,
        retry=other.retry,
        on_change=other.on_change,
        on_remove=other.on_remove,
        timeout_hours=other.timeout_hours,
    )


def _adopting(git: Git, spec: JobSpec) -> JobSpec:
    """Let a spec adopt what was made by hand for it, or any job, or one that is not there; or no more."""
    dice, jobs = git._dice, git.jobs()
    made = [job for job in jobs if job.work == spec.run_key.work]
    chosen = dice.choice(made if made and dice.random() < 0.8 else [None, None, *jobs])
    if chosen is None and dice.random() < 0.5:
        return structs.replace(spec, adopt=None)
    work = spec.run_key.work if chosen is None or dice.random() < 0.7 else chosen.work or spec.run_key.work
    return structs.replace(spec, adopt=Adopt(job=chosen.id if chosen else NOBODY, work=work))


def _added(git: Git, specs: list[JobSpec]) -> list[JobSpec]:
    return [*specs, git.a_spec(git._dice.choice(NAMES))]


def _removed(git: Git, specs: list[JobSpec]) -> list[JobSpec]:
    gone = git._dice.randrange(len(specs)) if specs else 0
    return [spec for at, spec in enumerate(specs) if at != gone]


def _reverted(git: Git, _: list[JobSpec]) -> list[JobSpec]:
    return list(git._dice.choice((git.commits[-1], *git.commits[-2:], git.commits[0])).specs)


EDITS: Final[tuple[Edit, ...]] = (
    _with_one(_changed),
    _with_one(_changed),
    _with_one(_changed),
    _with_one(_rerun),
    _with_one(_renamed),
    _with_one(_suspended),
    _with_one(_settled_otherwise),
    _with_one(_adopting),
    _added,
    _removed,
    _removed,
    _reverted,
    _reverted,
    _reverted,
)


def _tidy(specs: list[JobSpec]) -> Specs:
    """Let names and adopted jobs be unique, as the loader demands. Specs with the same work share a job."""
    names: dict[str, JobSpec] = {}
    for spec in specs:
        if spec.adopt and spec.adopt.job in {it.adopt.job for it in names.values() if it.adopt}:
            continue
        names.setdefault(spec.name, spec)
    return tuple(names[name] for name in sorted(names))
