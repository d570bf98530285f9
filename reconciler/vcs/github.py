"""The few things that are asked of GitHub: a merged pull request, an artifact, a comment.

With the standard library, since only `api` speaks to Mistral's host and this is another. The token goes to the API and
not where it redirects to.
"""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.errors import ReconcilerError

TIMEOUT_SECONDS: Final = 60
TRIES: Final = 3
PAUSE_SECONDS: Final = 1.0
MOST_BYTES: Final = 256_000_000
PAGE: Final = 100
MOST_PAGES: Final = 20
BROKEN: Final = 500


class GitHubError(ReconcilerError):
    """GitHub did not answer as hoped."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="run the job again; a 403 means that it lacks a permission")


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file that a run kept."""

    id: int
    head_sha: str
    """The commit of the branch that the run was about; for a pull request the last of its own."""
    head_branch: str


@dataclass(frozen=True, kw_only=True)
class GitHub:
    """One repository, as a token sees it."""

    api: str
    repository: str
    """`owner/name`."""
    token: str
    sleep: Callable[[float], object]
    """Waits between two tries."""

    def merged(self, sha: str) -> Mapping[str, Any] | None:
        """Return the pull request that became this commit, None where none did."""
        pulls = self._json("GET", f"commits/{sha}/pulls")
        return next((it for it in pulls if it.get("merged_at") and it.get("merge_commit_sha") == sha), None)

    def artifacts(self, name: str) -> list[Artifact]:
        """Return what runs of this repository's own branches kept under a name, the newest first.

        Runs of forks are left out: whoever opens a pull request there says what they keep.
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
            GitHubError: it cannot be had, or holds something else.
        """
        data = self._ask("GET", f"actions/artifacts/{artifact.id}/zip")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                (name,) = archive.namelist()
                with archive.open(name) as file:
                    content = file.read(MOST_BYTES + 1)
        except (zipfile.BadZipFile, ValueError, RuntimeError, OSError) as error:
            raise GitHubError(f"artifact {artifact.id} holds no single file: {error}") from error
        if len(content) > MOST_BYTES:
            raise GitHubError(f"artifact {artifact.id} is too large")
        return content

    def comment(self, number: int, marker: str, text: str) -> None:
        """Write the comment of a pull request that begins with a marker: change it, or post it where there is none.

        Only a bot's comment is changed: everybody can write the marker.
        """
        body = {"body": f"{marker}\n{text}"}
        for page in range(1, MOST_PAGES + 1):
            found = self._json("GET", f"issues/{number}/comments?per_page={PAGE}&page={page}")
            for it in found:
                ours = (it.get("user") or {}).get("type") == "Bot"
                if ours and str(it.get("body", "")).startswith(marker):
                    self._json("PATCH", f"issues/comments/{int(it['id'])}", body)
                    return
            if len(found) < PAGE:
                break
        self._json("POST", f"issues/{number}/comments", body)

    def _json(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  whatever JSON holds
        try:
            return json.loads(self._ask(method, path, body))
        except ValueError as error:
            raise GitHubError(f"{method} {path}: no JSON came back") from error

    def _ask(self, method: str, path: str, body: object = None) -> bytes:
        for attempt in range(1, TRIES + 1):
            request = urllib.request.Request(  # noqa: S310  the API's address is GitHub's to set
                f"{self.api}/repos/{self.repository}/{path}",
                method=method,
                data=None if body is None else json.dumps(body).encode(),
                headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
            )
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  as above
                    data: bytes = answer.read(MOST_BYTES + 1)
                    return data
            except urllib.error.HTTPError as error:
                if error.code < BROKEN or method != "GET" or attempt == TRIES:
                    raise GitHubError(f"{method} {path}: {error.code} {error.reason}") from error
            except OSError as error:
                if method != "GET" or attempt == TRIES:
                    raise GitHubError(f"{method} {path}: {error}") from error
            self.sleep(PAUSE_SECONDS * attempt)
        raise AssertionError("the last try returns or raises")
