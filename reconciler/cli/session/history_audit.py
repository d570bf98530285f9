"""`reconciler history verify`: gather what is compared, and say what does not add up."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from reconciler.cli.params.options import Common
from reconciler.cli.session.ledgers import local_ledger, shared_ledger
from reconciler.environment import World
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.history.audit import Evidence, VerifyDoc, findings
from reconciler.ledger.lines import CancelIntended, CreateIntended
from reconciler.model import Ours, tags
from reconciler.runs.history_sources import Sources
from reconciler.specs.load import load
from reconciler.specs.project import Project, load_project
from reconciler.vcs import git


def verified(common: Common, world: World, found: Sources) -> VerifyDoc:
    """Compare everything.

    Raises:
        LedgerError: the shared ledger's history cannot be read.
    """
    root = found.project.root
    told, lines = found.ledger.told, found.ledger.lines
    commits = frozenset(
        line.commit for line in lines if isinstance(line, CreateIntended | CancelIntended)
    ) | frozenset(record.commit for record in found.records if record.commit)
    known = git.reachable(root, commits - {""})
    strangers = [
        read
        for job in found.jobs or ()
        if isinstance(read := tags.read(job), Ours)
        and job.id not in told.created
        and job.id not in told.ended
        and read.tags.op not in told.intents
    ]
    result = findings(
        Evidence(
            ledger=told,
            jobs=found.jobs,
            records=found.records,
            settled=found.settled,
            project=found.target.project,
            past=past(common, world, found),
            unread=local_ledger(found.project, found.target).unread(),
            missing=known.missing,
            unreachable=known.unreachable,
            shallow=git.checkout(root, found.project.spec_root).shallow,
            declared=declared(found.project, strangers, known.missing),
        )
    )
    wrong = any(finding.severity == "wrong" for finding in result)
    return VerifyDoc(
        project=found.target.project,
        base_url=found.target.base_url,
        offline=found.offline,
        jobs=len(found.records),
        lines=len(lines),
        commits=len(commits - {""}),
        findings=result,
        exit_code=int(ExitCode.ATTENTION if wrong else ExitCode.OK),
    )


def past(common: Common, world: World, found: Sources) -> list[str]:
    """Return how the past of the shared ledger was changed."""
    shared = shared_ledger(found.project, found.target, world)
    return [] if shared is None or common.local_ledger else shared.past(shared.fetched())


def declared(project: Project, jobs: Iterable[Ours], missing: Iterable[str]) -> Mapping[str, bool | None]:
    """Return of each job whether the commit that it names declares it; None where nobody can tell."""
    by_commit: dict[str, list[Ours]] = defaultdict(list)
    found: dict[str, bool | None] = {}
    gone = frozenset(missing)
    for ours in jobs:
        commit = ours.tags.source.commit
        found[ours.job.id] = None
        if commit and commit not in gone and not ours.tags.source.dirty:
            by_commit[commit].append(ours)
    for commit, several in sorted(by_commit.items()):
        with tempfile.TemporaryDirectory() as folder:
            names = _declared_in(project, commit, Path(folder), now=several[0].job.created_at)
        for ours in several if names is not None else ():
            found[ours.job.id] = bool(names and {ours.tags.name, ours.tags.run_key.work} & names)
    return found


def _declared_in(project: Project, commit: str, folder: Path, *, now: float) -> frozenset[str] | None:
    """Return the names and the work that a commit declares; None where its specs cannot be read."""
    if not git.export(project.root, commit, folder):
        return None
    try:
        then = load_project(folder / project.config_path.name, start=folder)
        specs = load(then, now=now)
    except ReconcilerError:
        return None
    works = (key.work for spec in specs.specs for key in spec.run_keys)
    return frozenset((*(spec.name for spec in specs.specs), *specs.later, *works))
