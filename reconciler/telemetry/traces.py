"""A run as a trace, if the environment asks for one. Otherwise nothing of OpenTelemetry is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from reconciler.telemetry.logs import LogSink

OpenSpan: TypeAlias = Callable[[str], AbstractContextManager[object]]
"""Opens a span with this name, within the one that is open."""

EXPORTER: Final = "OTEL_TRACES_EXPORTER"
_ASKING: Final = (EXPORTER, "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@contextmanager
def traced_run(
    environ: Mapping[str, str], log: LogSink, command: str, run: Mapping[str, str]
) -> Iterator[OpenSpan]:
    """Send the block as a trace with the name `command`, and let the lines of `log` name it.

    The fields of `run` are read at the end. No failure of the trace stops the run: `traces.not_sent` reports it.
    """
    off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if off or environ.get(EXPORTER, "").strip() == "none" or not any(map(environ.get, _ASKING)):
        yield nullcontext
        return
    try:
        from reconciler.telemetry import otel  # noqa: PLC0415 - only a run that is traced pays for it

        trace = otel.open_trace(environ, log)
    except Exception as error:  # noqa: BLE001 - whatever a package of exporters raises
        hint = "check the variables OTEL_*, or set OTEL_TRACES_EXPORTER=none"
        if isinstance(error, ModuleNotFoundError):
            hint = f'pip install "mistral-batch-reconciler[otel]" for {error.name}, or set {EXPORTER}=none'
        log("traces.not_sent", error=f"{type(error).__name__}: {hint}")
        yield nullcontext
    else:
        with trace.root(command, environ.get("TRACEPARENT", ""), log, run):
            yield trace.span
