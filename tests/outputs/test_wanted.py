"""The requests that a spec wants, read from its inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.outputs.wanted import read_wanted
from reconciler.settings import Limits
from tests.helpers.make import spec


@pytest.mark.parametrize(("more", "there"), [(0, True), (-1, False), (1, False)])
def test_an_input_that_has_gained_or_lost_a_line_since_it_was_checked_is_not_read(
    tmp_path: Path, more: int, *, there: bool
) -> None:
    wanted = spec("a")
    (file,) = wanted.uploads
    path = tmp_path / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(f'{{"custom_id": "r{at}", "body": {{}}}}\n' for at in range((wanted.requests or 0) + more))
    )
    found = read_wanted(wanted, tmp_path, Limits())
    assert (found is not None) is there
