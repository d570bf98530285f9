"""Who buys from where: from git, and from the environment that GitHub and GitLab give their runners. Pure.

Only what is written in a job's tags for readers, and the commit, which decides whether a checkout is older than a
job. What stands in an environment may have been chosen by whoever opened a pull request (a branch's name), so it is
text and nothing else: cleaned, cut, and never part of an identity.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from reconciler.model import Checkout, Source
from reconciler.text.sanitize import clean

LONGEST: Final = 200
"""Characters of any one part; the tag holds 512 in all."""
_SCP: Final = re.compile(r"(?:[^@/]+@)?([^:/]{2,}):(?!//)(.+)")
"""`git@github.com:acme/shop.git`"""


def source(found: Checkout, origin: str, variables: Mapping[str, str]) -> Source:
    """Return who buys from where.

    Args:
        found: what git says of the checkout.
        origin: the URL of the repository's remote, "" where there is none.
        variables: the environment.
    """
    if variables.get("GITHUB_ACTIONS") == "true" or variables.get("GITHUB_RUN_ID"):
        actor, branch, repository, run_url = _github(variables)
    elif variables.get("GITLAB_CI"):
        actor, branch, repository, run_url = _gitlab(variables)
    else:
        actor, branch, repository, run_url = ("", "", "", "")
    people = ("USER", "USERNAME")
    return Source(
        commit=found.commit,
        dirty=found.dirty,
        branch=_cut(found.branch or branch),
        actor=_cut(actor or next((variables[name] for name in people if variables.get(name)), "")),
        repository=_cut(repository or named(origin)),
        run_url=clean(run_url),  # half of a URL leads nowhere: where it does not fit, the tag leaves it out
    )


def _github(variables: Mapping[str, str]) -> tuple[str, str, str, str]:
    """https://docs.github.com/en/actions/reference/workflows-and-actions/variables ."""
    get = variables.get
    server, repository = get("GITHUB_SERVER_URL") or "https://github.com", get("GITHUB_REPOSITORY", "")
    ref = get("GITHUB_REF_NAME", "") if get("GITHUB_REF_TYPE", "branch") == "branch" else ""
    run = get("GITHUB_RUN_ID", "")
    return (
        get("GITHUB_TRIGGERING_ACTOR") or get("GITHUB_ACTOR", ""),  # who started this run, a re-run included
        get("GITHUB_HEAD_REF") or ref,
        named(f"{server}/{repository}") if repository else "",
        f"{server}/{repository}/actions/runs/{run}" if repository and run else "",
    )


def _gitlab(variables: Mapping[str, str]) -> tuple[str, str, str, str]:
    """https://docs.gitlab.com/ci/variables/predefined_variables/ ."""
    get = variables.get
    return (
        get("GITLAB_USER_LOGIN", ""),
        get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or get("CI_COMMIT_BRANCH", ""),
        named(get("CI_PROJECT_URL", "")),
        get("CI_JOB_URL") or get("CI_PIPELINE_URL", ""),
    )


def named(url: str) -> str:
    """Return a repository's host and path, `github.com/acme/shop`: without scheme, port, and user or token."""
    scp = _SCP.fullmatch(url)
    if scp:
        host, path = scp[1], scp[2]
    else:
        try:
            parts = urlsplit(url)
            host, path = parts.hostname or "", parts.path
        except ValueError:
            return ""
    path = path.strip("/").removesuffix(".git")
    return f"{host}/{path}" if host and path else ""


def _cut(text: str) -> str:
    return clean(text)[:LONGEST]
