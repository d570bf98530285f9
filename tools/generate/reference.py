"""The reference page of specs and settings, written from the schemas.

Types, bounds, defaults, meanings and messages come from the schemas; `reference_text` has the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from reconciler.catalogue.bodies import KNOWN_ENDPOINTS
from reconciler.settings import Limits
from reconciler.specs.schema.convert import convert_or_explain
from reconciler.specs.schema.hints import MISPLACED_FIELD_HINTS
from reconciler.specs.schema.job_fields import JobFields
from reconciler.specs.schema.json_schema import Schema
from reconciler.specs.yaml.reader import read
from reconciler.specs.yaml.source import SourceFile
from reconciler.text.suggest import KINDS, either
from tools.generate import models_text, reference_text, spec_schemas

EXAMPLE: Final = """\
# yaml-language-server: $schema=../schemas/job.schema.json
name: ticket-classes
endpoint: /v1/chat/completions
model: mistral-small-2603
input_files:
  - data/questions.jsonl
metadata: {team: search}
timeout_hours: 24

# all optional
rerun: 2
suspend: false
retry: {max_attempts: 3, on: [FAILED, TIMEOUT_EXCEEDED]}
on_change: auto
on_remove: cancel
checks: {failed: 0.02, invalid: 0, truncated: 0.1}
"""
"""A spec with every common field; a test loads it."""

SETTINGS_EXAMPLE: Final = """\
# yaml-language-server: $schema=schemas/reconciler.schema.json
project: search-batch
specs: specs
guards: {max_new_requests: 100000}
"""


ENVIRONMENTS_EXAMPLE: Final = """\
environments:
  dev:
    project: search-batch-dev
    set:
      "nightly-*": {model: ministral-8b-2512, timeout_hours: 2}
      report: {suspend: true}
    guards: {max_new_requests: 1000}
  prod:
    project: search-batch
"""

_GOOD: Final = {
    "name": "name: ticket-classes",
    "endpoint": "endpoint: /v1/chat/completions",
    "model": "model: mistral-small-2603",
    "input_files": "input_files: [data/questions.jsonl]",
}
_MISTAKES: Final = (
    "name: Ticket Classes",
    "endpoint: chat/completions",
    "model: mistral small",
    "agent_id: ag-17",
    "input_files: data/questions.jsonl",
    "temperature: 0.3",
    "timeuot_hours: 12",
    'timeout_hours: "12"',
    "timeout_hours: 200",
    "rerun: 1.5",
    "suspend: yes",
    "metadata: {team: }",
    "metadata: {reconciler.team: search}",
    "max_attempts: 3",
    "retry: {on: [FAIL]}",
    "retry: {on_remove: keep}",
    "on_remove: canceled",
    "checks: {failed: 5}",
)
"""Lines with a common mistake; the page shows the message for each."""


def page() -> str:
    """Return `docs/spec.md`."""
    job, settings = spec_schemas.schema("job"), spec_schemas.schema("reconciler")
    blocks = [
        reference_text.HEAD,
        f"```yaml\n{EXAMPLE}```",
        "## Fields",
        *fields(job, job),
        f"The endpoints that the API documents for batches: {', '.join(f'`{path}`' for path in KNOWN_ENDPOINTS)}.",
        *(
            block
            for name in ("retry", "checks", "requests", "for_each", "matrix", "rerun", "adopt")
            for block in inner(name, job)
        ),
        _mistakes(),
        reference_text.FAMILIES,
        reference_text.DEFAULTS,
        reference_text.EFFECTS,
        reference_text.INPUTS,
        models_text.MODELS,
        reference_text.ADOPT,
        reference_text.TOGETHER,
        reference_text.YAML,
        reference_text.SETTINGS,
        f"```yaml\n{SETTINGS_EXAMPLE}```",
        *fields(settings, settings),
        *(
            block
            for name in ("keep_at_provider", "on_end", "limits", "uploads", "guards", "apply")
            for block in inner(name, settings)
        ),
        reference_text.ENVIRONMENTS,
        f"```yaml\n{ENVIRONMENTS_EXAMPLE}```",
        _table(settings["$defs"]["EnvironmentFields"], settings),
    ]
    return "\n\n".join(blocks) + "\n"


def inner(name: str, schema: Schema) -> Iterator[str]:
    """Yield the heading and the table of the fields within a field."""
    field = schema["properties"][name]
    branch = next((it for it in field.get("anyOf", ()) if "$ref" in it), field)
    resolved = _resolved(branch.get("items", branch), schema)
    yield f"### Fields of `{name}`"
    yield _table(resolved, schema)


def fields(whole: Schema, schema: Schema) -> Iterator[str]:
    """Yield the table of the fields of a mapping, and the messages for values that are not valid."""
    yield _table(whole, schema)
    refusals = [line for name, field in whole["properties"].items() for line in _refusals(name, field)]
    if refusals:
        yield "Messages for a value of the right type and within bounds that is not valid:"
        yield "\n".join(refusals)


def _table(whole: Schema, schema: Schema) -> str:
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for name, field in whole["properties"].items():
        default = _default(name, field, whole)
        rows.append(f"| `{name}` | {_type(field, schema)} | {default} | {_cell(field['description'])} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(name: str, field: Schema, whole: Schema) -> str:
    if name in whole.get("required", ()):
        return "required"
    groups = [
        [branch["required"][0] for branch in rule["oneOf"] if "properties" not in branch]
        for rule in whole.get("allOf", ())
    ]
    if group := next((group for group in groups if name in group), []):
        return "required" if len(group) == 1 else f"one of {either([f'`{other}`' for other in group])}"
    default = field.get("default")
    if "$ref" in field and default is not None:
        return "see below"
    if default in ({}, [], None):
        return "none"
    return f"`{json.dumps(default)}`"


def _type(field: Schema, schema: Schema) -> str:
    if "anyOf" in field:
        names = [branch.get("type") for branch in field["anyOf"]]
        wanted = [
            branch for branch in field["anyOf"] if branch.get("type") != "integer" or "number" not in names
        ]
        return either([_type(branch, schema) for branch in wanted])
    if "enum" in field:
        return either([f"`{value}`" for value in field["enum"]])
    name = "mapping" if "$ref" in field else KINDS[field["type"]].removeprefix("a ")
    if "items" in field:
        items = field["items"]
        if "$ref" in items:
            return "list of requests" if items["$ref"].endswith("RequestFields") else "list of mappings"
        return f"list of {_type(items, schema)}"
    if isinstance(field.get("additionalProperties"), dict):
        return f"mapping to {_type(field['additionalProperties'], schema)}"
    return name + _bounds(field)


def _bounds(field: Schema) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if "exclusiveMinimum" in field:
        return f" above {field['exclusiveMinimum']:,}" + (f", at most {high:,}" if high is not None else "")
    if low is not None:
        return f", {low:,} to {high:,}" if high is not None else f", {low:,} or more"
    if "maxLength" in field:
        return f" of {field.get('minLength', 0)} to {field['maxLength']} characters"
    return ""


def _refusals(name: str, field: Any) -> Iterator[str]:  # noqa: ANN401 - a schema, or true
    places = [field, *field.get("anyOf", ()), field.get("propertyNames", {})]
    for place in places:
        if "errorMessage" in place:
            yield f"- `{name}`: {place['errorMessage']} ({place['x-hint']})"


def _resolved(field: Schema, schema: Schema) -> Schema:
    found: Schema = schema["$defs"][field["$ref"].rpartition("/")[2]]
    return found


def _mistakes() -> str:
    rows = ["### Common mistakes", "", "| line | message | hint |", "|---|---|---|"]
    for line in _MISTAKES:
        others = [good for name, good in _GOOD.items() if name != line.partition(":")[0]]
        documents, _ = read(SourceFile("x.yaml", "\n".join([line, *others])), Limits())
        _, wrong = convert_or_explain(documents[0], JobFields, "job", MISPLACED_FIELD_HINTS)
        rows += [f"| `{line}` | {_cell(problem.message)} | {_cell(problem.hint)} |" for problem in wrong]
    return "\n".join(rows)
