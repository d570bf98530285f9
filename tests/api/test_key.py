from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.api.key import ApiKey, ApiKeyError, read_headers, read_key
from reconciler.errors import ReconcilerError

from .stage import SECRET


def test_a_key_is_shown_only_by_reveal(caplog: pytest.LogCaptureFixture) -> None:
    key = ApiKey(SECRET)
    logging.getLogger("test").warning("%s %r", key, {"key": key})
    printed = [str(key), repr(key), f"{key}", f"{key!r:>20}", repr([key]), caplog.text]
    assert not [text for text in printed if SECRET in text]
    assert key.reveal() == SECRET


def test_a_key_that_is_repeated_to_us_is_taken_out() -> None:
    assert ApiKey(SECRET).redact(f"no such key: {SECRET}!") == "no such key: Key(…)!"


def test_a_word_that_serves_as_the_key_of_a_sandbox_may_be_said() -> None:
    assert ApiKey("sandbox").redact("the sandbox") == "the sandbox"


def test_a_key_is_written_nowhere() -> None:
    for attempt in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(ApiKey(SECRET))


def test_the_environment_gives_the_key() -> None:
    assert read_key(environ={"MISTRAL_API_KEY": SECRET}, file=None).reveal() == SECRET


def test_a_file_beats_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(SECRET, encoding="ascii")
    assert read_key(environ={"MISTRAL_API_KEY": "other"}, file=path).reveal() == SECRET


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_one_line_break_behind_the_key_is_dropped(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "key"
    path.write_bytes((SECRET + ending).encode())
    assert read_key(environ={}, file=path).reveal() == SECRET
    assert read_key(environ={"MISTRAL_API_KEY": SECRET + ending}, file=None).reveal() == SECRET


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFO in the file system")
def test_a_fifo_will_do(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    feeder = threading.Thread(target=path.write_text, args=(SECRET + "\n",))
    feeder.start()
    assert read_key(environ={}, file=path).reveal() == SECRET
    feeder.join()


def test_no_key_at_all_says_where_to_put_one() -> None:
    with pytest.raises(ReconcilerError, match="no API key") as caught:
        read_key(environ={}, file=None)
    assert "MISTRAL_API_KEY" in caught.value.hint
    assert "--api-key-file" in caught.value.hint


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(ReconcilerError, match=f"{path.name}: the API key cannot be read") as caught:
            read_key(environ={"MISTRAL_API_KEY": SECRET}, file=path)
        assert caught.value.hint


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "\n",
        f"{SECRET}\n\n",
        f"{SECRET}\nHost: evil",
        f"Bearer {SECRET}",
        f" {SECRET}",
        f"{SECRET}\0",
        "clé",
    ],
)
def test_a_key_that_cannot_stand_in_a_header_is_refused_unseen(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(bad.encode())
    for environ, file in (({}, path), ({"MISTRAL_API_KEY": bad}, None)):
        with pytest.raises(ReconcilerError) as caught:
            read_key(environ=environ, file=file)
        assert SECRET not in f"{caught.value} {caught.value.hint} {caught.value!r}"
        assert caught.value.hint


@pytest.mark.parametrize("key", ["Sk-Very-Distinctive-0123456789", 'Sk-with"quote/and\\slash-0123'])
@pytest.mark.parametrize("case", [str, str.lower, str.upper])
def test_a_body_loses_the_key_in_any_case_and_as_json_writes_it(key: str, case: Callable[[str], str]) -> None:
    held = ApiKey(key)
    for text in (key, json.dumps(key)[1:-1], json.dumps(key)[1:-1].replace("/", "\\/")):
        shown = held.redact_body(f'{{"a": "x{case(text)}y"}}'.encode()).decode()
        assert shown == '{"a": "xKey(…)y"}'
        assert held.redact(f"x{case(text)}y") == "xKey(…)y"


@pytest.mark.parametrize("length", range(30))
def test_a_body_that_was_cut_inside_the_key_ends_before_it(length: int) -> None:
    key = "Sk-Very-Distinctive-0123456789"
    shown = ApiKey(key).redact_body(b"<html>" + key[:length].lower().encode())
    assert shown == (b"<html>" if length > 3 else b"<html>" + key[:length].lower().encode())


def test_a_body_of_a_short_key_stays_as_it_is() -> None:
    assert ApiKey("sandbox").redact_body(b"the sandbox, sand") == b"the sandbox, sand"


GATEWAY = "gw-Zq7xN0tAReAlToken42"


def test_headers_are_read_one_a_line() -> None:
    text = f"X-Gateway-Key: {GATEWAY}\n\n  \nx-team:search and ads\t\r\n"
    assert read_headers(text) == {"X-Gateway-Key": GATEWAY, "x-team": "search and ads"}
    assert read_headers("") == {}


@pytest.mark.parametrize(
    "line",
    [
        GATEWAY,
        f": {GATEWAY}",
        f"X Y: {GATEWAY}",
        f"X: {GATEWAY}\x00",
        f"X: {GATEWAY}é",
        "X:",
        f" X: {GATEWAY}",
    ],
)
def test_a_line_that_is_no_header_is_named_and_not_shown(line: str) -> None:
    with pytest.raises(ApiKeyError, match="line 2 of RECONCILER_HEADERS") as caught:
        read_headers(f"X-Team: search\n{line}")
    assert GATEWAY not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "name", ["Authorization", "HOST", "content-length", "Range", "Accept-Encoding", "Te"]
)
def test_a_header_that_this_tool_sets_is_refused(name: str) -> None:
    with pytest.raises(
        ApiKeyError, match=r"line 1 of RECONCILER_HEADERS .*one that this tool sets itself"
    ) as caught:
        read_key(environ={"MISTRAL_API_KEY": SECRET, "RECONCILER_HEADERS": f"{name}: {GATEWAY}"}, file=None)
    assert GATEWAY not in f"{caught.value} {caught.value.hint}"


def test_headers_are_sent_with_the_key_and_taken_out_of_errors_but_not_out_of_jobs() -> None:
    environ = {"MISTRAL_API_KEY": SECRET, "RECONCILER_HEADERS": f"X-Gateway-Key: {GATEWAY}"}
    key = read_key(environ=environ, file=None)
    assert key.headers() == {"X-Gateway-Key": GATEWAY, "Authorization": f"Bearer {SECRET}"}
    assert key.redact(f"{SECRET} {GATEWAY.upper()}") == "Key(…) Key(…)"
    assert key.redact_body(GATEWAY.encode()) == GATEWAY.encode(), (
        "a team's name may be a header, and in its tags"
    )


@pytest.mark.parametrize(
    ("environ", "source"),
    [
        ({}, "command"),
        ({"MISTRAL_API_KEY": ""}, "command"),
        ({"MISTRAL_API_KEY": "the-variable"}, "variable"),
    ],
)
def test_a_command_gives_the_key_if_nothing_else_does(
    tmp_path: Path, environ: dict[str, str], source: str
) -> None:
    environ["RECONCILER_KEY_COMMAND"] = "print-key"
    assert read_key(environ=environ, file=None, run=lambda: "the-command\n").reveal() == f"the-{source}"
    (tmp_path / "key").write_text("the-file")
    assert read_key(environ=environ, file=tmp_path / "key", run=lambda: "x").reveal() == "the-file"
    if source == "command":
        with pytest.raises(ApiKeyError):
            read_key(environ=environ, file=None)
        with pytest.raises(ApiKeyError, match="the output of RECONCILER_KEY_COMMAND is empty"):
            read_key(environ=environ, file=None, run=lambda: "\n")
