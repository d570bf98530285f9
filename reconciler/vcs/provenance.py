"""Find out who submits jobs, and from which commit: from git and the variables of GitHub and GitLab runners. Pure.

The result goes into a job's tags, for readers. Two parts have a use: the commit decides whether a checkout is older
than a job, and the root whether another folder of the repository submitted it. The author of a pull request may control
some variables (a branch's name), so they are treated as text only: cleaned, cut, and never part of an identity.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from reconciler.model import Checkout, Source
from reconciler.model.tags import root_of
from reconciler.text.sanitize import clean

MAX_LENGTH: Final = 200
"""Characters of one part; the whole tag has 512."""
_SCP: Final = re.compile(r"(?:[^@/]+@)?([^:/]{2,}):(?!//)(.+)")
"""`git@github.com:acme/shop.git`"""


def detect_source(
    found: Checkout, origin: str, variables: Mapping[str, str], person: Callable[[], str] = str
) -> Source:
    """Return the source of a job: actor, commit, branch, repository and CI run.

    Args:
        found: the checkout, from git.
        origin: the URL of the repository's remote, "" if there is none.
        variables: the environment.
        person: returns the name of the user, according to git or the operating system, if the variables have none.
    """
    if variables.get("GITHUB_ACTIONS") == "true" or variables.get("GITHUB_RUN_ID"):
        actor, branch, repository, run_url = _github(variables)
    elif variables.get("GITLAB_CI"):
        actor, branch, repository, run_url = _gitlab(variables)
    else:
        actor, branch, repository, run_url = ("", "", "", "")
    people = (variables.get(name, "") for name in ("USER", "USERNAME"))
    return Source(
        commit=found.commit,
        dirty=found.dirty,
        branch=_cut(found.branch or branch),
        actor=_cut(actor or next(filter(None, people), "") or person()),
        repository=_cut(repository or normalize_repository_url(origin)),
        run_url=clean(run_url),  # not cut: half of a URL is useless, so the tag omits it if it does not fit
        root=root_of(found.root),
    )


def _github(variables: Mapping[str, str]) -> tuple[str, str, str, str]:
    """https://docs.github.com/en/actions/reference/workflows-and-actions/variables ."""
    get = variables.get
    server, repository = get("GITHUB_SERVER_URL") or "https://github.com", get("GITHUB_REPOSITORY", "")
    ref = get("GITHUB_REF_NAME", "") if get("GITHUB_REF_TYPE", "branch") == "branch" else ""
    run = get("GITHUB_RUN_ID", "")
    return (
        get("GITHUB_TRIGGERING_ACTOR") or get("GITHUB_ACTOR", ""),  # the first is right for a re-run, too
        get("GITHUB_HEAD_REF") or ref,
        normalize_repository_url(f"{server}/{repository}") if repository else "",
        f"{server}/{repository}/actions/runs/{run}" if repository and run else "",
    )


def _gitlab(variables: Mapping[str, str]) -> tuple[str, str, str, str]:
    """https://docs.gitlab.com/ci/variables/predefined_variables/ ."""
    get = variables.get
    return (
        get("GITLAB_USER_LOGIN", ""),
        get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or get("CI_COMMIT_BRANCH", ""),
        normalize_repository_url(get("CI_PROJECT_URL", "")),
        get("CI_JOB_URL") or get("CI_PIPELINE_URL", ""),
    )


def normalize_repository_url(url: str) -> str:
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
    return clean(text)[:MAX_LENGTH]
