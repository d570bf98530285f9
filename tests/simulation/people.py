"""Other clients of the workspace: people who cancel and delete, strangers with our names, newer tools."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

import msgspec

from reconciler.model import InlineRequests, JobSpec, RunKey, Source, UploadedFile, tags
from tests.simulation.history import PROJECT, CreatedJob
from tests.simulation.server import JOBS, LIVE, OK
from tests.simulation.workspace import Sent, Workspace

STRANGER: Final = "theirs"
ELSEWHERE: Final = "services/other"
"""Another folder of the repository that declares our project too."""
OP: Final = "0123456789abcdef01234567"


class People:
    """Everybody but the tool.

    Args:
        workspace: the one in which they interfere.
        dice: decide who does what.
    """

    def __init__(self, workspace: Workspace, dice: random.Random) -> None:
        self._workspace = workspace
        self._dice = dice

    def interfere(self, specs: Sequence[JobSpec]) -> None:
        """Let one of them do something."""
        draw = self._dice.random()
        if draw < 0.45:
            self.cancel()
        elif draw < 0.6:
            self.delete()
        elif draw < 0.75 and specs:
            self.create(self._dice.choice(specs), project="")
        elif draw < 0.87 and specs:
            self.create(self._dice.choice(specs), project=STRANGER)
        elif draw < 0.98 and specs:
            self.create(self._dice.choice(specs), project=PROJECT, root=ELSEWHERE)
        elif specs:
            self.create(self._dice.choice(specs), project=PROJECT, version="2")

    def cancel(self, key: RunKey | None = None) -> None:
        """A person stops a job of ours, or one that was made by hand; with a run key, one of that."""
        live = [
            job
            for job in self._jobs()
            if key in (None, job.key) and self._workspace.server.status(job.id) in LIVE
        ]
        if live:
            job = self._dice.choice(live)
            self._workspace.history.faults["a person cancels"] += 1
            self._workspace.take(Sent("POST", f"{JOBS}/{job.id}/cancel"))

    def delete(self) -> None:
        """A person deletes a job's record."""
        there = [job for job in self._jobs() if job.deleted_at is None]
        if there:
            job = self._dice.choice(there)
            history = self._workspace.history
            history.faults["a record is deleted behind our back"] += 1
            history.trace(self._workspace.baton.now, "a person", f"DELETES {job.id[:8]} {job.name}")
            self._workspace.take(Sent("DELETE", f"{JOBS}/{job.id}"))

    def create(self, spec: JobSpec, *, project: str, version: str = "1", root: str = "") -> None:
        """Create a job for our work as another client does: our tool, also in another folder of the repository,
        another version, or by hand (no project).
        """  # noqa: D205 - one sentence
        commit = "" if root else "0" * 40  # with a commit that no checkout has, the rule for commits would do
        written = tags.write(
            tags.tags_of(spec, project=project, attempt=1, op=OP, source=Source(commit=commit, root=root))
        )
        if version != "1":
            written[tags.RUN] = written[tags.RUN].replace("v=1", f"v={version}")
        body: dict[str, object] = {
            "endpoint": spec.endpoint,
            "model": spec.model,
            "timeout_hours": spec.timeout_hours,
        }
        if project:
            body["metadata"] = written
        for part in spec.inputs:
            if isinstance(part, UploadedFile):
                body["input_files"] = [part.id]
            elif isinstance(part, InlineRequests):
                body["requests"] = msgspec.Raw(part.body)
        sent = Sent("POST", JOBS, body=msgspec.json.encode(body))
        history = self._workspace.history
        who = "a stranger with our names" if project else "a job made by hand"
        who = "our project in another folder" if root else who
        history.faults[who if version == "1" else "a newer tool"] += 1
        answer = self._workspace.take(sent)
        if answer.status == OK:
            job = history.jobs[answer.json()["id"]]
            job.altered = job.altered or version != "1"
            job.work = "" if project else spec.run_key.work

    def _jobs(self) -> list[CreatedJob]:
        history = self._workspace.history
        return [job for job in history.jobs.values() if (job.project == PROJECT and job.by) or job.work]
