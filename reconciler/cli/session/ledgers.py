"""A target's ledgers: on this host, and in the repository's remote."""

from __future__ import annotations

from reconciler.environment import Environment
from reconciler.ledger.file import FileLedger
from reconciler.ledger.git import SharedLedger
from reconciler.model import Target
from reconciler.specs.project import STATE, Project


def local_ledger(project: Project, target: Target) -> FileLedger:
    """Return this target's ledger on this host."""
    return FileLedger(project.root / STATE / target.folder)


def shared_ledger(project: Project, target: Target, env: Environment) -> SharedLedger | None:
    """Return this target's ledger in the repository's remote, None if the settings do not ask for one."""
    if project.settings.ledger != "git" or target.sandbox:
        return None
    return SharedLedger(
        repository=project.root,
        remote=project.settings.ledger_remote,
        folder=target.folder,
        environ=env.environ,
        now=env.now,
    )
