"""Expand one spec to its jobs: one per file, per combination of values, or per pair of both. Pure.

Placeholders in the name and in metadata are replaced by plain text from the spec or a file's path; there are no
expressions and no environment variables.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

from msgspec import UNSET, Struct

from reconciler.constraints import NAME_PATTERN, NAME_RULE
from reconciler.errors import Problem
from reconciler.specs.budget import Budget, Work
from reconciler.specs.schema.convert import integral_floats_to_int
from reconciler.specs.schema.hints import placeholder_meant
from reconciler.specs.schema.job_fields import JobFields
from reconciler.specs.schema.types import OF_FILES, PLAIN
from reconciler.specs.yaml.tree import Document, Path
from reconciler.text.plural import pluralize
from reconciler.text.suggest import did_you_mean, some

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_NAME: Final = re.compile(NAME_PATTERN)


class ExpandedJob(Struct, frozen=True, kw_only=True):
    """One job of a spec."""

    name: str
    words: Mapping[str, str] = {}
    """The text of each placeholder."""
    values: Mapping[str, Any] = {}
    """The fields that the matrix sets."""
    file: str | None = None
    """The only input, relative to the root; None if the spec names the inputs itself."""

    def text(self, template: str) -> str:
        """Fill the placeholders of a text."""
        return _filled(template, self.words)

    @property
    def origin(self) -> str:
        """What distinguishes it in its family: its file and its values."""
        values = [f"{name}={self.words[name]}" for name in self.values]
        return ", ".join(filter(None, [self.file or "", *values]))


def is_family(fields: JobFields) -> bool:
    """Whether a spec makes its jobs by `for_each` or `matrix`."""
    return fields.for_each is not UNSET or fields.matrix is not UNSET


def family_pattern(fields: JobFields) -> str:
    """Return the pattern of a family's names, such as `backfill-*`; "" for a spec of one job."""
    return _PLACEHOLDER.sub("*", fields.name) if is_family(fields) else ""


def expand(
    document: Document, fields: JobFields, files: Sequence[str], most: int, budget: Budget
) -> tuple[list[ExpandedJob], list[Problem]]:
    """Return the jobs of a spec, sorted by name, and the problems with expanding it.

    `files` are those that `for_each` names, relative to the root; `most` is the maximum number of jobs of one spec.
    Raises `OverBudgetError` if the specs make too many jobs in all.
    """
    if not is_family(fields) and "{" not in fields.name:
        return [ExpandedJob(name=fields.name)], []
    known = sorted({*(OF_FILES if files else ()), *_varied(fields)})
    problems = [*_unknown(document, known, family=is_family(fields)), *_overruled(document, fields)]
    if problems:
        return [], problems
    if not is_family(fields):
        return [ExpandedJob(name=fields.name)], []
    size = math.prod(map(len, _varied(fields).values()), start=max(1, len(files)))
    if size > most:
        message = f"makes {pluralize(size, 'job')}; at most {most:,} per spec"
        hint = "raise `limits.jobs_per_spec` in reconciler.yaml if this is intended"
        return [], [document.problem(("for_each" if files else "matrix",), message, hint)]
    budget.spend(Work.JOBS, size)
    if fields.matrix is not UNSET:
        budget.spend(Work.EXCLUSIONS, size * len(fields.matrix.exclude))
    combinations, problems = _combinations(document, fields)
    each: Sequence[str | None] = files or [None]
    found = [_expanded(fields.name, values, file) for file, values in product(each, combinations)]
    problems += _names(document, found, known)
    return sorted(found, key=lambda variant: variant.name), problems


def _varied(fields: JobFields) -> dict[str, list[Any]]:
    return {} if fields.matrix is UNSET else _given(fields.matrix)


def _given(values: Struct) -> dict[str, Any]:
    return {name: getattr(values, name) for name in PLAIN if getattr(values, name) is not UNSET}


def _expanded(template: str, values: Mapping[str, tuple[Any, str]], file: str | None) -> ExpandedJob:
    words = {name: text for name, (_, text) in values.items()}
    if file is not None:
        folder, _, name = file.rpartition("/")
        words |= {"path": file, "stem": name.rpartition(".")[0] or name, "dir": folder.rpartition("/")[2]}
    if "prompt" in words:
        words["prompt"] = words["prompt"].rpartition("/")[2].partition(".")[0]
    plain = {name: value for name, (value, _) in values.items()}
    return ExpandedJob(name=_filled(template, words), words=words, values=plain, file=file)


def _filled(template: str, words: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: words.get(found[1], found[0]), template)


def _combinations(
    document: Document, fields: JobFields
) -> tuple[list[dict[str, tuple[Any, str]]], list[Problem]]:
    """Return every combination of the matrix that is not excluded: each field's value, and its text."""
    axes = [
        [
            (name, (value, document.text(("matrix", name, at)) or str(value)))
            for at, value in enumerate(values)
        ]
        for name, values in _varied(fields).items()
    ]
    every = [dict(combination) for combination in product(*axes)]
    if fields.matrix is UNSET:
        return every, []
    problems: list[Problem] = []
    for at, entry in enumerate(fields.matrix.exclude):
        wanted = _given(entry)
        left = [values for values in every if not _holds(values, wanted)]
        if len(left) == len(every):
            message = f"matrix.exclude[{at}]: excludes nothing"
            hint = "use values of the matrix; an entry excludes combinations that have all of its values"
            problems.append(document.problem(("matrix", "exclude", at), message, hint))
        every = left
    if not every and not problems:
        problems.append(
            document.problem(("matrix", "exclude"), "matrix.exclude: excludes every job", "remove an entry")
        )
    return every, problems


def _holds(values: Mapping[str, tuple[Any, str]], wanted: Mapping[str, Any]) -> bool:
    return bool(wanted) and all(
        name in values and integral_floats_to_int(values[name][0]) == integral_floats_to_int(value)
        for name, value in wanted.items()
    )


def _unknown(document: Document, known: Sequence[str], *, family: bool) -> Iterator[Problem]:
    """Yield a problem for each unknown placeholder; metadata of a plain spec has none."""
    metadata = document.value.get("metadata", {}) if family else {}
    templates: dict[Path, Any] = {("name",): document.value["name"]}
    templates |= {("metadata", key): value for key, value in metadata.items()}
    for path, template in templates.items():
        for word in _PLACEHOLDER.findall(template) if isinstance(template, str) else ():
            if word not in known:
                message = f"{'.'.join(map(str, path))}: unknown placeholder `{{{word}}}`"
                has = f"the placeholders here are {some([f'{{{name}}}' for name in known], 20)}"
                if not family:
                    has = "only a spec with `for_each` or `matrix` has placeholders"
                hint = placeholder_meant(template) or did_you_mean(word, known, has)
                yield document.problem(path, message, hint)


def _overruled(document: Document, fields: JobFields) -> Iterator[Problem]:
    """Yield a problem for each field that is both in the spec and in its matrix."""
    for name in _varied(fields):
        if name in document.value:
            message = f"matrix.{name}: cannot be combined with `{name}`"
            hint = "keep one of them: the matrix sets the value of every job"
            yield document.problem(("matrix", name), message, hint, at_key=True)


def _names(document: Document, found: Iterable[ExpandedJob], known: Sequence[str]) -> Iterator[Problem]:
    """Yield a problem for each invalid name, and for each name that two jobs would have."""
    template = document.value["name"]
    first: dict[str, ExpandedJob] = {}
    for variant in found:
        if not _NAME.search(variant.name):
            message = f"name: {variant.origin} produces `{variant.name}`, which is not a valid name"
            yield document.problem(("name",), message, _better(template, variant))
        other = first.setdefault(variant.name, variant)
        if other is not variant:
            message = f"name: {other.origin} and {variant.origin} both produce the name `{variant.name}`"
            yield document.problem(("name",), message, _apart(template, known, other, variant))


def _better(template: str, variant: ExpandedJob) -> str:
    """Return a hint that makes an invalid name valid."""
    used = [word for word in _PLACEHOLDER.findall(template) if not _fits(variant.words[word])]
    if "path" in used:
        return "write `{dir}-{stem}` instead of `{path}`: " + NAME_RULE
    if {"stem", "dir"} & set(used):
        return f"rename {variant.file}: {NAME_RULE}"
    bad = f"remove `{{{used[0]}}}` from the name: " if used else ""
    return bad + NAME_RULE


def _fits(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9._-]*", text) is not None


def _apart(template: str, known: Sequence[str], one: ExpandedJob, other: ExpandedJob) -> str:
    """Return a hint that gives two jobs different names: a placeholder to add, if there is one."""
    telling = [
        name
        for name in sorted(known, key=lambda name: (name == "path", name))
        if one.words[name] != other.words[name] and f"{{{name}}}" not in template
    ]
    fitting = [name for name in telling if _fits(one.words[name] + other.words[name])]
    if fitting:
        return f"add `{{{fitting[0]}}}`: `{template}-{{{fitting[0]}}}`"
    if one.file != other.file:
        return "rename one of the files, or write a spec for each folder"
    return "remove the duplicate value, or write a spec for each"
