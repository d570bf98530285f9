"""Find the project, its API and its ledgers. A flag overrides the environment, which overrides the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from reconciler.api.key import ApiKeyError, read_key
from reconciler.api.loopback import is_loopback
from reconciler.cli.params.options import Common
from reconciler.documents.result_summary import DESTINATION
from reconciler.environment import Environment
from reconciler.errors import ReconcilerError, UsageError
from reconciler.file_access import within
from reconciler.ledger.file import FileLedger
from reconciler.ledger.git import SharedLedger
from reconciler.model import Target
from reconciler.settings import API
from reconciler.specs.project import STATE, Project, load_project
from reconciler.specs.yaml.source import Quote

SANDBOX_URL: Final = "http://localhost"
ON_CI: Final = ("CI", "GITHUB_ACTIONS", "GITLAB_CI")
TRUE: Final = frozenset({"1", "true", "yes", "on"})


def config_file(env: Environment, config: Path | None) -> Path | None:
    """Return the settings file that `--config`, else `RECONCILER_CONFIG`, names; None for the nearest upwards.

    Raises:
        ReconcilerError: the variable names a file that does not exist.
    """
    named = env.environ.get("RECONCILER_CONFIG")
    if config is None and named and not (env.cwd / named).exists():
        raise ReconcilerError(
            f"{env.cwd / named} does not exist", hint="correct or unset RECONCILER_CONFIG, which names it"
        )
    chosen = config or named
    return env.cwd / chosen if chosen else None


def find_project(env: Environment, config: Path | None) -> Project:
    """Find and read the settings, which may be those of another environment.

    Raises:
        ReconcilerError: there are none.
        SpecError: they are invalid.
    """
    return load_project(config_file(env, config), start=env.cwd, quoting=lambda root: quoting(env, root))


def quoting(env: Environment, root: Path) -> Quote:
    """Return what problems show of a line: the line without the key, if its file is a plain file that git tracks."""
    try:
        redact: Callable[[str], str] = read_key(environ=env.environ, file=None).redact
    except ApiKeyError:
        redact = str
    quotable = cache(env.git(root).quotable)
    return lambda path, line: redact(line) if quotable(path) else ""


def open_project(common: Common, env: Environment) -> Project:
    """Find and read the settings.

    Raises:
        ReconcilerError: git tracks this tool's own state.
    """
    project = find_project(env, common.config)
    check_own(project, env)
    check_results(project, env, project.root / DESTINATION)
    return replace(project, cache=not common.no_cache)


def target_of(common: Common, env: Environment, project: Project) -> Target:
    """Return the target. A flag overrides the environment, which overrides the file.

    Raises:
        UsageError: `--sandbox` and `--base-url` together.
        ReconcilerError: on CI, only a file in git would send the key to another host.
    """
    name = project.settings.project
    if common.sandbox and common.base_url:
        raise UsageError("--sandbox and --base-url cannot be combined", hint="remove one of them")
    sandbox = common.sandbox
    if sandbox is None and not common.base_url:
        sandbox = env.environ.get("RECONCILER_SANDBOX", "").strip().lower() in TRUE
    if sandbox:
        return Target(base_url=SANDBOX_URL, project=name, sandbox=True)
    base_url = common.base_url or env.environ.get("MISTRAL_BASE_URL")
    if not base_url:
        base_url = project.settings.base_url
        check_host(base_url, project, env)
    return Target(base_url=base_url.rstrip("/"), project=name)


def check_host(base_url: str, project: Project, env: Environment) -> None:
    """Refuse to let a pull request decide where CI sends the key.

    Raises:
        ReconcilerError: the settings name a host that is neither the default nor set in CI's environment.
    """
    there = urlsplit(base_url).hostname or ""
    if base_url == API or is_loopback(there):
        return
    if any(env.environ.get(name, "").strip().lower() in TRUE for name in ON_CI):
        raise ReconcilerError(
            f"{project.config_path.name} sends the API key to {there}; on CI, a file in git must not decide that",
            hint=f"if this is intended, set MISTRAL_BASE_URL={base_url} in the workflow",
        )


def check_own(project: Project, env: Environment) -> None:
    """Refuse a ledger that git tracks: a pull request could forge it.

    Raises:
        ReconcilerError: git tracks files in this tool's own folder.
    """
    if env.git(project.root).tracked(STATE):
        raise ReconcilerError(
            f"git tracks {STATE}/, so a pull request could forge the state of this tool",
            hint=f"remove it: git rm -r --cached {STATE}, then commit",
        )


def check_results(project: Project, env: Environment, folder: Path) -> None:
    """Refuse results that git tracks: a pull request could forge answers.

    Args:
        project: the project.
        env: the environment of the process.
        folder: the destination of results, which may be outside of the project.

    Raises:
        ReconcilerError: git tracks files at the places of results.
    """
    git = env.git(project.root)
    if not folder.is_dir() or not within(os.path.realpath(folder), str(git.toplevel() or project.root)):
        return
    place = os.path.relpath(folder, project.root).replace(os.sep, "/")
    if git.tracked(f"{place}/*/*/*/*"):
        raise ReconcilerError(
            f"git tracks results below {place}/, so a pull request could forge answers",
            hint=f"remove them: git rm -r --cached {place}, then commit",
        )


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
