"""A job of GitHub Actions: its inputs, and the environment for the commands it runs."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec

from reconciler import file_access
from reconciler.api.key import VARIABLES
from reconciler.cli.output.streams import write_annotations
from reconciler.cli.session.find_ledgers import LEDGER_HEADER
from reconciler.environment import Environment
from reconciler.errors import ReconcilerError, UsageError
from reconciler.render.github import AnnotationKind, annotation
from reconciler.vcs.github import Event, GitHub

NEEDED: Final = (
    "GITHUB_EVENT_PATH",
    "GITHUB_OUTPUT",
    "GITHUB_REPOSITORY",
    "GITHUB_RUN_ID",
    "GITHUB_SERVER_URL",
    "RUNNER_TEMP",
)
FILES: Final = ("plan.json", "whole.json", "comment.md", "observed.json")


@dataclass(frozen=True, kw_only=True)
class GithubJob:
    """The context of the job and the action's inputs."""

    env: Environment
    name: str
    """The input `name`, which tells environments apart; "" if there is only one."""
    event: Event
    folder: Path
    """The folder for files of this run."""
    source: Mapping[str, str] = field(default_factory=dict)
    """More variables for the commands: the pull request, and who approved it."""

    @classmethod
    def on(cls, env: Environment) -> GithubJob:
        """Read the environment and the event file.

        Raises `UsageError` if this is not a job of GitHub Actions, or an input is invalid.
        """
        it = env.environ
        missing = [name for name in NEEDED if not it.get(name)]
        if missing:
            raise UsageError(
                f"this is not a GitHub Actions job: {', '.join(missing)} not set",
                hint="use the action in .github/actions/reconciler; elsewhere, run plan and apply",
            )
        name = it.get("RECONCILER_NAME", "")
        if not re.fullmatch(r"[a-z0-9-]{0,40}", name):
            raise UsageError(
                f"invalid input name: {name!r}", hint="use lowercase letters, digits and hyphens, at most 40"
            )
        where, folder = it["GITHUB_EVENT_PATH"], Path(it["RUNNER_TEMP"]) / f"reconciler-{name}".rstrip("-")
        try:
            event = msgspec.json.decode(file_access.read(where), type=Event)
        except (OSError, ValueError, RecursionError) as error:
            why = getattr(error, "strerror", None) or error
            hint = "run the CI job again; GITHUB_EVENT_PATH names the file that GitHub writes for each run"
            raise ReconcilerError(f"the event file {where} cannot be read: {why}", hint=hint) from error
        file_access.make_folder(folder)
        for left in FILES:  # of an earlier step of the same job
            (folder / left).unlink(missing_ok=True)
        return cls(env=env, name=name, event=event, folder=folder)

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of the job."""
        return self.env.environ

    @cached_property
    def github(self) -> GitHub:
        """The repository, as the token sees it."""
        return GitHub(
            api=self.environ.get("GITHUB_API_URL", "https://api.github.com"),
            repository=self.environ["GITHUB_REPOSITORY"],
            token=self.environ.get("RECONCILER_TOKEN", ""),
            sleep=self.env.sleep,
        )

    @property
    def default_branch(self) -> str:
        """The repository's default branch."""
        known = (self.event.repository or {}).get("default_branch")
        # The event of a schedule names no repository, and runs on the default branch.
        return str(known or self.environ.get("GITHUB_REF_NAME", ""))

    def marker(self, kind: str = "") -> str:
        """Return the beginning of a comment or an issue, by which a later run finds it."""
        return f"<!-- {':'.join(filter(None, ['reconciler', kind, self.name]))} -->"

    def artifact(self, kind: str, *more: object) -> str:
        """Return an artifact's name: `plan-17`, `observed`, `plan-staging-17`."""
        return "-".join(str(part) for part in (kind, self.name, *more) if part)

    def set_output(self, name: str, value: object) -> None:
        """Set an output of the step."""
        with os.fdopen(file_access.append(self.environ["GITHUB_OUTPUT"]), "a", encoding="utf-8") as file:
            file.write(f"{name}={value}\n")


def annotate(kind: AnnotationKind, message: str) -> None:
    """Write an annotation, which GitHub shows on the page of the run."""
    write_annotations(annotation(kind, message))


def environment(job: GithubJob, *, key: bool) -> dict[str, str]:
    """Return the environment for a command: the key and the ledger's HTTP header if needed, never the token."""
    given = {**job.source, **job.environ}
    given.pop("RECONCILER_TOKEN", None)
    given.setdefault("RECONCILER_LOG_LEVEL", "info")
    for name in VARIABLES:
        if not (key and given.get(name)):
            given.pop(name, None)
    token = job.environ.get("RECONCILER_TOKEN", "")
    if token and key:
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        write_annotations(f"::add-mask::{basic}\n")
        given[LEDGER_HEADER] = f"AUTHORIZATION: basic {basic}"
    return given
