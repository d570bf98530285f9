"""A bare client that sends what an apply of a hundred new jobs sends, and nothing else. For `creates.py`."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx

JOBS = 100
AT_ONCE = 10
MODEL = "mistral-small-latest"


def line(job: int) -> bytes:
    body = {"messages": [{"role": "user", "content": f"hello {job}"}]}
    return json.dumps({"custom_id": str(job), "body": body}).encode() + b"\n"


def same_calls(url: str) -> None:
    """Send the requests that the tool sends: list jobs and files, upload files and create jobs, and list jobs again."""
    with httpx.Client(base_url=url) as client, ThreadPoolExecutor(AT_ONCE) as pool:

        def look(path: str, page: int = 0) -> None:
            client.get(path, params={"page": page, "page_size": 100}).raise_for_status().json()

        def one(job: int) -> None:
            file = client.post(
                "/v1/files", files={"file": (f"{job}.jsonl", line(job))}, data={"purpose": "batch"}
            ).json()
            body = {"endpoint": "/v1/chat/completions", "model": MODEL, "input_files": [file["id"]]}
            client.post("/v1/batch/jobs", json=body).raise_for_status()

        look("/v1/batch/jobs")
        look("/v1/files")
        list(pool.map(one, range(JOBS)))
        look("/v1/batch/jobs")
        look("/v1/batch/jobs", 1)


if __name__ == "__main__":
    same_calls(sys.argv[1])
