"""The projects that cases begin with, each made once by the tool's own commands, and the environment of a case."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx

from reconciler.cli.main import run
from reconciler.environment import Environment
from reconciler.sandbox.app import make_app
from reconciler.sandbox.store import Store
from tests.cli.stage import HI, START, UNSTEADY, in_turn
from tests.fuzz.mutate import SECRET
from tests.helpers.event_check import check_event

HOST: Final = "http://127.0.0.1:9"
"""Nothing listens there: the API is a function, unless a case says otherwise."""
TARGET: Final = ".reconciler/127.0.0.1_9/shop"
SERVER: Final = "../server/sandbox.db"
"""The API's own state, outside of the project."""

_TWO: Final = b"".join(json.dumps({"custom_id": str(at), "body": HI}).encode() + b"\n" for at in range(2))
_SPEC: Final = (
    "name: {0}\nendpoint: /v1/chat/completions\nmodel: mistral-small-latest\ninput_files: [data/{0}.jsonl]\n"
)
PROJECT: Final[Mapping[str, bytes]] = {
    "reconciler.yaml": b"project: shop\n",
    "specs/one.yaml": _SPEC.format("one").encode(),
    "specs/two.yaml": (_SPEC.format("two") + "metadata: {team: search}\n").encode(),
    "specs/data/one.jsonl": _TWO,
    "specs/data/two.jsonl": UNSTEADY.encode(),
}
CHANGED: Final = {
    "specs/two.yaml": _SPEC.format("two").replace("data/two", "data/three").encode(),
    "specs/data/three.jsonl": _TWO.replace(b"Hi", b"Ho"),
}

_Step = tuple[tuple[str, ...], Mapping[str, bytes], float]
STATES: Final[Mapping[str, tuple[_Step, ...]]] = {
    "project": (),
    "applied": (
        (("apply", "--yes"), {}, 0),
        (("plan", "-o", "plan.json"), CHANGED, 10),
        (("jobs", "snapshot", "observed.json"), {}, 0),
    ),
    "ended": (
        (("apply", "--yes"), {}, 0),
        (("outputs", "pull"), {}, 7200),
        (("apply", "--yes"), CHANGED, 0),
        (("apply", "--yes"), {"specs/two.yaml": CHANGED["specs/two.yaml"] + b"suspend: true\n"}, 10),
    ),
}
"""Commands, each after files were written and time has passed."""


@dataclass
class Clock:
    """A clock that moves only if something waits."""

    now: float = START

    def sleep(self, seconds: float) -> None:
        """Wait, without waiting."""
        self.now += max(0.0, seconds)


@dataclass
class Api(httpx.BaseTransport):
    """The sandbox, whose state is beside the project, behind a function that may change its answers."""

    db: Path
    clock: Clock
    ids: Callable[[], str]
    change: Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response]
    _store: Store | None = field(default=None, init=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        if self._store is None:
            self.db.parent.mkdir(exist_ok=True)
            self._store = Store(self.db)
        app = make_app(self._store, now=lambda: self.clock.now, ids=self.ids)
        inner = httpx.WSGITransport(app)
        request.read()
        return self.change(request, lambda: inner.handle_request(request))

    def close(self) -> None:
        """Close the state."""
        if self._store:
            self._store.close()
            self._store = None


def environment(
    root: Path,
    clock: Clock,
    seed: int,
    *,
    environ: Mapping[str, str] | None = None,
    change: Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response] = lambda _, answer: (
        answer()
    ),
) -> Environment:
    """Return the environment of a command in a project."""
    rng = random.Random(seed)
    api = Api(root / SERVER, clock, lambda: f"{rng.getrandbits(32):08x}-0000-4000-8000-000000000000", change)
    given = {
        "USER": "ada",
        "MISTRAL_API_KEY": SECRET,
        "MISTRAL_BASE_URL": HOST,
        "HOME": str(root.parent / "home"),
    }
    given |= environ or {}
    real = given["MISTRAL_BASE_URL"] != HOST
    return Environment(
        environ=given,
        cwd=root,
        now=lambda: clock.now,
        monotonic=lambda: clock.now,
        sleep=clock.sleep,
        random=rng,
        map_concurrently=in_turn,
        run_in_background=lambda do: do,
        wrap_transport=lambda inner: inner if real else api,
        uuid=api.ids,
        check_event=check_event,
    )


@cache
def files_of(name: str) -> Mapping[str, bytes]:
    """Return the files of a state, the API's among them."""
    if not STATES[name]:
        return PROJECT
    with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        root, clock = Path(folder).resolve() / "project", Clock()
        write_plain(root, PROJECT)
        for number, (command, files, seconds) in enumerate(STATES[name]):
            write_plain(root, files)
            clock.now += seconds
            code = run(command, environment(root, clock, number))
            if code:
                raise RuntimeError(f"{name}: {command} ended with {code}")
        found = {str(it.relative_to(root)): it.read_bytes() for it in sorted(root.rglob("*")) if it.is_file()}
        return found | {SERVER: (root / SERVER).read_bytes()}


def end_of(name: str) -> float:
    """Return the time after the last command of a state."""
    return START + sum(seconds for _, _, seconds in STATES[name])


def write_plain(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def is_state(path: str) -> bool:
    """Return whether a command may write this file of a project."""
    return (
        re.match(
            r"\.reconciler(/|$)|outputs(/|$)|(plan|observed|out)\.json|comment\.md|converted|out\.log", path
        )
        is not None
    )
