"""Keys of requests: what changes them, what does not, and the numbers that are pinned."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.requests.keys import BYTES_VERSION, MAX_DEPTH, VERSION, identify

MODEL = "mistral-small-latest"

# Golden vectors. If one of these numbers changes, the tool submits requests again: never bless them.
PINNED = {
    '{"custom_id":"1","body":{}}': "455172bd7dc6bb289bd43f3ec9648d83",
    '{"custom_id":"é\\ud83d\\ude00","body":{"input":["a","\\u0007"],"n":null}}': "3bf1f36463347e09c6e2f713687df9fe",
    '{"custom_id":"1","body":{"temperature":0.20,"n":1e3,"x":-0.0,"y":1e21}}': "c054b191f0dd407bd1da517c5fcc3740",
    '{"custom_id":"1","body":{"model":"mistral-small-latest"}}': "455172bd7dc6bb289bd43f3ec9648d83",
    '{"custom_id":"1","body":{"model":"mistral-large-latest"}}': "05dd709d68d4f3765c32c20cd90038f1",
    '{"custom_id":"1","body":{"\\ufb33":1,"\\ud83d\\ude00":2}}': "701d5cec37dd3d299dd946045e04f461",
    '{"custom_id":"1","body":{"seed":9007199254740991}}': "e7900e27d98b0933abe3f23d5f95114e",
    '{"custom_id":"1","body":{"seed":9007199254740992}}': "ff6320c995a8c548879268ff611cde6b",
    '{"custom_id":"1","body":{"a":1,"a":1}}': "080d9107ac9cc313e12984ac81b6126a",
}


def request_key(line: bytes, model: str | None) -> bytes:
    return identify(line, model)[1]


@pytest.mark.parametrize(("line", "key"), PINNED.items())
def test_keys_are_pinned(line: str, key: str) -> None:
    assert request_key(line.encode(), MODEL).hex() == key


def plainly(line: str, model: str | None) -> bytes:
    """What the definition says, by another implementation of RFC 8785."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(found)) < len(found):
            raise ValueError("a key twice")
        return dict(found)

    try:
        row = json.loads(line, object_pairs_hook=pairs)
        body = {k: v for k, v in row["body"].items() if k != "model" or model is None or v != model}
        data = VERSION + rfc8785.dumps({"custom_id": row["custom_id"], "body": body})
    except ValueError:
        data = BYTES_VERSION + line.encode()
    return hashlib.sha256(data).digest()[:16]


KEYS = st.text(st.characters(codec="utf-8"), max_size=3) | st.sampled_from(
    ["model", "\ufb33", "\U0001f600", "é", '"', "\\", "\ue000", "\uffff", "a"]
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ["0" * 16, '"', "\\u0022", MODEL, "[{" * 60, "\x7f", "\u2028"]
)
NUMBERS = (
    st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([2**53 - 1, 2**53, -(2**53), 0.1, 1e16, 1e21, 1e-7, 5e-324, -0.0, 10**400])
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(KEYS, VALUES, max_size=4) | st.fixed_dictionaries(
    {"model": st.sampled_from([MODEL, "other", None])}
)


def shuffled(value: Any, seed: random.Random) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        items = [(key, shuffled(each, seed)) for key, each in value.items()]
        seed.shuffle(items)
        return dict(items)
    return [shuffled(each, seed) for each in value] if isinstance(value, list) else value


def escaped(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return JSON with every character of its texts as an escape."""
    if isinstance(value, str):
        units = value.encode("utf-16-be").hex()
        return '"' + "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)) + '"'
    if isinstance(value, dict):
        return "{" + ",".join(f"{escaped(key)} : {escaped(each)}" for key, each in value.items()) + "}"
    return "[" + ",".join(map(escaped, value)) + "]" if isinstance(value, list) else json.dumps(value)


@given(custom_id=TEXTS, body=BODIES, model=st.sampled_from([MODEL, None]), ascii_=st.booleans())
@example(custom_id="1", body={"\ufb33": 1, "\U0001f600": 2}, model=None, ascii_=True)
@example(custom_id="1", body={"a": 2**53 - 1, "b": 1e16}, model=None, ascii_=False)
def test_a_key_is_the_digest_of_rfc_8785(
    custom_id: str, body: dict[str, Any], model: str | None, *, ascii_: bool
) -> None:
    line = json.dumps({"custom_id": custom_id, "body": body}, ensure_ascii=ascii_)
    assert request_key(line.encode(), model) == plainly(line, model)


@given(custom_id=TEXTS, body=BODIES, seed=st.integers())
def test_spaces_order_escapes_and_an_equal_model_change_nothing(
    custom_id: str, body: dict[str, Any], seed: int
) -> None:
    row = {"custom_id": custom_id, "body": body}
    line = json.dumps(row, ensure_ascii=False).encode()
    decoded, key = identify(line, MODEL)
    if decoded is None:
        return  # by its bytes
    at = random.Random(seed)
    other = shuffled(row, at)
    for written in (
        json.dumps(other),
        json.dumps(other, indent=1).replace("\n", " "),
        json.dumps(other, separators=(",", ":"), ensure_ascii=False) + " ",
        escaped(other),
    ):
        assert request_key(written.encode(), MODEL) == key
    without = {name: value for name, value in body.items() if name != "model"}
    with_model = {"custom_id": custom_id, "body": without | {"model": MODEL}}
    assert request_key(json.dumps(with_model).encode(), MODEL) == request_key(
        json.dumps(with_model | {"body": without}).encode(), MODEL
    )


@given(rows=st.lists(st.tuples(TEXTS, BODIES), min_size=2, max_size=2), model=st.sampled_from([MODEL, None]))
def test_anything_else_changes_the_key(rows: list[tuple[str, dict[str, Any]]], model: str | None) -> None:
    one, two = ({"custom_id": name, "body": body} for name, body in rows)
    keys = {request_key(json.dumps(each).encode(), model) for each in (one, two)}
    canonical = {plainly(json.dumps(each), model) for each in (one, two)}
    assert len(keys) == len(canonical)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ('{"custom_id":"1","body":{"a":1}}', '{"custom_id":"1","body":{"a":"1"}}'),
        ('{"custom_id":"1","body":{"a":1}}', '{"custom_id":"2","body":{"a":1}}'),
        ('{"custom_id":"1","body":{"a":[1,2]}}', '{"custom_id":"1","body":{"a":[2,1]}}'),
        ('{"custom_id":"1","body":{"a":null}}', '{"custom_id":"1","body":{}}'),
        ('{"custom_id":"1","body":{"a":true}}', '{"custom_id":"1","body":{"a":1}}'),
        ('{"custom_id":"1","body":{"a":"é"}}', '{"custom_id":"1","body":{"a":"e\\u0301"}}'),
        ('{"custom_id":"1","body":{"a":1,"a":2}}', '{"custom_id":"1","body":{"a":2}}'),
    ],
)
def test_these_are_different_requests(one: str, two: str) -> None:
    assert request_key(one.encode(), None) != request_key(two.encode(), None)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"[]",
        b'{"custom_id":"1"}',
        b'{"custom_id":1,"body":{}}',
        b'{"custom_id":"1","body":[]}',
        b'{"custom_id":"1","body":{"a":NaN}}',
        b'{"custom_id":"1","body":{"a":1e400}}',
        b'{"custom_id":"1","body":{"a":"\\ud83d"}}',
        b'{"custom_id":"1","body":{"a":"\xff"}}',
        b'{"custom_id":"1","body":{"a":1,"\\u0061":1}}',
        b'{"custom_id":"1","custom_id":"1","body":{}}',
        b'{"custom_id":"1","body":{"a":"\\u0022","b":"x","b":"x"}}',
        b'{"custom_id":"1","body":{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}}",
        b'{"custom_id":"1","body":{"a":' + b"[" * 100_000,
        '{"custom_id":"1","body":{}}'.encode("utf-16"),
    ],
)
def test_a_line_without_a_canonical_form_is_identified_by_its_bytes(line: bytes) -> None:
    assert request_key(line, None) == hashlib.sha256(BYTES_VERSION + line).digest()[:16]


def test_brackets_in_text_are_no_nesting() -> None:
    line = json.dumps({"custom_id": "1", "body": {"input": "[" * 500 + '"{'}})
    assert request_key(line.encode(), None) == plainly(line, None)
