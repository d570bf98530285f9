"""`reconciler ci`: one run in GitHub Actions, which is all that the action does once the tool is installed.

`plan` keeps the plan and writes the pull request's one comment. `apply` finds the plan of the pull request that was
merged and applies exactly that; without one it applies what is declared, held by the guards. Then it tells the same
comment what was done, and keeps a snapshot of the workspace, for plans without a key.

Everything comes in by the environment and the event's file, and nothing from outside is part of a command line.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.output.streams import say
from reconciler.cli.session.github_job import Job, annotate, environment
from reconciler.errors import ExitCode, ReconcilerError

if TYPE_CHECKING:
    from reconciler.environment import World


@click.command()
@click.argument("command", type=click.Choice(["validate", "plan", "apply"]))
@click.pass_obj
def ci(world: World, *, command: str) -> int:
    """Run in GitHub Actions: what the action in .github/actions/reconciler does.

    Reads the event and the action's inputs from the environment, and writes annotations, the step's page and its
    outputs. plan keeps plan.json and writes one comment on the pull request; apply applies the plan of the pull request
    that was merged, or, where there is none, what is declared.
    """
    job = Job.on(world)
    try:
        code = {"validate": validate, "plan": plan, "apply": apply}[command](job)
    except ReconcilerError as error:
        annotate("error", f"{error} ({error.hint})")
        code = error.exit_code
    job.tell("exit-code", int(code))
    return code


def validate(job: Job) -> int:
    """Check the specs: no key, no token."""
    return run(job, "validate", "--format", "github", key=False)


def plan(job: Job) -> int:
    """Plan, keep the plan, and comment where the token may: not on pull requests of forks."""
    file, comment = job.folder / "plan.json", job.folder / "comment.md"
    given = ["plan", "-o", str(file), "--format", "github", "--comment", str(comment)]
    if not job.environ.get("MISTRAL_API_KEY"):
        seen = snapshot(job)
        if seen is None:
            raise ReconcilerError(
                "there is neither a key nor a snapshot",
                hint="give the repository the secret MISTRAL_API_KEY, "
                "or let the workflow `apply` run once on the default branch",
            )
        given += ["--observed", str(seen)]
    code = run(job, *given)
    pull = job.event.get("pull_request")
    if pull is None:
        return code
    number = int(pull["number"])
    if file.exists():
        job.tell("plan", file)
        job.tell("plan-name", job.artifact("plan", number))
    own = (pull["head"].get("repo") or {}).get("full_name") == job.environ["GITHUB_REPOSITORY"]
    if own and comment.exists():
        write(job, number, comment.read_text(encoding="utf-8"), about=str(pull["head"]["sha"]))
    return code or (ExitCode.GUARD if refused(file) else ExitCode.OK)


def refused(file: Path) -> bool:
    """Whether guards refuse a saved plan: it could be merged and not applied."""
    from reconciler.plans import plan_file

    return bool(plan_file.decode(file.read_bytes()).guards)


def apply(job: Job) -> int:
    """Apply the merged pull request's plan, or what is declared; tell it; keep a snapshot."""
    pull = merged(job)
    file = None if pull is None else kept_plan(job, pull)
    comment, seen = job.folder / "comment.md", job.folder / "observed.json"
    what = ["--yes"] if file is None else [str(file)]
    code = run(job, "apply", *what, "--format", "github", "--comment", str(comment))
    if pull is not None and comment.exists():
        head = str(pull["head"]["sha"])
        how = (
            "Exactly the plan of this pull request was to be applied, as far as it still held."
            if file is not None
            else f"There was no plan of {head[:7]}: what is declared was to be applied, held by the guards."
        )
        write(job, int(pull["number"]), f"{comment.read_text(encoding='utf-8')}\n{how}\n", about=head)
    if job.world.stop.is_set():
        return code
    failed = run(job, "jobs", "snapshot", str(seen), annotated=False)
    if not failed:
        job.tell("observed", seen)
        job.tell("observed-name", job.artifact("observed"))
    to = job.environ.get("RECONCILER_OUTPUTS", "")
    fetched = run(job, "outputs", "pull", "--to", to, annotated=False) if to else ExitCode.OK
    return code or failed or fetched


def merged(job: Job) -> Mapping[str, Any] | None:
    """Return the pull request that this push merged.

    Raises:
        GitHubError: nobody knows whether there is one, so nothing may be applied in its place.
    """
    if job.environ.get("GITHUB_EVENT_NAME") != "push":
        return None
    return job.github.merged(job.environ.get("GITHUB_SHA", ""))


def kept_plan(job: Job, pull: Mapping[str, Any]) -> Path | None:
    """Return the plan that was made of the last commit of a pull request.

    Raises:
        GitHubError: it cannot be had, so nothing may be applied in its place.
    """
    name, head = job.artifact("plan", int(pull["number"])), str(pull["head"]["sha"])
    found = [it for it in job.github.artifacts(name) if it.head_sha == head]
    return save(job.folder / "plan.json", job.github.file(found[0])) if found else None


def snapshot(job: Job) -> Path | None:
    """Return the latest snapshot that a run on the default branch kept.

    Raises:
        GitHubError: it cannot be had.
    """
    default = str((job.event.get("repository") or {}).get("default_branch", "main"))
    found = [it for it in job.github.artifacts(job.artifact("observed")) if it.head_branch == default]
    return save(job.folder / "observed.json", job.github.file(found[0])) if found else None


def save(path: Path, data: bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(data)
    return path


def write(job: Job, number: int, text: str, *, about: str) -> None:
    """Write the pull request's comment, and say where the run is; without the right to, go on."""
    from reconciler.vcs.github import GitHubError

    it = job.environ
    url = f"{it['GITHUB_SERVER_URL']}/{it['GITHUB_REPOSITORY']}/actions/runs/{it['GITHUB_RUN_ID']}"
    marker = f"<!-- reconciler{f':{job.name}' if job.name else ''} -->"
    try:
        job.github.comment(number, marker, f"{text}\n<sub>{about[:7]} · [run]({url})</sub>\n")
    except GitHubError as error:
        annotate("warning", f"the comment was not written: {error}")


def run(job: Job, *words: str, key: bool = True, annotated: bool = True) -> int:
    """Run one command, in this process, so that a signal reaches whoever is buying.

    Args:
        job: what GitHub says.
        words: the command line.
        key: whether it needs the key, and git the token.
        annotated: whether stdout is annotations, which take effect; whatever else is printed begins no workflow
            command.
    """
    from reconciler.cli import main

    until = f"{job.world.random.getrandbits(128):032x}"
    config = job.environ.get("RECONCILER_CONFIG", "")
    world = replace(job.world, environ=environment(job, key=key))
    kept = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    say(f"::stop-commands::{until}\n")
    with redirect_stdout(kept):
        code = main.run([*words, *(["--config", config] if config else [])], world)
    kept.flush()
    text = kept.buffer.getvalue()
    say(b"" if annotated else text)
    say(f"::{until}::\n")
    say(text if annotated else b"")
    return code
