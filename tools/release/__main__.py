"""Build wheel, sdist and list of components of the checked-out commit into a folder: `python -m tools.release dist`.

Needs what `.ci/release.txt` lists, and git. Uncommitted changes are not built. Fails if two builds differ, if a package
has a file that it should not have, or if TAG is set and is not `v` and the version.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from reconciler import __version__
from tools.release import contents, sbom

ROOT: Final = Path(__file__).parents[2]
REQUIREMENTS: Final = ROOT / ".github/actions/reconciler/requirements.txt"


def git(*arguments: str) -> bytes:
    """Run git in this repository and return its output."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S603, S607


def build(folder: Path) -> Path:
    """Build the checked-out commit in a folder, and return the folder of the two packages."""
    with tarfile.open(fileobj=io.BytesIO(git("archive", "HEAD"))) as archive:
        archive.extractall(folder / "source", filter="data")
    environ = {**os.environ, "SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct").decode().strip()}
    command = [sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check", "--outdir"]
    subprocess.run(  # noqa: S603 - the builder of this environment
        [*command, str(folder / "dist"), str(folder / "source")],
        check=True,
        env=environ,
        stdout=subprocess.DEVNULL,
    )
    return folder / "dist"


def differences(first: Path, second: Path) -> list[str]:
    """Return a line for each file of two folders that is not the same in both."""
    every = sorted({path.name for folder in (first, second) for path in folder.iterdir()})
    both = [(name, first / name, second / name) for name in every]
    same = (a.is_file() and b.is_file() and a.read_bytes() == b.read_bytes() for _, a, b in both)
    return [f"{name}: two builds differ" for (name, _, _), it in zip(both, same, strict=True) if not it]


def main(out: Path) -> int:
    """Build, check and write everything; return the exit code."""
    tracked = git("ls-tree", "-r", "-z", "--name-only", "HEAD").decode().strip("\0").split("\0")
    with tempfile.TemporaryDirectory() as folder:
        first, second = (build(Path(folder, name)) for name in ("first", "second"))
        found = differences(first, second)
        for file in sorted(first.iterdir()):
            found += contents.problems(file, tracked, __version__)
        if os.environ.get("TAG", f"v{__version__}") != f"v{__version__}":
            found.append(f"the tag {os.environ['TAG']} is not v{__version__}, the version of the package")
        if found:
            print(*found, sep="\n", file=sys.stderr)  # noqa: T201
            return 1
        shutil.copytree(first, out / "packages", dirs_exist_ok=True)
    (out / "sbom").mkdir(parents=True, exist_ok=True)
    text = sbom.document(REQUIREMENTS.read_text(encoding="utf-8"), __version__)
    (out / f"sbom/mistral_batch_reconciler-{__version__}.cdx.json").write_text(text, encoding="utf-8")
    for file in sorted(out.glob("*/*")):
        print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
