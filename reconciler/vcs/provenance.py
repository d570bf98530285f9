"""Find out who submits jobs, and from which commit: from git and the variables of CI systems. Pure.

The result goes into a job's tags, for readers. Two parts have a use: the commit decides whether a checkout is older
than a job, and the root whether another folder of the repository submitted it. The author of a pull request may control
some variables (a branch's name), so they are treated as text only: cleaned, cut, and never part of an identity.

`ci_systems.json` lists the variables of each CI system, with the page that documents them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from reconciler.model import Checkout, Source
from reconciler.model.tags import root_of
from reconciler.text.sanitize import clean

MAX_LENGTH: Final = 200
"""Characters of one part; the whole tag has 512."""
MAX_URL: Final = 400
_VARIABLE: Final = re.compile(r"{(\w+)}")
_PULL: Final = re.compile(r"(?:https?://\S+/|refs/pull/)?([1-9][0-9]{0,9})(?:/merge|/head)?")
_URL: Final = re.compile(r"https?://[\w.:-]+(?:/[\w.~:/?#@!$&*+,;=%-]*)?", re.ASCII)
"""Without user and password, and without characters that Markdown, HTML or a terminal interprets."""
_SCP: Final = re.compile(r"(?:[^@/]+@)?([^:/]{2,}):(?!//)(.+)")
"""`git@github.com:acme/shop.git`"""


class _Runner(Struct, frozen=True):
    """The variables by which a CI system describes a run.

    Each part is a choice of templates, of which the first counts whose variables are all set.
    """

    marker: str = ""
    """The variable that is set only on this system."""
    actor: tuple[str, ...] = ()
    branch: tuple[str, ...] = ()
    repository: tuple[str, ...] = ()
    run_url: tuple[str, ...] = ()
    pull: tuple[str, ...] = ()
    event: tuple[str, ...] = ()
    approver: tuple[str, ...] = ()


@cache
def runners() -> tuple[_Runner, ...]:
    """Return the CI systems that are known; if several seem to run, the first counts."""
    return msgspec.json.decode(
        Path(__file__).with_name("ci_systems.json").read_bytes(), type=tuple[_Runner, ...]
    )


def detect_source(
    found: Checkout, origin: str, variables: Mapping[str, str], person: Callable[[], str] = str
) -> Source:
    """Return the source of a job: actor, commit, branch, repository, and what a CI system says of its run.

    `RECONCILER_ACTOR`, `RECONCILER_RUN_URL`, `RECONCILER_PULL` and `RECONCILER_APPROVER` override the CI system.
    `origin` is the URL of the repository's remote. `person` returns the name of the user, according to git or the
    operating system, if the variables have none.
    """
    runner = next((it for it in runners() if variables.get(it.marker)), _Runner())
    first = partial(_first, variables)
    return Source(
        commit=found.commit,
        dirty=found.dirty,
        branch=_cut(found.branch or _branch(first(*runner.branch))),
        actor=_cut(first("{RECONCILER_ACTOR}", *runner.actor, "{USER}", "{USERNAME}") or person()),
        repository=_cut(normalize_repository_url(first(*runner.repository) or origin)),
        run_url=_url(first("{RECONCILER_RUN_URL}", *runner.run_url)),
        root=root_of(found.root),
        pull=_pull(first("{RECONCILER_PULL}", *runner.pull)),
        event=_cut(first(*runner.event)),
        approver=_cut(first("{RECONCILER_APPROVER}", *runner.approver)),
    )


def _first(variables: Mapping[str, str], *templates: str) -> str:
    """Fill the first template whose variables are all set."""
    for template in templates:
        if all(map(variables.get, _VARIABLE.findall(template))):
            return template.format_map(variables)
    return ""


def _branch(ref: str) -> str:
    branch = ref.removeprefix("refs/heads/")
    return "" if branch.startswith("refs/") else branch


def _pull(text: str) -> str:
    """Return a pull request's number from a number, a URL or a git ref; "" if there is none."""
    number = _PULL.fullmatch(text)
    return number[1] if number else ""


def _url(text: str) -> str:
    """Return a URL if no text can misread it. It is not cut: half of a URL is useless."""
    return text if len(text) <= MAX_URL and _URL.fullmatch(text) else ""


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
