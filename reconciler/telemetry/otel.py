"""The trace of a run, made of the events of its log and sent by the SDK of OpenTelemetry.

The SDK reads the standard variables (`OTEL_*`). A request is a span, made from the event that reports its end: no
header is added to it, and its query, headers and bodies are not known here. Every other event becomes attributes of the
span that is open, or an event of it. Only numbers and the fields of `_STRINGS` are taken: messages may quote an answer.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.environment_variables import OTEL_TRACES_EXPORTER
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from reconciler import __version__
from reconciler.telemetry.logs import EVENTS

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from reconciler.telemetry.logs import LogSink

_REQUESTS: Final = frozenset(name for name, event in EVENTS.items() if "method" in event.fields)
_RESULTS: Final = frozenset(
    {
        *("specs.loaded", "jobs.listed", "plan.computed", "input.uploaded", "job.created", "job.recovered"),
        *("job.create_failed", "results.pulled", "apply.finished", "wait.finished"),
    }
)
"""Events whose fields describe the span that is open."""
_STRINGS: Final = frozenset(
    {"name", "job_id", "file_id", "op", "reason", "status", "guard", "signal", "run_id", "project", "commit"}
)
"""The fields with text that are sent."""
_ID: Final = re.compile(r"(?<=/jobs/|files/)[^/]+")
_MAX_ERROR: Final = 300


class Trace:
    """The trace of one run, for any thread."""

    def __init__(self, provider: TracerProvider, parent: Context, log: LogSink) -> None:
        self._provider = provider
        self._parent = parent
        self._log = log
        self._tracer = provider.get_tracer("reconciler", __version__)
        self._root: Span = trace.INVALID_SPAN

    @contextmanager
    def root(self, command: str, run: Mapping[str, str]) -> Iterator[None]:
        """Open the root span. When it ends, `run` describes it, and everything is sent."""
        try:
            with self._open(command, self._parent) as self._root:
                self._log.trace = self.record
                try:
                    yield
                finally:
                    self._root.set_attributes(_attributes(run))
        finally:
            ids = _ids(self._root)
            self._log.trace = lambda *_: ids
            self._provider.shutdown()

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Open a span within the one that is open."""
        with self._open(name):
            yield

    @contextmanager
    def _open(self, name: str, context: Context | None = None) -> Iterator[Span]:
        # The SDK would add the exception's message, which may quote an answer, and its traceback.
        with self._tracer.start_as_current_span(
            name, context, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise

    def record(self, event: str, facts: Mapping[str, object]) -> Mapping[str, str]:
        """Add an event to the trace, and return the ids of its span."""
        if event in _REQUESTS:
            return _ids(self._request(facts))
        span = trace.get_current_span()
        span = span if span.is_recording() else self._root  # the SDK's own threads have no span
        if event in _RESULTS:
            span.set_attributes(_attributes(facts))
        else:
            span.add_event(event, _attributes(facts))
        if event in EVENTS and EVENTS[event].level == "error":
            span.set_status(Status(StatusCode.ERROR))
        return _ids(span)

    def _request(self, facts: Mapping[str, Any]) -> Span:
        """Add a request that has ended, as the conventions for HTTP clients name its facts."""
        template = _ID.sub("{id}", facts["path"])
        attributes = {
            "http.request.method": facts["method"],
            "url.path": facts["path"],
            "url.template": template,
            "http.response.status_code": facts["status"],
            "http.request.resend_count": facts["attempt"] - 1 or None,
            "error.type": facts.get("error"),
        }
        ended = time.time_ns()
        span = self._tracer.start_span(
            f"{facts['method']} {template}",
            kind=SpanKind.CLIENT,
            attributes={key: value for key, value in attributes.items() if value is not None},
            start_time=ended - facts["elapsed_ms"] * 1_000_000,
        )
        if facts.get("error"):
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)
        return span


def open_trace(environ: Mapping[str, str], log: LogSink) -> Trace:
    """Return a trace whose spans go where the variables say. A `TRACEPARENT` in the environment is its parent.

    Raises any exception of an exporter that cannot be made.
    """
    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    logger.handlers = [_Reports(environ, log)]
    resource = Resource.create({SERVICE_NAME: "reconciler", "service.version": __version__})
    provider = TracerProvider(
        resource=resource.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
    )
    for exporter in _exporters(environ):
        provider.add_span_processor(BatchSpanProcessor(exporter))
    parent = TraceContextTextMapPropagator().extract({"traceparent": environ.get("TRACEPARENT", "")})
    return Trace(provider, parent, log)


def _exporters(environ: Mapping[str, str]) -> Iterator[SpanExporter]:
    """Yield the exporters that `OTEL_TRACES_EXPORTER` names, OTLP if it is not set. Raises `LookupError`."""
    protocol = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    otlp = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", protocol).partition("/")[0]
    for name in (environ.get(OTEL_TRACES_EXPORTER) or "otlp").split(","):
        wanted = f"otlp_proto_{otlp}" if name.strip() == "otlp" else name.strip()
        (point,) = entry_points(group="opentelemetry_traces_exporter", name=wanted) or [None]
        if point is None:
            raise LookupError(wanted)
        yield point.load()()


class _Reports(logging.Handler):
    """Reports the first failure of the SDK as an event. A message that quotes a header is not shown."""

    def __init__(self, environ: Mapping[str, str], log: LogSink) -> None:
        super().__init__(logging.WARNING)
        values = (value for name, value in environ.items() if name.startswith("OTEL_") and "HEADERS" in name)
        self._secrets = [part.strip() for value in values for part in re.split("[,=]", value) if part.strip()]
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if any(secret in text for secret in self._secrets):
            text = str(record.msg)
        self.setLevel(logging.CRITICAL)
        self._log("traces.not_sent", error=text[:_MAX_ERROR])


def _attributes(facts: Mapping[str, Any]) -> dict[str, str | int]:
    sent = {key: value for key, value in facts.items() if key in _STRINGS or isinstance(value, int)}
    return {
        f"reconciler.{key}": it if isinstance(it, int) else str(getattr(it, "value", it))
        for key, it in sent.items()
    }


def _ids(span: Span) -> Mapping[str, str]:
    context = span.get_span_context()
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }
