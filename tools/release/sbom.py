"""Write a list of components in CycloneDX 1.6 from the requirements that the package ships: one version, all digests.

https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import json
from typing import Any, Final

NAME: Final = "mistral-batch-reconciler"


def components(requirements: str) -> list[dict[str, Any]]:
    """Return the component of each requirement. A digest is that of one file of the version on PyPI."""
    lines = requirements.replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        if not line or line.startswith("#"):
            continue
        pinned, *options = line.partition(";")[0].split() + line.partition("--hash")[2].split()
        name, _, version = pinned.partition("==")
        digests = [option.rpartition("sha256:")[2] for option in options if "sha256:" in option]
        package = f"pkg:pypi/{name}@{version}"
        references = [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{name}/{version}/",
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
            for digest in sorted(set(digests))
        ]
        found.append(
            {
                "type": "library",
                "bom-ref": package,
                "name": name,
                "version": version,
                "purl": package,
                "externalReferences": references,
            }
        )
    return found


def document(requirements: str, version: str) -> str:
    """Return the list as JSON: the same text for the same requirements and version."""
    root = f"pkg:pypi/{NAME}@{version}"
    parts = components(requirements)
    body = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": NAME,
                "version": version,
                "purl": root,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": parts,
        "dependencies": [{"ref": root, "dependsOn": [part["bom-ref"] for part in parts]}],
    }
    return json.dumps(body, indent=2) + "\n"
