"""Convert a batch file of another provider: `survey` reads it whole and refuses it or not, `converted` writes it.

Both stream the file, so nothing is written from a file that cannot be converted as a whole.
"""

from __future__ import annotations

import json
import re
import shlex
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct, field

from reconciler.errors import ReconcilerError
from reconciler.file_access import open_to_read
from reconciler.settings import Limits
from reconciler.specs.conversion.bodies import CHAT, CONVERTERS, Body, NotConvertibleError
from reconciler.specs.conversion.objects import ObjectError, objects
from reconciler.specs.from_jobs import slug
from reconciler.specs.inputs.diagnose import repeats_a_key
from reconciler.specs.inputs.findings import FindingKind
from reconciler.specs.inputs.formats import WRAPPERS, Wrapper, holds_result, of_file, wrapper_of
from reconciler.specs.schema.vocabulary import KNOWN_ENDPOINTS
from reconciler.specs.to_yaml import scalar
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean
from reconciler.text.suggest import some

_OWN: Final = Wrapper("this tool", "custom_id", "body", frozenset())
_CONVERTED: Final = frozenset({FindingKind.ARRAY, FindingKind.PRETTY, FindingKind.CR})
"""Forms of a file that need no more than to be split."""
_HEAD: Final = 64 * 1024
_MAX_REASONS: Final = 5


class Request(NamedTuple):
    """One request in this tool's form."""

    custom_id: str
    body: Body
    model: str
    """"" if the request names none."""
    endpoint: str
    """"" if the request names none."""
    provider: str


class Survey(Struct):
    """What a file holds."""

    requests: int = 0
    changed: bool = False
    """Whether the converted file differs from this one."""
    models: Counter[str] = field(default_factory=Counter)
    endpoints: Counter[str] = field(default_factory=Counter)
    providers: set[str] = field(default_factory=set)


class _Refused(Counter[str]):
    """How often each reason to refuse a request holds, and its first lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, list[int]] = {}

    def at(self, line: int, reason: str) -> None:
        self[reason] += 1
        self.lines.setdefault(reason, []).append(line)

    def text(self) -> str:
        """Return the reasons with their lines."""
        shown = [
            f"{reason} ({'line' if len(lines) == 1 else 'lines'} {some(list(map(str, lines)))})"
            for reason, lines in list(self.lines.items())[:_MAX_REASONS]
        ]
        return "; ".join(shown)


def survey(path: Path, limits: Limits) -> Survey:
    """Return what a file holds, after checking that all of it can be converted to one job's input.

    Raises:
        OSError: it cannot be read.
        ReconcilerError: it cannot be converted.
    """
    found, refused = Survey(changed=_differs(path)), _Refused()
    for line, raw, request in _requests(path, limits):
        if isinstance(request, str):
            refused.at(line, request)
            continue
        found.requests += 1
        found.providers.add(request.provider)
        found.models[request.model] += 1
        found.endpoints[request.endpoint] += 1
        found.changed = found.changed or _encoded(request) != msgspec.json.format(raw, indent=-1)
    if refused:
        raise ReconcilerError(
            f"{path.name}: {pluralize(refused.total(), 'request')} cannot be converted: {refused.text()}",
            hint="change or remove them in the file, and convert it again; nothing was written",
        )
    if not found.requests:
        raise ReconcilerError(f"{path.name} holds no request", hint="each line is one request")
    body = next((it.body for it in WRAPPERS if it.provider in found.providers), _OWN.body)
    _check_one(path, found.models, "model", f".{body}.model")
    _check_one(path, found.endpoints, "endpoint", ".url")
    if not found.changed:
        raise ReconcilerError(
            f"{path.name} is in this tool's form already", hint="name it in `input_files` of a spec"
        )
    return found


def converted(path: Path, limits: Limits) -> Iterator[bytes]:
    """Yield the lines of the converted file, each with its line feed, after a `survey` of it.

    Raises:
        OSError: it cannot be read.
        ReconcilerError: it has changed since.
    """
    for _, _, request in _requests(path, limits):
        if isinstance(request, str):
            raise ReconcilerError(f"{path.name} changed while it was read", hint="convert it again")
        yield _encoded(request) + b"\n"


def suggested_spec(path: str, found: Survey) -> str:
    """Return a spec for a converted file, whose path is relative to the spec."""
    name = scalar(slug(Path(path).stem) or "converted")
    endpoint = next(iter(found.endpoints)) or CHAT
    model = next(iter(found.models))
    chosen = f"model: {model}" if re.fullmatch(r"[A-Za-z][\w.:/-]*", model) else "model: mistral-small-2603"
    note = "  # as in the file; a job needs a model of Mistral" if model else "  # the file names none"
    return f"name: {name}\nendpoint: {endpoint}\n{chosen}{note}\ninput_files: [{scalar(path)}]\n"


def _check_one(path: Path, found: Mapping[str, int], what: str, jq: str) -> None:
    if len(found) > 1:
        named = ", ".join(f"{clean(name) or 'none'} ({number:,})" for name, number in sorted(found.items()))
        one = shlex.quote(clean(f"select({jq} == {json.dumps(next(iter(found)))})"))
        raise ReconcilerError(
            f"{path.name} names {len(found)} {what}s, and a job has one: {named}",
            hint=f"write a file for each, for example with jq: jq -c {one} {shlex.quote(path.name)}",
        )


def _encoded(request: Request) -> bytes:
    whole = msgspec.json.encode({"custom_id": request.custom_id, "body": request.body})
    return msgspec.json.format(whole, indent=-1)


def _differs(path: Path) -> bool:
    """Return whether a file differs from this tool's form as a whole.

    Raises:
        ReconcilerError: it is not JSON at all.
    """
    with open_to_read(path, buffering=0) as stream:
        head = stream.read(_HEAD)
        stream.seek(0)
        form = of_file(stream, path.name)
    if form and form.kind not in _CONVERTED:
        raise ReconcilerError(f"{path.name}: {form.kind.message}{form.more}", hint=form.kind.hint)
    return form is not None or head.startswith(BOM_UTF8) or b"\r\n" in head


def _requests(path: Path, limits: Limits) -> Iterator[tuple[int, bytes, Request | str]]:
    """Yield the line, the text, and the request or the reason why it cannot be converted, of every object."""
    with open_to_read(path, buffering=0) as stream:
        if stream.read(len(BOM_UTF8)) != BOM_UTF8:
            stream.seek(0)
        try:
            for line, text in objects(stream, limits.line_bytes):
                for raw in _unpacked(text):
                    yield line, raw, _request(raw)
        except ObjectError as error:
            raise ReconcilerError(
                f"{path.name}:{error.line}: {error}", hint="the file holds JSON objects, one for each request"
            ) from error


def _unpacked(text: bytes) -> Iterator[bytes]:
    """Yield an object, or what it holds if it is the whole call of Anthropic's API: `{"requests": […]}`."""
    try:
        keys = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        inner = msgspec.json.decode(keys["requests"], type=list[msgspec.Raw]) if len(keys) == 1 else []
    except (KeyError, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        inner = []
    yield from [bytes(memoryview(it)) for it in inner] or [text]


def _request(raw: bytes) -> Request | str:
    try:
        raw.decode()
        given = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        return _of_keys(raw, given)
    except NotConvertibleError as error:
        return str(error)
    except UnicodeDecodeError:
        return "not UTF-8"
    except (msgspec.DecodeError, RecursionError):
        return "not valid JSON"


def _of_keys(raw: bytes, given: dict[str, Any]) -> Request:
    if _dropped_a_key(raw, given):
        raise NotConvertibleError("a duplicate key in one object")
    if holds_result(given.keys()):
        raise NotConvertibleError("this is a result, not a request")
    wrapper = wrapper_of(given.keys()) or _OWN
    if given.keys() - wrapper.marks - {wrapper.id, wrapper.body}:
        raise NotConvertibleError(f"a key that {wrapper.provider}'s format does not have")
    custom_id = msgspec.json.decode(given[wrapper.id]) if wrapper.id in given else None
    if not isinstance(custom_id, str) or not custom_id:
        raise NotConvertibleError(f"`{wrapper.id}` is missing, empty or not text")
    text = bytes(memoryview(given.get(wrapper.body, b"null")))
    body: Body = msgspec.json.decode(text, type=dict[str, msgspec.Raw]) if text.startswith(b"{") else {}
    if not text.startswith(b"{") or _dropped_a_key(text, body):
        raise NotConvertibleError(f"`{wrapper.body}` is not an object, or repeats a key")
    model = msgspec.json.decode(body.pop("model")) if "model" in body else ""
    if not isinstance(model, str):
        raise NotConvertibleError("`model` is not text")
    endpoint = _endpoint(given) if "url" in wrapper.marks else CHAT if wrapper is not _OWN else ""
    convert = CONVERTERS.get(wrapper.provider)
    body = convert(body, endpoint) if convert else body
    return Request(custom_id, body, model, endpoint, wrapper.provider)


def _dropped_a_key(raw: bytes, given: dict[str, Any]) -> bool:
    """Whether decoding an object dropped one of two equal keys. A difference in length may also be an escaped key."""
    whole = msgspec.json.format(msgspec.json.encode(given), indent=-1)
    return len(whole) != len(msgspec.json.format(raw, indent=-1)) and repeats_a_key(raw)


def _endpoint(given: Mapping[str, msgspec.Raw]) -> str:
    url, method = (msgspec.json.decode(given[key]) if key in given else None for key in ("url", "method"))
    found = re.search(r"/v1/[!-~]+", url) if isinstance(url, str) else None
    if found is None or found[0] not in KNOWN_ENDPOINTS:
        raise NotConvertibleError("`url` is missing, or no endpoint of Mistral's batches")
    if method not in (None, "POST"):  # a tuple: it may be a list
        raise NotConvertibleError("`method` is not POST")
    return found[0]
