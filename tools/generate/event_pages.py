"""`docs/events.md` and `schemas/event.schema.json`, from the catalogue of events."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any, Final

from reconciler.telemetry.logs import BOUND, EVENTS, HEAD, Event, Field, LogSink
from tools.generate import markdown

_INTRODUCTION: Final = """\
# Events

A run writes one event per unit of work to stderr: as readable text on a terminal, otherwise as one JSON object per
line. `--log-format console` and `--log-format json` select the format. stdout contains the command's output and never
an event.

- `--log-level`, or `RECONCILER_LOG_LEVEL`, is the minimum level that stderr shows: `warning` by default, so that the
  mail of a cron job shows what went wrong, and `info` in the GitHub action.
- `--log-file FILE` also appends JSON lines of every level to a file, one event per line, for `jq` or any log
  collector.
- The console format omits the fields of the run (`run_id`, `project`, `commit` and those of its [trace](#traces)) and
  removes control characters. JSON lines are ASCII: other characters are escaped as `\\uXXXX`.
- A run continues if it cannot write its log.

An event's name, level and fields are stable within a major version; new events and fields may be added. An unknown
field is omitted, never null. No event contains keys, prompts or the contents of files.
`schemas/event.schema.json` (`reconciler schema event`) is the schema of a line.
"""

_RECIPES: Final = """\
## Queries for a log file

```sh
# which jobs were created, and why
jq -r 'select(.event == "job.created" or .event == "job.recovered") | [.name, .job_id, .reason] | @tsv' run.jsonl
# all warnings and errors
jq -c 'select(.level == "warning" or .level == "error")' run.jsonl
# one job, across all runs
jq -c 'select(.name == "nightly")' run.jsonl
```
"""

_TRACES: Final = """\
## Traces

With the extra `otel` (`pip install "mistral-batch-reconciler[otel]"`) and a standard variable, a run is a trace of
OpenTelemetry:

```sh
export OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.example:4318
reconciler apply --yes
```

| span | is | within |
| --- | --- | --- |
| `reconciler apply` | the run | the span that `TRACEPARENT` in the environment names, if there is one |
| `load`, `list`, `plan` | reading the specs, reading the list of jobs, deciding | the run |
| `create` | one create, with name, job id, op and reason | the run |
| `upload` | one upload of an input file | its `create` |
| `pull` | the download of the results of one job | the run |
| `GET /v1/batch/jobs`, … | one attempt at one request to the API | the step that sends it |

The other events above are events of these spans. Each line of the log has `trace_id` and `span_id`.

- The SDK reads `OTEL_*` from the environment: exporter, endpoint, headers, sampler, `OTEL_SERVICE_NAME`. OTLP over HTTP
  comes with the extra; other exporters need their package.
- `OTEL_EXPORTER_OTLP_ENDPOINT`, its `…_TRACES_…` form or `OTEL_TRACES_EXPORTER` switches traces on;
  `OTEL_TRACES_EXPORTER=none` or `OTEL_SDK_DISABLED=true` switches them off. Then nothing of OpenTelemetry is imported.
- A trace has numbers, names and ids. It has no key, no header, no query of a URL, no line of an input or a result, and
  no error message, because a message may quote an answer.
- Requests to the API get no `traceparent` header: the API documents no use of it, and it would give ids of your systems
  to another company.
- If spans cannot be sent, the run goes on and logs `traces.not_sent`. It may end `OTEL_EXPORTER_OTLP_TIMEOUT` (10
  seconds) later.
"""

_EXAMPLE: Final[Mapping[str, object]] = {
    "name": "nightly",
    "job_id": "4fb29d1c-6f5e-4c3a-9d8e-0a1b2c3d4e5f",
    "op": "5d41402abc4b2a76b9719d91",
    "reason": "new",
    "attempt": 1,
    "requests": 12_000,
    "elapsed_ms": 412,
}


def page() -> str:
    """Return the page."""
    return markdown.page(
        _INTRODUCTION,
        "## Every line",
        _fields(HEAD),
        "then the fields of the event, and at the end those of the run:",
        _fields(BOUND),
        f"```json\n{_example()}```",
        "## The events",
        markdown.table(
            ["event", "level", "meaning"],
            ([f"[`{name}`](#{_anchor(name)})", it.level, it.meaning] for name, it in EVENTS.items()),
        ),
        *(part for name, event in EVENTS.items() for part in _section(name, event)),
        _RECIPES,
        _TRACES,
        source="`reconciler/telemetry/events.json`",
    )


def _anchor(name: str) -> str:
    return name.replace(".", "")


def _section(name: str, event: Event) -> tuple[str, ...]:
    return (f"### {name}", f"{event.level.capitalize()}. {event.meaning}", _fields(event.fields))


def _fields(fields: Mapping[str, Field]) -> str:
    words = {"string": "string", "integer": "integer", "strings": "array of strings"}
    rows = (
        [f"`{key}`", words[field.type] + (", optional" if field.optional else ""), field.meaning]
        for key, field in fields.items()
    )
    return markdown.table(["field", "type", "meaning"], rows)


def _example() -> str:
    """Return a line as the log writes it."""
    bound = {"run_id": "9c1185a5c5e9", "project": "search-batch", "commit": "a41c9e2" + "0" * 33}
    text = io.StringIO()
    log = LogSink(
        style="json",
        level="info",
        file=None,
        now=lambda: 1_793_000_000.123,
        bound=bound,
        stream=text,
    )
    log("job.created", **_EXAMPLE)
    return text.getvalue()


def schema() -> str:
    """Return the schema of a line."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of the log",
        "description": "One event of a run of reconciler, as --log-format json and --log-file write it.",
        "type": "object",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in EVENTS],
        "$defs": {name: _definition(name, event) for name, event in EVENTS.items()},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _definition(name: str, event: Event) -> dict[str, Any]:
    fields = {**HEAD, **event.fields, **BOUND}
    properties = {key: _property(field) for key, field in fields.items()}
    properties["at"]["pattern"] = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"
    properties["level"]["const"] = event.level
    properties["event"]["const"] = name
    return {
        "description": event.meaning,
        "type": "object",
        "properties": properties,
        "required": [key for key, field in fields.items() if not field.optional],
        "additionalProperties": False,
    }


def _property(field: Field) -> dict[str, Any]:
    if field.type == "strings":
        return {"type": "array", "items": {"type": "string"}, "description": field.meaning}
    return {"type": field.type, "description": field.meaning}
