"""A document and a model in, the model's value or every mistake out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from reconciler.errors import Problem
from reconciler.specs.schema.json_schema import Schema
from reconciler.specs.yaml.tree import Document

Model = TypeVar("Model", bound=msgspec.Struct)


def accept(
    document: Document, model: type[Model], schema: Callable[[], Schema], misplaced: Mapping[str, str]
) -> Model | list[Problem]:
    """Return the document's value as `model`, or what is wrong with it beyond what reading it found already.

    Args:
        document: what was read.
        model: what it is meant to be.
        schema: makes the model's schema, which takes milliseconds and which only a refused document needs.
        misplaced: hints for fields that people write where they do not belong.
    """
    try:
        return msgspec.convert(document.value, model)
    except msgspec.ValidationError:
        from reconciler.specs.schema.explain import explain  # noqa: PLC0415 - only refused documents need it
    problems = explain(document, schema(), misplaced)
    if problems or document.problems:
        return problems
    return msgspec.convert(whole(document.value), model)


def whole(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return `value` with numbers like 24.0 as integers: to JSON Schema, and to RFC 8785, they are one."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: whole(item) for key, item in value.items()}
        case list():
            return [whole(item) for item in value]
        case _:
            return value
