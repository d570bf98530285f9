"""Marks parameters of a test that only `pytest --thorough` runs."""

from __future__ import annotations

import pytest
from _pytest.mark.structures import ParameterSet


def thorough(*values: object) -> ParameterSet:
    """Return one parameter set, marked."""
    return pytest.param(*values, marks=pytest.mark.thorough)
