"""Calls of the GitHub API: merged pull requests, the tip of a branch, artifacts, reviews, a comment, an issue.

They use the standard library: the client in `reconciler.api` is for Mistral's host only. The token is sent to the API
and not to the target of a redirect.
"""

from __future__ import annotations

import http.client
import io
import lzma
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from reconciler.errors import ReconcilerError

TIMEOUT_SECONDS: Final = 60
MAX_TRIES: Final = 3
PAUSE_SECONDS: Final = 1.0
MAX_ARTIFACT_BYTES: Final = 256_000_000
PAGE: Final = 100
MAX_PAGES: Final = 20
BROKEN: Final = 500
_BROKEN_ZIP: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError, OSError,
)  # fmt: skip
_T = TypeVar("_T")


class Head(Struct, frozen=True):
    """The last commit of a pull request."""

    sha: Annotated[str, Meta(pattern="^[0-9a-f]{7,64}$")]
    repo: dict[str, Any] | None = None


class Pull(Struct, frozen=True):
    """A pull request, as events and the API describe it."""

    number: Annotated[int, Meta(ge=1)]
    head: Head
    base: dict[str, Any] | None = None
    updated_at: str = ""
    """RFC 3339, UTC."""
    merged_at: str | None = None
    merge_commit_sha: str | None = None


class Event(Struct, frozen=True):
    """What started a workflow."""

    before: str | None = None
    """The commit that a push follows."""
    pull_request: Pull | None = None
    repository: dict[str, Any] | None = None
    inputs: dict[str, Any] | None = None
    """What a person entered who started the workflow."""


class Artifact(Struct, frozen=True):
    """An artifact of a workflow run."""

    id: int
    name: str = ""
    created_at: str = ""
    """RFC 3339, UTC."""
    expired: bool = False
    workflow_run: dict[str, Any] | None = None
    """`head_sha` is the last commit of the run's branch; for a pull request, of the pull request."""


class _Artifacts(Struct):
    artifacts: list[Artifact]


class _Written(Struct, kw_only=True):
    """A comment, or an issue."""

    id: int
    number: int = 0
    user: dict[str, Any] | None = None
    body: str | None = None


class _Review(Struct):
    state: str
    user: dict[str, Any] | None = None
    """None if the account was deleted."""


class _Ref(Struct):
    object: Head


class GitHubError(ReconcilerError):
    """A call of the GitHub API failed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="run the CI job again; a 403 means that it lacks a permission")


@dataclass(frozen=True, kw_only=True)
class GitHub:
    """One repository, with the permissions of a token."""

    api: str
    repository: str
    """`owner/name`."""
    token: str
    sleep: Callable[[float], object]
    """Waits that many seconds between two tries."""

    def merged_since(self, branch: str, since: str) -> list[Pull]:
        """Return the pull requests that were merged into a branch since a time (RFC 3339), the oldest first."""
        query = {"state": "closed", "base": branch, "sort": "updated", "direction": "desc"}
        listed = self._pages("pulls", list[Pull], **query)
        recent = takewhile(lambda it: it.updated_at >= since, listed)
        merged = [it for it in recent if it.merged_at and it.merged_at >= since]
        return sorted(merged, key=lambda it: (it.merged_at or "", it.number))

    def tip(self, branch: str) -> str:
        """Return the last commit of a branch."""
        return self._json("GET", f"git/ref/heads/{urllib.parse.quote(branch)}", _Ref).object.sha

    def approvers(self, number: int) -> list[str]:
        """Return the users whose last review of a pull request approves it, in the order of their first reviews.

        A review that is only a comment leaves an earlier one as it is.
        """
        reviews = self._pages(f"pulls/{number}/reviews", list[_Review])
        last = {it.user.get("login"): it.state for it in reviews if it.user and it.state != "COMMENTED"}
        return [str(login) for login, state in last.items() if state == "APPROVED" and login]

    def artifacts(self, name: str = "", since: str = "") -> list[Artifact]:
        """Return the artifacts from runs of this repository's own branches, the newest first.

        Runs of forks are excluded: the author of their pull request decides what the artifact contains. With `name`,
        only those with this name; with `since` (RFC 3339), none that is older.
        """
        listed = self._pages("actions/artifacts", _Artifacts, **({"name": name} if name else {}))
        own = [
            it
            for it in takewhile(lambda it: it.created_at >= since, listed)
            if name in ("", it.name) and not it.expired and (run := it.workflow_run)
            if run.get("head_repository_id") and run["head_repository_id"] == run.get("repository_id")
        ]
        return sorted(own, key=lambda it: it.id, reverse=True)

    def file(self, artifact: Artifact) -> bytes:
        """Return the one file of an artifact.

        Raises `GitHubError` if it cannot be downloaded, or does not contain exactly one file.
        """
        data = self._ask("GET", f"actions/artifacts/{artifact.id}/zip")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                (name,) = archive.namelist()
                with archive.open(name) as file:
                    content = file.read(MAX_ARTIFACT_BYTES + 1)
        except _BROKEN_ZIP as error:
            raise GitHubError(f"artifact {artifact.id} does not contain exactly one file: {error}") from error
        if len(content) > MAX_ARTIFACT_BYTES:
            raise GitHubError(f"artifact {artifact.id} is too large")
        return content

    def find_comment(self, number: int, marker: str) -> str | None:
        """Return the text of the comment of a pull request that begins with a marker, None if there is none."""
        found = self._ours(f"issues/{number}/comments", marker)
        return None if found is None else found.body or ""

    def comment(self, number: int, marker: str, text: str, *, unless: str = "") -> None:
        """Update the comment of a pull request that begins with a marker, or post it if there is none.

        A comment that contains `unless` is left alone.
        """
        body = {"body": f"{marker}\n{text}"}
        found = self._ours(f"issues/{number}/comments", marker)
        if found is None:
            self._ask("POST", f"issues/{number}/comments", body)
        elif not unless or unless not in (found.body or ""):
            self._ask("PATCH", f"issues/comments/{found.id}", body)

    def issue(self, marker: str, title: str, text: str) -> None:
        """Open the issue that begins with a marker, or update it; close it if the text is empty.

        An issue that says the same already is left alone.
        """
        found, body = self._ours("issues", marker, state="open"), f"{marker}\n{text}"
        if found is None:
            if text:
                self._ask("POST", "issues", {"title": title, "body": body})
        elif not text:
            self._ask("PATCH", f"issues/{found.number}", {"state": "closed"})
        elif body != found.body:
            self._ask("PATCH", f"issues/{found.number}", {"title": title, "body": body})

    def _ours(self, path: str, marker: str, **query: str) -> _Written | None:
        """Return the first comment or issue that begins with a marker. A bot wrote it: anyone can write the marker."""
        pages: Iterator[_Written] = self._pages(path, list[_Written], **query)
        bots = (it for it in pages if (it.user or {}).get("type") == "Bot")
        return next((it for it in bots if (it.body or "").startswith(f"{marker}\n")), None)

    def _pages(self, path: str, kind: Any, **query: str) -> Iterator[Any]:  # noqa: ANN401  list[T] or _Artifacts
        """Yield the entries of a list, of at most `MAX_PAGES` pages."""
        for page in range(1, MAX_PAGES + 1):
            words = urllib.parse.urlencode({**query, "per_page": PAGE, "page": page})
            answer = self._json("GET", f"{path}?{words}", kind)
            found = answer.artifacts if kind is _Artifacts else answer
            yield from found
            if len(found) < PAGE:
                return

    def _json(self, method: str, path: str, kind: type[_T]) -> _T:
        try:
            return msgspec.json.decode(self._ask(method, path), type=kind)
        except (ValueError, RecursionError) as error:
            raise GitHubError(f"{method} {path}: the answer is not what GitHub describes: {error}") from error

    def _ask(self, method: str, path: str, body: object = None) -> bytes:
        for attempt in range(1, MAX_TRIES + 1):
            try:
                request = urllib.request.Request(  # noqa: S310  the API's address is GitHub's to set
                    f"{self.api}/repos/{self.repository}/{path}",
                    method=method,
                    data=None if body is None else msgspec.json.encode(body),
                    headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
                )
                request.add_unredirected_header("Authorization", f"Bearer {self.token}")
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  as above
                    return bytes(answer.read(MAX_ARTIFACT_BYTES + 1))
            except urllib.error.HTTPError as error:
                if error.code < BROKEN or method != "GET" or attempt == MAX_TRIES:
                    raise GitHubError(f"{method} {path}: {error.code} {error.reason}") from error
            except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: the address
                if method != "GET" or attempt == MAX_TRIES:
                    raise GitHubError(f"{method} {path}: {error}") from error
            self.sleep(PAUSE_SECONDS * attempt)
        raise AssertionError("the last try returns or raises")
