"""The known models: ids, aliases, endpoints and retirement dates. `models.json` has its date and its sources.

The table is a help, not a rule: the API decides. A model that is newer than the table is unknown here, so an answer
of this module is at most a warning. Fine-tuned models and agents are never in the table and are not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from reconciler.catalogue.bodies import KNOWN_ENDPOINTS
from reconciler.text.suggest import nearest

NOT_LISTED: Final = ("ft:", "sandbox-")
"""Prefixes of names that the table does not have: fine-tuned models, and the sandbox's triggers."""


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model."""

    id: str
    endpoints: tuple[str, ...]
    """Those that answer batches with it, sorted. Only fine-tuned models have the endpoints of classifications."""
    aliases: tuple[str, ...] = ()
    """Other names, at the date of the table. The API moves `-latest` to newer models."""
    context: int | None = None
    """The most tokens of a request and its answer, by the largest of the sources; None if that is not known."""
    retired: str | None = None
    """The date, past or announced, from which the API no longer serves it, `YYYY-MM-DD`."""
    replacement: str | None = None
    """The id of the model to use instead."""


class Table(Struct, frozen=True):
    """The whole table, without its sources."""

    date: str
    """When it was collected, `YYYY-MM-DD`."""
    models: tuple[Model, ...]


class Doubt(Struct, frozen=True):
    """Why the API will probably not run a job with this model."""

    kind: Literal["unknown", "retired", "unfit"]
    message: str
    """What is wrong, to be read after the model's name: `was retired on 2026-05-31`."""
    hint: str
    """What to do."""


def document() -> bytes:
    """Return the file that comes with the package: models, and their prices, which `cost.shipped` reads."""
    return Path(__file__).with_name("models.json").read_bytes()


@cache
def table() -> Table:
    """Return the table that comes with the package."""
    return msgspec.json.decode(document(), type=Table)


@cache
def by_name() -> Mapping[str, Model]:
    """Return every model under its id and its aliases."""
    return {name: model for model in table().models for name in (model.id, *model.aliases)}


def doubt(name: str, endpoint: str | None, day: str) -> Doubt | None:
    """Return why the API will probably not run a job with a model, None if the table knows no reason.

    `endpoint` is None to leave it out; `day` is the current date in UTC, `YYYY-MM-DD`.
    """
    if name.startswith(NOT_LISTED):
        return None
    model = by_name().get(name)
    if model is None:
        meant = nearest(name, by_name())
        hint = f"did you mean `{meant}`?" if meant else "it may be newer than the table"
        return Doubt("unknown", "is not a known model", hint)
    if model.retired is not None and model.retired <= day:
        instead = f"use `{model.replacement}`" if model.replacement else "use another model"
        return Doubt("retired", f"was retired on {model.retired}", instead)
    if endpoint not in KNOWN_ENDPOINTS or endpoint in model.endpoints:
        return None
    hint = f"it is for {', '.join(model.endpoints)}" if model.endpoints else "it has no endpoint for batches"
    return Doubt("unfit", f"is not for {endpoint}", hint)
