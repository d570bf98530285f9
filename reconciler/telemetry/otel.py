"""The trace of a run, made of the events of its log and sent by the SDK of OpenTelemetry.

The SDK reads the standard variables (`OTEL_*`). A request is a span, made from the event that reports its end: no
header is added to it, and its query, headers and bodies are not known here. Every other event is one of the span that
is open. Only numbers and the fields of `_STRINGS` are taken: messages may quote an answer.
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
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from reconciler import __version__
from reconciler.telemetry.logs import EVENTS

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from reconciler.telemetry.logs import LogSink

_REQUESTS: Final = frozenset(name for name, event in EVENTS.items() if "method" in event.fields)
_STRINGS: Final = frozenset(
    {"name", "job_id", "file_id", "op", "reason", "status", "guard", "signal", "run_id", "project", "commit"}
)
"""The fields with text that are sent."""


class Trace:
    """The trace of one run, for any thread."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("reconciler", __version__)
        self._root: Span = trace.INVALID_SPAN

    @contextmanager
    def root(self, command: str, parent: str, log: LogSink, run: Mapping[str, str]) -> Iterator[None]:
        """Open the root span and let it take the events of `log`. When it ends, `run` describes it, and all is sent."""
        context = TraceContextTextMapPropagator().extract({"traceparent": parent})
        try:
            with self.span(command, context) as self._root:
                log.trace = self.record
                try:
                    yield
                finally:
                    self._root.set_attributes(_attributes(run))
        finally:
            ids = _ids(self._root)
            log.trace = lambda *_: ids
            self._provider.shutdown()

    @contextmanager
    def span(self, name: str, context: Context | None = None) -> Iterator[Span]:
        """Open a span within the one that is open."""
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
        attributes = _attributes(facts)
        span.add_event(event, attributes)
        if span is not self._root:  # a step: its events are about one job or file
            span.set_attributes(attributes)
        if event in EVENTS and EVENTS[event].level == "error":
            span.set_status(Status(StatusCode.ERROR))
        return _ids(span)

    def _request(self, facts: Mapping[str, Any]) -> Span:
        """Add a request that has ended, as the conventions for HTTP clients name its facts."""
        template = re.sub(r"(?<=/jobs/|files/)[^/]+", "{id}", facts["path"])
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
    """Return a trace whose spans go where the variables say. Raises what making an exporter raises."""
    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    logger.handlers = [_Reports(log)]
    default = Resource.create({SERVICE_NAME: "reconciler", "service.version": __version__})
    resource = default.merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    protocol = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", protocol).partition("/")[0]
    for name in (environ.get(OTEL_TRACES_EXPORTER) or "otlp").split(","):
        wanted = f"otlp_proto_{protocol}" if name.strip() == "otlp" else name.strip()
        [exporter] = entry_points(group="opentelemetry_traces_exporter", name=wanted)
        provider.add_span_processor(BatchSpanProcessor(exporter.load()()))
    return Trace(provider)


class _Reports(logging.Handler):
    """Reports the first failure of the SDK as an event, without values: they may have the collector's headers."""

    def __init__(self, log: LogSink) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self.setLevel(logging.CRITICAL)
        values = record.args if isinstance(record.args, tuple) else ()
        safe = [
            str(it) if isinstance(it, int) else type(it).__name__
            for it in values
            if isinstance(it, int | Exception)
        ]
        text = re.sub(r"%[.\d]*\w", "…", str(record.msg))
        self._log("traces.not_sent", error=" ".join([text, *safe]))


def _attributes(facts: Mapping[str, Any]) -> dict[str, str | int]:
    found = {
        key: getattr(it, "value", it) for key, it in facts.items() if key in _STRINGS or isinstance(it, int)
    }
    return {f"reconciler.{key}": it for key, it in found.items() if it is not None}


def _ids(span: Span) -> Mapping[str, str]:
    it = span.get_span_context()
    return {"trace_id": trace.format_trace_id(it.trace_id), "span_id": trace.format_span_id(it.span_id)}
