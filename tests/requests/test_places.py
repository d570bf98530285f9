"""Requests are found by their keys among those of a work."""

from __future__ import annotations

import random

import pytest

from reconciler.requests.keys import KEY_BYTES, Places


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("edits", [0, 3, 400])
def test_every_request_is_found_where_it_is(seed: int, edits: int) -> None:
    dice = random.Random(seed)
    work = list(
        {bytes(dice.choices(b"\x00\x01", k=KEY_BYTES)) for _ in range(300)}
    )  # they match across two keys
    others = list(work) if dice.random() < 0.5 else dice.sample(work, k=len(work) // 2)
    for _ in range(edits):
        at = dice.randrange(len(others))
        if dice.random() < 0.5:
            others.insert(at, dice.randbytes(KEY_BYTES))
        elif dice.random() < 0.5:
            others[at] = dice.randbytes(KEY_BYTES)
        elif len(others) > 1:
            del others[at]
    places = Places(b"".join(work))
    for some in (others, [*reversed(others)], work[7:], []):
        expected = [work.index(key) if key in work else None for key in some]
        assert list(places.of(b"".join(some))) == expected
