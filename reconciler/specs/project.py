"""Find the project and read its `reconciler.yaml`.

The search for the file goes from the current folder upwards to the repository's root. Flags and the environment
override its settings in the code of the command line, by `dataclasses.replace` and `msgspec.structs.replace`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from msgspec import UNSET, Struct

from reconciler import file_access
from reconciler.errors import ReconcilerError, SpecError
from reconciler.settings import Limits, Settings
from reconciler.specs.environments import Overlay, choose
from reconciler.specs.policy import Policy
from reconciler.specs.schema.convert import Model, convert_or_explain
from reconciler.specs.schema.project_files import PolicyFile, SettingsFile
from reconciler.specs.yaml.reader import read
from reconciler.specs.yaml.source import QUOTE_ALL, START, Quote, SourceFile, decode
from reconciler.specs.yaml.tree import Document
from reconciler.specs.yaml.tree import Path as Where

CONFIG_NAME: Final = "reconciler.yaml"
STATE: Final = ".reconciler"
"""The tool's own folder beside the settings file; ignored by git."""

_ELSEWHERE: Final = {
    "base_url": "remove the line; no file says where the API key goes: pass --base-url, or set MISTRAL_BASE_URL"
}
"""Hints for settings that belong elsewhere."""

_WRITE_ONE: Final = (
    f"run `reconciler init` in the repository's root, or create {CONFIG_NAME} there:\n"
    "    project: my-team\n    specs: specs"
)


class Project(Struct, frozen=True, kw_only=True):
    """A folder with a `reconciler.yaml`, and its settings."""

    root: Path
    """The folder of the file, links followed. Nothing outside it is read."""
    config_path: Path
    settings: Settings
    spec_root: Path
    """The folder of the specs, links followed."""
    cache: bool = True
    """Whether to use the cache of input files from earlier runs."""
    judges_models: bool = True
    """Whether `load` warns about models by the table of the package; a plan asks the API instead."""
    quote: Quote = QUOTE_ALL
    """What problems show of a spec."""
    overlay: Overlay
    """The environment, and what it sets in specs."""
    policy: Policy | None = None
    """Settings that exceed its ceilings are lowered, and `load` reports them."""

    @property
    def environment(self) -> str:
        """The environment of the settings file; "" if it has none."""
        return self.overlay.environment

    def relative(self, path: str) -> str:
        """Return an absolute path relative to the root, with forward slashes, as problems show it."""
        root = str(self.root).rstrip(os.sep) + os.sep
        shown = path.removeprefix(root) if path.startswith(root) else os.path.relpath(path, root)
        return shown.replace(os.sep, "/")


def load_project(
    config: Path | None,
    *,
    environment: str = "",
    start: Path,
    quoting: Callable[[Path], Quote] = lambda _: QUOTE_ALL,
) -> Project:
    """Return the project that contains `start`, or the project of the settings file `config`.

    The `environment` is "" if none was chosen; `quoting` returns, for the project's folder, what problems show. Raises
    `ReconcilerError` if there is no such file; `SpecError`, with all mistakes, if it has some.
    """
    path = _config_path(config, start)
    root, quote = path.parent, quoting(path.parent)
    file, document = _settings(path, quote)
    settings, overlay = choose(file, document, environment)
    uploads, spec_root = settings.uploads, Path(os.path.realpath(root / settings.specs))

    if not file_access.within(str(spec_root), str(root)) or Path(settings.specs).is_absolute():
        hint = f"name a folder below the folder of {path.name}"
        raise document.error(("specs",), "specs: leads out of the project", hint)
    outside = os.path.normpath(settings.results).startswith(os.pardir) or Path(settings.results).is_absolute()
    if "://" not in settings.results and outside:
        hint = f"name a folder below that of {path.name}, or set RECONCILER_RESULTS"
        raise document.error(("results",), "results: leads out of the project", hint)
    if settings.on_end.command and settings.on_end.webhook:
        hint = "keep one of them; a command can also call a webhook"
        raise document.error(("on_end",), "on_end: cannot have both `command` and `webhook`", hint)
    if uploads.reuse and uploads.expiry_hours is not None and uploads.expiry_hours <= uploads.reuse_hours:
        message = (
            f"must be more than `reuse_hours` ({uploads.reuse_hours}); otherwise no upload is ever reused"
        )
        hint = "lower `reuse_hours`, or set `reuse: false`"
        raise document.error(("uploads", "expiry_hours"), f"uploads.expiry_hours: {message}", hint)
    return Project(
        root=root, config_path=path, settings=settings, spec_root=spec_root, quote=quote, overlay=overlay
    )


def environment_names(config: Path | None, *, start: Path, quoting: Callable[[Path], Quote]) -> list[str]:
    """Return the environments of a settings file, [] if it has none: see `load_project`."""
    path = _config_path(config, start)
    found = _settings(path, quoting(path.parent))[0].environments
    return [] if found is UNSET else [*found]


def find(start: Path) -> Path | None:
    """Return the nearest `reconciler.yaml` from a folder upwards to the repository's root, None if there is none."""
    here = Path(os.path.realpath(start))
    for folder in (here, *here.parents):
        if os.path.lexists(folder / CONFIG_NAME):  # reading it reports what it is instead of a file
            return folder / CONFIG_NAME
        if (folder / ".git").exists():
            break
    return None


def _config_path(config: Path | None, start: Path) -> Path:
    if config is not None and not os.path.lexists(config):
        raise ReconcilerError(f"{config} does not exist", hint=_WRITE_ONE.replace(CONFIG_NAME, config.name))
    found = Path(os.path.realpath(config.parent)) / config.name if config else find(start)
    if found is None:
        raise ReconcilerError(f"no {CONFIG_NAME} in {start} or above it", hint=_WRITE_ONE)
    return found


def settings_error(project: Project, where: Where, message: str, hint: str) -> SpecError:
    """Return the error for a setting that is valid in itself, with its position."""
    return _settings(project.config_path, project.quote)[1].error(where, message, hint)


def check_same_project(project: Project, top: Path | None, tracked: Iterable[Path]) -> None:
    """Refuse a project that another settings file of the repository, whose root is `top`, declares too.

    Each of them would hold the jobs of the other, and neither could change them. Raises `SpecError` if there is one.
    """
    name = project.settings.project
    for path in sorted(tracked):
        if top is not None and path != project.config_path and name in _projects(path, top):
            there = path.relative_to(top).as_posix()
            message = f"project: {there} declares the project {name} too"
            hint = "give each file its own project; if a folder was moved, delete its old file and see `moved_from`"
            outer = ("environments", project.environment) if project.environment else ()
            raise settings_error(project, (*outer, "project"), message, hint)


def _projects(path: Path, top: Path) -> Iterator[str]:
    """Yield the project of a settings file, if it can be read: `validate` in its folder reports its mistakes."""
    try:
        source = decode(path.name, file_access.read(path, Limits().spec_bytes, root=top), QUOTE_ALL)
        documents, _ = read(source, Limits()) if isinstance(source, SourceFile) else ((), ())
    except (OSError, SpecError):
        return
    for document in documents[:1]:
        yield document.text(("project",))
        environments = document.at(("environments",))
        for name in environments if isinstance(environments, dict) else ():
            yield document.text(("environments", name, "project"))


def read_policy(path: Path, project: Project) -> Policy:
    """Read a policy for a project.

    Raises `ReconcilerError` if it cannot be read; `SpecError`, with all mistakes, if it has some.
    """
    source, data = source_of(path, Quote(redact=project.quote.redact))
    file, document = only_document(source, PolicyFile, "policy", "may_adopt: false")
    digest = hashlib.sha256(data).hexdigest()
    return Policy(file, document, digest, project.settings.project)


def source_of(path: Path, quote: Quote) -> tuple[SourceFile, bytes]:
    """Return a file of settings as text and as bytes. Raises `ReconcilerError` if it cannot be read."""
    try:
        data = file_access.read(path, Limits().spec_bytes, root=path.parent)
    except file_access.TooLargeError:
        raise ReconcilerError(f"{path} is too large for settings", hint="name the right file") from None
    except OSError as error:
        hint = file_access.hint_of(error, "make it readable")
        raise ReconcilerError(f"{path} cannot be read: {error.strerror}", hint=hint) from error
    source = decode(path.name, data, quote)
    if not isinstance(source, SourceFile):
        raise SpecError((source,))
    return source, data


def _settings(path: Path, quote: Quote) -> tuple[SettingsFile, Document]:
    return only_document(source_of(path, quote)[0], SettingsFile, "reconciler", "project: my-team")


def only_document(
    source: SourceFile, model: type[Model], schema: str, example: str
) -> tuple[Model, Document]:
    """Return the only document of a file. Raises `SpecError`, with all mistakes, if it has some."""
    documents, problems = read(source, Limits())
    if not problems and len(documents) != 1:
        place = documents[1].place(()) if documents else START
        message = "more than one document" if documents else "empty"
        problems = [source.problem(place, message, hint=f"write one mapping: `{example}`")]
    for document in documents[:1]:
        found, wrong = convert_or_explain(document, model, schema, _ELSEWHERE)
        problems += wrong
        if found is not None and not problems:
            return found, document
    raise SpecError(tuple(sorted(problems)))


def make_own(folder: Path) -> None:
    """Create the tool's own folder if it is missing, with a `.gitignore` that excludes it.

    Raises `OSError` if it cannot be created.
    """
    ignore = folder / ".gitignore"
    if not ignore.exists():
        file_access.make_folder(folder)
        file_access.replace(ignore, b"*\n")
