"""The initial files of a repository: settings, an example, schemas for editors, workflows, lines for git.

Existing files are never overwritten, and a second run changes nothing. The workflows are those of this repository,
which the package includes, but they install the tool from a pinned source and not from the checkout.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

import reconciler
from reconciler import file_access
from reconciler.specs.from_jobs import slug

WORKFLOWS: Final = (
    ".github/workflows/plan.yml",
    ".github/workflows/apply.yml",
    ".github/actions/reconciler/action.yml",
    ".github/actions/reconciler/requirements.txt",
)
"""Relative to a repository's root; in the package, to `templates`."""
PINNED: Final = re.compile(
    r"git\+https://[A-Za-z0-9.:-]+/[A-Za-z0-9._~/+-]+@[0-9a-f]{40}"
    r"|https://[A-Za-z0-9.:-]+/[A-Za-z0-9._~/%+-]+\.whl#sha256=[0-9a-f]{64}"
)
"""A source of which the content cannot change: a commit, or a wheel with its digest. A name on an index is none."""
DISTRIBUTION: Final = "mistral-batch-reconciler"
SCHEMAS: Final = ("job", "defaults", "reconciler")
_OF_A_SPEC: Final = re.compile(rb"""^["' {]*endpoint["']?:\s*["']?/v1/""", re.MULTILINE)
IGNORED: Final = (".reconciler/", "plan.json")
MAX_NEW_REQUESTS: Final = 10_000
"""The budget of one plan that `init` writes: more than a first trial needs, less than a mistake in all old files."""
ATTRIBUTES: Final = ("*.jsonl -text",)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that should exist."""

    path: str
    """Relative to the root, with forward slashes."""
    content: bytes


@dataclass(frozen=True, slots=True)
class Placed:
    """The outcome for one file."""

    path: str
    did: Literal["wrote", "added", "kept"]
    why: str = ""
    """Why a file that differs was kept."""


def project_name(origin: str, folder: Path) -> str:
    """Return a project's name, derived from its repository or else from its folder."""
    repository = re.split(r"[/:]", origin.rstrip("/"))[-1].removesuffix(".git") if origin else ""
    return slug(repository) or slug(folder.name) or "batch"


def spec_folder(root: Path) -> str:
    """Return the spec folder: `specs`, unless it contains only other YAML."""
    found = [path for path in (root / "specs").rglob("*.y*ml") if path.is_file()]
    ours = any(_OF_A_SPEC.search(file_access.read(path)) for path in found)
    return "specs" if ours or not found else "batch-specs"


def settings(name: str, *, specs: str, shared: bool) -> Wanted:
    """Return `reconciler.yaml`.

    Args:
        name: the project's name.
        specs: the folder of the specs.
        shared: whether a remote can hold the ledger.
    """
    folder = "" if specs == "specs" else f"specs: {specs}\n"
    ledger = (
        "# Shares the record of actions between runners, in a branch of the remote `origin`.\nledger: git\n"
        if shared
        else "# With a remote `origin`, this shares the record of actions between runners:\n# ledger: git\n"
    )
    text = (
        "# yaml-language-server: $schema=schemas/reconciler.schema.json\n"
        "# Identifies your jobs. Set it before the first apply; changing it later resubmits everything.\n"
        f"project: {name}\n{folder}{ledger}"
        "# Refuses a plan that submits more requests, such as after a new model in a long family of files.\n"
        "# For one run, pass --max-new-requests to plan and apply. If your files are larger, raise it here.\n"
        f"guards: {{max_new_requests: {MAX_NEW_REQUESTS}}}\n"
    )
    return Wanted("reconciler.yaml", text.encode())


def example(folder: str) -> tuple[Wanted, ...]:
    """Return a spec and its data. `folder` is the spec root, relative to the project's root."""
    up = "../" * len(Path(folder).parts)
    spec = (
        f"# yaml-language-server: $schema={up}schemas/job.schema.json\n"
        "# Answers three questions in one batch. Edit this file, or remove it and its data.\n"
        "name: example\n"
        "endpoint: /v1/chat/completions\n"
        "model: mistral-small-2603   # a fixed version; `-latest` moves in behaviour and price\n"
        "input_files:\n"
        "  - data/example.jsonl\n"
        "metadata: {purpose: example}\n"
        "timeout_hours: 24\n"
    )
    questions = ("What is a batch job?", "What does idempotent mean?", "Why are plans reviewed?")
    lines = (
        f'{{"custom_id": "question-{at}", "body": {{"max_tokens": 200, "messages": '
        f'[{{"role": "user", "content": "{question}"}}]}}}}\n'
        for at, question in enumerate(questions, 1)
    )
    return (
        Wanted(f"{folder}/example.yaml", spec.encode()),
        Wanted(f"{folder}/data/example.jsonl", "".join(lines).encode()),
    )


def carried(path: str, installed: str = "templates") -> bytes:
    """Return a file from a folder of the package, or in a clone the file itself."""
    package = Path(reconciler.__file__).parent
    template = package / installed / path
    return (template if template.exists() else package.parent / path).read_bytes()


def schema(name: str) -> Wanted:
    """Return a schema for editors."""
    path = f"schemas/{name}.schema.json"
    return Wanted(path, carried(path, ""))


def workflows(package: str) -> Iterator[Wanted]:
    """Yield the workflows, their action and its dependencies. `package` is the source that they install."""
    line = f"package: {package}\n".encode()
    return (Wanted(path, _text(carried(path)).replace(b"package: .\n", line)) for path in WORKFLOWS)


def has_workflows(root: Path) -> bool:
    """Whether each file of the workflows exists."""
    return all((root / path).exists() for path in WORKFLOWS)


def installed_source() -> str | None:
    """Return the pinned source that pip installed this tool from, or None."""
    try:
        record = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    return pinned_source(record or "{}")


def pinned_source(record: str) -> str | None:
    """Return the source that a `direct_url.json` (PEP 610) names, or None if it is not pinned."""
    direct = json.loads(record)
    digest = direct.get("archive_info", {}).get("hashes", {}).get("sha256")
    commit = direct.get("vcs_info", {}).get("commit_id")
    source = f"git+{direct.get('url')}@{commit}" if commit else f"{direct.get('url')}#sha256={digest}"
    return source if PINNED.fullmatch(source) else None


def place(root: Path, wanted: Wanted) -> Placed:
    """Write a file if it does not exist.

    Raises:
        OSError: it cannot be written.
    """
    target = root / wanted.path
    if not file_access.within(os.path.realpath(target.parent), os.path.realpath(root)):
        return Placed(wanted.path, "kept", "its folder leads out of the project")
    if os.path.lexists(target):
        same = target.is_file() and _text(file_access.read(target)) == _text(wanted.content)
        return Placed(wanted.path, "kept", "" if same else "it already exists with other content")
    file_access.make_folder(target.parent)
    with file_access.create(target, mode=file_access.SHARED) as file:
        file.write(wanted.content)
    return Placed(wanted.path, "wrote")


def _text(data: bytes) -> bytes:
    """Normalize line breaks: a checkout may have others than the template."""
    return data.replace(b"\r\n", b"\n")


def place_lines(root: Path, path: str, lines: Sequence[str]) -> Placed:
    """Append the missing lines to a file; its existing lines stay.

    Raises:
        OSError: it cannot be written.
    """
    target = root / path
    if not os.path.lexists(target):
        return place(root, Wanted(path, "".join(f"{line}\n" for line in lines).encode()))
    if target.is_symlink() or not target.is_file():
        return Placed(path, "kept", f"it is not a regular file; add `{', '.join(lines)}` to it")
    data = file_access.read(target)
    there = {line.strip().strip("/") for line in data.decode("utf-8", "replace").splitlines()}
    missing = [line for line in lines if line.strip("/") not in there]
    if not missing:
        return Placed(path, "kept")
    end = b"\r\n" if b"\r\n" in data else b"\n"
    glue = b"" if not data or data.endswith(b"\n") else end
    file_access.replace(target, data + glue + b"".join(line.encode() + end for line in missing))
    return Placed(path, "added", f"`{', '.join(missing)}`")
