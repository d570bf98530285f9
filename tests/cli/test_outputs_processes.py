"""`outputs pull` as real processes: killed in the middle of a download, and many with one destination."""

from __future__ import annotations

import hashlib
import io
import json
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.outputs.store import FolderStore
from reconciler.outputs.summaries import job_summaries
from reconciler.sandbox.app import make_app
from reconciler.sandbox.server import Server
from reconciler.sandbox.store import Store
from tests.cli.processes import PATIENCE, POSIX, Shop, finish
from tests.helpers.thorough import thorough

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUESTS = 400
PIECE = 4096


@dataclass
class Tap:
    """Stands before the sandbox: sends contents in pieces, holds one back in its middle, continues if it is to."""

    app: WSGIApplication
    continues: bool
    held: threading.Event = field(default_factory=threading.Event)
    """Set once half of a content was sent that is held back."""
    flows: threading.Event = field(default_factory=threading.Event)
    whole: Counter[str] = field(default_factory=Counter)
    """How often each content was sent to its end."""
    starts: list[int] = field(default_factory=list)
    """From which byte on contents were sent."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.endswith("/content"):
            return self.app(environ, start_response)
        body = b"".join(self.app(environ, lambda *_: io.BytesIO().write))
        wanted = re.fullmatch(r"bytes=(\d+)-", environ.get("HTTP_RANGE", ""))
        start = int(wanted[1]) if wanted and self.continues else 0
        self.starts.append(start)
        headers = [("Content-Length", str(len(body) - start))]
        if start:
            headers.append(("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}"))
        start_response("206 Partial Content" if start else "200 OK", headers)
        return self._pieces(path, body, start)

    def _pieces(self, path: str, body: bytes, start: int) -> Iterator[bytes]:
        for at in range(start, len(body), PIECE):
            if at >= len(body) // 2 and not self.flows.is_set():
                self.held.set()
                assert self.flows.wait(PATIENCE)
            yield body[at : at + PIECE]
        self.whole[path] += 1


@pytest.fixture(params=[True, thorough(False)], ids=["continues", "restarts"])
def tap(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Tap, Shop]]:
    with Store(tmp_path / "workspace.db") as store:
        app = Tap(make_app(store, now=time.time, speed=float("inf")), continues=request.param)
        server = Server(app, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        shop = Shop(tmp_path / "shop", server.url)
        shop.write("reconciler.yaml", "project: shop\nlimits: {settle_seconds: 0}\n")
        try:
            yield app, shop
        finally:
            app.flows.set()
            server.shutdown()
            thread.join()


def job_for(shop: Shop, count: int, requests: int) -> None:
    for number in range(count):
        line = '{"custom_id": "r%d", "body": {"input": "words of job %d"}}\n'
        shop.write(f"specs/{number}.jsonl", "".join(line % (at, number) for at in range(requests)))
        fields = f"endpoint: /v1/embeddings\nmodel: mistral-embed\ninput_files: [{number}.jsonl]\n"
        shop.write(f"specs/{number}.yaml", f"name: job-{number}\n{fields}")
    done = shop.run("apply", "--yes")
    assert done.code == 0, done.err


def checked(destination: Path) -> None:
    """Hold every file to its checksum, and the folders to hold nothing else."""
    for path in destination.glob("*/jobs/*"):
        said = json.loads((path / "summary.json").read_bytes())
        assert {each.name for each in path.iterdir()} == {
            *(file["path"] for file in said["files"]),
            "summary.json",
        }
        for file in said["files"]:
            data = (path / file["path"]).read_bytes()
            assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    for path in destination.glob("*/summary.json"):
        said = json.loads(path.read_bytes())
        assert {each.name for each in path.parent.iterdir()} == {"jobs", "results.jsonl", "summary.json"}
        assert (
            said["results"]["sha256"]
            == hashlib.sha256(path.with_name("results.jsonl").read_bytes()).hexdigest()
        )


@pytest.mark.thorough
@POSIX
def test_killed_in_the_middle_of_a_download_the_next_run_fetches_only_what_is_missing(
    tap: tuple[Tap, Shop],
) -> None:
    app, shop = tap
    app.flows.set()
    job_for(shop, 1, REQUESTS)
    assert shop.run("outputs", "pull").code == 0  # one is complete before
    (complete,) = app.whole
    job_for(shop, 2, REQUESTS)
    app.flows.clear()
    process = shop.start("outputs", "pull")
    assert app.held.wait(PATIENCE)
    time.sleep(0.3)  # what was sent arrives
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    parts = list((shop.root / "outputs").rglob("output.jsonl.part"))
    assert len(parts) == 1
    before = parts[0].stat().st_size
    assert before > 0
    app.flows.set()
    app.starts.clear()
    done = shop.run("outputs", "pull")
    assert (done.code, "1 pulled, 1 before" in done.out) == (0, True)
    checked(shop.root / "outputs")
    assert app.whole[complete] == 1
    assert app.starts == [before if app.continues else 0]
    assert ("results.resumed" in done.err) == app.continues
    assert shop.run("outputs", "pull").out.startswith("Nothing to pull.")


def many(count: int, tap: tuple[Tap, Shop], tmp_path: Path) -> None:
    app, shop = tap
    app.flows.set()
    job_for(shop, 6, 20)
    runners = [Shop(tmp_path / f"clone-{number}", shop.url) for number in range(count)]
    for runner in runners:
        for path in (shop.root / "specs").iterdir():
            runner.write(f"specs/{path.name}", path.read_text(encoding="utf-8"))
    for runner in runners:
        runner.environ["RECONCILER_RESULTS"] = str(tmp_path / "shared")
    started = [runner.start("outputs", "pull") for runner in runners]
    outcomes = [finish(process) for process in started]
    assert [done.code for done in outcomes] == [0] * count
    checked(tmp_path / "shared")
    assert len(job_summaries(FolderStore(tmp_path / "shared"))) == 6
    assert set(app.whole.values()) == {1}
    assert len(app.whole) == 6
    assert sum(done.err.count('"results.pulled"') for done in outcomes) == 6


@pytest.mark.thorough
def test_fresh_clones_with_one_destination_fetch_each_result_once(
    tap: tuple[Tap, Shop], tmp_path: Path
) -> None:
    if not tap[0].continues:
        pytest.skip("nothing is continued here")
    many(3, tap, tmp_path)


@pytest.mark.long
def test_ten_fresh_clones_with_one_destination_fetch_each_result_once(
    tap: tuple[Tap, Shop], tmp_path: Path
) -> None:
    many(10, tap, tmp_path)


@POSIX
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.thorough
def test_interrupted_it_ends_soon_and_says_that_it_goes_on(tap: tuple[Tap, Shop]) -> None:
    app, shop = tap
    job_for(shop, 1, REQUESTS)
    process = shop.start("outputs", "pull")
    assert app.held.wait(PATIENCE)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    app.flows.set()
    done = finish(process)
    assert done.code == 130
    assert "the next pull continues" in done.out
    assert not list((shop.root / "outputs").rglob("claim-*"))
    assert shop.run("outputs", "pull").code == 0
    checked(shop.root / "outputs")
