"""The simulation finds a fault if a safeguard is removed from the code."""

from __future__ import annotations

import pytest

from tests.helpers.thorough import thorough
from tests.simulation.mutation import Mutation
from tests.simulation.mutations import MUTATIONS, ROOT, seen

BY_NAME = {mutation.name: mutation for mutation in MUTATIONS}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda it: it.name)
def test_the_text_of_a_safeguard_occurs_once_in_its_module(mutation: Mutation) -> None:
    source = (ROOT / "reconciler" / mutation.module).read_text(encoding="utf-8")
    assert source.count(mutation.old) == 1


def test_a_mutation_that_finds_nothing_to_alter_is_an_error() -> None:
    with pytest.raises(ValueError, match="holds its text 0 times"):
        seen(Mutation("nothing", "execution/create.py", "no such text", ""))


@pytest.mark.parametrize(
    "name",
    [
        "no durable intent",
        thorough("ids are not remembered"),
        thorough("results that lack a file are whole"),
        thorough("auto lets every job end"),
        thorough("auto replaces every job"),
        thorough("answers of names in reuse do not count"),
        thorough("a renamed spec leaves the answers of earlier work behind"),
        thorough("stopping jobs of names in reuse are not waited for"),
        thorough("a job may have any number of requests"),
        thorough("a file of a job may have any size"),
    ],
)
def test_a_safeguard_that_is_taken_out_is_missed_soon(name: str) -> None:
    assert seen(BY_NAME[name], schedules=200).seed is not None


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda it: it.name)
def test_every_safeguard_that_is_taken_out_is_missed(mutation: Mutation) -> None:
    assert seen(mutation).seed is not None
