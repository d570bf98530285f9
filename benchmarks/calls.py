"""How many function calls a plan makes: a figure that a busy machine does not change.

    python benchmarks/calls.py [--write]

A fixed plan, of 200 specs with nothing to do, is run in this process; every call of a Python or C function counts. The
figure is compared with that of the last change that meant it (`calls.json`, written with `--write`), and only reported:
more calls are a question to the author, not a failure.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

import workspace

from reconciler.cli.main import run

SPECS = 200
KEPT = Path(__file__).with_name("calls.json")
PART = {
    "specs/": "load",
    "api/": "list",
    "workspace/": "list",
    "model/tags.py": "list",
    "planning/": "decide",
}


def counted(argv: list[str]) -> Counter[str]:
    """Run a command and count its calls, in all threads, by the part of the package that makes them."""
    found: Counter[str] = Counter()
    package = str(Path(__file__).parents[1] / "reconciler") + os.sep

    def count(frame: FrameType, event: str, _: object) -> None:
        if event in ("call", "c_call"):
            path = frame.f_code.co_filename
            found["all"] += 1
            if path.startswith(package):
                inside = path.removeprefix(package).replace(os.sep, "/")
                part = (it for place, it in PART.items() if inside.startswith(place))
                found[next(part, "the rest")] += 1

    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        threading.setprofile(count)
        sys.setprofile(count)
        try:
            code = run(argv)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    if code:
        raise SystemExit(f"the plan ended with {code}")
    return found


def main() -> int:
    """Count, and say how that compares."""
    with tempfile.TemporaryDirectory() as folder:
        root = workspace.project(Path(folder, "p"), SPECS)
        rows = [workspace.row(spec, number + 1) for number, spec in enumerate(workspace.declared(root))]
        os.environ |= {"MISTRAL_API_KEY": "k"}
        os.chdir(root)
        with workspace.serving(rows, Path(folder)) as url:
            argv = ["plan", "--log-level", "warning", "--base-url", url]
            counted(argv)  # imports, once
            found = counted(argv)
        os.chdir("/")
    before = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    print("| part of a plan | calls a spec | before |\n|---|--:|--:|")
    for part, calls in sorted(found.items()):
        each, was = calls / SPECS, before.get(part)
        print(f"| {part} | {each:.1f} | {f'{each / was - 1:+.1%}' if was else ''} |")
    if "--write" in sys.argv:
        kept = {part: round(calls / SPECS, 1) for part, calls in sorted(found.items())}
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
