"""Find the project and its API. A flag overrides the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from reconciler.api.key import ApiKeyError, read_key
from reconciler.cli.output.streams import write_stderr
from reconciler.cli.params.options import Chosen, Common
from reconciler.environment import Environment
from reconciler.errors import ReconcilerError, UsageError
from reconciler.file_access import within
from reconciler.model import Target
from reconciler.settings import API
from reconciler.specs.policy import Policy
from reconciler.specs.project import (
    CONFIG_NAME,
    STATE,
    Project,
    check_same_project,
    environment_names,
    load_project,
    read_policy,
)
from reconciler.specs.yaml.source import Quote
from reconciler.vcs.git_process import GitUnavailableError

if TYPE_CHECKING:
    from reconciler.outputs.store import ResultStore
    from reconciler.specs.load import Loaded

SANDBOX_URL: Final = "http://localhost"
TRUE: Final = frozenset({"1", "true", "yes", "on"})


def config_file(env: Environment, config: Path | None) -> Path | None:
    """Return the settings file that `--config`, else `RECONCILER_CONFIG`, names; None for the nearest upwards.

    Raises `ReconcilerError` if the variable names a file that does not exist.
    """
    named = env.environ.get("RECONCILER_CONFIG")
    if config is None and named and not (env.cwd / named).exists():
        raise ReconcilerError(
            f"{env.cwd / named} does not exist", hint="correct or unset RECONCILER_CONFIG, which names it"
        )
    chosen = config or named
    return env.cwd / chosen if chosen else None


def find_environments(env: Environment, chosen: Chosen) -> list[Project]:
    """Return the project of the chosen environment, or of each environment if none is chosen."""
    if environment_of(env, chosen):
        return [find_project(env, chosen)]
    names = environment_names(
        config_file(env, chosen.config), start=env.cwd, quoting=lambda root: quoting(env, root, None)
    )
    return [find_project(env, replace(chosen, env=name)) for name in names] or [find_project(env, chosen)]


def environment_of(env: Environment, chosen: Chosen) -> str:
    """Return the environment that `--env`, else `RECONCILER_ENV`, names; "" for none."""
    return chosen.env if chosen.env is not None else env.environ.get("RECONCILER_ENV", "").strip()


def find_project(env: Environment, chosen: Chosen, key_file: Path | None = None) -> Project:
    """Find and read the settings of an environment, and the policy. Problems do not show the key.

    Raises `ReconcilerError` if there are none, this tool's own folder may be a part of the checkout, or the policy
    cannot be used; `SpecError` if they are invalid, or the policy is.
    """
    # A pipe is read only once.
    file = env.cwd / key_file if key_file and (env.cwd / key_file).is_file() else None
    project = load_project(
        config_file(env, chosen.config),
        environment=environment_of(env, chosen),
        start=env.cwd,
        quoting=lambda root: quoting(env, root, file),
    )
    check_state(project, env)
    policy = find_policy(env, chosen, project)
    return replace(project, policy=policy, settings=policy.capped(project.settings)) if policy else project


def find_policy(env: Environment, chosen: Chosen, project: Project) -> Policy | None:
    """Return the policy that `--policy`, else `RECONCILER_POLICY`, names; None if neither does.

    It must not be a part of the checkout: then a pull request could change it. Raises `ReconcilerError` if it does not
    exist, cannot be read, or is in the checkout; `SpecError` if it has mistakes.
    """
    named = chosen.policy or env.environ.get("RECONCILER_POLICY")
    if not named:
        return None
    path = Path(os.path.abspath(env.cwd / named))  # noqa: PTH100 - links are followed below
    top = os.path.realpath(env.git(project.root).toplevel() or project.root)
    if any(within(os.path.realpath(it), top) for it in (path, *path.parents)):
        message = f"the policy {path} is in the checkout, so a pull request could change it"
        raise ReconcilerError(message, hint="name a file outside of the repository")
    if not path.exists():
        hint = "correct --policy or RECONCILER_POLICY; without its policy, nothing runs"
        raise ReconcilerError(f"the policy {path} does not exist", hint=hint)
    return read_policy(Path(os.path.realpath(path.parent)) / path.name, project)


def quoting(env: Environment, root: Path, key_file: Path | None) -> Quote:
    """Return what problems show: no key, and only lines of plain files that git tracks."""
    try:
        redact: Callable[[str], str] = read_key(environ=env.environ, file=key_file).redact
    except ApiKeyError:
        redact = str
    return Quote(quotable=cache(env.git(root).quotable), redact=redact)


def open_project(common: Common, env: Environment) -> Project:
    """Find and read the settings, with the common options. Raises what `find_project` and `check_untracked` raise."""
    from reconciler.outputs.place import check_untracked

    project = find_project(env, common, common.api_key_file)
    check_untracked(project, env.environ, env.git(project.root))
    return replace(project, cache=not common.no_cache)


@contextmanager
def open_results(common: Common, env: Environment) -> Iterator[ResultStore]:
    """Open the place of results for reading. Raises what `open_project` raises."""
    from tempfile import TemporaryDirectory

    from reconciler.outputs.place import open_place

    project = open_project(common, env)
    with TemporaryDirectory() as staging:
        yield open_place(project, env.environ, staging=Path(staging))


def load_shown(project: Project, env: Environment) -> Loaded:
    """Read the specs for a command that only shows them; a note on stderr says how many are invalid and left out."""
    from reconciler.render.problems import left_out
    from reconciler.specs.load import load

    loaded = load(project, now=env.now(), monotonic=env.monotonic, only_shown=True)
    if note := left_out(loaded.errors):
        write_stderr(note)
    return loaded


def target_of(common: Common, env: Environment, project: Project) -> Target:
    """Return the target. A flag overrides the environment. No file says where the key goes.

    Raises `UsageError` if `--sandbox` and `--base-url` are given together.
    """
    name, environment = project.settings.project, project.environment
    if common.sandbox and common.base_url:
        raise UsageError("--sandbox and --base-url cannot be combined", hint="remove one of them")
    sandbox = common.sandbox
    if sandbox is None and not common.base_url:
        sandbox = env.environ.get("RECONCILER_SANDBOX", "").strip().lower() in TRUE
    if sandbox:
        return Target(base_url=SANDBOX_URL, project=name, environment=environment, sandbox=True)
    base_url = common.base_url or env.environ.get("MISTRAL_BASE_URL") or API
    return Target(base_url=base_url.rstrip("/"), project=name, environment=environment)


def check_state(project: Project, env: Environment) -> None:
    """Refuse a state folder that may come from the checkout: a pull request could forge it.

    Raises `ReconcilerError` if git tracks a file in it, git cannot be asked, or the folder is a link.
    """
    root = project.root
    there = [it for it in root.iterdir() if it.name.casefold() == STATE]
    for folder in there:
        if Path(os.path.realpath(folder)) != Path(os.path.realpath(root), folder.name):
            raise ReconcilerError(
                f"{folder.name} is a link, and this tool neither reads nor writes through it",
                hint=f"remove it: rm {folder.name}",
            )
    try:
        tracked = bool(there) and env.git(root).tracked(STATE)
    except GitUnavailableError as error:
        message = f"{STATE}/ may be part of the checkout, and forged by a pull request: {error}"
        hint = f"{error.hint}; or delete {STATE}/: then only the tags of jobs prevent duplicates"
        raise ReconcilerError(message, hint=hint) from error
    if tracked:
        raise ReconcilerError(
            f"git tracks {STATE}/, so a pull request could forge the state of this tool",
            hint=f"remove it: git rm -r --cached {STATE}, then commit",
        )


def check_other_settings(project: Project, env: Environment) -> None:
    """Refuse a project that two settings files of the repository declare.

    Raises `SpecError` if another one that git tracks declares the same project.
    """
    git = env.git(project.root)
    check_same_project(project, git.toplevel(), git.tracked_named(CONFIG_NAME))
