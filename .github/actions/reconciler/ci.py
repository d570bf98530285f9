"""One run of the tool in GitHub Actions: the action's only step that thinks.

`plan` keeps the plan and writes the pull request's one comment. `apply` finds the plan of the pull request that was
merged and applies exactly that; without one it applies what is declared, held by the guards. Then it tells the same
comment what was done, and keeps a snapshot of the workspace, for plans without a key.

Everything comes in by the environment, and nothing from outside is part of a command line.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from github import GitHub, GitHubError

REFUSED: Final = 3
"""The tool's exit code where a guard refuses."""
NEITHER: Final = (
    "there is neither a key nor a snapshot: give the repository the secret MISTRAL_API_KEY, or let the workflow "
    "`apply` run once on the default branch"
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What GitHub and the action's inputs say."""

    environ: Mapping[str, str]
    command: str
    config: str
    name: str
    event: Mapping[str, Any]
    folder: Path
    """For files of this run."""

    @property
    def repository(self) -> str:
        """`owner/name`."""
        return self.environ["GITHUB_REPOSITORY"]

    @property
    def github(self) -> GitHub:
        """The repository, as the token sees it."""
        return GitHub(
            api=self.environ.get("GITHUB_API_URL", "https://api.github.com"),
            repository=self.repository,
            token=self.environ.get("RECONCILER_TOKEN", ""),
            pause=float(self.environ.get("RECONCILER_PAUSE", "1")),
        )

    @property
    def pull(self) -> Mapping[str, Any] | None:
        """The pull request that started this run."""
        found: Mapping[str, Any] | None = self.event.get("pull_request")
        return found

    @property
    def marker(self) -> str:
        """What the comment begins with."""
        return f"<!-- reconciler{f':{self.name}' if self.name else ''} -->"

    def artifact(self, kind: str, *more: object) -> str:
        """Return an artifact's name."""
        return "-".join(str(part) for part in (kind, self.name, *more) if part)


def main(environ: Mapping[str, str]) -> int:
    """Run one command, and return how it ended."""
    name = environ.get("RECONCILER_NAME", "")
    if not re.fullmatch(r"[a-z0-9-]{0,40}", name):
        return fail("the action's input `name` may hold small letters, digits and hyphens")
    folder = Path(environ["RUNNER_TEMP"]) / f"reconciler-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    job = Job(
        environ=environ,
        command=environ.get("RECONCILER_COMMAND", ""),
        config=environ.get("RECONCILER_CONFIG", ""),
        name=name,
        event=json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8")),
        folder=folder,
    )
    commands = {"validate": validate, "plan": plan, "apply": apply}
    if job.command not in commands:
        return fail("the action's input `command` is validate, plan or apply")
    code = commands[job.command](job)
    tell(job, **{"exit-code": code})
    return code


def validate(job: Job) -> int:
    """Check the specs."""
    return reconciler(job, "validate", "--format", "github", key=False)


def plan(job: Job) -> int:
    """Plan, keep the plan, and comment where the token may: not on pull requests of forks."""
    file, comment = job.folder / "plan.json", job.folder / "comment.md"
    given = ["plan", "-o", str(file), "--format", "github", "--comment", str(comment)]
    if not job.environ.get("MISTRAL_API_KEY"):
        seen = snapshot(job)
        if seen is None:
            return fail(NEITHER)
        given += ["--observed", str(seen)]
    code = reconciler(job, *given)
    pull = job.pull
    if pull is None:
        return code
    number = int(pull["number"])
    if file.exists():
        tell(job, plan=file, **{"plan-name": job.artifact("plan", number)})
    own = (pull["head"].get("repo") or {}).get("full_name") == job.repository
    if own and comment.exists():
        write(job, number, comment.read_text(encoding="utf-8"), about=str(pull["head"]["sha"]))
    return code or (REFUSED if refused(file) else 0)


def refused(file: Path) -> bool:
    """Whether guards refuse a saved plan: then it could be merged and not applied."""
    return bool(json.loads(file.read_text(encoding="utf-8"))["plan"].get("guards"))


def apply(job: Job) -> int:
    """Apply the merged pull request's plan, or what is declared; tell it; keep a snapshot."""
    pull = merged(job)
    file = None if pull is None else kept_plan(job, pull)
    comment = job.folder / "comment.md"
    what = ["--yes"] if file is None else [str(file)]
    code = reconciler(job, "apply", *what, "--format", "github", "--comment", str(comment))
    if pull is not None and comment.exists():
        head = str(pull["head"]["sha"])
        how = (
            "Applied exactly as this pull request planned it, as far as it still held."
            if file is not None
            else f"There was no plan of {head[:7]}: what is declared was applied, held by the guards."
        )
        write(job, int(pull["number"]), f"{comment.read_text(encoding='utf-8')}\n{how}\n", about=head)
    seen = job.folder / "observed.json"
    failed = reconciler(job, "jobs", "snapshot", str(seen))
    if not failed:
        tell(job, observed=seen, **{"observed-name": job.artifact("observed")})
    return code or failed


def merged(job: Job) -> Mapping[str, Any] | None:
    """Return the pull request that this push merged."""
    if job.environ.get("GITHUB_EVENT_NAME") != "push":
        return None
    try:
        return job.github.merged(job.environ["GITHUB_SHA"])
    except GitHubError as error:
        warn(f"the pull request of this commit was not found: {error}")
        return None


def kept_plan(job: Job, pull: Mapping[str, Any]) -> Path | None:
    """Return the plan that was made of the last commit of a pull request."""
    name, head = job.artifact("plan", int(pull["number"])), str(pull["head"]["sha"])
    try:
        found = [it for it in job.github.artifacts(name) if it.head_sha == head]
        return save(job.folder / "plan.json", job.github.file(found[0])) if found else None
    except GitHubError as error:
        warn(f"the plan of pull request {int(pull['number'])} was not found: {error}")
        return None


def snapshot(job: Job) -> Path | None:
    """Return the latest snapshot that a run on the default branch kept."""
    default = str((job.event.get("repository") or {}).get("default_branch", "main"))
    try:
        found = [it for it in job.github.artifacts(job.artifact("observed")) if it.head_branch == default]
        return save(job.folder / "observed.json", job.github.file(found[0])) if found else None
    except GitHubError as error:
        warn(f"no snapshot was found: {error}")
        return None


def save(path: Path, data: bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(data)
    return path


def write(job: Job, number: int, text: str, *, about: str) -> None:
    """Write the pull request's comment, and say where the run is; without the right to, go on."""
    it = job.environ
    run = f"{it['GITHUB_SERVER_URL']}/{job.repository}/actions/runs/{it['GITHUB_RUN_ID']}"
    try:
        job.github.comment(number, job.marker, f"{text}\n<sub>{about[:7]} · [run]({run})</sub>\n")
    except GitHubError as error:
        warn(f"the comment was not written: {error}")


def reconciler(job: Job, *words: str, key: bool = True) -> int:
    """Run the tool; its annotations take effect, and whatever else is printed begins no workflow command."""
    config = ["--config", job.config] if job.config else []
    until = secrets.token_hex(16)
    print(f"::stop-commands::{until}", flush=True)
    done = subprocess.run(
        ["reconciler", *words, *config], env=environment(job, key=key), stdout=subprocess.PIPE, check=False
    )
    print(f"::{until}::", flush=True)
    sys.stdout.buffer.write(done.stdout)
    sys.stdout.flush()
    return done.returncode


def environment(job: Job, *, key: bool) -> dict[str, str]:
    """Return what the tool sees: not the token itself, but git that may use it; the key where it is needed."""
    hidden = {
        "RECONCILER_TOKEN",
        *(() if key and job.environ.get("MISTRAL_API_KEY") else ("MISTRAL_API_KEY",)),
    }
    given = {name: value for name, value in job.environ.items() if name not in hidden}
    server, token = job.environ["GITHUB_SERVER_URL"], job.environ.get("RECONCILER_TOKEN", "")
    if token and key:
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        print(f"::add-mask::{basic}", flush=True)
        given |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{server}/.extraheader",
            "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {basic}",
        }
    return given


def tell(job: Job, **outputs: object) -> None:
    """Set outputs of the step."""
    with Path(job.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in outputs.items())


def warn(text: str) -> None:
    """Say what went wrong and does not stop the run."""
    print(f"::warning::{one_line(text)}", flush=True)


def fail(text: str) -> int:
    """Say what went wrong, and how the step ends."""
    print(f"::error::{one_line(text)}", flush=True)
    return 1


def one_line(text: str) -> str:
    """Escape what would end the line."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


if __name__ == "__main__":
    sys.exit(main(os.environ))
