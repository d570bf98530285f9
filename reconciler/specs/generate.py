"""Write what is generated from the models: `python -m reconciler.specs.generate`, in the clone's root."""

from __future__ import annotations

import json
from pathlib import Path

from reconciler.specs import reference
from reconciler.specs.schema import SCHEMAS


def generated() -> dict[str, str]:
    """Return each generated file's content by its path in the clone."""
    schemas = {
        f"schemas/{name}.schema.json": json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
        for name, schema in SCHEMAS.items()
    }
    return {**schemas, "docs/spec.md": reference.page()}


def main(root: Path) -> None:
    """Write every generated file beneath `root`."""
    for path, content in generated().items():
        (root / path).write_text(content, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path.cwd())
