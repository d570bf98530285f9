"""`reconciler ci`: one run in GitHub Actions. The action installs the tool and calls this command.

`plan` saves the plan as an artifact and writes the pull request's one comment, if the pull request concerns the specs.
`size` finds out whether the agreed plan needs an approval. `apply` finds the plans of merged pull requests, and applies
what they contain and what continues earlier work; everything else needs a reviewed plan, and is reported in one issue.
Then it updates the comments with the outcome, and saves a snapshot of the workspace, for plans without a key.

All input comes from the environment and the event file; no text from outside becomes part of a command line.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from reconciler import file_access
from reconciler.api.key import KEY_COMMAND, VARIABLE
from reconciler.cli.output.streams import write_annotations, write_stdout
from reconciler.cli.params.options import Common
from reconciler.cli.session import agreed_plans
from reconciler.cli.session.agreed_plans import concerns_specs, source_of
from reconciler.cli.session.github_job import GithubJob, annotate, environment
from reconciler.cli.session.target import open_project
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.outputs.place import warning_on_ci
from reconciler.plans import plan_file
from reconciler.vcs.github import GitHubError

if TYPE_CHECKING:
    from reconciler.environment import Environment
    from reconciler.settings import Settings
    from reconciler.specs.project import Project

APPLIED: Final = "<!-- applied -->"
"""The mark of a comment with an outcome, which a later run leaves alone."""
HOW: Final = (
    "**To agree to what is declared**, merge a pull request whose plan shows it; or run the workflow `plan` on the "
    "default branch, read its page, and run `apply` with the digest that it prints."
)


@click.command()
@click.argument("command", type=click.Choice(["validate", "plan", "size", "apply", "verify", "report"]))
@click.pass_obj
def ci(env: Environment, *, command: str) -> int:
    """Run in GitHub Actions, called by the action in .github/actions/reconciler.

    Reads the event and the action's inputs from the environment, and writes annotations, the step summary and the step
    outputs. plan saves plan.json and writes one comment on the pull request, unless it changes no file that the specs
    use. size says whether the agreed plan needs an approval. apply applies the plans of merged pull requests, and
    reports in one issue what needs a reviewed plan. verify is `history verify`. report writes a report of 90 days.
    """
    job = GithubJob.on(env)
    commands: dict[str, Callable[[], int]] = {
        "validate": partial(run, job, "validate", "--format", "github", key=False),
        "plan": partial(plan, job),
        "size": partial(size, job),
        "apply": partial(apply, job),
        "verify": partial(run, job, "history", "verify", annotated=False),
        "report": partial(write_report, job),
    }
    try:
        code = commands[command]()
    except ReconcilerError as error:
        annotate("error", f"{error} ({error.hint})")
        code = error.exit_code
    job.set_output("exit-code", int(code))
    return code


def plan(job: GithubJob) -> int:
    """Plan, save the plan, and comment if the token is allowed to: it is not on pull requests from forks."""
    pull = job.event.pull_request
    source = (pull.head.repo if pull else None) or {}
    own = source.get("full_name") == job.environ["GITHUB_REPOSITORY"]
    # A comment that there is has to be updated.
    if pull and own and not concerns_specs(job) and not job.github.find_comment(pull.number, job.marker()):
        annotate("notice", "nothing is planned: the pull request changes no file that the specs use")
        return ExitCode.OK
    file, comment = job.folder / "plan.json", job.folder / "comment.md"
    given = ["plan", "-o", str(file), "--format", "github", "--comment", str(comment)]
    if not (job.environ.get(VARIABLE) or job.environ.get(KEY_COMMAND)):
        seen = snapshot(job)
        if seen is None:
            raise ReconcilerError(
                "there is no API key and no snapshot",
                hint="add the secret MISTRAL_API_KEY to the repository, "
                "or let the workflow `apply` run once on the default branch",
            )
        given += ["--observed", str(seen)]
    code = run(job, *given)
    if file.exists():
        job.set_output("plan", file)
        digest = plan_file.digest_of(file_access.read(file))
        job.set_output("plan-name", job.artifact("plan", pull.number if pull else plan_file.short(digest)))
        if pull is None:
            text = f"to apply exactly this plan, run the workflow apply with the digest {digest}"
            annotate("notice", text)
    if pull and own and comment.exists():
        write(job, pull.number, file_access.read(comment).decode(), about=pull.head.sha)
    return code


def size(job: GithubJob) -> int:
    """Set the output `approval` if the plan that this run agrees to is larger than `approve_above`."""
    project = open_project(Common(), job.env)
    new = []
    if project.settings.approve_above:
        merged, commit = agreed_plans.merged_pulls(job, project), job.environ.get("GITHUB_SHA")
        pulls = [it for it in merged if it.merge_commit_sha == commit]
        new = agreed_plans.agreed_files(job, project, pulls)
    large = any(exceeds(it, project.settings) for it in new)
    job.set_output("approval", "required" if large else "")
    return ExitCode.OK


def exceeds(agreed: agreed_plans.AgreedFile, settings: Settings) -> bool:
    """Whether a plan submits or can cost more than `approve_above` in all, or how much is not known."""
    above, it = settings.approve_above, agreed.document.summary
    if above is None:
        return False
    cost = it.cost.in_all if it.cost and not it.cost_unknown else None
    return (
        above.requests is not None and (it.requests_unknown > 0 or it.requests_in_all > above.requests)
    ) or (above.cost is not None and it.create + it.replace > 0 and (cost is None or cost > above.cost))


def apply(job: GithubJob) -> int:
    """Apply what was agreed to; update the comments and the issue; save a snapshot, if the settings want one."""
    agreed_plans.check_tip(job)
    project = open_project(Common(), job.env)
    pulls = agreed_plans.merged_pulls(job, project)
    agreed = agreed_plans.agreed_files(job, project, pulls)
    job = replace(job, source=source_of(job, project, pulls))
    comment = job.folder / "comment.md"
    event, settings = job.environ.get("GITHUB_EVENT_NAME"), project.settings
    approved = job.environ.get("RECONCILER_APPROVED") == "true"  # for the plans that `size` looks at
    new = {it.number for it in pulls if it.merge_commit_sha == job.environ.get("GITHUB_SHA")} | {0}
    large = [it for it in agreed if exceeds(it, settings) and not (approved and it.number in new)]
    for it in large:
        text = f"{it.path.name} exceeds approve_above, and was not approved for this run: it is left out"
        annotate("warning", text)
    agreed = [it for it in agreed if it not in large]
    given = ["apply", "--only-agreed", *(str(it.path) for it in agreed)]
    given += ["--fail-on-attention"] if event == "schedule" else []
    code = run(job, *given, "--format", "github", "--comment", str(comment))
    text = file_access.read(comment).decode() if comment.exists() else ""
    for it in agreed if event == "push" else ():
        if it.number and text:
            write(job, it.number, f"{text}\n{APPLIED}\n", about=it.head, unless=APPLIED)
    if event != "push" or code in (ExitCode.GUARD, ExitCode.STALE):
        write_issue(job, code, text)
    if code == ExitCode.ATTENTION and settings.on_attention == "issue":
        code = ExitCode.OK
    if job.env.stop.is_set():
        return code
    failed = save_snapshot(job) if settings.snapshot else ExitCode.OK
    return code or failed or fetch_results(job, project)


def write_report(job: GithubJob) -> int:
    """Write the report to a folder of its own, which a workflow keeps or publishes."""
    folder = file_access.make_folder(job.folder / "report")
    job.set_output("report", folder)
    return run(job, "report", "--since", "90d", "-o", str(folder / "index.html"), annotated=False)


def save_snapshot(job: GithubJob) -> int:
    """Save a snapshot of the workspace, which the action keeps for plans without a key."""
    seen = job.folder / "observed.json"
    failed = run(job, "jobs", "snapshot", str(seen), annotated=False)
    if not failed:
        job.set_output("observed", seen)
        job.set_output("observed-name", job.artifact("observed"))
    return failed


def fetch_results(job: GithubJob, project: Project) -> int:
    """Fetch results, unless they would be lost with the runner."""
    if warning := warning_on_ci(project, job.environ):
        annotate("notice", warning)
        return ExitCode.OK
    return run(job, "outputs", "pull", annotated=False)


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Let a failure to write something on GitHub be a warning only."""
    try:
        yield
    except GitHubError as error:
        annotate("warning", f"the {what} was not written: {error}")


def write_issue(job: GithubJob, code: int, text: str) -> None:
    """Open, update or close the one issue about what needs a person."""
    footers: dict[int, str] = {ExitCode.GUARD: HOW, ExitCode.STALE: HOW, ExitCode.ATTENTION: ""}
    title = f"{job.name or 'reconciler'}: a scheduled run needs a person"
    with writing("issue"):
        job.github.issue(job.marker("issue"), title, f"{text}\n{footers[code]}\n" if code in footers else "")


def snapshot(job: GithubJob) -> Path | None:
    """Return the latest snapshot that a run on the default branch saved.

    Raises `GitHubError` if it cannot be downloaded.
    """
    kept = job.github.artifacts(job.artifact("observed"))
    found = [it for it in kept if (it.workflow_run or {}).get("head_branch") == job.default_branch]
    return agreed_plans.download(job, found[0], "observed.json") if found else None


def write(job: GithubJob, number: int, text: str, *, about: str, unless: str = "") -> None:
    """Write the pull request's comment, with a link to the run."""
    it = job.environ
    url = f"{it['GITHUB_SERVER_URL']}/{it['GITHUB_REPOSITORY']}/actions/runs/{it['GITHUB_RUN_ID']}"
    with writing("comment"):
        text = f"{text}\n<sub>{about[:7]} · [run]({url})</sub>\n"
        job.github.comment(number, job.marker(), text, unless=unless)


def run(job: GithubJob, *words: str, key: bool = True, annotated: bool = True) -> int:
    """Run one command in this process, so that a signal reaches the code that creates jobs.

    `key` says whether the command needs the API key, and git the token. If stdout is not `annotated`, with annotations
    that GitHub is to interpret, it is printed while workflow commands are stopped.
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
