"""What is promised about requests, at the sizes of real work, inside the process and over HTTP.

The oracle is the workspace: what each job was asked, and which of that the provider's files answered by then. The suite
runs small works; `--thorough` runs a thousand requests, and `-m long` forty thousand.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.environment import Environment
from reconciler.sandbox.app import make_app
from reconciler.sandbox.server import Server
from reconciler.sandbox.store import Store
from tests.cli.stage import Fault, Result, Stage
from tests.helpers.kills import Kill, KilledError, killing
from tests.helpers.requests_of import asked, results
from tests.helpers.thorough import thorough

SMALL = 20
THOUSAND = 1_000
KEY = "a-key-for-the-tests"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
BROKEN: dict[str, Any] = {**SCHEMA, "properties": {"a": {"type": "string", "pattern": "^never$"}}}
"""A schema that the sandbox's answers do not match: it does not look at patterns."""


class Served(Stage):
    """A stage whose workspace is behind HTTP."""

    url = ""

    @contextmanager
    def console(self) -> Iterator[httpx.Client]:
        """Yield a client of the same workspace."""
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=60) as client:
            yield client


@pytest.fixture(params=["inside", thorough("http")])
def here(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Stage]:
    """A stage, with its workspace inside the process or behind HTTP."""
    if request.param == "inside":
        yield prepared(Stage(tmp_path, capsys))
        return
    stage = Served(tmp_path, capsys)
    with Store(tmp_path / "served.db") as store:
        server = Server(make_app(store, now=lambda: stage.clock), "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stage.url = server.url
        del stage.environ["RECONCILER_SANDBOX"]
        stage.environ |= {"MISTRAL_API_KEY": KEY, "MISTRAL_BASE_URL": server.url}
        try:
            yield prepared(stage)
        finally:
            server.shutdown()
            thread.join()


def prepared(stage: Stage) -> Stage:
    stage.write("reconciler.yaml", "project: shop\nlimits: {late_seconds: 0, settle_seconds: 0}\n")
    return stage


def write(stage: Stage, rows: Sequence[dict[str, Any]], **fields: Any) -> Path:  # noqa: ANN401 - of a spec
    """Write the spec `a` and its requests."""
    reuse: dict[str, Any] = {
        "reuse": True,
        "retry": {"max_attempts": 2, "on": ["missing", "http_429", "http_5xx"]},
    }
    stage.spec("a", requests=1, **(reuse | fields))
    return stage.write("specs/data/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def requests(count: int, *, broken: int = 0) -> list[dict[str, Any]]:
    """Return requests for JSON; of `broken` of ten the answers do not match their schema."""

    def body(at: int) -> dict[str, Any]:
        schema = BROKEN if at % 10 < broken else SCHEMA
        wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        return {"messages": [{"role": "user", "content": f"text {at}"}], "response_format": wanted}

    return [{"custom_id": f"r{at}", "body": body(at)} for at in range(count)]


def apply(stage: Stage, *argv: str) -> Result:
    """Apply, and let the jobs end."""
    result = stage.run("apply", "--yes", *argv)
    stage.advance(3600)
    return result


def done(stage: Stage) -> None:
    """Apply until nothing is left to do, and see that no request was submitted again that had an answer."""
    for _ in range(4):
        apply(stage)
    assert stage.run("plan", "--detailed-exitcode").code == 0
    no_answer_was_paid_twice(stage)


def no_answer_was_paid_twice(stage: Stage) -> None:
    """Fail if a job was asked a line that an earlier job had answered when it was created."""
    answered: list[tuple[float, set[str]]] = []
    with stage.console() as client:
        listed = client.get("/v1/batch/jobs", params={"page_size": 1000}).json()["data"]
        for job in sorted(listed, key=lambda it: (it["created_at"], it["id"])):
            detail = client.get(f"/v1/batch/jobs/{job['id']}").json()
            texts = [client.get(f"/v1/files/{it}/content").text for it in detail["input_files"]]
            lines = {json.loads(line)["custom_id"]: line for line in "".join(texts).splitlines()}
            for ended, known in answered:
                assert ended > job["created_at"] or known.isdisjoint(lines.values())
            if detail["output_file"]:
                output = client.get(f"/v1/files/{detail['output_file']}/content").text
                ids = [json.loads(line)["custom_id"] for line in output.splitlines()]
                answered.append((detail["completed_at"], {lines[it] for it in ids}))


def sent(stage: Stage) -> list[int]:
    """Return how many requests each job was asked, the oldest first."""
    return [len(part) for part in asked(stage)]


def content(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of results without what differs in every answer: its job, id and time."""
    body = {key: value for key, value in (row["body"] or {}).items() if key not in ("id", "created")}
    return {**row, "body": body, "job": None}


@pytest.mark.parametrize("size", [SMALL, thorough(THOUSAND)])
def test_one_edited_line_submits_itself_and_what_failed(here: Stage, size: int) -> None:
    rows = requests(size)
    for at in range(0, size, 10):
        rows[at]["custom_id"] += "!fail-500" if at % 20 else "!fail-400"
    write(here, rows)
    here.run("apply", "--yes")
    here.advance(3600)
    before = {row["custom_id"]: row for row in results(here)}
    rows[7]["body"]["messages"][0]["content"] = "edited"
    write(here, rows)
    failed = sum(row["custom_id"].endswith("!fail-500") for row in rows)
    plan = here.run("plan").out
    assert f"submits {1 + failed:,} of {size:,} requests, reuses {size - 1 - size // 10:,}" in plan
    done(here)
    assert sent(here) == [size, 1 + failed], "http_400 is not sent again"
    after = results(here)
    assert [row["custom_id"] for row in after] == [row["custom_id"] for row in rows]
    kept = [row for row in after if row["ok"] and row["custom_id"] != "r7"]
    assert all(row == before[row["custom_id"]] for row in kept)
    write(here, rows, rerun="all of it, once more")
    for _ in range(4):
        apply(here)
    assert [content(row) for row in results(here)] == [content(row) for row in after]


@pytest.mark.parametrize(
    ("size", "more"),
    [(SMALL, 5), pytest.param(40_000, 500, marks=[pytest.mark.long, pytest.mark.timeout(900)])],
)
def test_appended_lines_submit_themselves(here: Stage, size: int, more: int) -> None:
    rows = requests(size + more)
    write(here, rows[:size])
    done(here)
    write(here, rows)
    done(here)
    assert sent(here) == [size, more]
    assert len(results(here)) == size + more


@pytest.mark.parametrize("size", [SMALL, thorough(THOUSAND)])
@pytest.mark.parametrize("change", ["final newline", "order", "form", "all of them"])
def test_another_form_of_the_same_requests_submits_nothing_by_tags_alone(
    here: Stage, change: str, size: int
) -> None:
    rows = requests(size)
    file = write(here, rows)
    done(here)
    here.forget()
    if change == "final newline":
        file.write_text(file.read_text().rstrip("\n"))
    elif change == "order":
        write(here, [*reversed(rows)])
    else:
        forms = [json.dumps({"body": it["body"], "custom_id": it["custom_id"]}, indent=None) for it in rows]
        text = "\n".join(reversed(forms) if change == "all of them" else forms)
        file.write_text(text.replace("text", "t\\u0065xt"))
    shown = here.run("plan")
    assert "would submit" not in shown.out
    assert "the requests are the same" in here.run("plan", "--format", "json").out
    apply(here)
    assert sent(here) == [size]


@pytest.mark.parametrize("size", [SMALL, thorough(THOUSAND)])
def test_a_removed_row_submits_nothing_and_leaves_the_result(here: Stage, size: int) -> None:
    rows = requests(size)
    write(here, rows)
    done(here)
    del rows[size // 2]
    write(here, rows)
    done(here)
    assert sent(here) == [size]
    assert [row["custom_id"] for row in results(here)] == [row["custom_id"] for row in rows]


@pytest.mark.parametrize(("size", "answers"), [(SMALL, 9), thorough(THOUSAND, 490)])
def test_a_job_that_timed_out_is_continued_with_exactly_what_it_did_not_answer(
    here: Stage, size: int, answers: int
) -> None:
    write(here, requests(size), retry={"max_attempts": 2, "on": ["TIMEOUT_EXCEEDED"]})
    apply(here)
    with here.console() as client:
        (job,) = client.get("/v1/batch/jobs").json()["data"]
        output = client.get(f"/v1/files/{job['output_file']}/content").text.splitlines(keepends=True)

    def early(found: Any) -> Any:  # noqa: ANN401 - JSON
        for it in found.get("data", [found]):
            if it["id"] == job["id"]:
                ended = {"completed_requests": answers, "succeeded_requests": answers}
                it |= {"status": "TIMEOUT_EXCEEDED", **ended}
        return found

    path = f"/v1/batch/jobs(/{job['id']})?"
    here.faults.append(Fault("GET", path, 200, times=10**6, alter=early))
    some = "".join(output[:answers]).encode()
    here.faults.append(Fault("GET", f"/v1/files/{job['output_file']}/content", 200, times=10**6, body=some))
    size_of = {"bytes": len(some)}
    here.faults.append(
        Fault("GET", f"/v1/files/{job['output_file']}", 200, times=10**6, alter=lambda found: found | size_of)
    )
    shown = apply(here)
    assert f"submits {size - answers:,} of {size:,} requests, reuses {answers:,}" in shown.out
    known = {json.loads(line)["custom_id"] for line in output[:answers]}
    assert known.isdisjoint(asked(here)[1])
    assert sent(here) == [size, size - answers]
    ended = here.run("apply", "--yes", "--wait", "--fail-on-attention")
    assert ended.code == 0
    assert sent(here) == [size, size - answers]
    rows = results(here)
    assert [row["custom_id"] for row in rows] == [f"r{at}" for at in range(size)]
    assert all(row["ok"] for row in rows)


def killed(stage: Stage, kill: Kill, *argv: str) -> None:
    """Run a command, and let it end at a request or before a change of a file."""

    class Mortal(httpx.BaseTransport):
        def __init__(self, inner: httpx.BaseTransport) -> None:
            self._inner = inner

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            kill()
            response = self._inner.handle_request(request)
            kill()
            return response

        def close(self) -> None:
            self._inner.close()

    def mortal(env: Environment) -> Environment:
        return replace(env, wrap_transport=lambda inner: Mortal(env.wrap_transport(inner)))

    with killing(kill, stage.root / ".reconciler", stage.root / "outputs"):
        try:
            stage.run(*argv, env=mortal)
        except KilledError:
            assert kill.happened


@pytest.mark.parametrize("runs", [8, thorough(50)])
def test_the_limit_of_attempts_holds_over_killed_runs(here: Stage, runs: int) -> None:
    rows = requests(8)
    rows[2]["custom_id"] += "!fail-429"
    rows[5]["custom_id"] += "!fail-400"
    write(here, rows, retry={"max_attempts": 3, "on": ["http_429"]})
    for number in range(runs):
        killed(here, Kill(here.random.randrange(1, 60)), "apply", "--yes")
        here.advance(3600 if number % 2 else 1)
    done(here)
    counts = Counter(it for part in asked(here) for it in part)
    assert counts.pop("r2!fail-429") == 3
    assert set(counts.values()) == {1}


# A canary.


@pytest.mark.parametrize(("size", "canary"), [(SMALL, 10), thorough(THOUSAND, 20)])
def test_a_canary_on_a_model_that_breaks_json_stops_the_rest(here: Stage, size: int, canary: int) -> None:
    write(here, requests(size, broken=3), canary={"requests": canary})
    for _ in range(3):
        apply(here)
    assert sent(here) == [canary]
    held = here.run("plan", "--fail-on-attention", "--format", "markdown")
    assert held.code == 6
    broken = canary * 3 // 10
    said = held.out.replace("\\", "")
    assert f"canary: {broken} of {canary} answers are invalid (checks.invalid: at most 0)" in said
    assert f"{size - canary:,} not submitted" in said


@pytest.mark.parametrize(("size", "canary"), [(SMALL, 10), thorough(THOUSAND, 20)])
def test_a_canary_on_a_good_model_submits_every_request_once(here: Stage, size: int, canary: int) -> None:
    write(here, requests(size), canary={"requests": canary})
    assert here.run("apply", "--yes", "--wait").code == 0
    assert sent(here) == [canary, size - canary]
    no_answer_was_paid_twice(here)


@pytest.mark.parametrize(
    "stride", [41, thorough(7), pytest.param(1, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_a_kill_at_any_step_between_canary_and_rest_submits_every_request_once(
    here: Stage, stride: int
) -> None:
    rows = requests(12)
    for step in range(0, 400, stride):
        write(here, rows, canary={"requests": 4}, rerun=f"run {step}")
        apply(here)
        kill = Kill(step)
        killed(here, kill, "apply", "--yes")
        here.advance(3600)
        for _ in range(3):
            apply(here)
        last = [part for part in asked(here) if part][-2:]
        assert sorted(it for part in last for it in part) == sorted(row["custom_id"] for row in rows)
        assert [len(part) for part in last] == [4, 8]
        if not kill.happened:
            return
    pytest.fail("a run has more steps than were tried")


# Results in an object store.


@pytest.fixture
def read(bucket: object, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An empty object store: the paths that are read from it."""
    found: list[str] = []

    def noted(inner: Callable[..., object]) -> Callable[..., object]:
        def reads(self: object, path: str, *more: object, **options: object) -> object:
            found.append(path)
            return inner(self, path, *more, **options)

        return reads

    for name in ("cat_file", "get_file", "open"):
        monkeypatch.setattr(type(bucket), name, noted(getattr(type(bucket), name)))
    return found


@pytest.mark.parametrize("size", [SMALL, thorough(THOUSAND)])
def test_a_fresh_clone_plans_an_edit_without_a_download(here: Stage, read: list[str], size: int) -> None:
    settings = (here.root / "reconciler.yaml").read_text()
    here.write("reconciler.yaml", f"{settings}results: s3://bucket/outputs\n")
    rows = requests(size)
    write(here, rows)
    done(here)
    assert here.run("outputs", "pull").code == 0
    here.forget()
    assert not (here.root / "outputs").exists()
    rows[3]["body"]["messages"][0]["content"] = "edited"
    write(here, rows)
    read.clear()
    plan = here.run("plan")
    assert f"submits 1 of {size:,} requests, reuses {size - 1:,}" in plan.out
    assert not [it for it in plan.sent if it.path.endswith("/content")]
    assert any(path.endswith("answers.idx") for path in read)
    assert not [path for path in read if "jsonl" in path]
    done(here)
    assert sent(here) == [size, 1]
