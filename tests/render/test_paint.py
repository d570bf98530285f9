"""Statuses are coloured in place: without the colours, a table is the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.render.paint import coloured, sparkline
from reconciler.render.tables import table_text

ESCAPES = re.compile(r"\x1b\[[0-9]*m")
STATES = ("SUCCESS", "SUCCESS!", "RUNNING", "FAILED", "! on hold", "to create", "?", "")
CELLS = st.lists(
    st.tuples(st.text(max_size=9), st.sampled_from(STATES), st.text(max_size=60)), min_size=1, max_size=5
)


@given(CELLS, st.none() | st.integers(20, 90))
def test_colours_change_no_text(rows: list[tuple[str, str, str]], width: int | None) -> None:
    table = table_text(("NAME", "STATE", "WHY"), rows, width=width)
    assert ESCAPES.sub("", coloured(table, "STATE", colour=True)) == table
    assert coloured(table, "STATE", colour=False) == table


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("SUCCESS", "32"),
        ("FAILED", "31"),
        ("TIMEOUT_EXCEEDED", "31"),
        ("RUNNING", "36"),
        ("! SUCCESS", "35"),
        ("?", ""),
    ],
)
def test_a_status_has_its_colour(state: str, code: str) -> None:
    shown = coloured(table_text(("NAME", "STATE", "WHY"), [("a", state, "w")]), "STATE", colour=True)
    assert (f"\x1b[{code}m{state}\x1b[0m" in shown) == bool(code)


def test_a_sparkline_has_a_block_for_each_share() -> None:
    assert sparkline([0.0, 0.5, 1.0, None, 7.0, -1.0]) == "▁▅█·█▁"
