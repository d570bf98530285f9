"""A team's repository on a small GitHub, and one workspace on the sandbox over HTTP."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.sandbox.app import make_app
from reconciler.sandbox.server import Server
from reconciler.sandbox.store import Store
from reconciler.specs import scaffold
from tests.ci.hub import Hub, git, new_hub, serving
from tests.ci.runner import Ran, Runner
from tests.cli.stage import Stage

KEY = "the-key-of-the-team"


class Team:
    """A clone to work in, the hub it pushes to, and the runner that plays what that starts."""

    def __init__(self, folder: Path, hub: Hub, url: str, clock: list[float]) -> None:
        self.hub = hub
        self.url = url
        self.runner = Runner(hub=hub, folder=folder / "runner", secrets={"MISTRAL_API_KEY": KEY}, api=url)
        self.work = folder / "work"
        self._clock = clock
        self.work.mkdir()
        git(self.work, "init", "--quiet", f"--initial-branch={hub.default}")
        git(self.work, "remote", "add", "origin", str(hub.origin))
        for wanted in scaffold.workflows(".", hub.default):
            self.write(wanted.path, wanted.content.decode())
        self.settings()

    def settings(self, more: str = "") -> None:
        """Write the settings."""
        self.write("reconciler.yaml", f"project: shop\nledger: git\nlimits: {{settle_seconds: 0}}\n{more}")

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def spec(self, name: str, requests: int) -> None:
        """Write a spec and its input."""
        rows = [{"custom_id": str(at), "body": {"input": [f"{name} {at}"]}} for at in range(requests)]
        self.write(f"specs/data/{name}.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
        self.write(
            f"specs/{name}.yaml",
            f"name: {name}\nendpoint: /v1/embeddings\nmodel: mistral-embed-2312\ninput_files: [data/{name}.jsonl]\n"
            "reuse: false\n",
        )

    def remove(self, name: str) -> None:
        """Remove a spec and its input."""
        (self.work / f"specs/{name}.yaml").unlink()
        (self.work / f"specs/data/{name}.jsonl").unlink()

    def commit(self, message: str, branch: str = "") -> str:
        """Commit everything and push it to a branch, by default the default one."""
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--message", message)
        git(self.work, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch or self.hub.default}")
        return git(self.work, "rev-parse", "HEAD")

    def branch(self) -> None:
        """Begin to work on the default branch as it is."""
        git(self.work, "fetch", "--quiet", "origin", self.hub.default)
        git(self.work, "checkout", "--quiet", "--detach", "FETCH_HEAD")

    def opened(self, number: int) -> Ran:
        """Play what a pull request starts."""
        return self.runner.play(self.runner.pull_request(number))["plan"]

    def queued(self, sha: str) -> Ran:
        """Play what a commit of the merge queue starts."""
        return self.runner.play(self.runner.merge_group(sha))["plan"]

    def pushed(self, sha: str, name: str = "push", branch: str = "", before: str = "") -> Ran:
        """Play what a push to the default branch starts, the schedule, or a run by hand on a branch."""
        return self.runner.play(self.runner.push(sha, name=name, branch=branch, before=before))["apply"]

    def confirmed(self, sha: str) -> Ran:
        """Play what a person does without a review: run the workflow `plan`, then `apply` with the plan's digest."""
        shown = self.by_hand("plan", sha)
        (digest,) = re.findall(r"with the digest (sha256:[0-9a-f]{64})", shown.log)
        return self.by_hand("apply", sha, plan=digest)

    def by_hand(self, workflow: str, sha: str, *, branch: str = "", plan: str = "") -> Ran:
        """Play what starts if a person runs a workflow on a branch."""
        event = self.runner.push(sha, name="workflow_dispatch", branch=branch, plan=plan)
        return self.runner.play(event, only=workflow)[workflow]

    def comment(self, number: int) -> str:
        """Return the one comment on a pull request."""
        (found,) = self.hub.comments[number]
        return str(found["body"])

    def advance(self, seconds: float) -> None:
        """Let time pass in the workspace."""
        self._clock[0] += seconds

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs of the workspace."""
        with httpx.Client(headers={"Authorization": f"Bearer {KEY}"}) as client:
            listed = client.get(f"{self.url}/v1/batch/jobs?page_size=1000").json()
        found: list[dict[str, Any]] = listed.get("data", [])
        return found

    def live(self) -> list[str]:
        """Return the names of the jobs that are queued or running."""
        return sorted(
            str(job["metadata"]["reconciler.name"])
            for job in self.jobs()
            if job["status"] in ("QUEUED", "RUNNING")
        )


@pytest.fixture
def default() -> str:
    """The default branch."""
    return "main"


@pytest.fixture
def team(tmp_path: Path, default: str) -> Iterator[Team]:
    """A repository with its workflows and no spec yet, and an empty workspace whose clock stands still."""
    clock = [float(int(time.time()))]
    numbers = iter(range(1, 1000))
    with Store(tmp_path / "workspace.db") as store:
        app = make_app(
            store, now=lambda: clock[0], ids=lambda: f"{next(numbers):08x}-0000-4000-8000-000000000000"
        )
        server = Server(app, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with serving(new_hub(tmp_path, default)) as hub:
                yield Team(tmp_path, hub, server.url, clock)
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    """A project whose commands run in this process, and its sandbox."""
    (tmp_path / "stage").mkdir()
    return Stage(tmp_path / "stage", capsys)
