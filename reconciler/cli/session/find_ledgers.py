"""Find the ledgers of a target: on this host, and where other hosts see it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from reconciler.cli.params.options import Common
from reconciler.cli.session.target import open_project, target_of
from reconciler.environment import Environment
from reconciler.model import Target
from reconciler.specs.project import STATE, Project, settings_error

if TYPE_CHECKING:
    from reconciler.ledger.file import FileLedger
    from reconciler.ledger.shared import SharedLedger

LEDGER_HEADER: Final = "RECONCILER_LEDGER_HEADER"
"""The variable with the HTTP header for the shared ledger's remote; `ci` sets it for its commands."""


def ledgers(common: Common, env: Environment) -> tuple[Project, Target, FileLedger, SharedLedger | None]:
    """Return the project, its target and the target's ledgers, without a request to the API."""
    project = open_project(common, env)
    target = target_of(common, env, project)
    return project, target, local_ledger(project, target), shared_ledger(common, project, target, env)


def local_ledger(project: Project, target: Target) -> FileLedger:
    """Return this target's ledger on this host."""
    from reconciler.ledger.file import FileLedger

    return FileLedger(project.root / STATE / target.folder)


def shared_ledger(common: Common, project: Project, target: Target, env: Environment) -> SharedLedger | None:
    """Return this target's shared ledger, None if settings or options do not ask for one.

    Raises what `ledger_at` raises.
    """
    if target.sandbox or common.local_ledger:
        return None
    return ledger_at(project.settings.ledger, project, target, env)


def ledger_at(place: str, project: Project, target: Target, env: Environment) -> SharedLedger | None:
    """Return this target's shared ledger in a place that the setting `ledger` may name, None for `local`.

    Raises `SpecError` if git lists no remote of the name in the settings: git would take any other text for an address
    or a path; `ReconcilerError` if an object store needs a package that is not installed.
    """
    state = project.root / STATE / target.folder
    if place == "local":
        return None
    if place != "git":
        from reconciler.ledger.objects import ObjectLedger
        from reconciler.outputs.place import open_store

        store = open_store(f"{place.rstrip('/')}/{target.folder}", staging=state)
        own = hashlib.sha256(store.where.encode()).hexdigest()[:12]
        return ObjectLedger(store=store, state=state / "shared" / own, rng=env.random)
    remote, git = project.settings.ledger_remote, env.git(project.root)
    if git.repository is None or remote not in git.remotes():
        raise settings_error(
            project,
            ("ledger_remote",),
            f"ledger_remote: git lists no remote {remote}",
            "name one that `git remote` prints, or use --local-ledger with weaker duplicate protection",
        )
    from reconciler.ledger.git import GitLedger
    from reconciler.ledger.git_calls import LedgerGit

    credentials = ledger_credentials(env.environ)
    return GitLedger(
        git=LedgerGit(repository=git.repository, remote=remote, credentials=credentials, now=env.now),
        project=target.project,
        folder=target.folder,
        state=state,
    )


def ledger_credentials(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return git's variables that send the ledger's token to GitHub's server, {} without a token."""
    header, server = environ.get(LEDGER_HEADER), environ.get("GITHUB_SERVER_URL")
    if not header or not server:
        return {}
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{server}/.extraheader",
        "GIT_CONFIG_VALUE_0": header,
    }
