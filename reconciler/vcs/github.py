"""Calls of the GitHub API: a merged pull request, an artifact, a comment.

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
from collections.abc import Callable
from dataclasses import dataclass
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
    merged_at: str | None = None
    merge_commit_sha: str | None = None


class Event(Struct, frozen=True):
    """What started a workflow."""

    before: str | None = None
    """The commit that a push follows."""
    pull_request: Pull | None = None
    repository: dict[str, Any] | None = None


class Artifact(Struct, frozen=True):
    """An artifact of a workflow run."""

    id: int
    name: str = ""
    expired: bool = False
    workflow_run: dict[str, Any] | None = None
    """`head_sha` is the last commit of the run's branch; for a pull request, of the pull request."""


class _Artifacts(Struct):
    artifacts: list[Artifact]


class _Comment(Struct):
    id: int
    user: dict[str, Any] | None = None
    body: str | None = None


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

    def merged(self, sha: str) -> Pull | None:
        """Return the pull request whose merge created this commit, None if there is none."""
        pulls = self._json("GET", f"commits/{sha}/pulls", list[Pull])
        return next((it for it in pulls if it.merged_at and it.merge_commit_sha == sha), None)

    def artifacts(self, name: str) -> list[Artifact]:
        """Return the artifacts with a name from runs of this repository's own branches, the newest first.

        Runs of forks are excluded: the author of their pull request decides what the artifact contains.
        """
        query = urllib.parse.urlencode({"name": name, "per_page": PAGE})
        found = self._json("GET", f"actions/artifacts?{query}", _Artifacts).artifacts
        own = [
            it
            for it in found
            if it.name == name and not it.expired and (run := it.workflow_run)
            if run.get("head_repository_id") and run["head_repository_id"] == run.get("repository_id")
        ]
        return sorted(own, key=lambda it: it.id, reverse=True)

    def file(self, artifact: Artifact) -> bytes:
        """Return the one file of an artifact.

        Raises:
            GitHubError: it cannot be downloaded, or does not contain exactly one file.
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

    def find_comment(self, number: int, marker: str) -> int | None:
        """Return the id of the comment of a pull request that begins with a marker, None if there is none.

        Only a bot's comment counts: anyone can write the marker.
        """
        for page in range(1, MAX_PAGES + 1):
            found = self._json("GET", f"issues/{number}/comments?per_page={PAGE}&page={page}", list[_Comment])
            for it in found:
                if (it.user or {}).get("type") == "Bot" and (it.body or "").startswith(marker):
                    return it.id
            if len(found) < PAGE:
                break
        return None

    def comment(self, number: int, marker: str, text: str) -> None:
        """Update the comment of a pull request that begins with a marker, or post it if there is none."""
        found, body = self.find_comment(number, marker), {"body": f"{marker}\n{text}"}
        if found is None:
            self._ask("POST", f"issues/{number}/comments", body)
        else:
            self._ask("PATCH", f"issues/comments/{found}", body)

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
                    data: bytes = answer.read(MAX_ARTIFACT_BYTES + 1)
                    return data
            except urllib.error.HTTPError as error:
                if error.code < BROKEN or method != "GET" or attempt == MAX_TRIES:
                    raise GitHubError(f"{method} {path}: {error.code} {error.reason}") from error
            except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: the address
                if method != "GET" or attempt == MAX_TRIES:
                    raise GitHubError(f"{method} {path}: {error}") from error
            self.sleep(PAUSE_SECONDS * attempt)
        raise AssertionError("the last try returns or raises")
