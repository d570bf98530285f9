"""What a team agreed to on GitHub: whether there is anything to plan, which plans, and who approved them.

A plan is agreed to by merging the pull request that shows it, or by starting the workflow `apply` by hand with the
digest of a plan that `plan` showed on the default branch.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler import file_access
from reconciler.cli.params.options import Common
from reconciler.cli.params.time_types import duration
from reconciler.cli.session.github_job import GithubJob, annotate
from reconciler.cli.session.target import open_project
from reconciler.errors import ReconcilerError, StalePlanError
from reconciler.plans import plan_file
from reconciler.plans.document import PlanDoc
from reconciler.specs.load import load
from reconciler.specs.project import Project
from reconciler.text.timestamps import rfc3339
from reconciler.vcs.github import Artifact, GitHubError, Pull

_DIGEST: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class AgreedFile:
    """A downloaded plan that was agreed to."""

    path: Path
    document: PlanDoc
    number: int = 0
    """The pull request; 0 for a plan that was confirmed by hand."""
    head: str = ""
    """The last commit of the pull request."""


def check_tip(job: GithubJob) -> None:
    """Refuse to apply a commit that is not the newest of the default branch, such as in a re-run of an old run.

    Raises `StalePlanError` if another commit is the newest, or the run is of another branch; `GitHubError` if GitHub
    did not say.
    """
    branch, commit = job.default_branch, job.environ.get("GITHUB_SHA", "")
    ref = job.environ.get("GITHUB_REF", "")
    if ref != f"refs/heads/{branch}":
        raise StalePlanError(
            f"this run is of {ref}, and only {branch} is applied: nothing was done",
            hint=f"merge into {branch}, or start the workflow there",
        )
    tip = job.github.tip(branch)
    if tip != commit:
        raise StalePlanError(
            f"this run is of {commit[:7]}, and {branch} is at {tip[:7]}: nothing was done",
            hint=f"the run of {tip[:7]} applies what is declared now; if it failed, start the workflow by hand",
        )


def agreed_since(job: GithubJob, project: Project) -> str:
    """Return the time since which a merge agrees to a plan: RFC 3339."""
    return rfc3339(job.env.now() - duration(project.settings.agreed_for))


def merged_pulls(job: GithubJob, project: Project) -> list[Pull]:
    """Return the pull requests whose merge agrees to a plan and is part of this checkout, the oldest first.

    Raises `GitHubError` if they cannot be listed.
    """
    pulls = job.github.merged_since(job.default_branch, agreed_since(job, project))
    contained = job.env.git(project.root).ancestry(str(it.merge_commit_sha) for it in pulls).contained or ()
    return [it for it in pulls if it.merge_commit_sha in contained]


def agreed_files(job: GithubJob, project: Project, pulls: list[Pull]) -> list[AgreedFile]:
    """Download the plans that were agreed to: by a merge that this checkout contains, the oldest first, or by hand.

    The plan of one of the merged `pulls` counts if it was made from its last commit, for as long as `agreed_for` says;
    so does the plan that was confirmed for this run. Raises `GitHubError` if they cannot be listed or downloaded.
    Nothing may be applied in their place.
    """
    kept = job.github.artifacts(since=agreed_since(job, project)) if pulls else []
    plans = {(it.name, (it.workflow_run or {}).get("head_sha")): it for it in reversed(kept)}
    found = []
    for pull in pulls:
        plan = plans.get((job.artifact("plan", pull.number), pull.head.sha))
        if plan is not None:
            path = download(job, plan, f"plan-{pull.number}.json")
            try:
                document = plan_file.decode(file_access.read(path))
            except ReconcilerError as error:  # damaged, or of another version of this tool
                annotate("warning", f"{path.name} agrees to nothing: {error}")
            else:
                found.append(AgreedFile(path=path, document=document, number=pull.number, head=pull.head.sha))
    digest = str((job.event.inputs or {}).get("plan") or "")
    return [*found, confirmed_plan(job, digest)] if digest else found


def confirmed_plan(job: GithubJob, text: str) -> AgreedFile:
    """Download the plan that was shown for the default branch, and confirmed with its digest.

    Raises `ReconcilerError` if the text is not a digest, or no plan has it; `GitHubError` if the plan cannot be
    downloaded.
    """
    hint = f"run the workflow `plan` on {job.default_branch}, and copy the digest from its page"
    digest = _DIGEST.fullmatch(text.strip())
    if digest is None:
        raise ReconcilerError(f"{text[:80]!r} is not the digest of a plan: 64 hexadecimal digits", hint=hint)
    found = job.github.artifacts(job.artifact("plan", plan_file.short(digest[1])))
    for plan in (it for it in found if (it.workflow_run or {}).get("head_branch") == job.default_branch):
        path = download(job, plan, "plan-confirmed.json")
        data = file_access.read(path)
        if plan_file.digest_of(data) == f"sha256:{digest[1]}":
            return AgreedFile(path=path, document=plan_file.decode(data))
    raise ReconcilerError(
        f"no plan of {job.default_branch} has the digest {plan_file.short(digest[1])}…", hint=hint
    )


def download(job: GithubJob, plan: Artifact, name: str) -> Path:
    """Download an artifact into the folder of this run, and return its path."""
    path = job.folder / name
    file_access.replace(path, job.github.file(plan))
    return path


def concerns_specs(job: GithubJob) -> bool:
    """Whether a pull request or a push adds, edits or deletes a file that the specs use, or may do so.

    A file that is gone may have been an input, and what is no regular file, such as a submodule, may hold some.
    """
    project = open_project(Common(), job.env)
    pull = job.event.pull_request
    base = job.event.before or ((pull.base if pull else None) or {}).get("sha")
    changed = job.env.git(project.root).changed_since(str(base))
    try:
        specs = load(project, now=job.env.now(), monotonic=job.env.monotonic).specs
    except ReconcilerError:  # the plan reports it
        return True
    names = {project.config_path.name, *(file for spec in specs for file in spec.files)}
    used = {os.path.realpath(project.root / name) for name in names}
    paths = [os.path.realpath(project.root / name) for name in changed or ()]
    folder = str(project.spec_root)
    return changed is None or any(
        it in used or file_access.within(it, folder) or not Path(it).is_file() for it in paths
    )


def source_of(job: GithubJob, project: Project, merged: list[Pull]) -> dict[str, str]:
    """Return the variables that name the pull request of a push, and who approved it.

    Without a pull request, or with several, there are none. They are notes: a token that may not read the reviews
    stops nothing.
    """
    pushed = job.env.git(project.root).commits_since(str(job.event.before))
    pulls = [it.number for it in merged if it.merge_commit_sha in pushed]
    if len(pulls) != 1:
        return {}
    try:
        approvers = job.github.approvers(*pulls)
    except GitHubError as error:
        annotate("notice", f"it is not known who approved the pull request: {error}")
        approvers = []
    return {"RECONCILER_PULL": str(pulls[0]), "RECONCILER_APPROVER": ", ".join(approvers)}
