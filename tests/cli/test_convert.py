"""Batch files in the shapes that people have: each is converted to a valid file, or refused with one message."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.stage import Stage

CHAT = "/v1/chat/completions"
USER = {"role": "user", "content": "Bonjour \u2028 ça va?"}
PIXEL = "iVBORw0KGgo" * 60_000
"""An image, as text of 660 kB."""


def openai(number: int, url: str = CHAT, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    given = body or {"model": "gpt-4o-mini", "messages": [USER], "max_tokens": 50}
    return {"custom_id": f"r-{number}", "method": "POST", "url": url, "body": given}


def anthropic(number: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    params = {"model": "claude-3-5-haiku-latest", "max_tokens": 64, "messages": [USER], **more}
    return {"custom_id": f"r-{number}", "params": params}


def gemini(number: int, *parts: Any, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    contents = [{"role": "user", "parts": list(parts) or [{"text": "Hello"}]}]
    return {"key": f"r-{number}", "request": {"contents": contents, **more}}


def bedrock(number: int, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"recordId": f"REC{number:08}", "modelInput": body}


def own(number: int) -> dict[str, Any]:
    return {"custom_id": f"r-{number}", "body": {"messages": [USER]}}


def lines(*rows: object, end: str = "\n") -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + end for row in rows).encode()


def pretty(rows: Iterable[object]) -> bytes:
    return "\n".join(json.dumps(row, indent=2) for row in rows).encode()


LARGE_IMAGE = [
    {"role": "user", "content": [{"type": "image_url", "image_url": f"data:image/png;base64,{PIXEL}"}]}
]
FILES: dict[str, bytes] = {
    "OpenAI": lines(*map(openai, range(3))),
    "OpenAI without a last line feed": lines(*map(openai, range(3))).rstrip(),
    "OpenAI with a byte order mark": b"\xef\xbb\xbf" + lines(*map(openai, range(3))),
    "OpenAI with CRLF": lines(*map(openai, range(3)), end="\r\n"),
    "OpenAI with CR alone": lines(*map(openai, range(3)), end="\r"),
    "OpenAI with blank lines": lines(openai(1), end="\n\n") + lines(openai(2)),
    "OpenAI with long lines": lines(*(openai(at, model="gpt-4o", messages=LARGE_IMAGE) for at in range(2))),
    "OpenAI over several lines": pretty(map(openai, range(3))),
    "OpenAI as an array": lines(list(map(openai, range(3)))),
    "OpenAI as an array over several lines": json.dumps(list(map(openai, range(3))), indent=4).encode(),
    "OpenAI embeddings": lines(openai(1, "/v1/embeddings", model="text-embedding-3-small", input="x")),
    "OpenAI's names of fields": lines(openai(1, messages=[USER], max_completion_tokens=9, seed=7)),
    "the form of OpenAI for Mistral's own endpoint": lines(
        openai(1, "/v1/ocr", model="mistral-ocr-latest", document={"type": "document_url", "document_url": "x"})
    ),
    "Anthropic": lines(anthropic(1, system="Be brief."), anthropic(2, stop_sequences=["."])),
    "Anthropic's blocks": lines(
        anthropic(
            1,
            system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aa"}},
                        {"type": "text", "text": "What is it?"},
                    ],
                }
            ],
        )
    ),
    "the call of Anthropic's API": json.dumps({"requests": [anthropic(1), anthropic(2)]}, indent=2).encode(),
    "Gemini": lines(
        gemini(1, systemInstruction={"parts": [{"text": "Be brief."}]}, generation_config={"max_output_tokens": 9}),
        gemini(2, {"inline_data": {"mime_type": "image/png", "data": "aa"}}, {"text": "What is it?"}),
    ),
    "Bedrock": lines(bedrock(1, anthropic_version="bedrock-2023-05-31", max_tokens=9, messages=[USER])),
    "Bedrock with a model of Mistral": lines(bedrock(1, messages=[USER], max_tokens=9)),
    "this tool's requests over several lines": pretty([own(1), own(2)]),
    "this tool's requests as an array": lines([own(1), own(2)]),
}  # fmt: skip
REFUSED: dict[str, tuple[bytes, str]] = {
    "a method that is a list": (lines({**openai(1), "method": ["POST"]}), "`method` is not POST (line 1)"),
    "a url that is an object": (lines({**openai(1), "url": {}}), "`url` is missing"),
    "a role that is a list": (
        lines({"key": "k", "request": {"contents": [{"role": ["user"], "parts": [{"text": "Hi"}]}]}}),
        "a message has a role other than `user` and `model`",
    ),
    "bytes that are no text": (b'{"a\xed": 1}\n', "in.jsonl:1: not UTF-8"),
    "brackets without an end": (b'{"a": ' + b"[" * 5000, "in.jsonl"),
    "results of OpenAI": (
        lines({"id": "b", "custom_id": "r-1", "response": {"status_code": 200, "body": {}}, "error": None}),
        "this is a result, not a request (line 1)",
    ),
    "results of Anthropic": (lines({"custom_id": "r-1", "result": {"type": "succeeded"}}), "this is a result"),
    "results of Bedrock": (lines({"recordId": "1", "modelInput": {}, "modelOutput": {}}), "this is a result"),
    "several models": (
        lines(openai(1), openai(2), openai(3, model="gpt-4o", messages=[USER])),
        "names 2 models, and a job has one: gpt-4o (1), gpt-4o-mini (2)",
    ),
    "several endpoints": (
        lines(openai(1, model="m", input="x", url="/v1/embeddings"), openai(2, model="m", messages=[USER])),
        "names 2 endpoints",
    ),
    "a field without a counterpart": (
        lines(openai(1), openai(2, messages=[USER], logit_bias={}), openai(3, messages=[USER], logit_bias={})),
        "a known counterpart at Mistral: `logit_bias` (lines 2, 3)",
    ),
    "an endpoint that Mistral does not have": (lines(openai(1, "/v1/responses", input="x")), "`url` is missing, or"),
    "tools of Anthropic": (lines(anthropic(1, tools=[])), "`tools` (line 1)"),
    "a document of Anthropic": (
        lines(anthropic(1, messages=[{"role": "user", "content": [{"type": "document"}]}])),
        "content other than text and images (line 1)",
    ),
    "Gemini without keys": (lines({"request": {"contents": []}}), "`key` is missing, empty or not text (line 1)"),
    "tools of Gemini": (lines(gemini(1, tools=[])), "`tools` (line 1)"),
    "a schema for Gemini": (
        lines(gemini(1, generationConfig={"responseSchema": {}})),
        "`generationConfig.responseSchema` (line 1)",
    ),
    "a file for Gemini": (
        lines(gemini(1, {"fileData": {"fileUri": "gs://x"}})),
        "content other than text and images (line 1)",
    ),
    "audio for Gemini": (
        lines(gemini(1, {"inlineData": {"mimeType": "audio/wav", "data": "aa"}})),
        "content other than text and images (line 1)",
    ),
    "a role of Gemini": (
        lines({"key": "1", "request": {"contents": [{"role": "function", "parts": []}]}}),
        "a role other than `user` and `model` (line 1)",
    ),
    "messages that are no list": (lines(anthropic(1, messages="Hi")), "no list of messages (line 1)"),
    "a message with more than text": (
        lines(anthropic(1, messages=[{**USER, "name": "Ada"}])),
        "`messages.name` (line 1)",
    ),
    "two names of one field": (
        lines(openai(1, messages=[USER], max_tokens=1, max_completion_tokens=2)),
        "two fields of the body have the same meaning (line 1)",
    ),
    "a GET": (lines({**openai(1), "method": "GET"}), "`method` is not POST (line 1)"),
    "an unknown key": (lines({**openai(1), "priority": 1}), "a key that OpenAI's format does not have (line 1)"),
    "a body that is text": (lines({**openai(1), "body": "x"}), "`body` is not an object (line 1)"),
    "a model that is a number": (lines(openai(1, model=4, messages=[USER])), "`model` is not text (line 1)"),
    "blocks for Bedrock": (
        lines(bedrock(1, messages=[{"role": "user", "content": [{"text": "x"}]}])),
        "a message whose content is not text (line 1)",
    ),
    "another model of Bedrock": (lines(bedrock(1, inputText="x")), "it has no `messages` (line 1)"),
    "a number as an id": (lines({**openai(1), "custom_id": 7}), "`custom_id` is missing, empty or not text (line 1)"),
    "two equal keys": (
        lines(openai(1)) + b'{"custom_id":"2","method":"POST","url":"/v1/ocr","body":{"a":1},"body":{}}\n',
        "in.jsonl:2: a duplicate key in one object",
    ),
    "two equal keys in a message": (
        b'{"custom_id":"2","url":"/v1/chat/completions","body":{"messages":[{"role":"user","role":"system"}]}}\n',
        "in.jsonl:1: a duplicate key in one object",
    ),
    "two equal keys in a body": (
        b'{"custom_id":"2","method":"POST","url":"/v1/ocr","body":{"a":1,"a":2}}\n',
        "in.jsonl:1: a duplicate key in one object",
    ),
    "this tool's form": (lines(own(1), own(2)), "is in this tool's form already"),
    "a broken line": (lines(openai(1)) + b'{"custom_id":\n' + lines(own(3)), "in.jsonl:2: an object that does not end"),
    "half a character": (b'{"custom_id":"1","url":"/v1/ocr","body":{"a":"\\ud800"}}\n', "JSON cannot hold (line 1)"),
    "a number beyond a double": (b'{"custom_id":"1","url":"/v1/ocr","body":{"a":1e400}}', "JSON cannot hold (line 1)"),
    "text after a value": (lines(openai(1)).replace(b"}}", b"}]}"), "in.jsonl:1: not valid JSON"),
    "an object that does not end": (pretty([openai(1), openai(2)])[:-3], "in.jsonl:16: an object that does not end"),
    "text between objects": (pretty([openai(1)]) + b"\nand\n" + pretty([openai(2)]), "in.jsonl:16: not a JSON object"),
    "CSV": (b"id,text\n1,hello\n2,world\n", "the file is CSV, not JSONL"),
    "gzip": (gzip.compress(lines(openai(1)), mtime=0), "the file is not text (gzip)"),
    "UTF-16": (lines(openai(1)).decode().encode("utf-16"), "the file is UTF-16, not UTF-8"),
    "UTF-16 without a byte order mark": (lines(openai(1)).decode().encode("utf-16-le"), "the file is UTF-16"),
    "an empty file": (b"", "holds no request"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_a_file_is_named_as_what_it_is_and_converted_to_a_valid_one(stage: Stage, case: str) -> None:
    (stage.root / "in.jsonl").write_bytes(FILES[case])
    stage.spec("one")
    (stage.root / "specs/data/one.jsonl").write_bytes(FILES[case])
    assert one_problem(stage, "specs/data/one.jsonl")
    result = stage.run("convert", "in.jsonl", "-o", "specs/data/one.jsonl")
    assert (result.code, result.out) == (1, "")
    assert "error: specs/data/one.jsonl exists" in result.err
    result = stage.run("convert", "in.jsonl", "-o", "specs/new.jsonl")
    assert (result.code, result.out) == (0, ""), result.err
    spec = re.sub(
        "(?m)^ {4}|model: .*", lambda found: "model: m" * (":" in found[0]), result.err.split("it:\n")[1]
    )
    (stage.root / "specs/one.yaml").write_text(spec)
    (stage.root / "specs/data/one.jsonl").unlink()
    valid = stage.run("validate")
    assert valid.code == 0, valid.err
    assert stage.run("convert", "in.jsonl").out.encode() == (stage.root / "specs/new.jsonl").read_bytes()


def one_problem(stage: Stage, path: str) -> bool:
    """Whether `validate` names one problem of a file, once, with a hint."""
    named = [line for line in stage.run("validate").err.splitlines() if line.startswith(path)]
    return len(named) == len({re.sub(r":\d+:? ", ": ", line) for line in named}) and 1 <= len(named) <= 2


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_converted_is_refused_with_one_message_and_nothing_is_written(
    stage: Stage, case: str
) -> None:
    data, message = REFUSED[case]
    (stage.root / "in.jsonl").write_bytes(data)
    for argv in (("-o", "out.jsonl"), ()):
        result = stage.run("convert", "in.jsonl", *argv)
        assert (result.code, result.out) == (1, "")
        assert message in result.err
        assert len(result.err.splitlines()) == 2, "the error and its hint"
        assert not (stage.root / "out.jsonl").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a permission")
def test_a_link_is_not_written_through(stage: Stage) -> None:
    (stage.root / "in.jsonl").write_bytes(FILES["OpenAI"])
    (stage.root / "out.jsonl").symlink_to("elsewhere.jsonl")
    assert stage.run("convert", "in.jsonl", "-o", "out.jsonl").code == 1
    assert not (stage.root / "elsewhere.jsonl").exists()


def test_values_are_kept(stage: Stage) -> None:
    body = '{"messages":[{"role":"user","content":"a/b é"}],"temperature":0.1,"random_seed":18446744073709551617}'
    stage.write("in.jsonl", f'{{"custom_id":"1","url":"{CHAT}","body":{body}}}\n')
    assert stage.run("convert", "in.jsonl").out == f'{{"custom_id":"1","body":{body}}}\n'


def test_the_messages_of_anthropic_and_gemini_become_messages_of_mistral(stage: Stage) -> None:
    def bodies(case: str) -> list[Any]:
        (stage.root / "in.jsonl").write_bytes(FILES[case])
        return [json.loads(line)["body"] for line in stage.run("convert", "in.jsonl").out.split("\n") if line]

    image = {"type": "image_url", "image_url": "data:image/png;base64,aa"}
    question = {"role": "user", "content": [image, {"type": "text", "text": "What is it?"}]}
    brief = [{"type": "text", "text": "Be brief."}]
    assert bodies("Anthropic") == [
        {"max_tokens": 64, "messages": [{"role": "system", "content": "Be brief."}, USER]},
        {"max_tokens": 64, "stop": ["."], "messages": [USER]},
    ]
    assert bodies("Anthropic's blocks") == [
        {"max_tokens": 64, "messages": [{"role": "system", "content": brief}, question]}
    ]
    assert bodies("Gemini") == [
        {
            "max_tokens": 9,
            "messages": [
                {"role": "system", "content": brief},
                {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
            ],
        },
        {"messages": [question]},
    ]


def test_a_message_of_the_developer_is_one_of_the_system(stage: Stage) -> None:
    rows = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": '"developer"'}]
    (stage.root / "in.jsonl").write_bytes(lines(openai(1, messages=rows)))
    (converted,) = stage.run("convert", "in.jsonl").out.splitlines()
    assert json.loads(converted)["body"]["messages"] == [{**rows[0], "role": "system"}, rows[1]]


def test_what_a_file_says_is_quoted_in_commands_to_copy(stage: Stage) -> None:
    name = "a b'$(x).jsonl"
    (stage.root / name).write_bytes(
        lines(openai(1, model="'; touch x; '", messages=[USER]), openai(2, model='"', messages=[USER]))
    )
    hint = stage.run("convert", name).err.splitlines()[1]
    _, jq, flag, select, file = shlex.split(hint.partition("with ")[2])
    assert (jq, flag, file) == ("jq", "-c", name)
    assert select == "select(.body.model == \"'; touch x; '\")"


def test_a_million_characters_are_split_at_any_boundary(stage: Stage) -> None:
    rows = [openai(at, model="m", messages=[{"role": "user", "content": '}{"\\' * at}]) for at in range(1200)]
    (stage.root / "in.json").write_bytes(pretty(rows))
    found = [json.loads(line) for line in stage.run("convert", "in.json").out.split("\n") if line]
    assert [it["body"]["messages"] for it in found] == [row["body"]["messages"] for row in rows]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
LAYOUTS: dict[str, Callable[[list[Any]], str]] = {
    "lines": lambda rows: "".join(json.dumps(row) + "\n" for row in rows),
    "lines with CRLF": lambda rows: "".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in rows),
    "array": json.dumps,
    "array over several lines": lambda rows: json.dumps(rows, indent=2),
    "several lines": lambda rows: "\n".join(json.dumps(row, indent=1, ensure_ascii=False) for row in rows),
    "one line": lambda rows: " ".join(map(json.dumps, rows)),
}


@given(
    st.lists(st.dictionaries(st.text(max_size=8), JSON, max_size=3), min_size=1, max_size=4),
    st.sampled_from(sorted(LAYOUTS)),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_body_is_the_same_in_every_layout(stage: Stage, bodies: list[dict[str, Any]], layout: str) -> None:
    for body in bodies:
        body.pop("model", None)
    rows = [{**openai(at, "/v1/ocr"), "body": body} for at, body in enumerate(bodies)]
    (stage.root / "in.jsonl").write_bytes(LAYOUTS[layout](rows).encode("utf-8", "surrogatepass"))
    result = stage.run("convert", "in.jsonl")
    assert result.code == 0, result.err
    assert [json.loads(line) for line in result.out.split("\n") if line] == [
        {"custom_id": f"r-{at}", "body": body} for at, body in enumerate(bodies)
    ]


@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from([*'{}[]":,\\', "\n", "custom_id", "params", "1"])).map(
        lambda it: "".join(it).encode()
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_converted_or_refused_and_never_a_traceback(stage: Stage, data: bytes) -> None:
    (stage.root / "in.jsonl").write_bytes(data)
    result = stage.run("convert", "in.jsonl")
    assert result.code in (0, 1)
    assert (result.out == "") == (result.code == 1)
    assert result.err.startswith("error: ") == (result.code == 1)
