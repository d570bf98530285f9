"""The files of `init --kubernetes`: a CronJob that applies and pulls, and a Containerfile for its image."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from reconciler.specs.place import Wanted, normalized, stamped
from reconciler.specs.scaffold import REQUIREMENTS, template
from reconciler.vcs.provenance import normalize_repository_url

FOLDER: Final = "kubernetes"
NO_PACKAGE: Final = "git+https://HOST/PATH@COMMIT"
"""What the template of the Containerfile installs."""
_MAX_NAME: Final = 40
"""Characters: Kubernetes appends up to 11 to the name of a CronJob, and allows 63."""


def resource_name(project: str) -> str:
    """Return a project's name as a part of the names of Kubernetes' resources."""
    return re.sub(r"[^a-z0-9]+", "-", project.lower())[:_MAX_NAME].strip("-") or "batch"


def manifests(*, project: str, package: str | None, origin: str, branch: str, below: str) -> Iterator[Wanted]:
    """Yield the files.

    `package` is what the image installs, None if it is not known; `origin` the URL of the specs' repository, "" if
    there is none; `below` the project's folder, relative to the repository's root.
    """
    repository = normalize_repository_url(origin) or "HOST/PATH"
    values = {
        "NAME": resource_name(project),
        '"REPOSITORY"': json.dumps(f"https://{repository}"),
        '"BRANCH"': json.dumps(branch, ensure_ascii=False),
        '"FOLDER"': json.dumps("/".join(filter(None, ("/data/checkout", below))), ensure_ascii=False),
    }
    tokens = re.compile("|".join(rf"(?<![\w$]){re.escape(token)}(?!\w)" for token in values))
    text = normalized(template(f"{FOLDER}/cronjob.yaml")).decode()
    text = tokens.sub(lambda found: values[found[0]], text)
    yield stamped(f"{FOLDER}/cronjob.yaml", text.encode())
    image = normalized(template(f"{FOLDER}/Containerfile")).decode()
    yield stamped(f"{FOLDER}/Containerfile", image.replace(NO_PACKAGE, package or NO_PACKAGE).encode())
    yield stamped(f"{FOLDER}/requirements.txt", normalized(template(REQUIREMENTS)))
