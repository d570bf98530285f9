"""The audit of a history: `reconciler history verify`."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.history.audit import Evidence, VerifyDoc, findings
from reconciler.history.sources import Sources
from reconciler.ledger.lines import CancelIntended, CreateIntended
from reconciler.model import OwnedJob, tags
from reconciler.specs.load import load
from reconciler.specs.project import Project, load_project
from reconciler.vcs.git import Git


def verified(
    env: Environment, project: Project, found: Sources, *, changed_past: Sequence[str], unread: int
) -> VerifyDoc:
    """Compare the ledger, the list of jobs and git; `Evidence` explains `changed_past` and `unread`."""
    git, ledger = env.git(project.root), found.ledger
    intents = (line for line in ledger.lines if isinstance(line, CreateIntended | CancelIntended))
    commits = frozenset(it.commit for it in (*intents, *found.records) if it.commit)
    known = git.reachable(commits)
    strangers = [
        read
        for job in found.jobs or ()
        if isinstance(read := tags.read(job), OwnedJob)
        and job.id not in ledger.records
        and read.tags.op not in ledger.index.intents
    ]
    result = findings(
        Evidence(
            **vars(found),
            changed_past=changed_past,
            unread=unread,
            missing=known.missing,
            unreachable=known.unreachable,
            shallow=git.shallow,
            declared=declared(git, project, strangers, known.missing),
        )
    )
    wrong = any(finding.severity == "wrong" for finding in result)
    return VerifyDoc(
        **found.head,
        jobs=len(found.records),
        lines=len(ledger.lines),
        commits=len(commits),
        findings=result,
        exit_code=int(ExitCode.ATTENTION if wrong else ExitCode.OK),
    )


def declared(
    git: Git, project: Project, jobs: Iterable[OwnedJob], missing: Iterable[str]
) -> Mapping[str, bool | None]:
    """Return for each job whether the commit in its tags declares it; None if that is not known."""
    by_commit: dict[str, list[OwnedJob]] = defaultdict(list)
    found: dict[str, bool | None] = {}
    gone = frozenset(missing)
    for owned in jobs:
        commit = owned.tags.source.commit
        found[owned.job.id] = None
        if commit and commit not in gone and not owned.tags.source.dirty:
            by_commit[commit].append(owned)
    for commit, several in sorted(by_commit.items()):
        with tempfile.TemporaryDirectory() as folder:
            names = _declared_in(git, project, commit, Path(folder), now=several[0].job.created_at)
        for owned in several if names is not None else ():
            found[owned.job.id] = bool(names and {owned.tags.name, owned.tags.run_key.work} & names)
    return found


def _declared_in(
    git: Git, project: Project, commit: str, folder: Path, *, now: float
) -> frozenset[str] | None:
    """Return the names and work digests that a commit declares; None if its specs cannot be read."""
    if not git.export(commit, folder):
        return None
    try:
        config = folder / project.config_path.name
        then = load_project(config, environment=project.environment, start=folder)
        specs = load(replace(then, cache=False), now=now)
    except ReconcilerError:
        return None
    works = (key.work for spec in specs.specs for key in spec.run_keys)
    return frozenset((*(spec.name for spec in specs.specs), *specs.later, *works))
