"""What was submitted, what the job reports and what its files hold are compared in every command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from reconciler.documents.result_summary import ResultSummary
from reconciler.environment import Environment
from reconciler.model import Target
from reconciler.notifications import due
from reconciler.outputs.store import FolderStore
from reconciler.outputs.summaries import job_summaries
from tests.cli.stage import Result, Stage
from tests.helpers.make import SUCCEEDED, owned, spec

FILE = "/v1/files/([^/]+)"
CONTENT = f"{FILE}/content"
SIGN_IN = b"<!DOCTYPE html><title>Sign in</title>"


def same(data: bytes) -> bytes:
    """Return the file as it is."""
    return data


def first(count: int) -> Callable[[bytes], bytes]:
    """Keep only the first lines of a file."""
    return lambda data: b"".join(data.splitlines(keepends=True)[:count])


def refused(data: bytes) -> bytes:
    """Give every line a status of 422."""
    return data.replace(b'"status_code":200', b'"status_code":422')


@dataclass
class Api(httpx.BaseTransport):
    """The sandbox, whose jobs report other numbers and whose files have another content."""

    inner: httpx.BaseTransport
    job: dict[str, Any] = field(default_factory=dict)
    content: Callable[[bytes], bytes] = same
    description: dict[str, Any] = field(default_factory=dict)
    """Fields of a file's description that are changed; its `bytes` are those of the content unless they are here."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of the content."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if re.fullmatch(CONTENT, path) and request.method == "GET":
            content = self.content(self._read(request))
            return httpx.Response(200, content=content, headers=self.headers)
        if re.fullmatch(FILE, path) and request.method == "GET":
            answer = json.loads(self._read(request))
            whole = httpx.Request(
                "GET", request.url.copy_with(path=f"{path}/content"), headers=request.headers
            )
            size = len(self.content(self._read(whole)))
            return httpx.Response(200, json=answer | {"bytes": size} | self.description)
        answer = self.inner.handle_request(request)
        if not path.startswith("/v1/batch/jobs") or request.method != "GET":
            return answer
        body = json.loads(answer.read())
        for job in body.get("data", [body]):
            if job["status"] == "SUCCESS":
                job.update(self.job)
        return httpx.Response(200, json=body)

    def _read(self, request: httpx.Request) -> bytes:
        return self.inner.handle_request(request).read()

    def close(self) -> None:
        self.inner.close()


def api(**changes: Any) -> Callable[[Environment], Environment]:  # noqa: ANN401 - as `Api` takes them
    """Put an `Api` with these changes between the tool and the sandbox."""
    return lambda env: replace(env, wrap_transport=lambda inner: env.wrap_transport(Api(inner, **changes)))


def counts(total: int, ok: int, failed: int = 0, **more: object) -> dict[str, Any]:
    """Return the numbers that a job reports."""
    return {
        "total_requests": total,
        "completed_requests": ok + failed,
        "succeeded_requests": ok,
        "failed_requests": failed,
    } | more


@dataclass(frozen=True)
class Row:
    """A SUCCESS of five requests without an answer to each."""

    job: dict[str, Any]
    content: Callable[[bytes], bytes] = same
    reported: bool = True
    """Whether the job's own numbers differ from what was submitted."""
    refused: bool = False
    """Whether the files have fewer lines than the API counts."""
    held: tuple[int, int, int] = (0, 0, 5)
    """The numbers of answered, failed and missing requests once the files are published."""


ROWS = {
    "nothing is answered": Row(counts(5, 0, output_file=None)),
    "two are answered": Row(counts(5, 2), first(2), held=(2, 0, 3)),
    "three are counted": Row(counts(3, 3), first(3), held=(3, 0, 2)),
    "nothing is counted": Row(counts(0, 0, output_file=None)),
    "there is no output file": Row(counts(5, 5, output_file=None)),
    "the file is short": Row(counts(5, 5), first(3), reported=False, refused=True, held=(3, 0, 2)),
    "the file is empty": Row(counts(5, 5), first(0), reported=False, refused=True),
    "every answer is an error": Row(counts(5, 5), refused, reported=False, held=(0, 5, 0)),
}


COMMANDS = (
    ("status", "--fail-on-attention"),
    ("plan", "--fail-on-attention"),
    ("apply", "--yes", "--fail-on-attention"),
    ("apply", "--yes", "--wait"),
    ("wait",),
)
"""Commands that look at the job."""


def ended(stage: Stage, *, requests: int = 5) -> None:
    """Submit a job and let it end."""
    stage.spec("a", requests=requests, retry={"max_attempts": 1})
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)


def pulled(stage: Stage) -> list[ResultSummary]:
    """Return the summaries of pulled results."""
    return list(job_summaries(FolderStore(stage.root / "outputs")).values())


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_success_without_all_answers_needs_attention_everywhere(
    stage: Stage, row: Row, golden: Callable[..., None]
) -> None:
    ended(stage)
    odd = api(job=row.job, content=row.content)

    def run(*argv: str) -> Result:
        return stage.run(*argv, env=odd)

    expected = 6 if row.reported else 0
    shown = [run(*it) for it in (*COMMANDS, ("history", "verify"))]
    assert [it.code for it in shown] == [expected] * len(shown)
    pulls = [run("outputs", "pull"), run("outputs", "pull")]
    assert [it.code for it in pulls] == [6, 6]
    assert not any("Nothing to pull" in it.out for it in pulls)
    if row.refused:
        assert not pulled(stage)
        pulls.append(run("outputs", "pull", "--incomplete"))
        assert pulls[-1].code == 6
    (summary,) = pulled(stage)
    requests = summary.requests
    assert (requests.total, (requests.ok, requests.failed, requests.missing)) == (5, row.held)
    assert summary.difference
    seen = [run(*it) for it in COMMANDS]
    assert [it.code for it in seen] == [6] * len(COMMANDS)
    known = [run("history"), run("history", "verify")]
    assert [it.code for it in known] == [0, 6]
    assert "SUCCESS!" in known[0].out
    golden(shown[0], *pulls, seen[0], *known)


def test_answers_that_come_later_are_pulled_with_the_next_pull(stage: Stage) -> None:
    ended(stage)
    late = api(job=counts(5, 2), content=first(2))
    assert stage.run("outputs", "pull", env=late).code == 6
    again = stage.run("outputs", "pull")
    assert (again.code, pulled(stage)[0].requests.ok, pulled(stage)[0].difference) == (0, 5, "")
    assert "Nothing to pull" in stage.run("outputs", "pull").out


def test_incomplete_results_of_former_work_are_not_asked_for_again(stage: Stage) -> None:
    ended(stage)
    odd = api(job=counts(5, 2), content=first(2))
    assert stage.run("outputs", "pull", env=odd).code == 6
    (stage.root / "specs/a.yaml").unlink()
    stage.spec("other")
    again = stage.run("outputs", "pull", env=odd)
    assert (again.code, "Nothing to pull" in again.out) == (0, True)
    named = stage.run("outputs", "pull", "a")
    assert (named.code, pulled(stage)[0].requests.ok) == (0, 5)


def test_incomplete_results_stay_if_their_files_are_gone_later(stage: Stage) -> None:
    ended(stage)
    assert stage.run("outputs", "pull", env=api(job=counts(5, 2), content=first(2))).code == 6
    stage.advance(7200)
    gone = api(job=counts(5, 2), description={"deleted": True})
    assert stage.run("outputs", "pull", env=gone).code == 6
    assert pulled(stage)[0].requests.ok == 2
    assert len((stage.root / pulled_path(stage) / "output.jsonl").read_bytes().splitlines()) == 2


def test_a_file_that_is_shorter_when_it_is_asked_for_again_replaces_nothing(stage: Stage) -> None:
    ended(stage)
    assert stage.run("outputs", "pull", env=api(job=counts(5, 2), content=first(2))).code == 6
    folder = stage.root / pulled_path(stage)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    shorter = stage.run("outputs", "pull", env=api(job=counts(5, 2), content=first(1)))
    assert shorter.code == 6
    assert "output.jsonl has 1 line now, and had 2" in shorter.err + shorter.out
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    whole = stage.run("outputs", "pull")
    assert (whole.code, pulled(stage)[0].requests.ok) == (0, 5)
    assert [path for path in folder.iterdir() if path.is_dir()] == []


def pulled_path(stage: Stage) -> str:
    """Return the folder of the pulled results."""
    (path,) = (stage.root / "outputs").glob("*/jobs/*/summary.json")
    return path.parent.relative_to(stage.root).as_posix()


def test_an_adopted_job_is_compared_by_what_is_known(stage: Stage) -> None:
    ended(stage)
    (job,) = stage.jobs()
    with stage.console() as client:
        client.post(
            "/v1/batch/jobs",
            json={key: job[key] for key in ("endpoint", "model", "input_files")},
        ).raise_for_status()
    stage.advance(60)
    (other,) = [it for it in stage.jobs() if it["id"] != job["id"]]
    work = stage.run("jobs", "get", job["id"], "--format", "json")
    tagged = json.loads(work.out)["metadata"]["reconciler.work"]
    stage.write("specs/a.yaml", "")
    (stage.root / "specs/a.yaml").unlink()
    stage.write("reconciler.yaml", "project: elsewhere\n")
    stage.spec("b", requests=5, adopt={"job": other["id"], "work": tagged}, input_files=["data/a.jsonl"])
    assert stage.run("status", "--fail-on-attention").code == 0
    fewer = stage.run("status", "--fail-on-attention", env=api(job=counts(5, 4)))
    assert (fewer.code, "1 of 5 requests have no answer" in fewer.out) == (6, True)
    nothing = stage.run("status", "--fail-on-attention", env=api(job=counts(5, 5, output_file=None)))
    assert (nothing.code, "names no output file" in nothing.out) == (6, True)


def test_the_check_of_failures_is_about_requests_that_failed(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nlimits: {plan_read_bytes: 0}\n")
    stage.spec("a", requests=5, checks={"failed": 0.5}, retry={"max_attempts": 1})
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    failed = stage.run("status", "--fail-on-attention", env=api(job=counts(5, 3, 2)))
    assert (failed.code, "2 of 5 requests failed" in failed.out) == (0, True)
    missing = stage.run("status", "--fail-on-attention", env=api(job=counts(5, 3, 1)))
    assert (missing.code, "1 of 5 requests have no answer" in missing.out) == (6, True)


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "a sign-in page": {
        "content": lambda _: SIGN_IN,
        "headers": {"content-type": "text/html; charset=utf-8"},
        "description": {"bytes": 1210},
    },
    "a sign-in page of the size that was said": {
        "content": lambda _: SIGN_IN,
        "headers": {"content-type": "text/html"},
    },
    "a page of unknown type and size": {"content": lambda _: SIGN_IN, "description": {"bytes": None}},
    "an image": {"headers": {"content-type": "image/png"}},
    "fewer bytes": {"description": {"bytes": 99_999}},
    "more bytes": {"description": {"bytes": 10}},
}


@pytest.mark.parametrize("odd", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_an_answer_that_is_not_the_file_is_not_published_and_asked_for_again(
    stage: Stage, odd: dict[str, Any], golden: Callable[..., None]
) -> None:
    ended(stage)
    result = stage.run("outputs", "pull", env=api(**odd))
    golden(result)
    assert result.code == 6
    assert not pulled(stage)
    assert not list((stage.root / "outputs").rglob("*.jsonl"))
    whatever = stage.run("outputs", "pull", "--incomplete", env=api(**odd))
    only_length = list(odd) == ["description"]
    assert (whatever.code, len(pulled(stage))) == ((0, 1) if only_length else (6, 0))
    again = stage.run("outputs", "pull")
    assert (again.code, pulled(stage)[0].requests.ok) == (0, 5)


@pytest.mark.parametrize(
    "kind", ["application/octet-stream", "application/jsonl", "text/plain; charset=utf-8", ""]
)
def test_content_types_of_files_are_no_contradiction(stage: Stage, kind: str) -> None:
    ended(stage)
    plain = api(headers={"content-type": kind} if kind else {}, description={"mimetype": "application/jsonl"})
    assert stage.run("outputs", "pull", env=plain).code == 0


def test_results_of_the_current_work_or_of_a_time_are_selected(stage: Stage) -> None:
    ended(stage)
    stage.advance(7200)
    stage.spec("a", requests=6)
    assert stage.run("apply", "--yes", "--allow-cancelled", "9").code in {0, 64}
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)

    def selected(*argv: str) -> int:
        result = stage.run("outputs", "pull", "--format", "json", *argv)
        return len(json.loads(result.out)["jobs"])

    assert (selected(), selected("--current"), selected("--since", "1h"), selected("--since", "3h")) == (
        2,
        1,
        1,
        2,
    )


def test_a_line_that_is_not_strict_json_is_counted_and_shown(
    stage: Stage, golden: Callable[..., None]
) -> None:
    ended(stage)
    cut = rb'{"custom_id":"r1","response":{"status_code":200,"body":"cut \ud83d"},"error":null}'

    def damaged(data: bytes) -> bytes:
        lines = data.splitlines()
        return b"\n".join(cut if b'"r1"' in line else line for line in lines) + b"\n"

    result = stage.run("outputs", "pull", env=api(content=damaged))
    golden(result)
    (summary,) = pulled(stage)
    assert (result.code, summary.requests.failures, summary.requests.missing) == (6, {"unreadable": 1}, 0)
    rows = (stage.root / "outputs/a/results.jsonl").read_text().splitlines()
    (row,) = [json.loads(line) for line in rows if '"unreadable"' in line]
    assert (row["custom_id"], row["error"]["detail"]) == ("r1", cut.decode())


def test_errors_without_a_custom_id_and_reasons_of_failures_are_shown(
    stage: Stage, golden: Callable[..., None]
) -> None:
    stage.spec("a", requests=2)
    lines = [json.dumps({"custom_id": f"r{n}!fail", "body": {"messages": []}}) for n in range(6)]
    stage.write("specs/data/a.jsonl", "".join(f"{line}\n" for line in lines))
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    texts = [
        *('{"custom_id":"r%d!fail","response":{"status_code":422,"message":"too long"}}' % n for n in (0, 1)),  # noqa: UP031
        '{"custom_id":"r2!fail","response":{"status_code":429,"body":null},"error":"rate limited"}',
        '{"custom_id":"r3!fail","response":null,"error":"1 validation error"}',
        '{"custom_id":null,"response":null,"error":"lost"}',
        '{"response":null,"error":"lost"}',
    ]
    odd = api(content=lambda _: "".join(f"{text}\n" for text in texts).encode())
    result = stage.run("outputs", "pull", env=odd)
    story = stage.run("history", "a", env=odd)
    shown = stage.run("outputs", "show", "a*")
    golden(result, story, shown)
    assert (shown.code, shown.sent, "reasons: 2 http_422: too long" in shown.out) == (0, [], True)
    assert stage.run("outputs", "show", "other*").out == "no results\n"
    (summary,) = pulled(stage)
    assert (summary.trouble.unnamed, summary.requests.failed, summary.requests.missing) == (2, 4, 2)
    assert summary.requests.failures == {"error": 1, "http_422": 2, "http_429": 1}
    assert "2 errors without a custom_id: see errors.jsonl" in result.out
    assert "reasons: 2 http_422: too long" in story.out


def test_a_usage_with_null_is_shown(stage: Stage) -> None:
    ended(stage)

    def without(data: bytes) -> bytes:
        return re.sub(rb'"prompt_tokens":\d+', b'"prompt_tokens":null', data, count=2)

    result = stage.run("outputs", "pull", env=api(content=without))
    assert result.code == 0
    assert "the usage is a lower bound: 2 answers with an incomplete one" in result.out
    tokens = pulled(stage)[0].tokens
    assert tokens is not None
    assert (tokens.answers, tokens.incomplete) == (5, 2)
    assert f"≥ {tokens.total}" in stage.run("history", "--format", "wide").out


def test_a_notification_counts_only_answers_that_are_there() -> None:
    job = owned(spec("a"), "j1", SUCCEEDED, total_requests=20, succeeded_requests=20)
    document = due.document(
        due.WorkEnd(job), Target(base_url="https://api.mistral.ai", project="shop"), run_id="r1"
    )
    assert (document.requests.ok, document.requests.missing, document.requests.total) == (0, 20, 20)
    assert "0 ok, 20 without an answer" in document.text


def test_incomplete_results_in_an_object_store_are_asked_for_again(stage: Stage, bucket: Any) -> None:  # noqa: ANN401 - without types
    ended(stage)
    stage.environ["RECONCILER_RESULTS"] = "s3://bucket/incomplete"
    short = stage.run("outputs", "pull", env=api(job=counts(5, 2), content=first(2)))
    again = stage.run("outputs", "pull")
    assert (short.code, again.code) == (6, 0)
    (path,) = bucket.glob("/bucket/incomplete/a/results-*.jsonl")
    assert bucket.cat_file(path).count(b'"ok":true') == 5


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(("prompt_tokens", number) for number in (2**53, 2**64, 10**200)),
        *(("prompt_audio_seconds", number) for number in (10**200, 1e200, 1.7e308)),
    ],
)
def test_an_answer_that_says_that_it_used_more_than_any_can_is_counted_as_one_that_does_not_say_it(
    stage: Stage, name: str, number: float
) -> None:
    stage.spec("a", model="mistral-small-2603")
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)

    def odd(data: bytes) -> bytes:
        rows = [json.loads(line) for line in data.splitlines()]
        for row in rows:
            row["response"]["body"]["usage"] = {"prompt_tokens": 1, "completion_tokens": 1, name: number}
        return b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    pulled = stage.run("outputs", "pull", env=api(content=odd))
    assert pulled.code == 0, pulled.err
    assert "the usage is a lower bound: 3 answers with an incomplete one" in pulled.out
