"""All specs of a project, or all that is wrong with them.

The whole spec root is always read, whatever was asked for: a name or a piece of work may be declared elsewhere,
and only who has seen everything may say that something is absent. Paths narrow what is acted upon, not what is
read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from reconciler.errors import Problem, ReconcilerError, SpecError
from reconciler.model import EVERY_JOB, JobSpec, Later, Names, RunKey
from reconciler.progress import UNWATCHED, Progress
from reconciler.render.clean import clean
from reconciler.render.words import count
from reconciler.specs import defaults, files, selection, yaml_reader
from reconciler.specs.job import declares
from reconciler.specs.job_inputs import Inputs
from reconciler.specs.project import CONFIG_NAME, Project
from reconciler.specs.source import Source, decode
from reconciler.specs.words import some
from reconciler.specs.yaml_tree import Document

_MOST: Final = 100
"""Problems of one file that are shown."""

_UNNAMED_APART: Final = 3
"""Files of one folder that no spec names and that are told one by one; more are told together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What git declares, checked."""

    specs: tuple[JobSpec, ...]
    """Every spec of the project, sorted by name."""
    selected: frozenset[str] | None
    """The names that were asked for; None for all."""
    later: Mapping[str, Later] = field(default_factory=dict)
    """The jobs whose first period has not begun, by name: they are not among the specs, and not absent."""
    warnings: tuple[Problem, ...]


def load(
    project: Project,
    paths: Sequence[Path] = (),
    *,
    now: float,
    names: Names = EVERY_JOB,
    progress: Progress = UNWATCHED,
) -> Loaded:
    """Read, check and return every spec of a project.

    Args:
        project: where they are.
        paths: what to select; nothing for everything.
        now: Unix seconds, for specs whose `rerun` the calendar changes.
        names: globs that narrow it by name.
        progress: is told of the input files that are checked.

    Raises:
        UsageError: a path does not exist, or selects nothing.
        ReconcilerError: there is no spec folder.
        SpecError: something is wrong; carries all problems of all files.
    """
    narrowed = selection.scope(project, paths)
    if not project.spec_root.is_dir():
        raise ReconcilerError(
            f"there is no folder {project.settings.specs} beside {project.config_path.name}",
            hint=f"create it, or set `specs` in {project.config_path.name}",
        )
    loader = _Loader(project, now, progress)
    specs = sorted(loader.specs(), key=lambda spec: spec.name)
    loader.save()
    progress.end()
    problems = _sorted(loader.problems)
    if any(not problem.warning for problem in problems):
        raise SpecError(problems)
    return Loaded(
        specs=tuple(specs),
        selected=selection.selected(project, specs, narrowed, names, later=loader.later),
        later=loader.later,
        warnings=problems,
    )


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort problems, each once, and of a file with very many count those at the end."""
    shown: list[Problem] = []
    for path, group in groupby(sorted(set(problems)), key=lambda problem: problem.path):
        found = list(group)
        shown += found[:_MOST]
        rest = found[_MOST:]
        if rest:
            message = f"and {count(len(rest), 'more problem')} from here on"
            shown.append(Problem(path=path, line=rest[0].line, message=message))
    return tuple(shown)


class _Loader:
    """Reads a spec root, and remembers what must not be declared twice."""

    def __init__(self, project: Project, now: float, progress: Progress) -> None:
        self._project = project
        self._now = now
        self._progress = progress
        self._defaults: dict[str, Document] = {}
        """By folder, absolute."""
        self.later: dict[str, Later] = {}
        self._inputs = Inputs(project, progress)
        self._names: dict[str, str] = {}
        """Where each name was declared first."""
        self._work: dict[RunKey, str] = {}
        """What declared each piece of work first."""
        self._adopted: dict[str, str] = {}
        """What adopted each job first."""
        self._cut_short = False
        self.problems: list[Problem] = []

    def save(self) -> None:
        """Remember for later runs what was read of the inputs."""
        self._inputs.save()

    def specs(self) -> Iterator[JobSpec]:
        """Yield every usable spec; what is wrong gathers in `problems`."""
        found = files.Listing(str(self._project.spec_root), str(self._project.root))
        for path, message, hint in found.unfit:
            self.problems.append(
                Problem(path=clean(self._project.relative(path)), message=message, hint=hint)
            )
        if self._progress.watched:  # most of these are inputs
            self._progress.expect("checking", sum(map(files.size, found.others)))
        for path in found.specs:
            if path.endswith(f"{os.sep}{defaults.NAME}"):
                self._read_defaults(path)
        for path in found.specs:
            if path.endswith(f"{os.sep}{defaults.NAME}"):
                continue
            if path != str(self._project.config_path) and not path.endswith(f"{os.sep}{CONFIG_NAME}"):
                yield from self._file(path)
        if not self._cut_short:
            self.problems += _unnamed(self._project, found.others, self._inputs.paths)

    def _file(self, path: str) -> Iterator[JobSpec]:
        documents, problems = self._documents(path)
        self._cut_short = self._cut_short or bool(problems)
        self.problems += problems
        for written in documents:
            document = self._with_defaults(written, path)
            found = declares(document, self._inputs, self._project.settings.limits, now=self._now)
            self.problems += found.problems
            self.later |= found.later
            if not found.specs and not found.later:
                self._name_taken(document, _name(document))
            taken = [name for name in found.later if self._name_taken(document, name)]
            taken += [spec.name for spec in found.specs if self._name_taken(document, spec.name)]
            for spec in found.specs:
                if spec.name not in taken:
                    self._work_taken(document, spec)
                    self._job_taken(document, spec)
                    yield spec

    def _read_defaults(self, path: str) -> None:
        documents, problems = self._documents(path)
        self._cut_short = self._cut_short or bool(problems)
        self.problems += problems
        if len(documents) > 1:
            place = documents[1].place(())
            hint = "one for the specs of this folder; put others into folders of their own"
            self.problems.append(documents[1].source.problem(place, "more than one document", hint=hint))
        for document in documents[:1]:
            self.problems += defaults.check(document)
            self._defaults[os.path.dirname(path)] = document  # noqa: PTH120 - of every spec's path

    def _with_defaults(self, document: Document, path: str) -> Document:
        """Lay a spec over the defaults of its folder, and that over those of the folders around it."""
        for folder in self._around(path) if self._defaults else ():
            if folder in self._defaults:
                document = defaults.over(document, self._defaults[folder])
        return document

    def _around(self, path: str) -> Iterator[str]:
        while path != str(self._project.spec_root):
            path = os.path.dirname(path)  # noqa: PTH120 - likewise
            yield path

    def _documents(self, path: str) -> tuple[list[Document], list[Problem]]:
        shown, limits = self._project.relative(path), self._project.settings.limits
        try:
            source = decode(shown, files.read(path, limits.spec_bytes))
        except files.TooLargeError:
            message = f"larger than {limits.spec_bytes:,} bytes"
            return [], [Problem(path=shown, message=message, hint=yaml_reader.RAISE.format("spec_bytes"))]
        except OSError as error:
            return [], [Problem(path=shown, message=f"cannot be read: {error.strerror}")]
        if not isinstance(source, Source):
            return [], [source]
        documents, problems = yaml_reader.read(source, limits)
        if not documents and not problems:
            hint = "remove it, or write a spec into it"
            self.problems.append(source.problem(None, "declares nothing", hint=hint, warning=True))
        return documents, problems

    def _name_taken(self, document: Document, name: str) -> bool:
        if not name:
            return False
        place = document.place(("name",))
        here = f"{document.source.path}:{place.line + 1}"
        first = self._names.setdefault(name.casefold(), here)
        if first == here:
            return False
        message = f"name: `{name}` is declared at {first} already"
        self.problems.append(document.source.problem(place, message, hint="rename one of them"))
        return True

    def _work_taken(self, document: Document, spec: JobSpec) -> None:
        here = f"`{spec.name}` ({spec.declared_at.path}:{spec.declared_at.line})"
        first = self._work.setdefault(spec.run_key, here)
        if first != here:
            work = "work" if spec.requests is None else count(spec.requests, "request")
            message = f"{spec.name}: both this and {first} buy the same {work}"
            hint = "change `rerun` in one of them, or remove one"
            if spec.family and first.endswith(here.removeprefix(f"`{spec.name}`")):
                hint = "remove one of two equal files; of a matrix, only {} make other work".format(
                    "`endpoint`, `model`, `agent_id` and `rerun`"
                )
            self.problems.append(document.source.problem(document.place(("name",)), message, hint=hint))

    def _job_taken(self, document: Document, spec: JobSpec) -> None:
        if spec.adopt is None:
            return
        here = f"`{spec.name}` ({spec.declared_at.path}:{spec.declared_at.line})"
        first = self._adopted.setdefault(spec.adopt.job, here)
        if first != here:
            message = f"adopt: {first} adopts this job already"
            place = document.place(("adopt", "job"))
            self.problems.append(document.source.problem(place, message, hint="a job did one piece of work"))


def _name(document: Document) -> str:
    name = document.value.get("name") if isinstance(document.value, dict) else None
    return name if isinstance(name, str) else ""


def _unnamed(project: Project, others: Sequence[str], named: frozenset[str]) -> Iterator[Problem]:
    """Yield a warning for each file that no spec names, or one for a folder of them."""
    lone = [
        project.relative(path)
        for path in others
        if project.relative(path) not in named and project.relative(os.path.realpath(path)) not in named
    ]
    for folder, names in _by_folder(lone).items():
        hint = "name it in `input_files`, or move it out of the spec folder"
        if len(names) <= _UNNAMED_APART:
            for path in names:
                yield Problem(path=path, message="no spec names this file", hint=hint, warning=True)
        else:
            files_here = some([path.rpartition("/")[2] for path in names])
            message = f"no spec names {count(len(names), 'file')} here: {files_here}"
            yield Problem(path=folder, message=message, hint=hint.replace(" it ", " them "), warning=True)


def _by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(path.rpartition("/")[0], []).append(path)
    return found
