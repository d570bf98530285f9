"""Digests decide whether money is spent: their forms are pinned here, number by number."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import Checks, InlineRequests, InputFile, JobSpec, TableRows, UploadedFile, digests
from reconciler.model.digests import MAX_SAFE_INTEGER, Json, canonical
from tests.helpers.make import sha, spec

# Golden vectors. If one of these numbers changes, the tool submits every job again: never bless them.

FILE = "sha256:" + "0" * 64
OTHER = "file:0f9d1b6e-0000-4000-8000-000000000001"
INLINE = "requests:" + "f" * 64


INPUTS = {
    (): "v1:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
    (FILE,): "v1:88c79367850f5af2657f7f92cb3f7b2001e08fbd686904322efc169cdbac1b38",
    (FILE, OTHER, INLINE): "v1:77d10f7302100c81b70a148d9f6a944ade95000c501810187d8ea8d92b51f713",
}


@pytest.mark.parametrize(("inputs", "digest"), INPUTS.items())
def test_the_digest_of_inputs_is_pinned(inputs: tuple[str, ...], digest: str) -> None:
    assert digests.inputs_v1(inputs) == digest


def test_the_digest_of_a_models_work_is_pinned() -> None:
    digest = digests.work_v1(
        endpoint="/v1/chat/completions", model="mistral-small-latest", agent_id=None, inputs=[FILE]
    )
    assert digest == "v1:d5aa5411d8b723911dfe0207e571565fbc874a9e1aec81366c4f9b9ea2ac60b7"


def test_the_digest_of_an_agents_work_is_pinned() -> None:
    digest = digests.work_v1(
        endpoint="/v1/agents/completions", model=None, agent_id="ag-1", inputs=[INLINE, OTHER]
    )
    assert digest == "v1:e208bdbb2a8e08405239a12f88dc62c77ed460d767ecfd3f93342d0dd1e2816c"


def test_the_digest_of_plain_settings_is_pinned() -> None:
    digest = digests.settings_v1(timeout_hours=24, metadata={}, on_remove="cancel")
    assert digest == "v1:4338b34f6313e16e0292862f83ee27384bd2abdfabd39b8025b8a15450c21152"


def test_the_digest_of_labelled_settings_is_pinned() -> None:
    metadata = {"team": "Zoë", "a": "\u2028\U0001f600"}
    digest = digests.settings_v1(timeout_hours=168, metadata=metadata, on_remove="keep")
    assert digest == "v1:3ea52ed441f5668639ea6580f6876cc21d9992b5ec72ad352653437c2edc707c"


def test_every_version_that_a_job_may_carry_is_still_there() -> None:
    assert list(digests.WORK_DIGESTS)[:1] == ["v1"]
    assert digests.WORK_DIGESTS["v1"] is digests.work_v1


def test_a_digest_is_what_its_documentation_says() -> None:
    inputs = digests.inputs_v1([FILE])
    written = f'{{"agent_id":null,"endpoint":"/v1/x","inputs":"{inputs}","model":"m"}}'
    made = digests.work_v1(endpoint="/v1/x", model="m", agent_id=None, inputs=[FILE])
    assert made == "v1:" + sha(written)
    assert digests.version_of(made) == "v1"
    assert digests.inputs_v1([OTHER, FILE]) == "v1:" + sha(f'["{OTHER}","{FILE}"]')


# What the digests see.


def test_neither_the_order_nor_the_names_of_inputs_matter() -> None:
    one = InputFile(path="a.jsonl", sha256=sha("1"), size=1, requests=1)
    moved = InputFile(path="b/c.jsonl", sha256=sha("1"), size=1, requests=1)
    two = UploadedFile(id="0f9d1b6e-0000-4000-8000-000000000001")
    assert spec("a", inputs=(one, two)).run_key == spec("b", inputs=(two, moved)).run_key


def test_it_does_not_matter_whether_a_content_is_here_or_at_a_uri() -> None:
    here = InputFile(path="a.jsonl", sha256=sha("1"), size=1, requests=1)
    there = InputFile(
        path="s3://lake/b", uri="s3://lake/b", manifest="m.json", sha256=sha("1"), size=0, pointer=True
    )
    assert spec(inputs=(here,)).run_key == spec(inputs=(there,)).run_key
    tables = [
        TableRows(
            kind="sql", files=(it,), sql="select", views={"t": (it.path,)}, custom_id="{{a}}", body=b"{}"
        )
        for it in (here, there)
    ]
    assert spec(inputs=(tables[0],)).run_key == spec(inputs=(tables[1],)).run_key


def test_how_often_an_input_is_listed_matters() -> None:
    assert digests.inputs_v1([FILE, FILE]) != digests.inputs_v1([FILE])


def test_a_file_an_id_and_inline_requests_are_never_mistaken_for_one_another() -> None:
    text = sha("x")
    same = (
        InputFile(path="x", sha256=text, size=1, requests=1),
        UploadedFile(id=text),
        InlineRequests(body=b"x", count=1),
    )
    assert len({spec(inputs=(part,)).run_key for part in same}) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (spec(), spec(endpoint="/v1/embeddings")),
        (spec(), spec(model="mistral-large-latest")),
        (spec(), spec(model=None, agent_id="mistral-small-latest")),
        (spec(work="w1"), spec(work="w2")),
        (spec(), spec(rerun="2")),
    ],
    ids=["endpoint", "model", "agent", "inputs", "rerun"],
)
def test_each_part_of_the_work_makes_another_identity(one: JobSpec, other: JobSpec) -> None:
    assert one.run_key != other.run_key


def test_what_accompanies_the_work_is_no_part_of_it() -> None:
    plain = spec()
    for other in (
        spec(timeout_hours=1),
        spec(metadata={"team": "x"}),
        spec(on_remove="keep"),
    ):
        assert other.run_key == plain.run_key
        assert other.settings != plain.settings
    for other in (
        spec(name="z"),
        spec(suspend=True),
        spec(checks=Checks(failed=1.0)),
        spec(on_change="finish"),
    ):
        assert (other.run_key, other.settings) == (plain.run_key, plain.settings)


# RFC 8785.


def test_the_example_of_rfc_8785_is_spelled_as_there() -> None:
    """Section 3.2.2, its input and its result."""
    value = json.loads(
        r"""{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
        }"""
    )
    assert (
        canonical(value)
        == (
            r'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            r'"string":"€$\u000f\nA' + "'" + r'B\"\\\\\"/"}'
        ).encode()
    )


def test_keys_are_sorted_by_their_utf_16_code_units() -> None:
    """Section 3.2.3, its example: an emoji sorts before a Hebrew presentation form."""
    order = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical(dict.fromkeys(reversed(order))))) == order


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_the_numbers_of_rfc_8785_are_spelled_as_there(bits: str, text: str) -> None:
    """Appendix B: IEEE 754 bits and their text."""
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(number) == text.encode()


def test_every_control_character_is_spelled_as_rfc_8785_says() -> None:
    short = {8: r"\b", 9: r"\t", 10: r"\n", 12: r"\f", 13: r"\r"}
    for code in range(32):
        spelled = short.get(code, rf"\u{code:04x}")
        assert canonical(chr(code)) == f'"{spelled}"'.encode()
    assert canonical("\x7f\u2028") == '"\x7f\u2028"'.encode()


texts = st.text(st.characters(codec="utf-8"))
numbers = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


words = st.text(st.characters(exclude_categories=["Cs"]))


def digest_of(value: Json) -> str:
    return f"v1:{sha(canonical(value).decode())}"


@given(
    words,
    words | st.none(),
    words | st.none(),
    st.lists(words),
    st.dictionaries(words, words),
    st.integers(1, 999),
)
def test_every_digest_is_that_of_canonical_json(  # noqa: PLR0917 - hypothesis gives them
    endpoint: str,
    model: str | None,
    agent: str | None,
    inputs: list[str],
    metadata: dict[str, str],
    hours: int,
) -> None:
    of_inputs = digests.inputs_v1(inputs)
    assert of_inputs == digest_of(sorted(inputs))
    made = digests.work_v1(endpoint=endpoint, model=model, agent_id=agent, inputs=inputs)
    assert made == digest_of({"endpoint": endpoint, "model": model, "agent_id": agent, "inputs": of_inputs})
    made = digests.settings_v1(timeout_hours=hours, metadata=metadata, on_remove="keep")
    assert made == digest_of({"timeout_hours": hours, "metadata": metadata, "on_remove": "keep"})


@given(values)
def test_canonical_json_is_that_of_the_rfc8785_package(value: Json) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_those_of_the_rfc8785_package(number: float) -> None:
    assert canonical(number) == rfc8785.dumps(number)
    assert float(canonical(number)) == number


def read(text: bytes) -> Json:
    """Read JSON as RFC 8785 means it: every number is a double."""
    value: Json = json.loads(text, parse_int=float)
    return value


@given(values)
def test_canonical_json_means_what_it_spells(value: Json) -> None:
    assert read(canonical(value)) == value


@given(values)
def test_canonical_json_has_one_spelling(value: Json) -> None:
    text = canonical(value)
    assert canonical(read(text)) == text


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 2**53, -(2**53), "\ud800", {"\udfff": 1}, ["\ud800"]]
)
def test_what_rfc_8785_cannot_represent_is_refused(value: Json) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical(value)


def test_the_largest_exact_integer_is_taken() -> None:
    assert canonical([MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER]) == b"[9007199254740991,-9007199254740991]"


@pytest.mark.parametrize(("value", "text"), [((), b"[]"), ({}, b"{}"), ([[], {}], b"[[],{}]")])
def test_what_is_empty_is_spelled_short(value: Sequence[Json] | Mapping[str, Json], text: bytes) -> None:
    assert canonical(value) == text


def test_a_hash_is_lower_case_hexadecimal() -> None:
    assert digests.sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
