"""The key from a command, and the headers of a gateway: from the environment, and in nothing that is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from reconciler.api.key import ApiKeyError
from reconciler.cli.session.connect import key_from_command
from tests.cli.stage import Fault, Result, Stage

KEY = "Sk-Very-Distinctive-0123456789-Key"
TOKEN = "Gw-Very-Distinctive-0123456789-Token"  # noqa: S105  made up

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside of the project."""
    return tmp_path_factory.mktemp("outside")


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def shop(stage: Stage, served: str) -> Stage:
    stage.environ = {"USER": "ada", "MISTRAL_BASE_URL": served}
    stage.spec("one")
    return stage


def run(stage: Stage, *argv: str) -> Result:
    return stage.run(*argv, "--log-level", "debug", "--log-file", "diary.jsonl")


def written(stage: Stage, *results: Result) -> str:
    files = [path.read_bytes() for path in stage.root.rglob("*") if path.is_file()]
    return b"".join(files).decode(errors="replace") + "".join(it.out + it.err for it in results)


def test_the_output_of_a_command_is_the_key_and_is_written_nowhere(
    shop: Stage, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(outside / "print-key", f"env > {outside}/seen; pwd >> {outside}/seen; echo {KEY}")
    monkeypatch.setenv("PATH", f"{outside}:/usr/bin:/bin")
    shop.environ |= {
        "RECONCILER_KEY_COMMAND": "print-key --field 'the key'",
        "RECONCILER_LEDGER_HEADER": "AUTHORIZATION: basic dG9rZW4=",
        "VAULT_TOKEN": "for-the-command",
    }
    done = run(shop, "apply", "--yes")
    assert (done.code, len(done.writes)) == (0, 2), done.err
    assert {it.headers["authorization"] for it in done.sent} == {f"Bearer {KEY}"}
    assert KEY not in written(shop, done)
    seen = (outside / "seen").read_text().splitlines()
    assert {"VAULT_TOKEN=for-the-command", "/"} <= set(seen)
    assert not [line for line in seen if line.startswith("RECONCILER_")]
    (outside / "seen").unlink()
    assert shop.run("validate").code == 0
    assert not (outside / "seen").exists()


def test_a_command_that_gives_no_key_is_reported_without_what_it_printed(shop: Stage, outside: Path) -> None:
    for body, words in {
        f"echo {KEY}; echo {KEY} >&2; exit 7": "ended with exit code 7",
        f"echo {KEY}; echo {KEY}": "contains a space, a line break",
        "true": "is empty",
    }.items():
        shop.environ["RECONCILER_KEY_COMMAND"] = str(script(outside / "program", body))
        done = run(shop, "plan")
        assert (done.code, done.sent) == (1, [])
        assert "RECONCILER_KEY_COMMAND" in done.err
        assert words in done.err
        assert KEY not in written(shop, done)


def test_a_command_that_does_not_end_is_ended_and_its_output_is_in_no_error(outside: Path) -> None:
    program = script(outside / "program", f"echo {KEY}; exec sleep 20")
    environ = {"RECONCILER_KEY_COMMAND": str(program)}
    with pytest.raises(ApiKeyError, match=r"did not end within 0\.3 s") as caught:
        key_from_command(environ, outside / "project", timeout_seconds=0.3)
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)


def test_a_program_of_the_checkout_or_a_relative_one_is_not_run(shop: Stage, outside: Path) -> None:
    inside = script(shop.root / "print-key", f"touch {outside}/ran; echo {KEY}")
    for text, words in {
        str(inside): "names a program of the checkout",
        "./print-key": "names no program",
        "print-key": "names no program",
        "no-such-program": "names no program",
        "'print": "is not a command line",
        " ": "is not a command line",
    }.items():
        shop.environ["RECONCILER_KEY_COMMAND"] = text
        done = shop.run("plan")
        assert (done.code, done.sent, words in done.err) == (1, [], True), done.err
    assert not (outside / "ran").exists()


def test_headers_of_a_gateway_are_sent_to_it_and_written_nowhere(shop: Stage) -> None:
    shop.environ |= {"MISTRAL_API_KEY": KEY, "RECONCILER_HEADERS": f"X-Gateway-Key: {TOKEN}\nX-Team: search"}
    done = run(shop, "apply", "--yes")
    assert done.code == 0, done.err
    assert {(it.headers["x-gateway-key"], it.headers["x-team"]) for it in done.sent} == {(TOKEN, "search")}
    body = json.dumps({"message": f"token {TOKEN.lower()} is not known"}).encode()
    shop.faults.append(Fault("GET", "/v1/batch/jobs", 403, body=body, times=9))
    refused = run(shop, "plan")
    assert refused.code == 1
    assert "is not known" in refused.err
    assert TOKEN.lower() not in written(shop, done, refused).lower()
