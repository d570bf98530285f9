"""The schemas that travel with the tool, and what holds a command's JSON to them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parents[2] / "schemas"


@cache
def validator(name: str) -> Draft202012Validator:
    """Return what validates against one of the schemas."""
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def conforming(name: str, text: str) -> Any:  # noqa: ANN401  whatever the JSON holds
    """Return a command's JSON as a value, after holding it to its schema."""
    value = json.loads(text)
    wrong = [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(value)]
    assert not wrong, "\n".join(wrong)
    return value
