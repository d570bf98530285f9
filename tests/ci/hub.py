"""A small GitHub: a bare repository, pull requests, comments and artifacts, and the API that the action calls.

A token has exactly the permissions of its job.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from reconciler.text.timestamps import rfc3339

REPOSITORY: Final = "acme/batches"
HOME_ID, FORK_ID = 1, 2
WHO = {"NAME": "Ada", "EMAIL": "ada@example.org", "DATE": "2026-11-22T12:00:00+0000"}


def git(folder: Path, *argv: str) -> str:
    """Run git without the user's configuration and with fixed dates."""
    environ = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in WHO.items()},
    }
    done = subprocess.run(
        ["git", *argv], cwd=folder, env=environ, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, f"git {' '.join(argv)}: {done.stderr}"
    return done.stdout.strip()


@dataclass
class Hub:
    """One repository on GitHub."""

    folder: Path
    default: str = "main"
    """The default branch."""
    url: str = ""
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    reviews: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    late: float = 0.0
    """Seconds that have passed at GitHub, beside real time."""
    site: str = ""
    """What GitHub Pages serves."""
    grants: dict[str, Mapping[str, str]] = field(default_factory=dict)
    private: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Files of other repositories, by path of the API and ref, each with the token that may read it, or ""."""
    asked: list[str] = field(default_factory=list)
    """Every request: who may do what it does is checked, and how many there are is looked at."""

    @property
    def now(self) -> str:
        """The time in GitHub's form."""
        return rfc3339(time.time() + self.late)

    @property
    def origin(self) -> Path:
        """The bare repository."""
        return self.folder / "origin.git"

    def git(self, *argv: str) -> str:
        """Run git in the bare repository."""
        return git(self.origin, *argv)

    def head(self, ref: str = "") -> str:
        """Return a ref's commit, by default that of the default branch."""
        return self.git("rev-parse", ref or f"refs/heads/{self.default}")

    def open_pull(self, branch: str, *, fork: bool = False, base: str = "") -> int:
        """Open a pull request of a branch; one of a fork differs only in whose it is."""
        base = base or self.default
        number = len(self.pulls) + 1
        repository = "mallory/batches" if fork else REPOSITORY
        self.pulls[number] = {
            "number": number,
            "head": {"ref": branch, "repo": {"full_name": repository}},
            "base": {"ref": base, "sha": self.head(f"refs/heads/{base}")},
            "state": "open",
            "updated_at": self.now,
            "merged_at": None,
            "merge_commit_sha": None,
        }
        self.comments[number] = []
        self.update(number)
        return number

    def update(self, number: int) -> None:
        """Set the refs of a pull request to the present commits of its branch and of its base."""
        pull = self.pulls[number]
        head = self.head(f"refs/heads/{pull['head']['ref']}")
        pull["head"]["sha"] = head
        self.git("update-ref", f"refs/pull/{number}/head", head)
        merge = self._merged(number, "-p", head)
        self.git("update-ref", f"refs/pull/{number}/merge", merge)

    def squash(self, number: int) -> str:
        """Merge a pull request as one commit, and return that."""
        commit = self._merged(number)
        self.git("update-ref", f"refs/heads/{self.pulls[number]['base']['ref']}", commit)
        self.pulls[number] |= {
            "merged_at": self.now,
            "updated_at": self.now,
            "state": "closed",
            "merge_commit_sha": commit,
        }
        return commit

    def queue(self, *numbers: int) -> list[str]:
        """Put pull requests into the merge queue: return the commit of each on top of those before it."""
        commits = [self.head()]
        for number in numbers:
            commits.append(self._merged(number, onto=commits[-1]))
            name = f"refs/heads/gh-readonly-queue/{self.default}/pr-{number}-{commits[-2]}"
            self.git("update-ref", name, commits[-1])
        return commits[1:]

    def merge_queued(self, queued: Mapping[int, str]) -> str:
        """Move the default branch to the last of the queue's commits, in one push, and return that commit."""
        for number, commit in queued.items():
            self.pulls[number] |= {
                "merged_at": self.now,
                "updated_at": self.now,
                "state": "closed",
                "merge_commit_sha": commit,
            }
        *_, last = queued.values()
        self.git("update-ref", f"refs/heads/{self.default}", last)
        return last

    def _merged(self, number: int, *parents: str, onto: str = "") -> str:
        pull = self.pulls[number]
        onto = onto or self.head(f"refs/heads/{pull['base']['ref']}")
        tree = self.git("merge-tree", "--write-tree", onto, pull["head"]["sha"])
        return self.git("commit-tree", tree, "-p", onto, *parents, "-m", f"Pull request {number}")

    def grant(self, permissions: Mapping[str, str]) -> str:
        """Return a token that may do so much."""
        token = f"token-{len(self.grants) + 1}"
        self.grants[token] = permissions
        return token

    def upload(self, name: str, file: Path, *, head_sha: str, head_branch: str, home: int = HOME_ID) -> None:
        """Keep a file, or the files of a folder, as an artifact of a run."""
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for it in file.iterdir() if file.is_dir() else (file,):
                archive.write(it, it.name)
        run = {"head_sha": head_sha, "head_branch": head_branch, "repository_id": HOME_ID}
        self.artifacts.append(
            {
                "id": len(self.artifacts) + 1,
                "name": name,
                "created_at": self.now,
                "expired": False,
                "workflow_run": {**run, "head_repository_id": home},
                "data": data.getvalue(),
            }
        )

    def kept(self, name: str) -> dict[str, Any]:
        """Return the body of the newest artifact of a name: a plan or a snapshot."""
        document: dict[str, Any] = json.loads(self.page(name))
        return document

    def page(self, name: str) -> str:
        """Return the only file of the newest artifact of a name."""
        found = next(it for it in reversed(self.artifacts) if it["name"] == name)
        with zipfile.ZipFile(io.BytesIO(found["data"])) as archive:
            (only,) = archive.namelist()
            return archive.read(only).decode()

    def answer(self, method: str, path: str, token: str, body: Any) -> tuple[int, Any]:  # noqa: ANN401  JSON
        """Answer one request of the API: status, and JSON or bytes."""
        may = self.grants.get(token)
        split = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        if split.path.startswith("/blobs/"):  # where archives are: another host, which must not see the token
            assert not token
            return 200, self.artifacts[int(split.path.rpartition("/")[2]) - 1]["data"]
        self.asked.append(f"{method} {split.path}")
        if method == "GET" and path in self.private and self.private[path][0] in ("", token):
            return 200, self.private[path][1]
        if may is None:
            return 401, {"message": "Bad credentials"}
        for verb, pattern, need, handler in ROUTES:
            match = re.fullmatch(rf"/repos/{REPOSITORY}/{pattern}", split.path)
            if verb == method and match:
                name, level = need.split(": ")
                if may.get(name) not in (level, "write"):
                    return 403, {"message": "Resource not accessible by integration"}
                return handler(self, match, query, body)
        return 404, {"message": "Not Found"}


def _page(rows: list[dict[str, Any]], query: Mapping[str, str]) -> list[dict[str, Any]]:
    size, page = int(query["per_page"]), int(query["page"])
    return [{key: it[key] for key in it if key != "data"} for it in rows[(page - 1) * size : page * size]]


def _pulls(hub: Hub, _match: re.Match[str], query: Mapping[str, str], _body: object) -> tuple[int, Any]:
    assert (query["sort"], query["direction"]) == ("updated", "desc")
    found = [
        it for it in hub.pulls.values() if (it["state"], it["base"]["ref"]) == (query["state"], query["base"])
    ]
    return 200, _page(sorted(found, key=lambda it: str(it["updated_at"]), reverse=True), query)


def _reviews(hub: Hub, match: re.Match[str], query: Mapping[str, str], _body: object) -> tuple[int, Any]:
    return 200, _page(hub.reviews.get(int(match[1]), []), query)


def _artifacts(hub: Hub, _match: re.Match[str], query: Mapping[str, str], _body: object) -> tuple[int, Any]:
    found = [it for it in reversed(hub.artifacts) if query.get("name") in (None, it["name"])]
    return 200, {"artifacts": _page(found, query)}


def _tip(hub: Hub, match: re.Match[str], _query: Mapping[str, str], _body: object) -> tuple[int, Any]:
    return 200, {"object": {"sha": hub.head(f"refs/heads/{match[1]}")}}


def _issues(hub: Hub, _match: re.Match[str], query: Mapping[str, str], _body: object) -> tuple[int, Any]:
    return 200, _page([it for it in hub.issues if it["state"] == query["state"]], query)


def _open_issue(hub: Hub, _match: re.Match[str], _query: Mapping[str, str], body: Any) -> tuple[int, Any]:  # noqa: ANN401
    number = len(hub.issues) + 1
    it = {
        "id": 900 + number,
        "number": number,
        "user": {"type": "Bot"},
        "state": "open",
        "changes": 0,
        **body,
    }
    assert len(it["body"]) < 65_536
    hub.issues.append(it)
    return 201, it


def _change_issue(hub: Hub, match: re.Match[str], _query: Mapping[str, str], body: Any) -> tuple[int, Any]:  # noqa: ANN401
    it = hub.issues[int(match[1]) - 1]
    it.update(body, changes=it["changes"] + 1)
    return 200, it


def _zip(hub: Hub, match: re.Match[str], _query: Mapping[str, str], _body: object) -> tuple[int, Any]:
    return 302, f"{hub.url}/blobs/{match[1]}"


def _comments(hub: Hub, match: re.Match[str], query: Mapping[str, str], _body: object) -> tuple[int, Any]:
    return 200, _page(hub.comments[int(match[1])], query)


def _post(hub: Hub, match: re.Match[str], _query: Mapping[str, str], body: Any) -> tuple[int, Any]:  # noqa: ANN401
    it = {"id": 1000 * int(match[1]) + len(hub.comments[int(match[1])]), "user": {"type": "Bot"}, **body}
    assert len(it["body"]) < 65_536
    hub.comments[int(match[1])].append(it)
    return 201, it


def _patch(hub: Hub, match: re.Match[str], _query: Mapping[str, str], body: Any) -> tuple[int, Any]:  # noqa: ANN401
    it = next(it for its in hub.comments.values() for it in its if it["id"] == int(match[1]))
    it.update(body)
    return 200, it


Handler = Callable[[Hub, re.Match[str], Mapping[str, str], Any], tuple[int, Any]]
ROUTES: Final[tuple[tuple[str, str, str, Handler], ...]] = (
    ("GET", r"pulls", "pull-requests: read", _pulls),
    ("GET", r"pulls/(\d+)/reviews", "pull-requests: read", _reviews),
    ("GET", r"git/ref/heads/(.+)", "contents: read", _tip),
    ("GET", r"issues", "issues: read", _issues),
    ("POST", r"issues", "issues: write", _open_issue),
    ("PATCH", r"issues/(\d+)", "issues: write", _change_issue),
    ("GET", r"actions/artifacts", "actions: read", _artifacts),
    ("GET", r"actions/artifacts/(\d+)/zip", "actions: read", _zip),
    ("GET", r"issues/(\d+)/comments", "pull-requests: read", _comments),
    ("POST", r"issues/(\d+)/comments", "pull-requests: write", _post),
    ("PATCH", r"issues/comments/(\d+)", "pull-requests: write", _patch),
)


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve the API of a hub on this machine."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            status, found = hub.answer(self.command, self.path, token, body)
            data = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", found)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PATCH = do_GET  # noqa: N815  http.server looks for these names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def new_hub(folder: Path, default: str = "main") -> Hub:
    """Return a hub with an empty repository."""
    hub = Hub(folder, default)
    git(folder, "init", "--quiet", "--template=", "--bare", f"--initial-branch={default}", str(hub.origin))
    return hub
