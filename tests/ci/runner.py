"""Plays workflows from their own files: their jobs, conditions, permissions and `run:` lines, with bash.

Stand-ins for the actions of others (checkout, setup-python, upload-artifact) are here; the repository's own action is
read from the checkout and played like the rest. What a workflow uses and this does not know is an error.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tests.ci.expressions import filled, holds
from tests.ci.hub import FORK_ID, HOME_ID, REPOSITORY, Hub, git

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = f"""\
#!/bin/sh
if [ "$1 $2 $3" = "-I -m pip" ]; then
  for last in "$@"; do :; done
  echo "installed $last"
else
  exec {sys.executable} "$@"
fi
"""


@dataclass
class Ran:
    """The outcome of one run of a workflow."""

    jobs: dict[str, str] = field(default_factory=dict)
    """Job and result: `success`, `failure` or `skipped`."""
    log: str = ""
    page: str = ""
    """The Markdown of the steps' pages."""
    codes: list[str] = field(default_factory=list)
    """The exit codes that the steps reported."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """The outputs of the jobs."""


@dataclass
class Event:
    """What starts a workflow."""

    name: str
    sha: str
    payload: dict[str, Any]
    checkout: str
    """The ref that is checked out by default."""
    head_sha: str
    head_branch: str
    fork: bool = False


@dataclass
class Runner:
    """A machine for jobs."""

    hub: Hub
    folder: Path
    secrets: Mapping[str, str]
    api: str
    """The API's base URL, in the environment of every step."""
    variables: dict[str, str] = field(default_factory=dict)
    approved: set[str] = field(default_factory=set)
    """The environments whose reviewers approve; they reject what waits for another."""
    runs: int = 0

    def __post_init__(self) -> None:
        tools = self.folder / "tools"
        tools.mkdir(parents=True)
        (tools / "python").write_text(PYTHON)
        (tools / "python").chmod(0o755)

    def pull_request(self, number: int) -> Event:
        """Return the event of a pull request that was opened or pushed to."""
        pull = self.hub.pulls[number]
        return Event(
            name="pull_request",
            sha=self.hub.head(f"refs/pull/{number}/merge"),
            payload={"pull_request": pull, "repository": {"default_branch": self.hub.default}},
            checkout=f"refs/pull/{number}/merge",
            head_sha=pull["head"]["sha"],
            head_branch=pull["head"]["ref"],
            fork=pull["head"]["repo"]["full_name"] != REPOSITORY,
        )

    def push(
        self,
        sha: str,
        *,
        name: str = "push",
        branch: str = "",
        before: str = "",
        cron: str = "",
        plan: str = "",
    ) -> Event:
        """Return the event of a push to a branch, of the schedule, or of a run by hand on that branch.

        The push is of one commit unless `before` names an older one. A run by hand may name a plan's digest.
        """
        branch = branch or self.hub.default
        payload: dict[str, Any] = {"repository": {"default_branch": self.hub.default}}
        if name == "push":
            parents = self.hub.git("rev-list", "--parents", "-1", sha).split()[1:]
            payload["before"] = before or next(iter(parents), "0" * 40)
        if name == "workflow_dispatch":
            payload["inputs"] = {"plan": plan}
        if name == "schedule":
            payload = {"schedule": cron or "17 * * * *"}
        return Event(
            name=name,
            sha=sha,
            payload=payload,
            checkout=f"refs/heads/{branch}",
            head_sha=sha,
            head_branch=branch,
        )

    def merge_group(self, sha: str) -> Event:
        """Return the event of a commit that the merge queue made."""
        base = self.hub.git("rev-parse", f"{sha}^1")
        branch = f"gh-readonly-queue/{self.hub.default}/pr-1-{base}"
        group = {"head_sha": sha, "base_sha": base, "base_ref": f"refs/heads/{self.hub.default}"}
        return Event(
            name="merge_group",
            sha=sha,
            payload={"merge_group": group, "repository": {"default_branch": self.hub.default}},
            checkout=f"refs/heads/{branch}",
            head_sha=sha,
            head_branch=branch,
        )

    def play(self, event: Event, only: str = "") -> dict[str, Ran]:
        """Run every workflow of the event's own commit that listens to it, or only one."""
        names = self.hub.git("ls-tree", "--name-only", event.sha, ".github/workflows/").splitlines()
        found = {}
        for name in names:
            text = self.hub.git("show", f"{event.sha}:{name}").replace("\non:", "\n'on':")
            workflow = yaml.safe_load(text)
            if listens(workflow["on"], event) and only in ("", Path(name).stem):
                found[Path(name).stem] = self._workflow(workflow, event)
        return found

    def _workflow(self, workflow: Mapping[str, Any], event: Event) -> Ran:
        ran = Ran()
        self.runs += 1
        assert workflow["permissions"] == {}, "each job declares its own permissions"
        for name, job in workflow["jobs"].items():
            needs = job.get("needs", [])
            needs = [needs] if isinstance(needs, str) else needs
            well = all(ran.jobs[need] == "success" for need in needs)
            past = {it: {"result": ran.jobs[it], "outputs": ran.outputs.get(it, {})} for it in needs}
            if not holds(job.get("if"), self._contexts(event, past, token=""), well=well):
                ran.jobs[name] = "skipped"
            elif job.get("environment") and job["environment"] not in self.approved:
                ran.jobs[name] = "failure"
            else:
                ran.jobs[name] = "success" if self._job(name, job, event, ran, past) else "failure"
        return ran

    def _contexts(self, event: Event, needs: Mapping[str, Any], *, token: str) -> dict[str, Any]:
        github = {
            "event": event.payload,
            "event_name": event.name,
            "ref": event.checkout,
            "repository": REPOSITORY,
            "sha": event.sha,
            "token": token,
        }
        return {
            "github": github,
            "vars": {} if event.fork else self.variables,
            "secrets": {} if event.fork else self.secrets,
            "inputs": {},
            "needs": needs,
            "steps": {},
        }

    def _job(
        self, name: str, job: Mapping[str, Any], event: Event, ran: Ran, needs: Mapping[str, Any]
    ) -> bool:
        place = self.folder / f"run-{self.runs}-{name}"
        (place / "temp").mkdir(parents=True)
        (place / "work").mkdir()
        may = {key: "read" if event.fork else level for key, level in job["permissions"].items()}
        token = self.hub.grant(may)
        (place / "event.json").write_text(json.dumps(event.payload))
        environ = {
            "PATH": f"{self.folder / 'tools'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(place),
            "MISTRAL_BASE_URL": self.api,
            "PYTHONPATH": str(ROOT),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "ada",
            "GITHUB_API_URL": self.hub.url,
            "GITHUB_EVENT_NAME": event.name,
            "GITHUB_EVENT_PATH": str(place / "event.json"),
            "GITHUB_REF": event.checkout,
            "GITHUB_REF_NAME": event.checkout.removeprefix("refs/heads/"),
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": str(self.runs),
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_SHA": event.sha,
            "GITHUB_WORKSPACE": str(place / "work"),
            "GITHUB_STEP_SUMMARY": str(place / "page.md"),
            "RUNNER_TEMP": str(place / "temp"),
        }
        stage = _Job(self, place, event, environ, ran)
        contexts = self._contexts(event, needs, token=token)
        well = stage.steps(job["steps"], contexts)
        ran.outputs[name] = {key: filled(it, contexts) for key, it in job.get("outputs", {}).items()}
        page = place / "page.md"
        ran.page += page.read_text(encoding="utf-8") if page.exists() else ""
        return well


@dataclass
class _Job:
    runner: Runner
    place: Path
    event: Event
    environ: Mapping[str, str]
    ran: Ran

    @property
    def work(self) -> Path:
        return self.place / "work"

    def steps(self, steps: list[dict[str, Any]], contexts: dict[str, Any], path: str = "") -> bool:
        """Run steps one after the other; after a failure only those that ask for it."""
        well = True
        for step in steps:
            known = {"name", "id", "if", "uses", "with", "run", "shell", "env", "working-directory"}
            assert step.keys() <= known, f"not understood: {step.keys() - known}"
            if not holds(step.get("if"), contexts, well=well):
                continue
            given = {key: filled(it, contexts) for key, it in step.get("with", {}).items()}
            if "run" in step:
                assert "${{" not in step["run"], "text from outside in a command line"
                done, outputs = self._run(step, contexts, path)
            elif step["uses"].startswith("./"):
                done, outputs = self._own(self.work / step["uses"], given, contexts)
            else:
                done, outputs = self._use(step["uses"], given), {}
            contexts["steps"][step.get("id", "")] = {"outputs": outputs}
            well = well and done
        return well

    def _use(self, uses: str, given: dict[str, str]) -> bool:
        name, _, commit = uses.partition("@")
        assert len(commit) == 40, f"not pinned to a commit: {uses}"
        match name:
            case "actions/setup-python":
                return True
            case "actions/checkout":
                return self._checkout(given)
            case "actions/deploy-pages":
                self.runner.hub.site = self.runner.hub.page("github-pages")
                return True
            case "actions/upload-artifact" | "actions/upload-pages-artifact":
                event = self.event
                self.runner.hub.upload(
                    given.get("name", "github-pages"),
                    Path(given["path"]),
                    head_sha=event.head_sha,
                    head_branch=event.head_branch,
                    home=FORK_ID if event.fork else HOME_ID,
                )
                return True
            case _:
                raise AssertionError(f"no stand-in for {uses}")

    def _own(
        self, folder: Path, given: dict[str, str], contexts: dict[str, Any]
    ) -> tuple[bool, dict[str, str]]:
        action = yaml.safe_load((folder / "action.yml").read_text(encoding="utf-8"))
        assert given.keys() <= action["inputs"].keys()
        assert action["runs"]["using"] == "composite"
        inputs = {
            name: given.get(name, filled(it.get("default", ""), contexts))
            for name, it in action["inputs"].items()
        }
        temp = {"temp": self.environ["RUNNER_TEMP"]}
        inner = {"github": contexts["github"], "inputs": inputs, "runner": temp, "steps": {}}
        done = self.steps(action["runs"]["steps"], inner, str(folder))
        return done, {name: filled(it["value"], inner) for name, it in action.get("outputs", {}).items()}

    def _checkout(self, given: Mapping[str, str]) -> bool:
        assert given["persist-credentials"] == "false"
        shutil.rmtree(self.work)
        self.work.mkdir()
        git(self.work, "init", "--quiet")
        git(self.work, "remote", "add", "origin", f"file://{self.runner.hub.origin}")
        depth = [] if given.get("fetch-depth") == "0" else [f"--depth={given.get('fetch-depth', 1)}"]
        ref = self.event.checkout.replace("refs/heads/", "refs/origin/").replace("refs/", "refs/remotes/")
        git(self.work, "fetch", "--quiet", *depth, "origin", f"+{self.event.sha}:{ref}")
        git(self.work, "checkout", "--quiet", "--detach", self.event.sha)
        return True

    def _run(
        self, step: Mapping[str, Any], contexts: dict[str, Any], path: str
    ) -> tuple[bool, dict[str, str]]:
        output = self.place / "output"
        output.write_text("")
        environ = {
            **self.environ,
            "GITHUB_OUTPUT": str(output),
            "GITHUB_ACTION_PATH": path,
            **{key: filled(it, contexts) for key, it in step.get("env", {}).items()},
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        assert step["shell"] == "bash"
        folder = filled(step.get("working-directory", str(self.work)), contexts)
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=False, text=True)
        self.ran.log += done.stdout + done.stderr
        outputs = dict(line.split("=", 1) for line in output.read_text(encoding="utf-8").splitlines())
        self.ran.codes += [outputs["exit-code"]] if "exit-code" in outputs else []
        return done.returncode == 0, outputs


def listens(on: Mapping[str, Any], event: Event) -> bool:
    """Whether a workflow is started by an event."""
    if event.name not in on:
        return False
    if event.name == "schedule":
        return event.payload["schedule"] in [it["cron"] for it in on["schedule"]]
    branches = (on[event.name] or {}).get("branches") if isinstance(on[event.name], dict) else None
    return branches is None or event.checkout.removeprefix("refs/heads/") in branches
