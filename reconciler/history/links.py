"""The pages about a job on the web: its CI run, commit and pull request. Pure."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from reconciler.history.record import Record

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9.-]{1,200}(?:/[A-Za-z0-9._-]{1,100}){2,8}")
"""Host and path, with nothing that a page, a terminal or a browser reads as something else."""
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_RUN: Final = re.compile(r"https://[A-Za-z0-9._/-]{1,400}")
CONSOLE: Final = "https://console.mistral.ai"
"""It has no documented address for a single job."""


class LinksDoc(msgspec.Struct, frozen=True, kw_only=True):
    """The output of `open --format json`: addresses of pages about a name's newest job, null for one not known."""

    name: str
    job_id: str | None
    run: str | None
    """The CI run that created it."""
    commit: str | None
    pull: str | None
    """The pull request or merge request that was applied."""
    console: str | None = CONSOLE
    """null for a job of the sandbox."""


def links(record: Record) -> LinksDoc:
    """Return the pages about a job. Its tags may have been altered, so only plain https addresses are made of them."""
    run, repository = record.run_url or "", record.repository or ""
    gitlab = "/-/" in run or repository.startswith("gitlab.com/")
    github = "/actions/runs/" in run or repository.startswith("github.com/")
    base = f"https://{repository}" if _REPOSITORY.fullmatch(repository) and (github or gitlab) else ""
    between = "/-" if gitlab else ""
    commit, pull = record.commit or "", record.pull or ""
    request = "merge_requests" if gitlab else "pull"
    return LinksDoc(
        name=record.name,
        job_id=record.job_id,
        run=run if _RUN.fullmatch(run) else None,
        commit=f"{base}{between}/commit/{commit}" if base and _COMMIT.fullmatch(commit) else None,
        pull=f"{base}{between}/{request}/{pull}" if base and pull.isdecimal() and pull.isascii() else None,
    )
