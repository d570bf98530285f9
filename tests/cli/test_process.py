"""Real processes against the sandbox over HTTP: two at once, interrupted, killed, piped, on odd terminals."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.helpers.thorough import thorough

from .processes import CREATE, JOBS, KEY, LIST, PATIENCE, POSIX, ROOT, UPLOAD, Gate, Shop, finish, gated


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[tuple[Gate, str]]:
    with gated(tmp_path) as both:
        yield both


@pytest.fixture
def gate(workspace: tuple[Gate, str]) -> Gate:
    return workspace[0]


@pytest.fixture
def shop(workspace: tuple[Gate, str], tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop", workspace[1])


def test_readmes_first_command_creates_the_jobs_and_the_second_time_changes_nothing(tmp_path: Path) -> None:
    command = "reconciler apply specs --sandbox --yes"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    shop = Shop(tmp_path, "")
    kept = ("PATH", "PYTHONPATH", "SYSTEMROOT")
    shop.environ = {name: shop.environ[name] for name in kept if name in shop.environ}
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    shutil.copy(ROOT / "reconciler.yaml", tmp_path)
    first = shop.run(*command.split()[1:])
    assert (first.code, first.out.splitlines()[-1]) == (0, "5 created")
    second = shop.run(*command.split()[1:])
    assert (second.code, second.out.count("\n"), second.out[:11]) == (0, 1, "No changes.")
    assert "5 jobs in the workspace, 5 from this project · 5 unchanged" in second.out


@contextmanager
def sandbox_process(shop: Shop) -> Iterator[None]:
    """Serve a sandbox from a process of its own, and point the shop's commands at it."""
    server = shop.start("sandbox", "serve", "--port", "0", "--db", "served.db", "--lenient")
    try:
        assert server.stdout is not None
        found = re.match(rb"sandbox on (http://127\.0\.0\.1:\d+) ", server.stdout.readline())
        assert found
        shop.url = shop.environ["MISTRAL_BASE_URL"] = found[1].decode()
        yield
    finally:
        server.terminate()
        server.communicate(timeout=PATIENCE)
    assert server.returncode != 1


def test_sandbox_server_is_a_process_that_other_processes_reach(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "")
    shop.specs(1)
    for path in shop.root.rglob("*.yaml"):
        path.write_text(re.sub("model: .*", "model: of-the-future", path.read_text()))
    with sandbox_process(shop):
        assert shop.run("apply", "--yes").out.endswith("1 created\n")


def test_second_apply_on_this_host_is_refused_while_the_first_is_at_work(gate: Gate, shop: Shop) -> None:
    names = shop.specs(2)
    gate.close(CREATE)
    first = shop.start("apply", "--yes")
    gate.wait_for(CREATE, 1)
    second = shop.run("apply", "--yes")
    assert (second.code, second.out) == (1, "")
    assert re.search(r"error: another apply is running on this target \(run \w{12} on ", second.err)
    assert shop.run("plan").code == 0
    gate.open()
    assert finish(first).code == 0
    assert shop.live() == names


@pytest.mark.thorough
def test_two_clones_at_once_leave_one_live_job_each_after_the_next_apply(
    gate: Gate, shop: Shop, tmp_path: Path
) -> None:
    names = shop.specs(3)
    shutil.copytree(shop.root, tmp_path / "clone")
    other = Shop(tmp_path / "clone", shop.url)
    gate.close(CREATE)
    both = [one.start("apply", "--yes") for one in (shop, other)]
    gate.wait_for(CREATE, 3)  # so both have read an empty workspace
    gate.open()
    ended = [finish(process) for process in both]
    assert {done.code for done in ended} == {0}
    assert shop.run("apply", "--yes").code == 0
    time.sleep(0.6)  # a cancelled job takes half a second to stop
    assert shop.live() == names
    assert other.run("apply", "--yes").out.startswith("No changes.")


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), thorough(signal.SIGTERM, 143)])
def test_signal_lets_what_is_in_flight_end_and_the_next_run_does_the_rest(
    gate: Gate, shop: Shop, number: signal.Signals, code: int
) -> None:
    names = shop.specs(5)
    gate.close(CREATE, after=1)
    process = shop.start("apply", "--yes")
    gate.wait_for(CREATE, 3)
    process.send_signal(number)
    assert process.stderr is not None
    received = b""
    while b"stopping: requests in flight are finished, no new ones are sent\n" not in received:
        received += process.stderr.readline()
    gate.open()
    done = finish(process)
    assert done.code == code
    assert done.out.splitlines()[-1] == "3 created, 2 not done"
    assert done.out.count("create: the run was asked to stop") == 2
    assert f'"signal": "{number.name}"' in done.err
    assert f'"exit_code": {code}' in done.err
    assert len(shop.live()) == 3
    rest = shop.run("apply", "--yes")
    assert (rest.code, rest.out.splitlines()[-1]) == (0, "2 created")
    assert shop.live() == names


@POSIX
@pytest.mark.thorough
def test_second_signal_leaves_at_once(gate: Gate, shop: Shop) -> None:
    shop.specs(1)
    gate.close(CREATE)
    process = shop.start("apply", "--yes")
    gate.wait_for(CREATE, 1)
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    while b"stopping" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize(
    ("command", "reads", "last"),
    [
        (("apply", "--yes"), 0, "Interrupted. Nothing was done.\n"),
        thorough(("apply", "--yes"), 1, "Interrupted. Nothing was done.\n"),
        thorough(("plan",), 1, "interrupted\n"),
        thorough(("wait",), 1, "Stopped watching. Jobs keep running.\n"),
    ],
)
def test_signal_while_nothing_was_sent_yet_ends_the_run_at_once(
    gate: Gate, shop: Shop, command: tuple[str, ...], reads: int, last: str
) -> None:
    shop.specs(1)
    headers = {"Authorization": f"Bearer {KEY}"}
    body = {"agent_id": "ag:1", "endpoint": "/v1/ocr", "requests": [{"custom_id": "a", "body": {}}]}
    with httpx.Client(base_url=shop.url, headers=headers) as client:
        for _ in range(201 * reads):  # three pages: the later ones are read by threads
            client.post(JOBS, json=body).raise_for_status()
    gate.close(LIST, after=reads)
    process = shop.start(*command)
    gate.wait_for(LIST, 1 + 2 * reads)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.code == 130
    assert time.monotonic() - began < 5
    shown = [
        line for line in done.err.splitlines() if not line.startswith("{")
    ]  # a read in the background may log its end
    assert f"{shown[-1]}\n" == last
    assert done.out == ""


@POSIX
@pytest.mark.parametrize("arrives", [True, thorough(False)])
def test_killed_run_is_completed_by_the_next_without_duplicates(
    gate: Gate, shop: Shop, arrives: bool
) -> None:
    names = shop.specs(4)
    gate.close(CREATE, after=1)
    process = shop.start("apply", "--yes")
    gate.wait_for(CREATE, 3)
    process.kill()
    process.communicate(timeout=PATIENCE)
    if arrives:  # what was on its way when the process died comes true
        gate.open()
        deadline = time.monotonic() + PATIENCE
        while len(shop.jobs()) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(shop.jobs()) == 3
    else:
        gate.lose(CREATE)
        gate.open()
        shop.settle(600)
        first = shop.run("apply", "--yes", "--format", "json")
        held = [
            action["reason"]
            for decision in json.loads(first.out)["plan"]["decisions"]
            for action in decision["actions"]
        ]
        assert held.count("unsettled") == 2
    shop.settle(0)
    assert shop.run("apply", "--yes").code == 0
    assert sorted(job["name"] for job in shop.jobs()) == names
    assert shop.live() == names


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize(
    "whole", [thorough(False), True], ids=["half an upload", "an upload without an answer"]
)
def test_run_that_was_killed_while_it_uploads_leaves_no_job_and_the_next_makes_one(
    gate: Gate, shop: Shop, whole: bool
) -> None:
    (name,) = shop.specs(1, requests=3)
    if not whole:  # more than all buffers on the way hold
        line = '{"custom_id": "%d", "body": {"input": "%s"}}\n'
        shop.write(f"specs/{name}.jsonl", "".join(line % (number, "x" * 200_000) for number in range(80)))
    content = (shop.root / f"specs/{name}.jsonl").read_bytes()
    gate.close(UPLOAD, whole=whole)
    process = shop.start("apply", "--yes")
    gate.wait_for(UPLOAD, 1)
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert shop.jobs() == []
    gate.open()
    deadline = time.monotonic() + PATIENCE
    while whole and not shop.uploads() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(shop.uploads()) == whole
    shop.settle(0)
    second = shop.run("apply", "--yes")
    assert second.code == 0, second.err
    assert ("input.reused" in second.err) == whole, "what arrived is used, and half of it never was a file"
    (job,) = shop.jobs()
    assert job["name"] == name
    from mistralai.client import Mistral  # only here: it takes a second

    with Mistral(api_key=KEY, server_url=shop.url) as sdk:
        (used,) = sdk.batch.jobs.get(job_id=job["id"]).input_files
        assert [used] == shop.uploads()
        assert sdk.files.download(file_id=used).read() == content
    assert shop.run("plan", "--detailed-exitcode").code == 0


@pytest.mark.thorough
def test_ledger_that_a_crash_tore_is_read_to_its_last_whole_line(shop: Shop) -> None:
    names = shop.specs(2)
    assert shop.run("apply", "--yes").code == 0
    (ledger,) = (shop.root / ".reconciler").rglob("ledger.jsonl")
    with ledger.open("ab") as file:
        file.write(b'{"v": 1, "kind": "create_inten')
    assert shop.run("apply", "--yes").out.startswith("No changes.")
    shop.specs(3)
    assert shop.run("apply", "--yes").code == 0
    assert shop.live() == [*names, "job-2"]


# pipes, streams and terminals


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize(
    "command",
    ["plan --format json", thorough("status"), thorough("schema event"), thorough("--help")],
)
def test_reader_that_goes_away_is_no_error(shop: Shop, command: str) -> None:
    shop.specs(3, requests=2)
    script = f'"{sys.executable}" -m reconciler {command} | true; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", script], cwd=shop.root, env=shop.environ, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize("reader", ["true", thorough("head -1")])
def test_apply_finishes_if_its_output_is_not_read(shop: Shop, reader: str) -> None:
    names = shop.specs(2)
    script = f'"{sys.executable}" -m reconciler apply --yes | {reader}; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", script], cwd=shop.root, env=shop.environ, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert shop.live() == names


@POSIX
@pytest.mark.thorough
def test_exit_code_is_right_if_the_output_is_not_read(shop: Shop) -> None:
    shop.specs(1)
    script = f'"{sys.executable}" -m reconciler plan --detailed-exitcode | true; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", script], cwd=shop.root, env=shop.environ, capture_output=True, check=False
    )
    assert done.returncode == 2


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_disk_under_stdout_is_reported_before_anything_is_created(shop: Shop) -> None:
    shop.specs(1)
    for command in (("plan", "--format", "json"), ("apply", "--yes")):
        with Path("/dev/full").open("wb") as full:
            done = shop.run(*command, stdout=full)
        assert done.code == 1
        assert "error: stdout cannot be written: No space left on device" in done.err
        assert "Exception ignored" not in done.err
    assert shop.jobs() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.thorough
def test_full_disk_under_stderr_stops_nothing(shop: Shop) -> None:
    names = shop.specs(1)
    with Path("/dev/full").open("wb") as full:
        done = shop.run("apply", "--yes", stderr=full)
    assert (done.code, done.out.splitlines()[-1]) == (0, "1 created")
    assert shop.live() == names


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize("closed", [thorough(">&-"), thorough("2>&-"), "<&- >&- 2>&-"])
def test_streams_that_are_closed_stop_nothing(shop: Shop, closed: str) -> None:
    names = shop.specs(1)
    script = f'"{sys.executable}" -m reconciler apply --yes {closed}'
    done = subprocess.run(
        ["bash", "-c", script], cwd=shop.root, env=shop.environ, capture_output=True, check=False
    )
    assert (done.returncode, shop.live()) == (0, names)
    assert b"Traceback" not in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize(
    "environ",
    [
        {"LC_ALL": "C", "PYTHONIOENCODING": ""},
        thorough({"PYTHONIOENCODING": "ascii:strict"}),
        thorough({"PYTHONIOENCODING": "cp437", "TERM": "dumb", "COLUMNS": "20"}),
    ],
    ids=str,
)
def test_output_is_utf8_whatever_the_locale_says(shop: Shop, environ: dict[str, str]) -> None:
    shop.write("specs/größe.jsonl", '{"custom_id": "ä", "body": {"input": ["ü"]}}\n')
    fields = "endpoint: /v1/embeddings\nmodel: mistral-embed\ninput_files: [größe.jsonl]\n"
    shop.write("specs/größe.yaml", f"name: size\n{fields}")
    shop.environ.update(environ)
    planned = shop.run("plan")
    assert planned.code == 0
    assert "create  size  new · 1 request · ≈ $0.00" in planned.out
    assert "mistral-embed on /v1/embeddings · uploads specs/größe.jsonl (47 bytes)" in planned.out
    shop.write("specs/größe.yaml", f"name: size\n{fields}grösse: 1\n")
    refused = shop.run("validate")
    assert refused.code == 1
    assert "specs/größe.yaml:5:1: grösse: unknown field" in refused.err


@POSIX
def test_folder_that_is_gone_is_reported(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'rmdir "{gone}"; "{sys.executable}" -m reconciler plan'
    environ = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=gone, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "error: the current folder cannot be used" in done.stderr


# a person at a terminal


ON_TERMINAL = (
    "import fcntl, os, sys, termios as t; fcntl.ioctl(0, t.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""A program that makes its stdin the terminal that Ctrl-C is typed on, and becomes another."""


def converse(shop: Shop, *argv: str, answers: Iterable[tuple[str, str]]) -> tuple[int, str]:
    """Run a command on a pseudo-terminal, and type each answer when its question is read."""
    terminal, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, sys.executable, "-m", "reconciler", *argv],
        cwd=shop.root, env=shop.environ | {"RECONCILER_LOG_LEVEL": ""},
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said, left = b"", list(answers)
    deadline = time.monotonic() + PATIENCE
    with suppress(OSError):  # the other side has gone
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 0.3)[0]:  # it has said all, and waits
                if left and left[0][0].encode() in said:
                    os.write(terminal, left.pop(0)[1].encode())
            elif piece := os.read(terminal, 4096):
                said += piece
            else:
                break
    os.close(terminal)
    return process.wait(PATIENCE), said.decode().replace("\r\n", "\n")


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize(
    ("answer", "code", "reported", "live"),
    [
        ("y\n", 0, "1 created", ["job-0"]),
        thorough("n\n", 0, "Nothing was done.", []),
        thorough("\n", 0, "Nothing was done.", []),
        thorough("\x04", 0, "Nothing was done.", []),
        thorough("\x03", 130, "Interrupted. Nothing was done.", []),
    ],
    ids=["yes", "no", "nothing", "Ctrl-D", "Ctrl-C"],
)
def test_apply_asks_on_a_terminal_and_only_yes_is_yes(
    shop: Shop, answer: str, code: int, reported: str, live: list[str]
) -> None:
    shop.specs(1)
    ended, said = converse(shop, "apply", answers=[("[y/N]", answer)])
    where, size = shop.url.partition("://")[2], (shop.root / "specs/job-0.jsonl").stat().st_size
    would = f"1 to create · would submit 4 requests (sandbox-stuck), cost ?, upload up to {size} bytes"
    assert f"Apply this on {where} ({would})? [y/N]" in said
    assert "\x1b[32m+ create" in said
    assert reported in said
    assert (ended, shop.live()) == (code, live)


@POSIX
@pytest.mark.thorough
def test_cancel_by_hand_asks_on_a_terminal(shop: Shop) -> None:
    shop.specs(1)
    shop.run("apply", "--yes")
    (job,) = shop.jobs()
    ended, said = converse(shop, "jobs", "cancel", job["id"], answers=[("[y/N]", "n\n")])
    assert (ended, shop.live()) == (0, ["job-0"])
    assert f"Cancel job-0 ({job['id']})? [y/N]" in said
    ended, said = converse(shop, "jobs", "cancel", job["id"], answers=[("[y/N]", "y\n")])
    assert ended == 0
    assert f"{job['id']} CANCELLATION_REQUESTED" in said


@POSIX
@pytest.mark.thorough
def test_no_change_is_one_line_on_a_terminal(shop: Shop) -> None:
    shop.specs(1)
    shop.run("apply", "--yes")
    ended, said = converse(shop, "plan", answers=[])
    assert (ended, said.count("\n"), said[:11]) == (0, 1, "No changes.")


@POSIX
@pytest.mark.thorough
def test_ctrl_c_while_waiting_says_that_jobs_keep_running(shop: Shop) -> None:
    shop.specs(1, requests=3000)
    shop.run("apply", "--yes")
    ended, said = converse(shop, "wait", answers=[("job-0", "\x03")])
    assert ended == 130
    assert said.endswith("Stopped watching. Jobs keep running.\n")
    assert shop.live() == ["job-0"]


# the official SDK


def test_job_that_this_tool_created_reads_back_through_the_official_sdk(shop: Shop) -> None:
    from mistralai.client import Mistral  # only here: it takes a second

    shop.specs(1, requests=3)
    assert shop.run("apply", "--yes").code == 0
    with Mistral(api_key=KEY, server_url=shop.url) as sdk:
        listed = sdk.batch.jobs.list(metadata={"reconciler.name": "job-0"}).data
        assert listed
        (job,) = listed
        assert job.metadata is not None
        assert {key for key in job.metadata if key.startswith("reconciler.")} == {
            "reconciler.project",
            "reconciler.name",
            "reconciler.work",
            "reconciler.inputs",
            "reconciler.settings",
            "reconciler.run",
            "reconciler.source",
        }
        assert (job.endpoint, job.model) == ("/v1/embeddings", "sandbox-stuck")
        sent = sdk.files.download(file_id=job.input_files[0]).read()
        assert sent == (shop.root / "specs/job-0.jsonl").read_bytes()
        assert sdk.batch.jobs.get(job_id=job.id).metadata == job.metadata
