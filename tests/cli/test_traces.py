"""A run as a trace: every request and step is in it, and nothing secret; without it, nothing is imported."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from reconciler.environment import Environment, in_background, side_by_side
from reconciler.sandbox.app import make_app
from reconciler.sandbox.server import Server
from reconciler.sandbox.store import Store
from tests.cli.stage import Fault, Result, Stage
from tests.cli.test_secrecy import FAILURES, KEY, PROMPT
from tests.helpers.events import check_lines

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

JOBS = "/v1/batch/jobs"
CUSTOM_ID = "a-custom-id-that-is-in-no-trace"
DEBUG = ("--log-format", "json", "--log-level", "debug")

EXPORTERS: list[InMemorySpanExporter] = []


def in_memory() -> InMemorySpanExporter:
    """Return an exporter: what the entry point `memory` names."""
    EXPORTERS.append(InMemorySpanExporter())
    return EXPORTERS[-1]


@pytest.fixture
def ask(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set variables for the tool and for the SDK, which reads those of the process."""

    def given(**variables: str) -> None:
        stage.environ |= variables
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return given


@pytest.fixture
def traced(
    ask: Callable[..., None], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Install a package with an exporter, and ask for it as its users do."""
    info = tmp_path_factory.mktemp("site") / "memory-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: memory\nVersion: 1\n", encoding="utf-8")
    point = f"[opentelemetry_traces_exporter]\nmemory = {__name__}:in_memory\n"
    (info / "entry_points.txt").write_text(point, encoding="utf-8")
    monkeypatch.syspath_prepend(info.parent)
    ask(OTEL_TRACES_EXPORTER="memory")
    EXPORTERS.clear()


def spans() -> tuple[ReadableSpan, ...]:
    """Return the spans of the last run."""
    return EXPORTERS[-1].get_finished_spans()


def named(name: str) -> list[ReadableSpan]:
    return [span for span in spans() if span.name == name]


def parent(span: ReadableSpan) -> str:
    """Return the name of the span that a span is in, "" for the root."""
    return next((it.name for it in spans() if span.parent and it.context.span_id == span.parent.span_id), "")


def facts(span: ReadableSpan) -> dict[str, Any]:
    return {key.removeprefix("reconciler."): value for key, value in (span.attributes or {}).items()}


def requests() -> Counter[tuple[object, ...]]:
    """Return the method, path and status of the requests in the last trace."""
    keys = ("http.request.method", "url.path", "http.response.status_code")
    found = [facts(span) for span in spans()]
    return Counter(tuple(it.get(key) for key in keys) for it in found if keys[0] in it)


def at_once(env: Environment) -> Environment:
    """Let a command use threads, as it does in a process of its own."""
    return replace(env, map_concurrently=side_by_side, run_in_background=in_background)


@contextmanager
def logging_sandbox(folder: Path) -> Iterator[tuple[str, Counter[tuple[object, ...]]]]:
    """Serve a sandbox that logs its requests and refuses one list; yield its URL and its log."""
    log: Counter[tuple[object, ...]] = Counter()
    failing = [JOBS]
    with Store(folder / "sandbox.db") as store:
        sandbox = make_app(store, now=time.time)

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]

            def answered(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:  # noqa: ANN401 - WSGI's
                log[method, path, int(status.split(maxsplit=1)[0])] += 1
                return start_response(status, headers, *more)

            if method == "GET" and path in failing:
                failing.remove(path)
                answered("503 Service Unavailable", [("Content-Length", "0")])
                return [b""]
            return sandbox(environ, answered)

        with serving(Server(app, "127.0.0.1", 0)) as server:
            yield server.url, log


@contextmanager
def serving(server: Any) -> Iterator[Any]:  # noqa: ANN401 - ours, or one of the standard library
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("traced")
def test_the_trace_of_an_apply_has_every_request_that_the_server_logged(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for number in range(6):
        stage.spec(f"job-{number}")
        rows = stage.root / f"specs/data/job-{number}.jsonl"
        rows.write_text(
            rows.read_text().replace(f"job-{number} ", f"{PROMPT} {number} ").replace('"r', f'"{CUSTOM_ID}')
        )
    with logging_sandbox(tmp_path_factory.mktemp("served")) as (url, log):
        stage.environ |= {"MISTRAL_BASE_URL": url, "MISTRAL_API_KEY": KEY, "RECONCILER_SANDBOX": ""}
        result = stage.run("apply", "--yes", env=at_once)
    assert result.code == 0, result.err
    assert log["GET", JOBS, 503] == 1
    assert log["POST", JOBS, 200] == log["POST", "/v1/files", 200] == 6
    assert requests() == log
    for text in (KEY, PROMPT, CUSTOM_ID, "Bearer", "page_size", "order_by"):
        assert text not in written()
    sent = {name.lower() for it in result.sent for name in it.headers}
    assert sent.isdisjoint({"traceparent", "tracestate", "baggage"})


def written() -> str:
    """Return all that the last trace sends."""
    return "".join(span.to_json() for span in spans())


@pytest.mark.usefixtures("traced")
def test_each_step_is_a_span_within_the_command_with_its_requests_in_it(stage: Stage) -> None:
    stage.spec("one", requests=500)
    stage.spec("two", requests=400)
    assert stage.run("apply", "--yes", env=at_once).code == 0
    (root,) = (span for span in spans() if span.parent is None)
    assert root.name == "reconciler apply"
    assert len({span.context.trace_id for span in spans()}) == 1
    tree = Counter((parent(span), span.name) for span in spans())
    assert tree["reconciler apply", "load"] == 1
    assert tree["reconciler apply", "list"] >= 1
    assert tree["list", f"GET {JOBS}"] >= 1
    assert tree["reconciler apply", "create"] == tree["create", f"POST {JOBS}"] == 2
    assert tree["create", "upload"] == tree["upload", "POST /v1/files"] == 2
    assert {facts(span)["name"] for span in named("create")} == {"one", "two"}
    assert {facts(span)["requests"] for span in named("create")} == {500, 400}
    assert {job["id"] for job in stage.jobs()} == created()
    (end,) = (event.attributes for event in root.events if event.name == "apply.finished")
    assert end
    assert end["reconciler.created"] == 2
    assert facts(root)["project"] == "shop"
    assert stage.run("plan").code == 0
    assert [parent(span) for span in named("plan")] == ["reconciler plan"]


def created() -> set[str]:
    """Return the ids of the jobs that the first run created."""
    first = EXPORTERS[0].get_finished_spans()
    return {facts(span)["job_id"] for span in first if span.name == "create"}


@pytest.mark.usefixtures("traced")
def test_a_pull_is_a_span_for_each_job_with_its_downloads_in_it(stage: Stage) -> None:
    stage.environ["RECONCILER_SANDBOX_SPEED"] = "inf"
    stage.spec("one")
    stage.spec("two")
    assert stage.run("apply", "--yes").code == 0
    stage.advance(3600)
    assert stage.run("outputs", "pull").code == 0
    pulls = named("pull")
    assert {(facts(span)["name"], facts(span)["ok"]) for span in pulls} == {("one", 3), ("two", 3)}
    downloads = [parent(span) for span in named("GET /v1/files/{id}/content")]
    assert downloads
    assert set(downloads) == {"pull"}


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("number", range(len(FAILURES)))
def test_no_failure_brings_a_secret_into_a_trace(number: int, stage: Stage, served: str) -> None:
    stage.environ |= {"MISTRAL_BASE_URL": served, "MISTRAL_API_KEY": KEY, "RECONCILER_SANDBOX": ""}
    stage.spec("one")
    stage.lines("specs/data/one.jsonl", 3, text=PROMPT)
    fault: dict[str, Any] = dict(FAILURES[number])
    if "body" in fault:
        fault["body"] += PROMPT.encode()
    stage.faults.append(Fault(**fault))
    result = stage.run("apply", "--yes")
    assert result.code != 0 or result.err
    assert len(result.sent) == sum(requests().values())
    assert any(span.status.status_code is StatusCode.ERROR for span in spans())
    assert [text for text in (KEY, PROMPT, "Bearer") if text in written()] == []


@pytest.mark.usefixtures("traced")
def test_a_create_that_fails_is_an_error_with_its_name(stage: Stage) -> None:
    stage.spec("one")
    stage.faults.append(Fault("POST", JOBS, 422, body=b'{"message": "no"}'))
    stage.run("apply", "--yes")
    (create,) = named("create")
    assert (create.status.status_code, facts(create)["name"]) == (StatusCode.ERROR, "one")
    (request,) = named(f"POST {JOBS}")
    assert facts(request)["error.type"] == "RejectedError"


@pytest.mark.usefixtures("traced")
def test_a_command_that_fails_is_an_error_without_its_message(stage: Stage) -> None:
    stage.write("specs/one.yaml", f"nmae: {PROMPT}\n")
    assert stage.run("plan").code == 1
    (root,) = (span for span in spans() if span.parent is None)
    assert (root.status.status_code, facts(root)["error.type"]) == (StatusCode.ERROR, "SpecError")
    assert PROMPT not in written()


@pytest.mark.usefixtures("traced")
def test_every_line_of_the_log_names_a_span_of_the_trace(stage: Stage) -> None:
    stage.spec("one")
    lines = check_lines("\n".join(json.dumps(it) for it in stage.run("apply", "--yes", *DEBUG).events))
    known = {f"{span.context.span_id:016x}": span.name for span in spans()}
    (trace,) = {span.context.trace_id for span in spans()}
    assert {line["trace_id"] for line in lines} == {f"{trace:032x}"}
    names = {(line["event"], known[line["span_id"]]) for line in lines}
    assert {
        ("job.created", "create"),
        ("input.uploaded", "upload"),
        ("request.sent", f"POST {JOBS}"),
    } <= names
    failed = stage.run("jobs", "get", "no-such-job", *DEBUG).events[-1]
    assert failed["event"] == "command.failed"
    assert failed["trace_id"] == f"{spans()[0].context.trace_id:032x}"


@pytest.mark.usefixtures("traced")
def test_a_trace_of_the_environment_is_the_parent(stage: Stage, ask: Callable[..., None]) -> None:
    ask(TRACEPARENT="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    stage.run("plan")
    assert {f"{span.context.trace_id:032x}" for span in spans()} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    (root,) = named("reconciler plan")
    assert root.parent is not None
    assert f"{root.parent.span_id:016x}" == "00f067aa0ba902b7"


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    "variables",
    [{"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_TRACES_EXPORTER": ""}, {"OTEL_SDK_DISABLED": "true"}],
)
def test_a_run_that_is_not_traced_says_nothing_of_traces(
    variables: dict[str, str], stage: Stage, ask: Callable[..., None]
) -> None:
    ask(**variables)
    lines = stage.run("plan", *DEBUG).events
    assert not EXPORTERS
    assert not [line for line in lines if "trace_id" in line or line["event"] == "traces.not_sent"]


def not_sent(result: Result) -> list[str]:
    return [str(it["error"]) for it in result.events if it["event"] == "traces.not_sent"]


def test_an_exporter_that_does_not_exist_is_one_warning(stage: Stage, ask: Callable[..., None]) -> None:
    ask(OTEL_TRACES_EXPORTER="zipkni")
    stage.spec("one")
    result = stage.run("apply", "--yes")
    assert (result.code, len(result.writes), len(not_sent(result))) == (0, 2, 1)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ("authorization=a-secret-of-the-collector", "export"),
        ("a-secret-without-a-name", "Header format invalid"),
    ],
)
def test_a_collector_that_is_away_is_one_warning_and_changes_nothing(
    headers: str, why: str, stage: Stage, ask: Callable[..., None]
) -> None:
    ask(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_HEADERS=headers,
        OTEL_EXPORTER_OTLP_TIMEOUT="0.3",
    )
    stage.spec("one")
    began = time.monotonic()
    result = stage.run("apply", "--yes")
    assert time.monotonic() - began < 10
    assert (result.code, len(result.writes), len(not_sent(result))) == (0, 2, 1)
    assert "a-secret" not in result.err
    assert why in not_sent(result)[0]


class Collector(BaseHTTPRequestHandler):
    """Takes what the exporter sends."""

    received: list[tuple[str, ExportTraceServiceRequest]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_the_endpoint_of_the_standard_variable_gets_the_trace(stage: Stage, ask: Callable[..., None]) -> None:
    class Here(Collector):
        received: list[tuple[str, ExportTraceServiceRequest]] = []  # noqa: RUF012 - of this test

    with serving(HTTPServer(("127.0.0.1", 0), Here)) as server:
        ask(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.server_port}", OTEL_SERVICE_NAME="batches")
        stage.spec("one")
        result = stage.run("apply", "--yes")
        server.server_close()
    assert not_sent(result) == []
    assert {path for path, _ in Here.received} == {"/v1/traces"}
    found = [
        (span.name, {it.key: it.value.string_value for it in resource.resource.attributes}["service.name"])
        for _, request in Here.received
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert ("reconciler apply", "batches") in found
    assert sum(name.startswith(("GET ", "POST ")) for name, _ in found) == len(result.sent)


LIST_MODULES = """
import sys
from reconciler.cli.main import run
{before}
code = run(["plan", "--log-format", "json"])
print(code, sorted(name for name in sys.modules if name.startswith(("opentelemetry", "reconciler.telemetry.otel"))))
"""


def plan_alone(stage: Stage, *, before: str = "", **variables: str) -> tuple[str, str]:
    """Plan in a process of its own; return its last line and its stderr."""
    kept = {name: value for name, value in stage.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-c", LIST_MODULES.format(before=before)]
    done = subprocess.run(
        command, cwd=stage.root, env=kept | variables, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1], done.stderr


def test_a_run_that_is_not_traced_imports_nothing_of_it(stage: Stage) -> None:
    stage.spec("one")
    assert plan_alone(stage)[0] == "0 []"


@pytest.mark.thorough
def test_a_run_without_the_extra_goes_on_and_says_what_to_install(stage: Stage) -> None:
    stage.spec("one")
    hidden = 'sys.modules["opentelemetry"] = None'
    last, err = plan_alone(stage, before=hidden, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert last == "0 ['opentelemetry']"
    assert "mistral-batch-reconciler[otel]" in check_lines(err)[0]["error"]
