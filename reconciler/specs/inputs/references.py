"""Inputs that are not in the checkout, by URI and SHA-256, in a spec or in a manifest. Nothing is fetched here.

A spec may come from a pull request, and so may a manifest. So a URI has one plain form, without a user name, a port, a
query or `..`, and begins with one of `input_uris` in the settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import UNSET

from reconciler import file_access
from reconciler.errors import Problem
from reconciler.model import InputFile
from reconciler.specs.inputs.paths import NoInputError, PathResolver
from reconciler.specs.project import Project
from reconciler.specs.schema.types import ReferenceFields
from reconciler.specs.yaml.tree import Document, Path, dotted

MAX_MANIFEST: Final = 1_000_000
"""Bytes of a manifest."""
_decode: Final = msgspec.json.Decoder(ReferenceFields | list[ReferenceFields]).decode


def references(
    document: Document, where: Path, paths: PathResolver, project: Project
) -> tuple[list[InputFile], list[Problem]]:
    """Return the inputs of an entry or a list of entries that are not in the checkout, and the problems with them."""
    found: list[InputFile] = []
    problems: list[Problem] = []
    value = document.at(where)
    entries = (
        [((*where, at), it) for at, it in enumerate(value)] if isinstance(value, list) else [(where, value)]
    )
    for place, entry in entries:
        fields = _valid(entry) if isinstance(entry, dict) else None
        if fields is None:  # a path, or the schema reports it
            continue
        if fields.manifest is not UNSET:
            listed, wrong = _of_manifest(document, place, fields, paths, project)
            found += listed
            problems += wrong
        elif mistake := _mistake(fields, project):
            message, hint = mistake
            problems.append(document.problem(place, f"{dotted(place)}: {message}", hint))
        else:
            found.append(_file(fields))
    return found, problems


def _valid(entry: dict[str, Any]) -> ReferenceFields | None:
    try:
        return msgspec.convert({name: it for name, it in entry.items() if name != "sql"}, ReferenceFields)
    except msgspec.ValidationError:
        return None


def _mistake(fields: ReferenceFields, project: Project) -> tuple[str, str] | None:
    """Return what is wrong with a reference that is valid in itself, and what to do; None if nothing is."""
    uri, allowed = str(fields.uri), project.settings.input_uris
    if fields.sha256 is UNSET:
        return f"the `sha256` of {uri} is missing", f"it is the first word that this prints: {_printing(uri)}"
    if not uri.startswith(allowed):
        beginning = f"{uri.rpartition('/')[0]}/"
        hint = f"its owner can add `{beginning}` to `input_uris` in {project.config_path.name}"
        return f"{uri} is not below `input_uris`", hint
    return None


def _printing(uri: str) -> str:
    """Return a command that prints the SHA-256 of a content."""
    scheme, _, rest = uri.partition("://")
    container, _, name = rest.partition("/")
    reading = {
        "s3": f"aws s3 cp {uri} -",
        "gs": f"gcloud storage cat {uri}",
        "az": f"az storage blob download -c {container} -n {name} -o none",
        "https": f"curl -s {uri}",
    }
    return f"{reading[scheme]} | sha256sum"


def _file(fields: ReferenceFields, manifest: str = "") -> InputFile:
    uri = str(fields.uri)
    return InputFile(
        path=uri,
        uri=uri,
        manifest=manifest,
        sha256=str(fields.sha256),
        size=fields.bytes or 0,
        requests=fields.requests or None,
        pointer=True,
    )


def _of_manifest(
    document: Document, place: Path, fields: ReferenceFields, paths: PathResolver, project: Project
) -> tuple[list[InputFile], list[Problem]]:
    """Return the inputs that manifests of the checkout name, and the problems with them."""
    alone = [name for name in ("sha256", "requests", "bytes") if getattr(fields, name) is not UNSET]
    if alone:
        message, hint = f"{dotted(place)}: `{alone[0]}` belongs into the manifest", "remove it here"
        return [], [document.problem(place, message, hint)]
    folder = f"{project.root}/{document.source.path.rpartition('/')[0]}"
    try:
        files = [project.relative(it) for it in paths.named(str(fields.manifest), folder=folder)]
    except NoInputError as error:
        message = f"`{fields.manifest}`: {error}"
        return [], [document.problem((*place, "manifest"), message, error.hint)]
    found = [it for file in files for it in _listed(file, project)]
    return [it for it in found if isinstance(it, InputFile)], [it for it in found if isinstance(it, Problem)]


def _listed(path: str, project: Project) -> Iterator[InputFile | Problem]:
    """Yield the inputs that a manifest names, or the problems with it."""
    wanted = 'write `{"uri": …, "sha256": …, "requests": …, "bytes": …}`, or a list of these'
    try:
        decoded = _decode(file_access.read(project.root / path, MAX_MANIFEST, root=project.root))
    except OSError as error:
        reason = error.strerror or f"larger than {MAX_MANIFEST:,} bytes"
        yield Problem(path=path, message=f"the manifest cannot be read: {reason}", hint=wanted)
        return
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = re.sub(r" matching regex '.*'", " of another form", str(error))
        yield Problem(path=path, message=f"not a manifest: {reason}", hint=wanted)
        return
    each = decoded if isinstance(decoded, list) else [decoded]
    if not each:
        yield Problem(path=path, message="the manifest names no input", hint=wanted)
    for fields in each:
        if fields.manifest is not UNSET:
            yield Problem(path=path, message="a manifest cannot name another one", hint=wanted)
        elif mistake := _mistake(fields, project):
            yield Problem(path=path, message=mistake[0], hint=mistake[1])
        else:
            yield _file(fields, path)
