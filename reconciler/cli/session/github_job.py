"""A job of GitHub Actions: what it is told by its environment, and how a command is run in it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler.cli.output.streams import say
from reconciler.errors import ReconcilerError, UsageError

if TYPE_CHECKING:
    from reconciler.environment import World
    from reconciler.vcs.github import GitHub

NEEDED: Final = (
    "GITHUB_EVENT_PATH",
    "GITHUB_OUTPUT",
    "GITHUB_REPOSITORY",
    "GITHUB_RUN_ID",
    "GITHUB_SERVER_URL",
    "RUNNER_TEMP",
)
FILES: Final = ("plan.json", "comment.md", "observed.json")


@dataclass(frozen=True, kw_only=True)
class Job:
    """What GitHub and the action's inputs say."""

    world: World
    name: str
    """Tells environments apart, "" where there is one."""
    event: Mapping[str, Any]
    folder: Path
    """For files of this run."""

    @classmethod
    def on(cls, world: World) -> Job:
        """Read what GitHub says.

        Raises:
            UsageError: this is no job of GitHub Actions, or an input is wrong.
        """
        it = world.environ
        missing = [name for name in NEEDED if not it.get(name)]
        if missing:
            raise UsageError(
                f"this is no job of GitHub Actions, which would set {', '.join(missing)}",
                hint="use the action in .github/actions/reconciler; elsewhere, plan and apply do the same",
            )
        name = it.get("RECONCILER_NAME", "")
        if not re.fullmatch(r"[a-z0-9-]{0,40}", name):
            raise UsageError(f"the input name is {name!r}", hint="small letters, digits and hyphens will do")
        try:
            event = json.loads(Path(it["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
            folder = Path(it["RUNNER_TEMP"]) / "-".join(filter(None, ["reconciler", name]))
            folder.mkdir(parents=True, exist_ok=True)
            for left in FILES:  # of an earlier step of the same job
                (folder / left).unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            raise ReconcilerError(f"the event of this run cannot be read: {error}") from error
        return cls(world=world, name=name, event=event, folder=folder)

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of the job."""
        return self.world.environ

    @cached_property
    def github(self) -> GitHub:
        """The repository, as the token sees it."""
        from reconciler.vcs.github import GitHub

        return GitHub(
            api=self.environ.get("GITHUB_API_URL", "https://api.github.com"),
            repository=self.environ["GITHUB_REPOSITORY"],
            token=self.environ.get("RECONCILER_TOKEN", ""),
            sleep=self.world.sleep,
        )

    def artifact(self, kind: str, *more: int) -> str:
        """Return an artifact's name: `plan-17`, `observed`, `plan-staging-17`."""
        return "-".join(str(part) for part in (kind, self.name, *more) if part)

    def tell(self, name: str, value: object) -> None:
        """Set an output of the step."""
        with Path(self.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as file:
            file.write(f"{name}={value}\n")


def environment(job: Job, *, key: bool) -> dict[str, str]:
    """Return what the command sees: not the token itself, but git that may use it; the key where it is needed."""
    given = {name: value for name, value in job.environ.items() if name != "RECONCILER_TOKEN"}
    if not (key and given.get("MISTRAL_API_KEY")):
        given.pop("MISTRAL_API_KEY", None)
    token = job.environ.get("RECONCILER_TOKEN", "")
    if token and key:
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        say(f"::add-mask::{basic}\n")
        given |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{job.environ['GITHUB_SERVER_URL']}/.extraheader",
            "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {basic}",
        }
    return given


def annotate(kind: Any, text: str) -> None:  # noqa: ANN401  a word of render.github, which is imported late
    """Say what went wrong beside the tool itself."""
    from reconciler.render.github import annotation

    say(annotation(kind, text))
