"""Run a case through the real entry of the command line, and say what is wrong with what it did."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from reconciler.cli.main import run
from reconciler.environment import Environment
from reconciler.errors import ExitCode
from tests.api.server import Server
from tests.fuzz.answers import Changer, hub, raw_answer
from tests.fuzz.case import Case, write
from tests.fuzz.mutate import SECRET
from tests.fuzz.state import HOST, SERVER, Clock, end_of, environment, files_of, is_state, write_plain

Entry: TypeAlias = Callable[[Sequence[str], Environment], int]

_CONTROL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What may not reach a terminal."""
DATA: Final = {"json", "jsonl", "convert"}
"""Words of commands whose output is data."""
WRITTEN: Final = {"specs", "settings", "policies", "defaults"}
"""Families of files that people write: a valid value is repeated, even if it is the key."""
OWN: Final = {"plans", "ledger", "inputs"}
"""Families of files of this tool, in which the key is only if a case put it there, and of data: names are shown."""
_OWN: Final = {"project", "outside", "server", "home", "runner"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that a command may not do."""

    kind: str
    """Alike findings have the same."""
    detail: str


def execute(case: Case, folder: Path, entry: Entry = run) -> list[Finding]:
    """Run a case in an empty folder, and return what is wrong."""
    root = folder / "project"
    given = files_of(case.state)
    write_plain(root, given)
    write_plain(folder, {"outside/victim": b"mine\n"})
    write(root, case.files)
    before = {path: _read(root / path) for path in {*given, *case.files} - {SERVER} if not is_state(path)}
    clock = Clock(end_of(case.state))
    changer = Changer(case.answers, case.target, clock)
    environ = {name: it.replace("@", str(folder)) for name, it in case.environ.items()}
    found: list[Finding] = []
    with ExitStack() as stack:
        if case.family == "ci":
            hub().seeds, hub().count = case.answers, 0
            environ["GITHUB_API_URL"] = hub().url
            changer.answers = {}
        if case.family == "sockets":
            import random

            rng = random.Random(case.answers.get(-1, 0))
            server = stack.enter_context(Server(*(raw_answer(rng) for _ in range(12))))
            environ["MISTRAL_BASE_URL"] = server.url
        for number, command in enumerate(case.commands):
            env = environment(root, clock, 100 + number, environ=environ, change=changer)
            if environ.get("MISTRAL_BASE_URL", HOST) != HOST:
                env = _in_real_time(env)
            found += _command(case, command, env, entry)
    rerun = any(command[0] == "rerun" for command in case.commands)
    for path, content in before.items():
        if _read(root / path) != content and not (rerun and path.startswith("specs/")):
            found.append(Finding(kind="changed", detail=f"{path} was changed"))
    found += _outside(folder)
    for below in (root, folder / "runner"):
        for name in ("plan.json", "out.json", "comment.md", "out.log", ".reconciler", "reconciler"):
            if case.family not in OWN:
                found += _leaks(below / name, {str(root / it) for it in case.files})
    return found


def _in_real_time(env: Environment) -> Environment:
    """Return an environment whose clock moves while a socket waits, and jumps if a command waits."""
    from dataclasses import replace

    jumped = Clock(0.0)
    return replace(
        env,
        now=lambda: time.time() + jumped.now,
        monotonic=lambda: time.monotonic() + jumped.now,
        sleep=jumped.sleep,
    )


def _read(path: Path) -> bytes | None:
    with suppress(OSError, ValueError):
        if path.is_file() and path.stat().st_size < 5_000_000:
            return path.read_bytes()
    return None


def _command(case: Case, command: tuple[str, ...], env: Environment, entry: Entry) -> Iterator[Finding]:
    """Run one command, and yield what is wrong with its end and its output."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    code: int | None = None
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = entry(command, env)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is a finding
        yield Finding(
            kind=f"crash {type(error).__name__} {_place(error)}", detail=f"{command}\n{_trace(error)}"
        )
    for stream in (out, err):
        stream.flush()
    shown, said = (stream.buffer.getvalue().decode("utf-8", "replace") for stream in (out, err))
    what = f"{' '.join(command)}: exit {code}\n{(shown + said)[-3000:]}"
    for kind, wrong in _wrong(case, command, code, shown, said).items():
        if wrong:
            yield Finding(kind=kind, detail=what)


def _wrong(
    case: Case, command: tuple[str, ...], code: int | None, shown: str, said: str
) -> dict[str, object]:
    """Return what can be wrong with a command, and whether it is."""
    both, word, failed = shown + said, command[0], code == ExitCode.FAILED
    may_repeat = case.family in WRITTEN and word != "validate" and not failed
    may_repeat |= any(
        SECRET.encode() in it
        for it in case.files.values()
        if case.family == "results" and isinstance(it, bytes)
    )
    error = re.search("^error: ", said, re.MULTILINE)
    return {
        f"secret {word}": SECRET.lower() in both.lower() and case.family not in OWN and not may_repeat,
        f"traceback {word}": "Traceback (most recent call last)" in both,
        f"control {word}": _CONTROL.search(both if DATA.isdisjoint(command) else said),
        f"exit code {code}": code is not None and code not in set(ExitCode),
        f"silence {word}": failed and not both.strip(),
        f"no file {_first(said)}": failed
        and both.strip()
        and case.named
        and not any(name in both for name in case.named),
        f"no hint {_first(said)}": error and "hint:" not in said,
        f"not JSON {word}": "json" in command and shown and not _is_json(shown),
    }


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _first(said: str) -> str:
    """Return the first error without what is different each time."""
    line = next((line for line in said.splitlines() if line.startswith("error: ")), "")
    return re.sub(r"[0-9]+|'.*'|/\S+", "…", line)[:60]


def _place(error: BaseException) -> str:
    frames = [it for it in traceback.extract_tb(error.__traceback__) if "/reconciler/" in it.filename]
    return f"{frames[-1].filename.partition('/reconciler/')[2]}:{frames[-1].name}" if frames else ""


def _trace(error: BaseException) -> str:
    frames = [it for it in traceback.extract_tb(error.__traceback__) if "/reconciler/" in it.filename]
    return (
        "".join(traceback.format_list(frames)[-8:]) + "".join(traceback.format_exception_only(error))[-1000:]
    )


def _outside(folder: Path) -> Iterator[Finding]:
    """Yield what was written outside of the project."""
    there = {it.name for it in folder.iterdir()}
    if there - _OWN or [it.name for it in (folder / "outside").iterdir()] != ["victim"]:
        yield Finding(kind="outside", detail=f"{sorted(there)}, {sorted((folder / 'outside').iterdir())}")
    elif (folder / "outside/victim").read_bytes() != b"mine\n":
        yield Finding(kind="outside", detail="the victim was written")


def _leaks(path: Path, given: set[str]) -> Iterator[Finding]:
    """Yield the files with the key that this tool wrote."""
    waiting = sorted(path.rglob("*")) if path.is_dir() else [path]
    for it in waiting:
        if str(it) not in given and it.name != "observed.json" and SECRET.encode() in (_read(it) or b""):
            yield Finding(kind=f"secret in {it.name}", detail=str(it))


def remove(folder: Path) -> None:
    """Delete the folder of a case."""
    shutil.rmtree(folder, ignore_errors=True)


def peak_memory() -> int:
    """Return the process's highest memory since `reset_peak`, in bytes."""
    if sys.platform != "linux":
        return 0
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    return 1024 * int(found[1]) if found else 0


def reset_peak() -> None:
    """Forget the highest memory so far (proc(5), clear_refs)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
