"""Find the policy. It must not be a part of the checkout: then a pull request could change it."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.cli.params.options import Chosen
from reconciler.environment import Environment
from reconciler.errors import ReconcilerError
from reconciler.file_access import within
from reconciler.specs.policy import Policy
from reconciler.specs.project import Project, read_policy


def find_policy(env: Environment, chosen: Chosen, project: Project) -> Policy | None:
    """Return the policy that `--policy`, else `RECONCILER_POLICY`, names; None if neither does.

    Raises:
        ReconcilerError: it does not exist, cannot be read, or is in the checkout.
        SpecError: it has mistakes.
    """
    named = chosen.policy or env.environ.get("RECONCILER_POLICY")
    if not named:
        return None
    path = Path(os.path.abspath(env.cwd / named))  # noqa: PTH100 - links are followed below
    top = os.path.realpath(env.git(project.root).toplevel() or project.root)
    if any(within(os.path.realpath(it), top) for it in (path, *path.parents)):
        message = f"the policy {path} is in the checkout, so a pull request could change it"
        raise ReconcilerError(message, hint="name a file outside of the repository")
    if not path.exists():
        hint = "correct --policy or RECONCILER_POLICY; without its policy, nothing runs"
        raise ReconcilerError(f"the policy {path} does not exist", hint=hint)
    return read_policy(Path(os.path.realpath(path.parent)) / path.name, project)
