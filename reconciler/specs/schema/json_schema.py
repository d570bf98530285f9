"""JSON Schemas (2020-12) of specs, settings and policies, generated from their models.

`msgspec` writes the schema of the types; this module adds the `EXACTLY_ONE` groups of a class. Editors read the
schemas, and `explain` uses them to find every mistake of a refused document.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any, Final

import msgspec

from reconciler.specs.schema.job_fields import JobFields, defaults_model
from reconciler.specs.schema.policy_file import PolicyFile
from reconciler.specs.schema.settings_file import SettingsFile

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def _schema(model: type[msgspec.Struct], title: str) -> Schema:
    whole = msgspec.json.schema(model)
    definitions: Schema = whole["$defs"]
    for definition in definitions.values():
        definition.pop("title", None)
        if not definition["required"]:
            del definition["required"]
    top = definitions.pop(model.__name__)
    groups = getattr(model, "EXACTLY_ONE", ())
    if groups:
        top["allOf"] = [{"oneOf": [_present(name) for name in group]} for group in groups]
    return {"$schema": DIALECT, **top, "title": title, "$defs": definitions}


def _present(name: str) -> Schema:
    """Return the schema of a mapping with a field; `matrix.model` is a nested field."""
    outer, _, inner = name.partition(".")
    within = {"type": "object", "required": [inner]}
    return {"required": [outer], **({"properties": {outer: within}} if inner else {})}


job_schema: Final = cache(partial(_schema, JobFields, "A batch job, declared for reconciler"))
"""Returns the JSON Schema of a spec document."""
defaults_schema: Final = cache(partial(_schema, defaults_model(), "Defaults for the specs of a folder"))
"""Returns the JSON Schema of a `_defaults.yaml`."""
settings_schema: Final = cache(partial(_schema, SettingsFile, "Settings of reconciler"))
"""Returns the JSON Schema of `reconciler.yaml`."""
policy_schema: Final = cache(partial(_schema, PolicyFile, "A policy for specs and settings of reconciler"))
"""Returns the JSON Schema of a policy file."""
SCHEMAS: Final = {
    "job": job_schema,
    "defaults": defaults_schema,
    "reconciler": settings_schema,
    "policy": policy_schema,
}
"""Each schema by its published name: `schemas/<name>.schema.json`."""
