"""The spec at each edit: which requests it wants, and what it says about canary, retries and reuse."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, TypeAlias

from reconciler.model import (
    Checks,
    InlineRequests,
    Input,
    InputFile,
    JobSpec,
    Phase,
    Position,
    Retry,
    digests,
)
from reconciler.settings import Limits
from tests.simulation.requests.api import Question, question

NAMES: Final = ("tickets", "letters")
ENDPOINT: Final = "/v1/chat/completions"
MODELS: Final = ("mistral-small-latest", "mistral-medium-latest")
ON_CHANGE: Final = ("auto", "auto", "replace", "finish")
FILES: Final = ("first.jsonl", "second.jsonl")
Wanted: TypeAlias = tuple[int, int]
"""A custom_id and the version of its body, as numbers."""


@dataclass(frozen=True)
class Spec:
    """What the spec of the name says."""

    name: str
    want: tuple[Wanted, ...]
    form: int = 0
    """How the lines are written: another form is another digest of the same requests."""
    second: int = 0
    """So many of the last requests are in a second file."""
    inline: bool = False
    """Whether the requests are in the spec itself."""
    model: str = MODELS[0]
    rerun: str = ""
    canary: int = 0
    cap: int = 2
    on: frozenset[Phase] = frozenset({Phase.TIMED_OUT})
    kinds: frozenset[str] = frozenset({"missing", "http_429", "http_5xx"})
    reuse: bool | tuple[str, ...] = True
    failed: float = 0.0
    """The share of failures that `checks` accept."""
    on_change: Literal["auto", "replace", "finish"] = "auto"
    on_remove: Literal["cancel", "keep"] = "cancel"
    suspend: bool = False

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """The wanted requests, in order."""
        return tuple(question(_line(it), self.model) for it in self.want)

    @property
    def recipe(self) -> tuple[str, str | None, str]:
        """What answers them: endpoint, model and rerun."""
        return ENDPOINT, self.model, self.rerun

    @property
    def lending(self) -> tuple[str, ...]:
        """The names whose jobs may answer, also jobs of other work."""
        names = self.reuse if isinstance(self.reuse, tuple) else ()
        return (self.name, *names) if self.reuse else ()

    @cached_property
    def work(self) -> tuple[object, ...]:
        """What the digest of the work is made of, with the rerun: recipe and contents, in any order."""
        return (*self.recipe, frozenset((bool(path), content) for path, content in self._contents()))

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        """Yield each input with its path, "" for requests in the spec itself."""
        if self.inline:
            yield "", digests.canonical([_line(it) for it in self.want])
            return
        at = len(self.want) - self.second
        for path, part in zip(FILES, (self.want[:at], self.want[at:]), strict=True):
            if part:
                content = "".join(_written(_line(it), self.form) for it in part).encode()
                yield f"{self.name}-{path}", content.removesuffix(b"\n") if self.form == 2 else content

    def retries(self, kind: str) -> bool:
        """Whether a kind of failure is retried."""
        statuses = {Phase.FAILED: "FAILED", Phase.TIMED_OUT: "TIMEOUT_EXCEEDED"}
        named = {statuses[it] for it in self.on} | self.kinds
        return kind in named or (kind.startswith("http_") and f"{kind[:6]}xx" in named)

    def checked_out(self, root: Path, limits: Limits) -> JobSpec:
        """Write the input files below a project's root, and return the spec as the loader does."""
        inputs: list[Input] = []
        for path, content in self._contents():
            if not path:
                inputs.append(InlineRequests(body=content, count=len(self.want)))
                continue
            if not (root / path).exists() or (root / path).read_bytes() != content:
                (root / path).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            lines = content.count(b"custom_id")
            inputs.append(InputFile(path=path, sha256=digest, size=len(content), requests=lines))
        return JobSpec(
            name=self.name,
            endpoint=ENDPOINT,
            model=self.model,
            inputs=tuple(sorted(inputs, key=lambda it: it.identity)),
            rerun=self.rerun,
            suspend=self.suspend,
            retry=Retry(max_attempts=self.cap, on=self.on, kinds=self.kinds),
            reuse=self.reuse,
            canary=self.canary,
            checks=Checks(failed=self.failed),
            on_change=self.on_change,
            on_remove=self.on_remove,
            large=len(self.want) > limits.requests_per_job
            or any(isinstance(it, InputFile) and it.size > limits.file_bytes for it in inputs),
            declared_at=Position(path=f"specs/{self.name}.yaml", line=1),
        )


def _line(wanted: Wanted) -> dict[str, digests.Json]:
    number, version = wanted
    message: dict[str, digests.Json] = {"role": "user", "content": f"{number} in version {version}"}
    return {"custom_id": f"r{number}", "body": {"messages": [message]}}


def _written(line: dict[str, digests.Json], form: int) -> str:
    if form == 1:
        return json.dumps(dict(reversed(line.items())), separators=(",", ":")) + "\n"
    return json.dumps(line) + "\n"


def first(dice: random.Random) -> Spec:
    """Return the spec of the first commit."""
    count = dice.choice((1, 2, 3, 4, 6))
    return Spec(
        name=NAMES[0],
        want=tuple((number, 0) for number in range(count)),
        second=dice.choice((0, 0, min(1, count - 1))),
        inline=dice.random() < 0.25,
        canary=dice.choice((0, 0, 0, 1, 2)),
        cap=dice.choice((1, 2, 2, 3)),
        on=dice.choice((frozenset({Phase.TIMED_OUT}), frozenset({Phase.TIMED_OUT, Phase.FAILED}))),
        kinds=dice.choice((Spec.kinds, Spec.kinds, Spec.kinds | {"error"}, frozenset({"http_4xx"}))),
        reuse=dice.random() < 0.85,
        failed=dice.choice((0.0, 0.0, 0.0, 0.5)),
        on_change=dice.choice(ON_CHANGE),
        on_remove=dice.choice(("cancel", "cancel", "keep")),
    )


Edit: TypeAlias = Callable[[Spec, random.Random], Spec]


def _appended(spec: Spec, dice: random.Random) -> Spec:
    next_one = max((number for number, _ in spec.want), default=0) + 1
    more = tuple((next_one + it, 0) for it in range(dice.choice((1, 1, 2))))
    at = len(spec.want) if dice.random() < 0.7 else dice.randrange(len(spec.want) + 1)
    return replace(spec, want=(*spec.want[:at], *more, *spec.want[at:]))


def _changed(spec: Spec, dice: random.Random) -> Spec:
    at = dice.randrange(len(spec.want))
    number, version = spec.want[at]
    return replace(spec, want=(*spec.want[:at], (number, version + 1), *spec.want[at + 1 :]))


def _removed(spec: Spec, dice: random.Random) -> Spec:
    if len(spec.want) < 2:
        return spec
    at = dice.randrange(len(spec.want))
    want = (*spec.want[:at], *spec.want[at + 1 :])
    return replace(spec, want=want, second=min(spec.second, len(want)))


def _reordered(spec: Spec, dice: random.Random) -> Spec:
    return replace(spec, want=tuple(dice.sample(spec.want, len(spec.want))))


def _reformatted(spec: Spec, dice: random.Random) -> Spec:
    return replace(spec, form=dice.choice((0, 1, 2)))


def _moved(spec: Spec, dice: random.Random) -> Spec:
    return replace(spec, second=dice.randrange(len(spec.want) + 1), inline=dice.random() < 0.25)


def _of_another_model(spec: Spec, _: random.Random) -> Spec:
    return replace(spec, model=MODELS[spec.model == MODELS[0]])


def _rerun(spec: Spec, dice: random.Random) -> Spec:
    return replace(spec, rerun=dice.choice(("", "2", "3")))


def _suspended(spec: Spec, _: random.Random) -> Spec:
    return replace(spec, suspend=not spec.suspend)


def _retried_more(spec: Spec, _: random.Random) -> Spec:
    return replace(spec, cap=spec.cap + 1)


def _settled_otherwise(spec: Spec, dice: random.Random) -> Spec:
    other = first(dice)
    return replace(
        spec,
        canary=other.canary,
        failed=other.failed,
        on=other.on,
        kinds=other.kinds,
        on_change=other.on_change,
    )


EDITS: Final[tuple[Edit, ...]] = (
    _appended,
    _appended,
    _changed,
    _changed,
    _removed,
    _reordered,
    _reformatted,
    _moved,
    _of_another_model,
    _rerun,
    _suspended,
    _retried_more,
    _settled_otherwise,
)


Commit: TypeAlias = tuple[Spec, ...]
"""The declared specs: one, or one for each of `NAMES`."""


def edited(specs: Commit, before: Sequence[Commit], dice: random.Random, *, names: float) -> Commit:
    """Return the next commit: an edit of a spec, what it was before, or with the chance of `names` other names."""
    if dice.random() < names:
        return dice.choice((_renamed, _renamed, _split, _merged))(specs, dice)
    spec = dice.choice(specs)
    olds = [it for each in before for it in each if it.name == spec.name]
    if olds and dice.random() < 0.15:
        old = dice.choice(olds)
        now = replace(
            spec,
            want=old.want,
            form=old.form,
            second=old.second,
            inline=old.inline,
            model=old.model,
            rerun=old.rerun,
        )
    else:
        now = dice.choice(EDITS)(spec, dice)
    return tuple(now if it is spec else it for it in specs)


def _named(spec: Spec, name: str, reuse: bool | tuple[str, ...]) -> Spec:
    others = tuple(it for it in reuse if it != name) if isinstance(reuse, tuple) else reuse
    return replace(spec, name=name, reuse=True if others == () else others)


def _other(name: str) -> str:
    return NAMES[name == NAMES[0]]


def _renamed(specs: Commit, dice: random.Random) -> Commit:
    """Give each spec the other name: with an edit or not, and with the answers of the old name or not."""

    def renamed(spec: Spec) -> Spec:
        now = dice.choice(EDITS)(spec, dice) if dice.random() < 0.5 else spec
        return _named(now, _other(spec.name), (spec.name,) if dice.random() < 0.7 else now.reuse)

    return tuple(map(renamed, specs))


def _split(specs: Commit, dice: random.Random) -> Commit:
    """Move some requests into a spec of another name, which reuses answers; or copy them."""
    spec = specs[0]
    if len(specs) > 1:
        return specs
    moved = {it for it in spec.want if dice.random() < 0.5} or set(spec.want[:1])
    left = tuple(it for it in spec.want if it not in moved)
    kept = (
        spec
        if dice.random() < 0.3 or not left
        else replace(spec, want=left, second=min(spec.second, len(left)))
    )
    want = tuple(it for it in spec.want if it in moved)
    other = _other(spec.name)
    return kept, _named(replace(spec, want=want, second=0), other, (spec.name,))


def _merged(specs: Commit, dice: random.Random) -> Commit:
    """Move all requests of a spec into the other one, which reuses answers."""
    if len(specs) < 2:
        return specs
    stays, goes = dice.sample(specs, 2)
    mine = {number for number, _ in stays.want}
    more = tuple(it for it in goes.want if it[0] not in mine)
    return (_named(replace(stays, want=(*stays.want, *more)), stays.name, (goes.name,)),)
