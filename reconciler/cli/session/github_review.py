"""What the review of a change says on GitHub: whether there is anything to plan, and who approved what is applied."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler import file_access
from reconciler.cli.params.options import Common
from reconciler.cli.session.github_job import GithubJob, annotate
from reconciler.cli.session.target import open_project
from reconciler.errors import ReconcilerError
from reconciler.specs.load import load
from reconciler.specs.project import Project
from reconciler.vcs.github import GitHubError, Pull


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
