"""The requests of the job `a` of a stage: what its jobs were asked, which of it is answered, and the joined results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cli.stage import Stage


def asked(stage: Stage) -> list[list[str]]:
    """Return the custom_ids that each job was asked, the oldest first, from the uploads of the workspace."""
    found = []
    with stage.console() as client:
        for job in sorted(stage.jobs(), key=lambda job: job["created_at"]):
            detail = client.get(f"/v1/batch/jobs/{job['id']}").json()
            texts = [client.get(f"/v1/files/{file}/content").text for file in detail["input_files"]]
            found.append([json.loads(line)["custom_id"] for line in "".join(texts).splitlines()])
    return found


def answered(stage: Stage) -> set[str]:
    """Return the custom_ids with an answer in the provider's files."""
    found = set()
    with stage.console() as client:
        for job in stage.jobs():
            detail = client.get(f"/v1/batch/jobs/{job['id']}").json()
            if detail["output_file"]:
                text = client.get(f"/v1/files/{detail['output_file']}/content").text
                found |= {json.loads(line)["custom_id"] for line in text.splitlines()}
    return found


def results(stage: Stage) -> list[dict[str, Any]]:
    """Return the joined results."""
    stage.run("outputs", "pull")
    lines = (stage.root / "outputs/a/results.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
