"""Changed work: the job before, and the earlier work that asked the same requests. Pure.

The digest of the inputs differs if a line feed or the order of the lines does. The requests of a job are in its tags as
a digest of their keys, so a job that was asked the same requests is found without its results.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from reconciler.model import Declared, JobSpec, KnownRequests, Observed, OwnedJob, RunKey, digests

CASE: Final = (
    "the tags of a job of the name, of other work, say that it was asked the same requests, in any order, under the "
    "same endpoint, model or agent, and `rerun`"
)
OUTCOME: Final = "the job is of the wanted work, and the rules above decide: so nothing is submitted twice"


class Changed(NamedTuple):
    """A spec whose work has no job yet, while its name has jobs of other work."""

    spec: JobSpec
    jobs: tuple[OwnedJob, ...]
    """The jobs of the name that no other spec wants, the oldest first."""


def changed(declared: Declared, observed: Observed) -> Iterator[Changed]:
    """Yield the selected specs whose inputs have changed."""
    there = {owned.tags.run_key for owned in observed.owned}
    specs = [
        spec
        for spec in declared.specs
        if not spec.suspend
        and (declared.selected is None or spec.name in declared.selected)
        and there.isdisjoint(spec.run_keys)
    ]
    jobs: dict[str, list[OwnedJob]] = defaultdict(list)
    for owned in sorted(observed.owned, key=lambda it: it.job.age_key) if specs else ():
        if owned.tags.run_key not in declared.run_keys:
            jobs[owned.tags.name].append(owned)
    for spec in specs:
        inputs = digests.inputs_v1(part.identity for part in spec.inputs)
        if (found := jobs.get(spec.name)) and found[-1].tags.inputs != inputs:
            yield Changed(spec, tuple(found))


def may_be_same(owned: OwnedJob, spec: JobSpec) -> bool:
    """Whether a job's tags do not exclude that it was asked the requests of a spec, under the same `rerun`."""
    it = owned.tags
    alike = (it.recipe, owned.of_work, it.run_key.rerun) == (spec.recipe, spec.requests, spec.rerun)
    return alike and bool(it.request_digest)


def recognized(declared: Declared, observed: Observed) -> Declared:
    """Add to specs the run keys of earlier jobs of the name that were asked the same requests.

    The requests of changed work were read; those of work that has a job are in its tags.
    """
    if all(it.tags.run_key in declared.run_keys for it in observed.owned):
        return declared  # most plans
    digest_of: dict[RunKey, str] = {}
    of_inputs = {it.tags.inputs: it.tags.request_digest for it in observed.owned if not it.is_part}
    others: dict[tuple[str, str], list[OwnedJob]] = defaultdict(list)
    for owned in sorted(observed.owned, key=lambda it: it.job.age_key):
        if owned.tags.run_key in declared.run_keys:
            digest_of[owned.tags.run_key] = owned.tags.request_digest
        elif owned.tags.request_digest:
            others[owned.tags.name, owned.tags.request_digest].append(owned)
    return replace(
        declared,
        specs=tuple(_with_earlier(it, declared, digest_of, of_inputs, others) for it in declared.specs),
    )


def _with_earlier(
    spec: JobSpec,
    declared: Declared,
    digest_of: Mapping[RunKey, str],
    of_inputs: Mapping[str, str],
    others: Mapping[tuple[str, str], Sequence[OwnedJob]],
) -> JobSpec:
    read = declared.requests.get(spec.run_key, KnownRequests()).digest
    digest = read or next((digest_of[key] for key in spec.run_keys if key in digest_of), "")
    if not digest:  # perhaps a job of another recipe or `rerun` was asked the same inputs
        digest = of_inputs.get(digests.inputs_v1(part.identity for part in spec.inputs), "")
    alike = [it.tags.run_key for it in others.get((spec.name, digest), ()) if may_be_same(it, spec)]
    return replace(spec, same_as=tuple(dict.fromkeys(alike))) if alike and not spec.suspend else spec
