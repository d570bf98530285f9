"""Convert a document to a model, or return every mistake in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from reconciler.errors import Problem
from reconciler.specs.yaml.tree import Document

Model = TypeVar("Model", bound=msgspec.Struct)


def convert_or_explain(
    document: Document, model: type[Model], schema: str, misplaced: Mapping[str, str]
) -> tuple[Model | None, list[Problem]]:
    """Return the document's value as `model`, None if it does not match it, and all problems of the document.

    `schema` is the name of the model's schema; `misplaced` has hints for fields that belong elsewhere.
    """
    try:
        return msgspec.convert(document.value, model), [*document.problems]
    except msgspec.ValidationError:
        from reconciler.specs.schema.explain import explain  # noqa: PLC0415 - only refused documents need it
    problems = [*document.problems, *explain(document, schema, misplaced)]
    if problems or document.incomplete:
        return None, problems
    return msgspec.convert(integral_floats_to_int(document.value), model), []


def integral_floats_to_int(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return `value` with numbers like 24.0 as integers: JSON Schema and RFC 8785 do not distinguish them."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: integral_floats_to_int(item) for key, item in value.items()}
        case list():
            return [integral_floats_to_int(item) for item in value]
        case _:
            return value
