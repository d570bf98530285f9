"""A glob in `input_files` that grew: what was bought before is part of what is wanted now, and is bought again.

The tags name the parts of a job where they fit. Where they do not, the digest of all inputs still tells: without one
part, or without the last few by name, the wanted inputs are those that were bought.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler import digests, tags
from reconciler.model import InputFile, JobSpec, Ours, Phase

MOST: Final = 500
"""Of more parts no digests are tried: they cost time that grows with the square."""


def told(before: Ours, spec: JobSpec) -> str:
    """Return a note where the inputs of a spec are those of a job and more, "" otherwise."""
    old = _kept(before, spec)
    if not old:
        return ""
    word = "answered by" if before.phase is Phase.SUCCEEDED else "bought as"
    new = len(spec.inputs)
    return f"{old:,} of {new:,} parts already {word} {before.job.short_id}: did you mean `for_each`?"


def _kept(before: Ours, spec: JobSpec) -> int:
    """Return how many of the wanted parts make up all that was bought, 0 where something else was."""
    wanted = {tags.short(part.identity) for part in spec.inputs}
    if before.tags.parts:
        return len(before.tags.parts) if before.tags.parts < wanted else 0
    if len(spec.inputs) > MOST:
        return 0
    return next((len(some) for some in _parts(spec) if digests.inputs_v1(some) == before.tags.inputs), 0)


def _parts(spec: JobSpec) -> Iterator[list[str]]:
    """Yield the wanted inputs without one of them, and without the last few by name."""
    files = sorted((part.path if isinstance(part, InputFile) else "", part.identity) for part in spec.inputs)
    identities = [identity for _, identity in files]
    for at in range(len(identities)):
        yield identities[:at] + identities[at + 1 :]
    for most in range(len(identities) - 2, 0, -1):
        yield identities[:most]
