"""Forms in which a row of the list does not match the API's description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ABSENT: Final = object()
FORMS: Final[dict[str, dict[str, object]]] = {
    "an empty error file": {"error_file": ""},
    "an empty output file": {"output_file": ""},
    "errors null": {"errors": None},
    "no errors": {"errors": ABSENT},
    "errors as text": {"errors": "none"},
    "an error message null": {"errors": [{"message": None, "count": 1}]},
    "a count as a fraction": {"completed_requests": 1.5},
    "input files null": {"input_files": None},
    "no input files": {"input_files": ABSENT},
    "a time as a fraction": {"created_at": 1_789_999_000.5},
    "a time as text": {"created_at": "2026-11-28T12:00:00Z"},
    "a start before 1970": {"started_at": -5},
    "a total null": {"total_requests": None},
    "a negative total": {"total_requests": -1},
    "a total as a fraction": {"total_requests": 3.5},
    "metadata as a list": {"metadata": ["team", "search"]},
    "metadata as text": {"metadata": "team=search"},
    "a status null": {"status": None},
    "an endpoint null": {"endpoint": None},
    "a model as an object": {"model": {"id": "m"}},
    "an id as a number": {"id": 7},
}
OF_OURS: Final = {name: form for name, form in FORMS.items() if "metadata" not in form}
"""Those that leave the tags of a job readable."""


def with_form(row: dict[str, Any], form: Mapping[str, object]) -> dict[str, Any]:
    """Return a row in a form."""
    return {key: value for key, value in {**row, **form}.items() if value is not ABSENT}
