"""Load all specs of a project, or report all their problems.

The whole spec root is always read, even if a command selects a part of it: a name or work may be declared elsewhere,
and only a complete load shows that a spec was removed. Paths narrow what a command acts on, not what is read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler import file_access
from reconciler.errors import Problem, ReconcilerError, SpecError, UsageError
from reconciler.model import EVERY_JOB, JobSpec, Names, NotYetStarted
from reconciler.specs import defaults, files, prices, selection
from reconciler.specs.budget import Budget, OverBudgetError, Problems
from reconciler.specs.environments import name_of
from reconciler.specs.inputs.job_inputs import Inputs
from reconciler.specs.job import jobs_of_document
from reconciler.specs.project import CONFIG_NAME, Project
from reconciler.specs.uniqueness import UniquenessCheck
from reconciler.specs.yaml import reader
from reconciler.specs.yaml.source import START, SourceFile, decode
from reconciler.specs.yaml.tree import Document
from reconciler.telemetry.progress import UNWATCHED, Progress

_DEFAULTS: Final = f"{os.sep}{defaults.NAME}"
_CONFIG: Final = f"{os.sep}{CONFIG_NAME}"


class Loaded(Struct, frozen=True, kw_only=True):
    """The checked specs of a project."""

    specs: tuple[JobSpec, ...]
    """Every spec of the project, sorted by name."""
    selected: frozenset[str] | None
    """The selected names; None for all."""
    later: Mapping[str, NotYetStarted] = field(default_factory=dict)
    """The jobs whose first period has not begun, by name: they are not in `specs`, but they are declared."""
    problems: tuple[Problem, ...]

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems of specs that are usable all the same."""
        return tuple(problem for problem in self.problems if problem.warning)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The mistakes in specs that are left out, which `load` does only if asked: then the others are selected."""
        return tuple(problem for problem in self.problems if not problem.warning)


def load(
    project: Project,
    paths: Sequence[Path] = (),
    *,
    now: float,
    monotonic: Callable[[], float] = time.monotonic,
    names: Names = EVERY_JOB,
    progress: Progress = UNWATCHED,
    only_shown: bool = False,
) -> Loaded:
    """Read, check and return every spec of a project.

    `paths` and `names` narrow the selection; empty for all. `now` is in Unix seconds, for specs with a period, and
    `monotonic` measures the time that the load may take. With `only_shown`, the command only shows what it reads: then
    specs with errors are left out, and no policy applies. Raises `UsageError` if a path does not exist, or selects
    nothing; `ReconcilerError` if there is no spec folder; `SpecError`, with all problems, if there are errors, or
    with `only_shown` if nothing else is selected.
    """
    narrowed = selection.scope(project, paths)
    if not os.path.isdir(project.spec_root):  # noqa: PTH112 - a Path raises an error if the name is too long
        folder = project.quote.redact(project.settings.specs)
        raise ReconcilerError(
            f"the folder {folder} does not exist beside {project.config_path.name}",
            hint=f"create it, or set `specs` in {project.config_path.name}",
        )
    project = replace(project, policy=None) if only_shown else project
    loader = _Loader(project, now, progress, Budget(monotonic))
    if project.policy:
        written, environment = project.overlay.document, project.environment
        loader.problems.add(project.policy.setting_problems(written, environment))
    loader.problems.add(prices.problems(project))
    specs = sorted(loader.specs(), key=lambda spec: spec.name)
    loader.inputs.reader.save()
    progress.end()
    problems, broken = loader.problems.shown(), bool(loader.problems.errors)
    if broken and not only_shown:
        raise SpecError(problems)
    try:
        chosen = selection.selected(project, specs, narrowed, names, later=loader.later)
    except UsageError:
        if broken:
            raise SpecError(problems) from None
        raise
    if broken and chosen is None:  # what a broken spec declared is not known, and it is not undeclared
        chosen = frozenset((*(spec.name for spec in specs), *loader.later))
    return Loaded(specs=tuple(specs), selected=chosen, later=loader.later, problems=problems)


class _Loader:
    """Reads a spec root, and checks across specs that names and work are unique."""

    def __init__(self, project: Project, now: float, progress: Progress, budget: Budget) -> None:
        self._project = project
        self._now = now
        self._progress = progress
        self._defaults: dict[str, Document] = {}
        self._root = str(project.spec_root)
        self._names: set[str] = set()
        self.later: dict[str, NotYetStarted] = {}
        self.inputs = Inputs(project, progress, budget)
        self._limits = project.settings.limits
        self._taken = UniquenessCheck()
        self.problems = Problems()

    def specs(self) -> list[JobSpec]:
        """Return every usable spec; add the problems of others to `problems`."""
        found = files.Listing(self._root, str(self._project.root))
        self.problems.add(found.unfit)
        if self._progress.watched:  # most of these files are inputs
            self._progress.expect("checking", sum(map(files.size, found.others)))
        for path in found.specs:
            if path.endswith(_DEFAULTS):
                self._read_defaults(path)
        not_specs = str(self._project.config_path), str(prices.path_of(self._project)), _DEFAULTS, _CONFIG
        specs = [spec for path in found.specs if not path.endswith(not_specs) for spec in self._file(path)]
        lone = files.without_named(self._project, found.others, self.inputs.reader.paths | self.inputs.named)
        self.problems.add(files.unread_specs(self._project, lone))
        if not self.problems.errors:  # otherwise most of them follow from an error
            self.problems.add(files.unused_files(lone))
            self.problems.add(self._project.overlay.unused(self._names))
        return specs

    def _file(self, path: str) -> list[JobSpec]:
        """Return the usable specs of a file, and add its problems.

        Raises `SpecError` if the load has reached a ceiling.
        """
        specs: list[JobSpec] = []
        written: Document | None = None
        try:
            self.problems.check_count()
            for written in self._documents(path):
                specs += self._specs(written, path)
        except SpecError as error:
            self.problems.add(error.problems)
        except OverBudgetError as error:
            shown = SourceFile(self._project.relative(path), "")
            place = written.place(()) if written else START
            self.problems.add([shown.problem(place, str(error), hint=error.hint)])
            raise SpecError(self.problems.shown()) from None
        return specs

    def _specs(self, written: Document, path: str) -> list[JobSpec]:
        document = defaults.apply(self._defaults, written, path, self._root)
        document, clashing = self._project.overlay.apply(document)
        self.problems.add(clashing)
        self._names.add(name_of(document))
        policy = self._project.policy
        found = jobs_of_document(document, self.inputs, self._limits, now=self._now, policy=policy)
        self.problems.add(found.problems)
        self.later |= found.later
        names = [*found.later, *[spec.name for spec in found.specs]] or [*filter(None, [name_of(document)])]
        line = document.place(("name",)).line + 1
        clashes = {
            name: problem
            for name in names
            if (problem := self._taken.register_name(document, name, line=line))
        }
        self.problems.add(clashes.values())
        usable = [spec for spec in found.specs if spec.name not in clashes]
        self.problems.add(self._taken.register_work(document, usable))
        return usable

    def _read_defaults(self, path: str) -> None:
        try:
            documents = self._documents(path)
            if len(documents) > 1:
                hint = "keep one; defaults for other specs belong in the folder of those specs"
                self.problems.add([documents[1].problem((), "more than one document", hint)])
            for document in documents[:1]:
                self._defaults[os.path.dirname(path)] = document  # noqa: PTH120 - as the paths of specs
                self.problems.add(defaults.check(document))
        except SpecError as error:
            self.problems.add(error.problems)

    def _documents(self, path: str) -> list[Document]:
        """Return the documents of a file that can be read."""
        shown, most = self._project.relative(path), self._limits.spec_bytes
        documents: list[Document] = []
        try:
            source = decode(shown, file_access.read(path, most, root=self._project.root), self._project.quote)
        except file_access.TooLargeError:
            hint = reader.RAISE.format("spec_bytes")
            source = Problem(path=shown, message=f"larger than {most:,} bytes", hint=hint)
        except OSError as error:
            hint = file_access.hint_of(error, "make it readable")
            source = Problem(path=shown, message=f"cannot be read: {error.strerror}", hint=hint)
        if isinstance(source, SourceFile):
            documents, problems = reader.read(source, self._limits)
            if not documents and not problems:
                hint = "remove it, or write a spec in it"
                self.problems.add([source.problem(None, "declares nothing", hint=hint, warning=True)])
        else:
            problems = [source]
        self.problems.add(problems)
        return documents
