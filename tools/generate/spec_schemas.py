"""The JSON Schemas (2020-12) of specs, settings and policies, and their pages, generated from their models.

`msgspec` writes the schema of the types; this module adds the texts below the fields, and the `EXACTLY_ONE` groups of a
class.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from reconciler import settings
from reconciler.cost import prices
from reconciler.model import completeness
from reconciler.specs.schema import job_fields, project_files, types
from reconciler.specs.schema.json_schema import Schema
from tools.generate.field_docs import field_docs

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MODELS: Final[Mapping[str, tuple[type[Struct], str]]] = {
    "job": (job_fields.JobFields, "A batch job, declared for reconciler"),
    "defaults": (job_fields.defaults_model(), "Defaults for the specs of a folder"),
    "reconciler": (project_files.SettingsFile, "Settings of reconciler"),
    "policy": (project_files.PolicyFile, "A policy for specs and settings of reconciler"),
    "prices": (project_files.PricesFile, "Prices of models that a project pays"),
}
"""The model and the title of each schema."""
_MODULES: Final = (
    completeness.__file__,
    prices.__file__,
    settings.__file__,
    types.__file__,
    job_fields.__file__,
    project_files.__file__,
)
"""The modules with the classes of the models."""
_FIELDS_OF: Final = {
    "DefaultsFields": ("JobFields",),
    "SetFields": ("JobFields",),
    "SettingsFile": ("Settings", "SettingsFile"),
    "MaxGuards": ("Guards",),
    "MaxLimits": ("Limits",),
    "RequiredApply": ("ApplyFrom",),
}
"""The classes that describe the fields of a model, if it is not the model itself."""
_ALIKE: Final = {
    "MatrixFields": "Values of `{}`.",
    "ExcludeFields": "The value of `{}` in combinations to exclude.",
}
"""What the fields with one plain value are in other models."""


@cache
def schema(name: str) -> Schema:
    """Return the schema of one of `MODELS`."""
    model, title = MODELS[name]
    whole = msgspec.json.schema(model)
    definitions: Schema = whole["$defs"]
    texts = field_docs(_MODULES)
    for key, definition in definitions.items():
        definition.pop("title", None)
        if not definition["required"]:
            del definition["required"]
        described = {field: _ALIKE[key].format(field) for field in types.PLAIN if key in _ALIKE}
        described |= {
            field: it for shape in _FIELDS_OF.get(key, (key,)) for field, it in texts.get(shape, {}).items()
        }
        for field, its in definition["properties"].items():
            its["description"] = described[field]
        groups = getattr({**vars(types), model.__name__: model}.get(key), "EXACTLY_ONE", ())
        if groups:
            definition["allOf"] = [{"oneOf": [_present(field) for field in group]} for group in groups]
    top = definitions.pop(model.__name__)
    return {"$schema": DIALECT, **top, "title": title, "$defs": definitions}


def _present(name: str) -> dict[str, Any]:
    """Return the schema of a mapping with a field; `matrix.model` is a nested field."""
    outer, _, inner = name.partition(".")
    within = {"type": "object", "required": [inner]}
    return {"required": [outer], **({"properties": {outer: within}} if inner else {})}


def text(name: str) -> str:
    """Return the file of a schema."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"
