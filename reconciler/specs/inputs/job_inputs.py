"""The inputs that one document names, and the problems with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from reconciler.catalogue import mistakes
from reconciler.errors import Problem
from reconciler.model import InlineRequests, Input, InputFile, UploadedFile, digests, request_count
from reconciler.settings import Limits
from reconciler.specs.budget import Budget
from reconciler.specs.inputs.cache import InputCache
from reconciler.specs.inputs.findings import FindingKind
from reconciler.specs.inputs.paths import NoInputError, PathResolver, uploaded_id
from reconciler.specs.inputs.reader import InputReader, longest_line
from reconciler.specs.inputs.references import references
from reconciler.specs.inputs.requirements import Requirements
from reconciler.specs.project import STATE, Project
from reconciler.specs.yaml.tree import Document, Path, dotted
from reconciler.telemetry.progress import UNWATCHED, Progress
from reconciler.text.plural import pluralize


class Inputs:
    """Finds, reads and checks the inputs of documents, each file once."""

    def __init__(
        self, project: Project, progress: Progress = UNWATCHED, budget: Budget | None = None
    ) -> None:
        self.budget = budget or Budget()
        self._project = project
        self._root = str(project.root)
        self._paths = PathResolver(self._root, self.budget)
        cache = InputCache(project.root / STATE if project.cache else None)
        self.reader = InputReader(project.root, project.settings.limits, cache, progress)
        self.named: set[str] = set()
        """The files of tables, those that templates include, and manifests, relative to the root."""
        self.root = project.root
        self.judges_models = project.judges_models
        self.line_bytes = project.settings.limits.line_bytes

    def each(self, document: Document) -> tuple[list[str], list[Problem]]:
        """Return the files under `for_each`, relative to the root and sorted, and the problems with its entries."""
        if "for_each" not in document.value:
            return [], []
        named, problems = self.paths_named(document, ("for_each", "files"))
        uploaded = sorted(name for name, is_id in named.items() if is_id)
        if uploaded:
            message = f"for_each.files: {uploaded[0]} is the id of an uploaded file"
            problems.append(document.problem(("for_each", "files"), message, "use `input_files` for it"))
        return sorted(named), problems

    def files(self, document: Document, path: str | None = None) -> tuple[list[Input], list[Problem]]:
        """Return the inputs under `input_files`, sorted by identity, and the problems with them.

        `path` is the job's only input if it comes from `for_each`, relative to the root.
        """
        named, problems = (
            self.paths_named(document, ("input_files",)) if path is None else ({path: False}, [])
        )
        found: list[Input] = [UploadedFile(id=name) for name, uploaded in named.items() if uploaded]
        paths = [name for name, uploaded in named.items() if not uploaded]
        if paths:
            checked, wrong = self._checked(document, sorted(paths))
            found += checked
            problems += wrong
        if path is None:
            elsewhere, wrong = self.elsewhere(document, ("input_files",))
            found += elsewhere
            problems += wrong + list(_same_contents(document, found))
        if (
            any(named.values())
            and len(found) > sum(named.values())
            and exceeds_one_job(found, self._project.settings.limits)
        ):
            message = "input_files: too much for one job, and an uploaded file cannot be submitted in parts"
            problems.append(document.problem(("input_files",), message, "declare another job for it"))
        return sorted(found, key=lambda part: part.identity), problems

    def elsewhere(self, document: Document, where: Path) -> tuple[list[InputFile], list[Problem]]:
        """Return the inputs under an entry or a list of entries that are not in the checkout, and the problems."""
        found, problems = references(document, where, self._paths, self._project)
        self.named.update(it.manifest for it in found if it.manifest)
        return [self.reader.counted(it) for it in found], problems

    def _checked(self, document: Document, paths: list[str]) -> tuple[list[InputFile], list[Problem]]:
        demands = requirements_of(document)
        with self.budget.stopped():
            problems = self.reader.problems(paths, demands)
            problems += [it for path in paths for it in self.reader.plain_mistakes(path, demands.endpoint)]
            return [self.reader.read(path).file for path in paths], problems

    def requests(self, document: Document) -> tuple[list[Input], list[Problem]]:
        """Return the input under `requests`, and the problems that its schema does not find."""
        value = document.value.get("requests")
        if not isinstance(value, list) or not value:
            return [], []
        problems = list(_same_ids(document, value))
        most = self._project.settings.limits.inline_requests
        if len(value) > most:
            message = f"requests: {pluralize(len(value), 'request')}; at most {most:,} in a spec"
            hint = "write them to a file and name it in `input_files`"
            problems.append(document.problem(("requests",), message, hint))
        try:
            body = digests.canonical(value)
        except ValueError:
            problems += _unsafe_numbers(document, value)
            return [], problems
        requests = [*map(msgspec.json.encode, value)]
        if not problems:
            problems += _of_bodies(document, value)
            problems += _too_long(document, requests, longest_line(self._project.settings.limits))
        written = b"[%b]" % b",".join(requests)
        return [InlineRequests(body=body, written=written, count=len(value))], problems

    def paths_named(
        self, document: Document, where: Path, instead: str | None = None
    ) -> tuple[dict[str, bool], list[Problem]]:
        """Return the files that a value names, relative to the root, and ids of uploaded files; True for an id.

        `instead` takes the place of the value.
        """
        found: dict[str, bool] = {}
        problems: list[Problem] = []
        if where[0] not in document.value:
            return found, problems
        folder = f"{self._root}/{document.source.path.rpartition('/')[0]}"
        for at, entry in _texts(instead or document.at(where), alone=where[0] in ("rows", "body")):
            place: Path = (*where, *at)
            uploaded = uploaded_id(entry)
            try:
                paths = [] if uploaded else self._paths.named(entry, folder=folder)
            except NoInputError as error:
                problems.append(document.problem(place, f"`{entry}`: {error}", error.hint))
                continue
            names = [uploaded] if uploaded else list(map(self._project.relative, paths))
            if not found.keys().isdisjoint(names):
                again = next(name for name in names if name in found)
                message = f"`{entry}`: {again} is named twice"
                hint = "name it once: the job would submit its requests twice"
                problems.append(document.problem(place, message, hint))
            found |= dict.fromkeys(names, uploaded is not None)
        return found, problems


def _same_contents(document: Document, inputs: Iterable[Input]) -> Iterator[Problem]:
    """Yield a problem for each content at a URI that another entry has too."""
    by_content: dict[str, list[InputFile]] = {}
    for it in inputs:
        if isinstance(it, InputFile):
            by_content.setdefault(it.sha256, []).append(it)
    for several in by_content.values():
        if len(several) > 1 and several[-1].uri:
            message = f"{several[-1].uri}: another entry has the same content"
            hint = "name it once: the job would submit its requests twice"
            yield document.problem(("input_files",), message, hint)


def exceeds_one_job(inputs: Iterable[Input], limits: Limits) -> bool:
    """Return whether one job cannot hold these inputs, as far as their sizes are known."""
    requests = 0
    for part in inputs:
        requests += request_count(part) or 0
        if isinstance(part, InputFile) and part.size > limits.file_bytes:
            return True
    return requests > limits.requests_per_job


def _texts(value: object, *, alone: bool) -> Iterator[tuple[Path, str]]:
    """Yield the texts of a list or of a mapping, or if it may be alone the text itself, with their places."""
    entries: Iterable[tuple[Path, object]] = ()
    if isinstance(value, str) and alone:
        entries = [((), value)]
    elif isinstance(value, list | dict):
        entries = [((at,), it) for at, it in (value.items() if isinstance(value, dict) else enumerate(value))]
    return ((at, entry) for at, entry in entries if isinstance(entry, str) and entry)


def _same_ids(document: Document, requests: list[Any]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for at, request in enumerate(requests):
        custom_id = request.get("custom_id") if isinstance(request, dict) else None
        if not isinstance(custom_id, str):
            continue
        used = first.setdefault(custom_id, at)
        if used != at:
            line = document.place(("requests", used, "custom_id")).line + 1
            message = f"requests[{at}].custom_id: already used on line {line}"
            yield document.problem(("requests", at, "custom_id"), message, "give each request a unique one")


def requirements_of(document: Document) -> Requirements:
    """Return the requirements of a document, from the fields that are usable."""
    endpoint, model = document.value.get("endpoint"), document.value.get("model")
    return Requirements(
        endpoint if isinstance(endpoint, str) else "",
        model if isinstance(model, str) and "agent_id" not in document.value else None,
    )


def _of_bodies(document: Document, requests: list[Any]) -> Iterator[Problem]:
    """Yield what the job requires of bodies and they do not meet, and warnings about plain mistakes in them."""
    demands = requirements_of(document)
    bodies = {
        at: body
        for at, it in enumerate(requests)
        if isinstance(it, dict) and it.get("custom_id") and isinstance(body := it.get("body"), dict)
    }  # the schema reports the others
    for at, body in bodies.items():
        for finding in demands.violations(at, body):
            message = f"requests[{at}]: {finding.kind.message}{finding.more}"
            yield document.problem(("requests", at, "body"), message, finding.kind.hint)
    for at, words in mistakes.warnings(demands.endpoint, bodies.items(), "request"):
        where: Path = ("requests", at, "body")
        yield document.problem(where, f"requests[{at}]: {words}", mistakes.HINT, warning=True)


def _too_long(document: Document, requests: list[bytes], longest: int) -> Iterator[Problem]:
    for at, line in enumerate(requests):
        if len(line) > longest:
            message = f"requests[{at}]: {FindingKind.TOO_LONG.message}: more than {longest:,} bytes"
            yield document.problem(("requests", at), message, FindingKind.TOO_LONG.hint)


def _unsafe_numbers(document: Document, value: list[Any]) -> Iterator[Problem]:
    """Yield a problem for each whole number that not every JSON reader keeps exactly."""
    waiting: list[tuple[Path, Any]] = [(("requests",), value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict | list):
            steps = item.items() if isinstance(item, dict) else enumerate(item)
            waiting.extend(((*path, step), inner) for step, inner in steps)
        elif isinstance(item, int) and abs(item) > digests.MAX_SAFE_INTEGER:
            message = f"{dotted(path)}: too large for every JSON reader to keep exactly"
            yield document.problem(path, message, "put it in quotes if it is an id")
