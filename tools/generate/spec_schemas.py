"""The schemas and the reference page, generated from the models of specs and settings."""

from __future__ import annotations

import json

from reconciler.specs.schema.json_schema import SCHEMAS
from tools.generate import policy_page, reference


def generated() -> dict[str, str]:
    """Return each generated file's content by its path in the clone."""
    schemas = {
        f"schemas/{name}.schema.json": json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
        for name, schema in SCHEMAS.items()
    }
    return {**schemas, "docs/spec.md": reference.page(), "docs/policy.md": policy_page.page()}
