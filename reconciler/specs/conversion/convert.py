"""Convert a batch file of another provider in one pass; any mistake is an error for the whole file."""

from __future__ import annotations

import json
import re
import shlex
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from msgspec import Struct, field

from reconciler.catalogue.bodies import KNOWN_ENDPOINTS
from reconciler.errors import ReconcilerError
from reconciler.file_access import open_to_read
from reconciler.settings import Limits
from reconciler.specs.conversion.bodies import CHAT, CONVERTERS, NotConvertibleError
from reconciler.specs.from_jobs import slug
from reconciler.specs.inputs.findings import FindingKind
from reconciler.specs.inputs.formats import WRAPPERS, Wrapper, holds_result, of_file, wrapper_of
from reconciler.specs.to_yaml import scalar
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean
from reconciler.text.suggest import some

_OWN: Final = Wrapper("this tool", "custom_id", "body", frozenset())
_CONVERTED: Final = frozenset({FindingKind.ARRAY, FindingKind.PRETTY, FindingKind.CR})
"""Forms of a file that need no more than to be split."""
_MAX_REASONS: Final = 5
_BETWEEN: Final = re.compile(r"[ \t\r\n,\[\]]*")
"""What may be between objects: line breaks, and the commas and brackets of an array."""


class Converted(Struct):
    """What a file holds."""

    requests: int = 0
    models: Counter[str] = field(default_factory=Counter)
    """How many requests name each model; "" for none."""
    endpoints: Counter[str] = field(default_factory=Counter)
    """How many requests name each endpoint; "" for none."""
    providers: set[str] = field(default_factory=set)


def convert(path: Path, output: BinaryIO, limits: Limits) -> Converted:
    """Write a file in this tool's form, and return what it holds. After an error the output is of no use.

    Raises `OSError` if it cannot be read; `ReconcilerError` if it cannot be converted as a whole to one job's input, or
    is in this tool's form already.
    """
    found = Converted()
    refused: dict[str, list[int]] = {}
    text, changed = _text(path, limits.file_bytes)
    for line, value in _objects(text, path.name):
        wrapped = value.get("requests") if len(value) == 1 else None  # the whole call of Anthropic's API
        for row in wrapped if isinstance(wrapped, list) else [value]:
            try:
                output.write(_line(row, found))
            except NotConvertibleError as error:
                refused.setdefault(str(error), []).append(line)
    _check(path, found, refused)
    if found.providers == {_OWN.provider} and not changed:
        raise ReconcilerError(
            f"{path.name} is in this tool's form already", hint="name it in `input_files` of a spec"
        )
    return found


def suggested_spec(path: str, found: Converted) -> str:
    """Return a spec for a converted file, whose path is relative to the spec."""
    name = scalar(slug(Path(path).stem) or "converted")
    endpoint = next(iter(found.endpoints)) or CHAT
    model = next(iter(found.models))
    chosen = f"model: {model}" if re.fullmatch(r"[A-Za-z][\w.:/-]*", model) else "model: mistral-small-2603"
    note = "  # as in the file; a job needs a model of Mistral" if model else "  # the file names none"
    return f"name: {name}\nendpoint: {endpoint}\n{chosen}{note}\ninput_files: [{scalar(path)}]\n"


def _text(path: Path, largest: int) -> tuple[str, bool]:
    """Return the text of a file, and whether it has another form than this tool's as a whole.

    Raises `ReconcilerError` if it is too large, or not JSON at all.
    """
    with open_to_read(path) as stream:
        form = of_file(stream, path.name)
        if form and form.kind not in _CONVERTED:
            raise ReconcilerError(f"{path.name}: {form.kind.message}{form.more}", hint=form.kind.hint)
        data = stream.read(largest + 1)
    if len(data) > largest:
        raise ReconcilerError(f"{path.name}: more than {largest:,} bytes", hint="split it")
    try:
        text = data.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise _no_request(path.name, data.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
    return text, form is not None or data.startswith(BOM_UTF8) or "\r" in text


def _objects(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each object with the number of its first line: one per line, in an array, or over several lines."""
    newline = "\n" if "\n" in text else "\r"
    decoder = json.JSONDecoder(object_pairs_hook=_unique)
    at, line = 0, 1
    while found := _BETWEEN.match(text, at):
        begin = found.end()
        line += text.count(newline, at, begin)
        if begin == len(text):
            return
        if text[begin] != "{":
            raise _no_request(name, line, "not a JSON object")
        try:
            value, at = decoder.raw_decode(text, begin)
        except NotConvertibleError as error:
            raise _no_request(name, line, str(error)) from None
        except (ValueError, RecursionError) as error:
            cut = getattr(error, "pos", 0) >= len(text.rstrip())
            raise _no_request(
                name, line, "an object that does not end" if cut else "not valid JSON"
            ) from None
        yield line, value
        line += text.count(newline, begin, at)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotConvertibleError("a duplicate key in one object")
    return found


def _no_request(name: str, line: int, message: str) -> ReconcilerError:
    return ReconcilerError(
        f"{name}:{line}: {message}", hint="the file holds JSON objects, one for each request"
    )


def _line(row: object, found: Converted) -> bytes:
    """Return one request in this tool's form, with its line feed, and count it.

    Raises `NotConvertibleError` if it has no counterpart here.
    """
    if not isinstance(row, dict) or holds_result(row.keys()):
        raise NotConvertibleError("this is a result, not a request" if row else "not a JSON object")
    wrapper = wrapper_of(row.keys()) or _OWN
    if row.keys() - wrapper.marks - {wrapper.id, wrapper.body}:
        raise NotConvertibleError(f"a key that {wrapper.provider}'s format does not have")
    custom_id, body = row.get(wrapper.id), row.get(wrapper.body)
    if not isinstance(custom_id, str) or not custom_id:
        raise NotConvertibleError(f"`{wrapper.id}` is missing, empty or not text")
    if not isinstance(body, dict):
        raise NotConvertibleError(f"`{wrapper.body}` is not an object")
    model = body.pop("model", "")
    if not isinstance(model, str):
        raise NotConvertibleError("`model` is not text")
    endpoint = _endpoint(row) if "url" in wrapper.marks else CHAT if wrapper is not _OWN else ""
    if wrapper is not _OWN:
        body = CONVERTERS[wrapper.provider](body, endpoint)
    whole = {"custom_id": custom_id, "body": body}
    try:
        text = json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:  # NaN, Infinity, or half of a surrogate pair
        raise NotConvertibleError("a number or a character that JSON cannot hold") from None
    found.requests += 1
    found.providers.add(wrapper.provider)
    found.models[model] += 1
    found.endpoints[endpoint] += 1
    return text + b"\n"


def _endpoint(row: Mapping[str, Any]) -> str:
    url = row.get("url")
    found = re.search(r"/v1/[!-~]+", url) if isinstance(url, str) else None
    if found is None or found[0] not in KNOWN_ENDPOINTS:
        raise NotConvertibleError("`url` is missing, or no endpoint of Mistral's batches")
    if row.get("method") not in (None, "POST"):  # a tuple: it may be a list
        raise NotConvertibleError("`method` is not POST")
    return found[0]


def _check(path: Path, found: Converted, refused: Mapping[str, list[int]]) -> None:
    """Raise an error unless every request of a file could be converted, and one job can have them all."""
    if refused:
        reasons = [
            f"{reason} ({'line' if len(lines) == 1 else 'lines'} {some(list(map(str, lines)))})"
            for reason, lines in list(refused.items())[:_MAX_REASONS]
        ]
        number = pluralize(sum(map(len, refused.values())), "request")
        raise ReconcilerError(
            f"{path.name}: {number} cannot be converted: {'; '.join(reasons)}",
            hint="change or remove them in the file, and convert it again; nothing was written",
        )
    if not found.requests:
        raise ReconcilerError(f"{path.name} holds no request", hint="each line is one request")
    body = next((it.body for it in WRAPPERS if it.provider in found.providers), _OWN.body)
    for what, names, jq in (("model", found.models, f".{body}.model"), ("endpoint", found.endpoints, ".url")):
        if len(names) > 1:
            named = ", ".join(f"{clean(it) or 'none'} ({number:,})" for it, number in sorted(names.items()))
            one = shlex.quote(clean(f"select({jq} == {json.dumps(next(iter(names)))})"))
            raise ReconcilerError(
                f"{path.name} names {len(names)} {what}s, and a job has one: {named}",
                hint=f"write a file for each, for example with jq: jq -c {one} {shlex.quote(path.name)}",
            )
