"""The prices that a project uses: the rows of its `prices.yaml`, and those that ship with the package."""

from __future__ import annotations

import datetime as dt
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from reconciler.cost.prices import Price, Prices, Rates
from reconciler.cost.shipped import shipped
from reconciler.errors import Problem, ReconcilerError, SpecError
from reconciler.specs.project import Project, only_document, source_of
from reconciler.specs.schema.project_files import PricesFile
from reconciler.specs.yaml.tree import Document
from reconciler.specs.yaml.tree import Path as Where

NAME: Final = "prices.yaml"
"""The file, beside `reconciler.yaml`."""
_EXAMPLE: Final = "date: 2026-11-10"


def path_of(project: Project) -> Path:
    """Return the path of a project's `prices.yaml`."""
    return project.root / NAME


def problems(project: Project) -> tuple[Problem, ...]:
    """Return the mistakes in a project's `prices.yaml`, and what the policy says of it.

    Raises `ReconcilerError` if it cannot be read.
    """
    if not os.path.lexists(path_of(project)):
        return ()
    forbidden = project.policy.price_problems(NAME) if project.policy else ()
    try:
        load(project)
    except SpecError as error:
        return (*forbidden, *error.problems)
    return tuple(forbidden)


def load(project: Project) -> Prices:
    """Return the prices of a project.

    Raises `SpecError`, with all mistakes, if its `prices.yaml` has some; `ReconcilerError` if it cannot be read.
    """
    path = path_of(project)
    if not os.path.lexists(path):
        return shipped()
    source, _ = source_of(path, project.quote)
    file, document = only_document(source, PricesFile, "prices", _EXAMPLE)
    if wrong := sorted(_mistakes(file, document)):
        raise SpecError(tuple(wrong))
    own = defaultdict[str, list[Price]](list)
    for at, row in enumerate(file.models):
        price = Price(
            model=row.model,
            batch=row.batch,
            live=row.live,
            currency=file.currency,
            since=row.since or "",
            date=file.date,
            source=f"{NAME}:{document.place(('models', at)).line + 1}",
        )
        own[row.model].append(price)
    others = shipped().rows if file.currency == shipped().currency else {}
    merged = {name: _replaced(others.get(name, ()), rows) for name, rows in own.items()}
    return replace(shipped(), date=file.date, currency=file.currency, rows={**others, **merged})


def load_shown(project: Project) -> Prices:
    """Return the prices for what is only shown: none is known if `prices.yaml` has mistakes, which `validate` names."""
    try:
        return load(project)
    except ReconcilerError:
        return Prices(date="")


def _replaced(others: tuple[Price, ...], own: list[Price]) -> tuple[Price, ...]:
    """Return a model's own prices, and before them those that they do not replace."""
    own.sort(key=lambda it: it.since)
    return (*(it for it in others if it.since < own[0].since), *own)


def _mistakes(file: PricesFile, document: Document) -> Iterator[Problem]:
    days: dict[Where, str] = {("date",): file.date}
    seen: dict[tuple[str, str], int] = {}
    for at, row in enumerate(file.models):
        where: Where = ("models", at)
        since = row.since or ""
        days |= {(*where, "since"): since} if since else {}
        first = seen.setdefault((row.model, since), at)
        if first != at:
            line = document.place(("models", first)).line + 1
            hint = f"remove one of them, or give one a `since`: the other is in line {line}"
            yield document.problem((*where, "model"), f"model: a second price of `{row.model}`", hint)
        for name, rates in (("batch", row.batch), ("live", row.live)):
            if rates is not None and (rates.input is None) != (rates.output is None):
                hint = "write both; a model that writes nothing, such as one for embeddings, has `output: 0`"
                message = f"{name}: `input` and `output` belong together"
                yield document.problem((*where, name), message, hint)
            elif rates == Rates():
                hint = "write `{input: 0, output: 0}` if the model is free"
                yield document.problem((*where, name), f"{name}: no price", hint)
    for path, day in days.items():
        try:
            dt.date.fromisoformat(day)
        except ValueError:
            yield document.problem(path, f"{path[-1]}: {day} is not a day of the calendar", "correct it")
