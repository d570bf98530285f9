"""`reconciler ci`: one run in GitHub Actions. The action installs the tool and calls this command.

`plan` saves the plan as an artifact and writes the pull request's one comment, if the pull request concerns the specs.
`size` finds out whether the merged plan needs an approval. `apply` finds that plan and applies exactly that; without
one it applies what is declared, under the guards. Then it updates the comment with the outcome, and saves a snapshot of
the workspace, for plans without a key.

All input comes from the environment and the event file; no text from outside becomes part of a command line.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import file_access
from reconciler.cli.output.streams import write_annotations, write_stdout
from reconciler.cli.params.options import Chosen, Common
from reconciler.cli.session.github_job import GithubJob, environment
from reconciler.cli.session.github_review import concerns_specs, unapproved_limit
from reconciler.cli.session.target import open_project
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.render.github import annotation

if TYPE_CHECKING:
    from reconciler.environment import Environment
    from reconciler.vcs.github import Pull


@click.command()
@click.argument("command", type=click.Choice(["validate", "plan", "size", "apply", "verify"]))
@click.pass_obj
def ci(env: Environment, *, command: str) -> int:
    """Run in GitHub Actions, called by the action in .github/actions/reconciler.

    Reads the event and the action's inputs from the environment, and writes annotations, the step summary and the step
    outputs. plan saves plan.json and writes one comment on the pull request, unless it changes no file that the specs
    use. size says whether the plan of the merged pull request needs an approval. apply applies that plan, or what is
    declared if there is no such plan. verify is `history verify`.
    """
    job = GithubJob.on(env)
    commands = {"validate": validate, "plan": plan, "size": size, "apply": apply, "verify": verify}
    try:
        code = commands[command](job)
    except ReconcilerError as error:
        write_annotations(annotation("error", f"{error} ({error.hint})"))
        code = error.exit_code
    job.set_output("exit-code", int(code))
    return code


def validate(job: GithubJob) -> int:
    """Check the specs: no key, no token."""
    return run(job, "validate", "--format", "github", key=False)


def plan(job: GithubJob) -> int:
    """Plan, save the plan, and comment if the token is allowed to: it is not on pull requests from forks."""
    pull = job.event.pull_request
    source = (pull.head.repo if pull else None) or {}
    own = source.get("full_name") == job.environ["GITHUB_REPOSITORY"]
    if pull and own and unrelated(job, pull):
        write_annotations(
            annotation("notice", "nothing is planned: the pull request changes no file that the specs use")
        )
        return ExitCode.OK
    file, comment = job.folder / "plan.json", job.folder / "comment.md"
    given = ["plan", "-o", str(file), "--format", "github", "--comment", str(comment)]
    if not job.environ.get("MISTRAL_API_KEY"):
        seen = snapshot(job)
        if seen is None:
            raise ReconcilerError(
                "there is no API key and no snapshot",
                hint="add the secret MISTRAL_API_KEY to the repository, "
                "or let the workflow `apply` run once on the default branch",
            )
        given += ["--observed", str(seen)]
    code = run(job, *given)
    if pull is None:
        return code
    if file.exists():
        job.set_output("plan", file)
        job.set_output("plan-name", job.artifact("plan", pull.number))
    if own and comment.exists():
        write(job, pull.number, file_access.read(comment).decode(), about=pull.head.sha)
    return code


def size(job: GithubJob) -> int:
    """Set the output `approval` if the merged plan is larger than `approve_above`, or the run is by hand."""
    from reconciler.cli.commands.show import read_plan

    limit = open_project(Common(), job.env).settings.approve_above
    required = job.environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch"
    pull = merged(job) if limit else None
    file = kept_plan(job, pull) if pull else None
    if limit and file:
        found = read_plan(job.folder, file).summary
        required = found.requests_unknown > 0 or found.requests > limit.requests
    job.set_output("approval", "required" if limit and required else "")
    return ExitCode.OK


def verify(job: GithubJob) -> int:
    """Compare the ledger, the workspace and git."""
    return run(job, "history", "verify", annotated=False)


def unrelated(job: GithubJob, pull: Pull) -> bool:
    """Whether the change of a pull request does not concern the specs, and no comment has to be updated."""
    return not concerns_specs(job) and job.github.find_comment(pull.number, marker(job)) is None


def apply(job: GithubJob) -> int:
    """Apply the merged pull request's plan, or what is declared; update the comment; save a snapshot."""
    pull = merged(job)
    file = None if pull is None else kept_plan(job, pull)
    if pull is not None and file is None and unrelated(job, pull):
        pull = None
    comment, seen = job.folder / "comment.md", job.folder / "observed.json"
    what = ["--yes"] if file is None else [str(file)]
    code = run(job, "apply", *what, *budget(job, file), "--format", "github", "--comment", str(comment))
    if pull is not None and comment.exists():
        head = pull.head.sha
        how = (
            "This run applied the plan of this pull request, as far as it was still valid."
            if file is not None
            else f"There was no plan for {head[:7]}: this run applied what is declared, under the guards."
        )
        write(job, pull.number, f"{file_access.read(comment).decode()}\n{how}\n", about=head)
    if job.env.stop.is_set():
        return code
    failed = run(job, "jobs", "snapshot", str(seen), annotated=False)
    if not failed:
        job.set_output("observed", seen)
        job.set_output("observed-name", job.artifact("observed"))
    return code or failed or fetch_results(job)


def budget(job: GithubJob, file: Path | None) -> list[str]:
    """Return the option that keeps an apply within `approve_above`, unless its reviewers approved it.

    A larger plan is not submitted in parts by several runs either: without a saved plan, all that is wanted must fit.
    """
    from reconciler.cli.commands.show import read_plan

    limit = unapproved_limit(job)
    if limit is None:
        return []
    if file is None:
        whole = job.folder / "whole.json"
        unlimited = ("--max-new-requests=none", "--max-requests-per-day=none")
        run(job, "plan", "-o", str(whole), *unlimited, annotated=False)
        wanted = read_plan(job.folder, whole).summary
        limit = 0 if wanted.requests_unknown or wanted.requests > limit else limit
    return [f"--max-new-requests={limit}"]


def fetch_results(job: GithubJob) -> int:
    """Fetch results, unless they would be lost with the runner."""
    from reconciler.cli.session.target import find_project
    from reconciler.outputs.place import warning_on_ci

    project = find_project(job.env, Chosen())
    if warning := warning_on_ci(project, job.environ):
        write_annotations(annotation("notice", warning))
        return ExitCode.OK
    return run(job, "outputs", "pull", annotated=False)


def merged(job: GithubJob) -> Pull | None:
    """Return the pull request that this push merged.

    Raises:
        GitHubError: GitHub did not say whether there is one, so nothing may be applied in its place.
    """
    if job.environ.get("GITHUB_EVENT_NAME") != "push":
        return None
    return job.github.merged(job.environ.get("GITHUB_SHA", ""))


def kept_plan(job: GithubJob, pull: Pull) -> Path | None:
    """Return the plan that was made from the last commit of a pull request.

    Raises:
        GitHubError: it cannot be downloaded, so nothing may be applied in its place.
    """
    return download(job, job.artifact("plan", pull.number), "plan.json", head_sha=pull.head.sha)


def snapshot(job: GithubJob) -> Path | None:
    """Return the latest snapshot that a run on the default branch saved.

    Raises:
        GitHubError: it cannot be downloaded.
    """
    default = (job.event.repository or {}).get("default_branch", "main")
    return download(job, job.artifact("observed"), "observed.json", head_branch=default)


def download(job: GithubJob, name: str, file: str, **run: str) -> Path | None:
    """Save the newest artifact of a name and of such a workflow run as a file; return None if there is none."""
    kept = job.github.artifacts(name)
    found = next((it for it in kept if run.items() <= (it.workflow_run or {}).items()), None)
    if found is not None:
        file_access.replace(job.folder / file, job.github.file(found))
    return job.folder / file if found is not None else None


def write(job: GithubJob, number: int, text: str, *, about: str) -> None:
    """Write the pull request's comment, with a link to the run. A failure is a warning only."""
    from reconciler.vcs.github import GitHubError

    it = job.environ
    url = f"{it['GITHUB_SERVER_URL']}/{it['GITHUB_REPOSITORY']}/actions/runs/{it['GITHUB_RUN_ID']}"
    try:
        job.github.comment(number, marker(job), f"{text}\n<sub>{about[:7]} · [run]({url})</sub>\n")
    except GitHubError as error:
        write_annotations(annotation("warning", f"the comment was not written: {error}"))


def marker(job: GithubJob) -> str:
    """Return the beginning of the comment, by which a later run finds it."""
    return f"<!-- reconciler{f':{job.name}' if job.name else ''} -->"


def run(job: GithubJob, *words: str, key: bool = True, annotated: bool = True) -> int:
    """Run one command in this process, so that a signal reaches the code that creates jobs.

    Args:
        job: the job of GitHub Actions.
        words: the command line.
        key: whether the command needs the API key, and git the token.
        annotated: whether stdout is annotations, which GitHub is to interpret. Other output is printed while workflow
            commands are stopped.
    """
    from reconciler.cli import main

    until = f"{job.env.random.getrandbits(128):032x}"
    env = replace(job.env, environ=environment(job, key=key))
    kept = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    write_annotations(f"::stop-commands::{until}\n")
    with redirect_stdout(kept):
        code = main.run(words, env)
    kept.flush()
    text = kept.buffer.getvalue().decode()
    write_stdout("" if annotated else text)
    write_annotations(f"::{until}::\n")
    write_annotations(text if annotated else "")
    return code
