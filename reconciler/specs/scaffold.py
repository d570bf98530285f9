"""The initial files of a repository: settings, an example, schemas for editors, workflows, lines for git.

The workflows are those of this repository, which the package includes, but they install the tool from a pinned source
and not from the checkout. `place` writes the files.
"""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

import reconciler
from reconciler import file_access
from reconciler.specs.from_jobs import slug
from reconciler.specs.place import Wanted, normalized, stamped
from reconciler.specs.schema.json_schema import schema_text

REQUIREMENTS: Final = ".github/actions/reconciler/requirements.txt"
"""The dependencies, each in one version, with digests."""
WORKFLOWS: Final = (
    ".github/workflows/plan.yml",
    ".github/workflows/apply.yml",
    ".github/workflows/verify.yml",
    ".github/workflows/report.yml",
    ".github/actions/reconciler/action.yml",
    REQUIREMENTS,
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
MAX_NAME: Final = 80
"""Characters of a project's name that `init` makes."""
MAX_NEW_REQUESTS: Final = 10_000
"""The budget of one plan that `init` writes: more than a first trial needs, less than a mistake in all old files."""
ATTRIBUTES: Final = ("*.jsonl -text",)


def project_name(origin: str, top: Path, below: str) -> str:
    """Return a project's name, derived from its repository and, for a folder of it, from the folder's path.

    A name that is too long loses its beginning: the last folders tell projects apart. `origin` is the URL of the
    remote, "" if there is none; `top` the repository's root, or the project's folder outside of git; `below` the
    project's folder, relative to `top`.
    """
    repository = re.split(r"[/:]", origin.rstrip("/"))[-1].removesuffix(".git") if origin else ""
    parts = (slug(repository) or slug(top.name), *map(slug, below.split("/")))
    return slug("-".join(filter(None, parts))[-MAX_NAME:]) or "batch"


def spec_folder(root: Path) -> str:
    """Return the spec folder: `specs`, unless it contains only other YAML."""
    found = [path for path in (root / "specs").rglob("*.y*ml") if path.is_file()]
    ours = any(_OF_A_SPEC.search(file_access.read(path)) for path in found)
    return "specs" if ours or not found else "batch-specs"


def settings(name: str, *, specs: str, shared: bool, results: str = "", branch: str = "") -> Wanted:
    """Return `reconciler.yaml`.

    `shared` says whether there is a remote, which can hold the ledger. `results` is "" for a folder. Jobs may be
    created from `branch`, which is "" outside of git.
    """
    folder = "" if specs == "specs" else f"specs: {specs}\n"
    place = f"results: {results}\n" if results else ""
    ledger = (
        "# Shares the record of actions between runners, in a branch of the remote `origin`.\nledger: git\n"
        if shared
        else "# With a remote `origin`, this shares the record of actions between runners:\n# ledger: git\n"
    )
    rules = f"only_from: {json.dumps([branch], ensure_ascii=False)}, clean: true{', pushed: true' if shared else ''}"
    from_ = f"# Creates jobs only from files committed here.\napply: {{{rules}}}\n" if branch else ""
    text = (
        "# yaml-language-server: $schema=schemas/reconciler.schema.json\n"
        "# Identifies your jobs. Set it before the first apply; changing it later resubmits everything.\n"
        f"project: {name}\n{folder}{place}{ledger}"
        "# Refuses a plan that submits more requests, such as after a new model in a long family of files.\n"
        "# For one run, pass --max-new-requests to plan and apply. If your files are larger, raise it here.\n"
        f"guards: {{max_new_requests: {MAX_NEW_REQUESTS}}}\n"
        f"{from_}"
    )
    return Wanted("reconciler.yaml", text.encode())


def example(folder: str, project: str) -> tuple[Wanted, ...]:
    """Return a spec in a folder, relative to the project's, and its data.

    The requests name the project: two projects of a workspace would share the work otherwise.
    """
    up = "../" * len(Path(folder).parts)
    spec, data = (
        Path(__file__).with_name(name).read_text("utf-8") for name in ("example.yaml", "example.jsonl")
    )
    return (
        Wanted(f"{folder}/example.yaml", spec.replace("../", up).encode()),
        Wanted(f"{folder}/data/example.jsonl", data.replace("PROJECT", project).encode()),
    )


def for_table(folder: str, table: str, columns: Sequence[str]) -> tuple[Wanted, ...]:
    """Return a spec in a folder for a table, both relative to the project's folder, and its prompt.

    The first column whose name ends in `id` identifies a row, else the first of all.
    """
    up = "../" * len(Path(folder).parts)
    name = slug(Path(table).stem) or "table"
    columns = [it for it in columns if it.strip() == it and not re.search(r"[{}\n]|^$", it)] or ["id"]
    own = next((it for it in columns if re.search(r"(^|[_ -])id$", it, re.IGNORECASE)), columns[0])
    shown = (
        "\n".join(f"{column}: {{{{{column}}}}}" for column in columns if column != own) or f"{{{{{own}}}}}"
    )
    spec = (
        f"# yaml-language-server: $schema={up}schemas/job.schema.json\n"
        f"name: {name}\nendpoint: /v1/chat/completions\nmodel: mistral-small-2603\n"
        f"rows: {json.dumps(up + glob.escape(table), ensure_ascii=False)}\n"
        f"custom_id: {json.dumps(f'{{{{{own}}}}}', ensure_ascii=False)}\n"
        "# Try it on twenty rows first: the rest follows if these have answers.\ncanary: {requests: 20}\n"
        "body:\n  temperature: 0\n  max_tokens: 200\n  messages:\n"
        f"    - {{role: system, content: {{$file: {up}prompts/{name}.md}}}}\n"
        f"    - {{role: user, content: {json.dumps(shown, ensure_ascii=False)}}}\n"
    )
    prompt = "Summarize this row in one sentence.\n"
    return Wanted(f"{folder}/{name}.yaml", spec.encode()), Wanted(f"prompts/{name}.md", prompt.encode())


def schema(name: str) -> Wanted:
    """Return a schema for editors."""
    return stamped(f"schemas/{name}.schema.json", schema_text(name))


def template(path: str) -> bytes:
    """Return a file of the package, or in a clone the file itself."""
    package = Path(reconciler.__file__).parent
    file = package / "templates" / path
    return (file if file.exists() else package.parent / path).read_bytes()


def workflows(package: str, branch: str) -> Iterator[Wanted]:
    """Yield the workflows, which apply a push to `branch`, and their action, which installs `package`."""
    pinned, pushed = f"package: {package}\n", f"branches: [{json.dumps(branch, ensure_ascii=False)}] "
    for path in WORKFLOWS:
        text = normalized(template(path)).replace(b"package: .\n", pinned.encode())
        yield stamped(path, text.replace(b'branches: ["main"] ', pushed.encode()))


def pushed_branch(root: Path) -> str:
    """Return the branch that an earlier `init` wrote into the workflow, "" if there is none."""
    file = root / WORKFLOWS[1]
    text = file_access.read(file).decode("utf-8", "replace") if file.is_file() else ""
    found = re.search(r'\n    branches: \["((?:[^"\\\n]|\\")+)"\] ', text)
    return found[1].replace('\\"', '"') if found else ""


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
