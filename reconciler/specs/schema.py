"""JSON Schemas (2020-12) of a spec and of `reconciler.yaml`, generated from their models.

`msgspec` writes the schema of the types; what is added here is what a class says beside them (`EXACTLY_ONE`).
An editor reads the schemas, and `explain` finds with them every mistake of a document that was refused.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import msgspec

from reconciler.settings import Settings
from reconciler.specs.fields import JobFields

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


@cache
def job_schema() -> Schema:
    """Return the JSON Schema of a spec document."""
    return _schema(JobFields, "A batch job, declared for reconciler")


@cache
def settings_schema() -> Schema:
    """Return the JSON Schema of `reconciler.yaml`."""
    return _schema(Settings, "Settings of reconciler")


SCHEMAS: Final = {"job": job_schema, "reconciler": settings_schema}
"""Each schema by the name under which it is published: `schemas/<name>.schema.json`."""


def _schema(model: type[msgspec.Struct], title: str) -> Schema:
    whole = msgspec.json.schema(model)
    definitions: Schema = whole["$defs"]
    for definition in definitions.values():
        definition.pop("title", None)
        if not definition["required"]:
            del definition["required"]
    top = definitions.pop(model.__name__)
    pairs = getattr(model, "EXACTLY_ONE", ())
    if pairs:
        top["allOf"] = [{"oneOf": [{"required": [name]} for name in pair]} for pair in pairs]
    return {"$schema": DIALECT, **top, "title": title, "$defs": definitions}
