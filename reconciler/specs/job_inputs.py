"""The inputs that one document names, as far as they can be made out, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from reconciler import digests
from reconciler.errors import Problem
from reconciler.model import InlineRequests, Input, UploadedFile
from reconciler.render.words import count
from reconciler.specs import paths
from reconciler.specs.inputs import InputReader
from reconciler.specs.project import Project
from reconciler.specs.yaml_tree import Document, Path, dotted


def input_files(
    document: Document, project: Project, reader: InputReader
) -> tuple[list[Input], list[Problem]]:
    """Return the inputs under `input_files`, sorted by identity, and the problems with them."""
    limits = project.settings.limits
    named, problems = _named(document, project)
    files = sorted(name for name, uploaded in named.items() if not uploaded)
    checked = [reader.read(path) for path in files]
    problems += [problem for part in checked for problem in part.problems]
    requests = sum(part.file.requests for part in checked)
    if requests > limits.requests_per_job:
        message = f"input_files: {count(requests, 'request')}, at most {limits.requests_per_job:,} in a job"
        problems.append(_problem(document, ("input_files",), message, "split the job"))
    if len(files) > 1:
        problems += reader.shared_ids(files)
    ids = [UploadedFile(id=name) for name, uploaded in named.items() if uploaded]
    return sorted([*(part.file for part in checked), *ids], key=lambda part: part.identity), problems


def _named(document: Document, project: Project) -> tuple[dict[str, bool], list[Problem]]:
    """Return the files, relative to the root, and the ids that are named; True for an id."""
    folder = str(project.root / PurePosixPath(document.source.path).parent)
    found: dict[str, bool] = {}
    problems: list[Problem] = []
    for at, entry in _texts(document.value.get("input_files")):
        place: Path = ("input_files", at)
        uploaded = paths.uploaded_id(entry)
        try:
            names = [uploaded] if uploaded else _files(entry, folder, project)
        except paths.NoInputError as error:
            problems.append(_problem(document, place, f"`{entry}`: {error}", error.hint))
            continue
        again = [name for name in names if name in found]
        if again:
            message = f"`{entry}`: {again[0]} is named twice"
            problems.append(
                _problem(document, place, message, "the job would buy its requests twice: name it once")
            )
        found |= dict.fromkeys(names, uploaded is not None)
    return found, problems


def _files(entry: str, folder: str, project: Project) -> list[str]:
    return [project.relative(path) for path in paths.named(entry, folder=folder, root=str(project.root))]


def _texts(value: object) -> Iterator[tuple[int, str]]:
    entries = enumerate(value) if isinstance(value, list) else ()
    return ((at, entry) for at, entry in entries if isinstance(entry, str) and entry)


def requests(document: Document, most: int) -> tuple[list[Input], list[Problem]]:
    """Return the input under `requests`, and the problems with it beyond those of its fields."""
    value = document.value.get("requests")
    if not isinstance(value, list) or not value:
        return [], []
    problems = list(_same_ids(document, value))
    if len(value) > most:
        message = f"requests: {count(len(value), 'request')}, at most {most:,} in a spec"
        problems.append(_problem(document, ("requests",), message, "write them into a file: `input_files`"))
    try:
        body = digests.canonical(value)
    except ValueError:
        for path in _unsafe_numbers(value, ("requests",)):
            message = f"{dotted(path)}: too large to be kept exactly"
            problems.append(_problem(document, path, message, "put it in quotes if it is an id"))
        return [], problems
    return [InlineRequests(body=body, count=len(value))], problems


def _same_ids(document: Document, requests: list[Any]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for at, request in enumerate(requests):
        custom_id = request.get("custom_id") if isinstance(request, dict) else None
        if not isinstance(custom_id, str):
            continue
        used = first.setdefault(custom_id, at)
        if used != at:
            line = document.place(("requests", used, "custom_id")).line + 1
            message = f"requests[{at}].custom_id: used before, in line {line}"
            yield _problem(document, ("requests", at, "custom_id"), message, "give each request its own")


def _unsafe_numbers(value: object, path: Path) -> Iterator[Path]:
    """Yield the way to each whole number that not every reader of JSON keeps exactly."""
    if isinstance(value, dict | list):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _unsafe_numbers(item, (*path, step))
    elif isinstance(value, int) and abs(value) > digests.MAX_SAFE_INTEGER:
        yield path


def _problem(document: Document, path: Path, message: str, hint: str) -> Problem:
    return document.source.problem(document.place(path), message, hint=hint, show=path[0] != "requests")
