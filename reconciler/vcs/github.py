"""Calls of the GitHub API: a merged pull request, an artifact, a comment.

They use the standard library: the client in `reconciler.api` is for Mistral's host only. The token is sent to the API
and not to the target of a redirect.
"""

from __future__ import annotations

import io
import json
import lzma
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

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


class GitHubError(ReconcilerError):
    """A call of the GitHub API failed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="run the CI job again; a 403 means that it lacks a permission")


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """An artifact of a workflow run."""

    id: int
    head_sha: str
    """The commit of the run's branch; for a pull request, the last commit of the pull request."""
    head_branch: str


@dataclass(frozen=True, kw_only=True)
class GitHub:
    """One repository, with the permissions of a token."""

    api: str
    repository: str
    """`owner/name`."""
    token: str
    sleep: Callable[[float], object]
    """Waits that many seconds between two tries."""

    def merged(self, sha: str) -> Mapping[str, Any] | None:
        """Return the pull request whose merge created this commit, None if there is none."""
        pulls = self._json("GET", f"commits/{sha}/pulls")
        return next((it for it in pulls if it.get("merged_at") and it.get("merge_commit_sha") == sha), None)

    def artifacts(self, name: str) -> list[Artifact]:
        """Return the artifacts with a name from runs of this repository's own branches, the newest first.

        Runs of forks are excluded: the author of their pull request decides what the artifact contains.
        """
        query = urllib.parse.urlencode({"name": name, "per_page": PAGE})
        found = self._json("GET", f"actions/artifacts?{query}")["artifacts"]
        runs = [
            (it, it.get("workflow_run") or {}) for it in found if it["name"] == name and not it["expired"]
        ]
        own = [
            Artifact(id=int(it["id"]), head_sha=str(run["head_sha"]), head_branch=str(run["head_branch"]))
            for it, run in runs
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
            found = self._json("GET", f"issues/{number}/comments?per_page={PAGE}&page={page}")
            for it in found:
                ours = (it.get("user") or {}).get("type") == "Bot"
                if ours and str(it.get("body", "")).startswith(marker):
                    return int(it["id"])
            if len(found) < PAGE:
                break
        return None

    def comment(self, number: int, marker: str, text: str) -> None:
        """Update the comment of a pull request that begins with a marker, or post it if there is none."""
        found, body = self.find_comment(number, marker), {"body": f"{marker}\n{text}"}
        if found is None:
            self._json("POST", f"issues/{number}/comments", body)
        else:
            self._json("PATCH", f"issues/comments/{found}", body)

    def _json(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  whatever JSON holds
        try:
            return json.loads(self._ask(method, path, body))
        except ValueError as error:
            raise GitHubError(f"{method} {path}: the answer is not JSON") from error

    def _ask(self, method: str, path: str, body: object = None) -> bytes:
        for attempt in range(1, MAX_TRIES + 1):
            request = urllib.request.Request(  # noqa: S310  the API's address is GitHub's to set
                f"{self.api}/repos/{self.repository}/{path}",
                method=method,
                data=None if body is None else json.dumps(body).encode(),
                headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
            )
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  as above
                    data: bytes = answer.read(MAX_ARTIFACT_BYTES + 1)
                    return data
            except urllib.error.HTTPError as error:
                if error.code < BROKEN or method != "GET" or attempt == MAX_TRIES:
                    raise GitHubError(f"{method} {path}: {error.code} {error.reason}") from error
            except OSError as error:
                if method != "GET" or attempt == MAX_TRIES:
                    raise GitHubError(f"{method} {path}: {error}") from error
            self.sleep(PAUSE_SECONDS * attempt)
        raise AssertionError("the last try returns or raises")
