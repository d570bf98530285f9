"""Airflow and Dagster, each in an environment of its own, running the code of `docs/orchestrators.md`."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.cli.processes import KEY, ROOT, Shop

PAGE = ROOT / "docs/orchestrators.md"
PATIENCE = 420.0
"""Seconds for a run with its retries, on a busy machine."""


def block(file: str) -> str:
    """Return the code block of the page whose first line names the file."""
    found = re.search(
        rf"```python\n# {re.escape(file)}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found, file
    return found[1]


def install(folder: Path, package: str) -> Path:
    """Install the release that the page names, and this package beside it; return the folder of the programs."""
    pin = re.search(rf"{package}==[\d.]+", PAGE.read_text(encoding="utf-8"))
    assert pin, package
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", pin[0], ROOT], check=True)
    return folder / "bin"


def until(question: Callable[[], object], what: str) -> None:
    """Ask until the answer is true."""
    deadline = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < deadline, what
        time.sleep(1)


class Commands:
    """The processes that run `reconciler` for a program, found by their variable RECONCILER_CONFIG."""

    def __init__(self, config: Path) -> None:
        self._mark = f"RECONCILER_CONFIG={config}".encode()

    def __iter__(self) -> Iterator[int]:
        for folder in Path("/proc").iterdir():
            with suppress(OSError):  # it has ended, or is not a process
                mine = self._mark in (folder / "environ").read_bytes().split(b"\0")
                arguments = (folder / "cmdline").read_bytes().split(b"\0")
                if mine and any(it.endswith(b"/bin/reconciler") for it in arguments):
                    yield int(folder.name)

    def ancestors(self, generations: int) -> list[int]:
        """Return the running command, its parent, and so on: so many processes."""
        (process,) = self
        found = [process]
        while len(found) < generations:
            status = Path(f"/proc/{found[-1]}/status").read_text(encoding="utf-8")
            found.append(int(re.findall(r"^PPid:\s(\d+)$", status, re.MULTILINE)[0]))
        return found


class Program:
    """A program with a home, a project, and a log."""

    def __init__(self, programs: Path, home: Path, shop: Shop) -> None:
        self.home = home
        self.programs = programs
        self.config = shop.root / "reconciler.yaml"
        self.commands = Commands(self.config)
        self.environ = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(home),
            "MISTRAL_BASE_URL": shop.url,
            "RECONCILER_CONFIG": str(self.config),
            "RECONCILER_LOG_LEVEL": "info",
        }
        self.home.mkdir()
        self.log = self.home / "log.txt"

    def write(self, path: str, text: str) -> None:
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    @contextmanager
    def running(self, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command of the program in a session of its own, which ends with the block."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [self.programs / argv[0], *argv[1:]],
                cwd=self.home,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class Airflow(Program):
    """`airflow standalone`: scheduler, server and workers, with SQLite."""

    def __init__(self, programs: Path, home: Path, shop: Shop) -> None:
        super().__init__(programs, home, shop)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.environ |= {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_MISTRAL": json.dumps({"conn_type": "generic", "password": KEY}),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        }
        self.write("dags/batches.py", block("dags/batches.py"))

    @contextmanager
    def standalone(self) -> Iterator[None]:
        """Run everything until the DAG is known."""
        with self.running("airflow", "standalone"):
            until(self._knows_the_dag, "airflow does not start")
            yield

    def _knows_the_dag(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/api/v2/dags/batches", headers=self._token()).status_code == 200
        return False

    def _token(self) -> dict[str, str]:
        token = httpx.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
        return {"Authorization": f"Bearer {token}"}

    def _call(self, method: str, path: str, **body: object) -> dict[str, Any]:
        answer = httpx.request(
            method,
            f"{self.url}/api/v2/dags/batches/{path}",
            headers=self._token(),
            json=body or None,
            timeout=30,
        )
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def trigger(self) -> None:
        self._call("POST", "dagRuns", dag_run_id="first", logical_date=None)

    def clear(self) -> None:
        """Run both tasks again, as a person does who presses Clear."""
        self._call("POST", "clearTaskInstances", dag_run_id="first", dry_run=False, only_failed=False)

    def tasks(self) -> dict[str, tuple[str, int]]:
        """Return the state and the try of each task."""
        found = self._call("GET", "dagRuns/first/taskInstances")["task_instances"]
        return {it["task_id"]: (it["state"], it["try_number"]) for it in found}

    def wait(self) -> str:
        """Wait until the run has ended, and return its state."""
        until(lambda: self._run()["state"] not in ("queued", "running"), f"the run does not end: {self.log}")
        return str(self._run()["state"])

    def _run(self) -> dict[str, Any]:
        return self._call("GET", "dagRuns/first")

    def results(self) -> list[dict[str, Any]]:
        """Return what the task `results` returned."""
        entry = "dagRuns/first/taskInstances/results/xcomEntries/return_value?deserialize=true"
        found: list[dict[str, Any]] = self._call("GET", entry)["value"]
        return found

    def logs(self) -> str:
        """Return the logs of all tasks."""
        files = sorted(self.home.glob("logs/dag_id=batches/**/attempt=*.log"))
        return "".join(it.read_text(encoding="utf-8") for it in files)


SCHEDULE = """
from dagster import DagsterInstance, build_schedule_context
from batches import unless_it_runs
print(type(unless_it_runs(build_schedule_context(DagsterInstance.get()))).__name__)
"""
MATERIALIZATION = """
import json
from dagster import AssetKey, DagsterInstance
event = DagsterInstance.get().get_latest_materialization_event(AssetKey("tickets"))
print(json.dumps({name: it.value for name, it in event.asset_materialization.metadata.items()}))
"""


class Dagster(Program):
    """`dagster job execute`: a run whose step has a process of its own."""

    def __init__(self, programs: Path, home: Path, shop: Shop) -> None:
        super().__init__(programs, home, shop)
        self.environ |= {"DAGSTER_HOME": str(home), "MISTRAL_API_KEY": KEY}
        self.write("batches.py", block("batches.py"))
        self.write("dagster.yaml", "telemetry: {enabled: false}\n")

    @contextmanager
    def job(self) -> Iterator[subprocess.Popen[bytes]]:
        with self.running("dagster", "job", "execute", "-f", "batches.py", "-j", "hourly") as process:
            yield process

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the newest materialization."""
        found: dict[str, Any] = json.loads(self._python(MATERIALIZATION))
        return found

    def tick(self) -> str:
        """Return what the schedule answers at the full hour."""
        return self._python(SCHEDULE).strip()

    def _python(self, script: str) -> str:
        argv = [str(self.programs / "python"), "-c", script]
        done = subprocess.run(
            argv, env=self.environ, cwd=self.home, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout
