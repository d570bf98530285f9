"""The known models: ids, aliases, endpoints and retirement dates. `models.json` has its date and its sources.

The table is a help, not a rule: the API decides. A model that is newer than the table is unknown here, so an answer
of this module is at most a warning. The API's own list of models counts more, if there is one. Fine-tuned models and
agents are never in the table and are not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from reconciler.catalogue.bodies import KNOWN_ENDPOINTS
from reconciler.text.suggest import nearest

NOT_LISTED: Final = ("ft:", "sandbox-")
"""Prefixes of names that the table does not have: fine-tuned models, and the sandbox's triggers."""
CAPABILITIES: Final[Mapping[str, str]] = {
    "/v1/audio/transcriptions": "audio_transcription",
    "/v1/chat/classifications": "classification",
    "/v1/chat/completions": "completion_chat",
    "/v1/chat/moderations": "moderation",
    "/v1/classifications": "classification",
    "/v1/conversations": "completion_chat",
    "/v1/fim/completions": "completion_fim",
    "/v1/moderations": "moderation",
    "/v1/ocr": "ocr",
}
"""The capability that the API names for each endpoint. It names none for embeddings."""


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

    kind: Literal["unknown", "retired", "unfit", "too_long"]
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


def doubt(
    name: str, endpoint: str | None, day: str, until: str = "", listed: Mapping[str, Model] | None = None
) -> Doubt | None:
    """Return why the API will probably not run a job with a model, None if no reason is known.

    `endpoint` is None to leave it out; `day` is the current date in UTC, `YYYY-MM-DD`, and `until` the last one on
    which the job may run, "" to leave it out. `listed` has the models to look in by name, None for the table.
    """
    if name.startswith(NOT_LISTED):
        return None
    models = by_name() if listed is None else listed
    model = models.get(name)
    if model is None:
        meant = nearest(name, models)
        where = "a known model" if listed is None else "in the API's list of models"
        other = "it may be newer than the table" if listed is None else "check the name"
        return Doubt("unknown", f"is not {where}", f"did you mean `{meant}`?" if meant else other)
    instead = f"use `{model.replacement}`" if model.replacement else "use another model"
    if model.retired is not None and model.retired <= day:
        return Doubt("retired", f"was retired on {model.retired}", instead)
    if model.retired is not None and model.retired <= until:
        message = f"is retired on {model.retired}, and the job may run until {until}"
        return Doubt("retired", message, instead)
    if endpoint not in KNOWN_ENDPOINTS or endpoint in model.endpoints:
        return None
    its = f"it is for {', '.join(model.endpoints)}" if model.endpoints else "it has no endpoint for batches"
    hint = f"name another model: {its}"
    return Doubt("unfit", f"is not for {endpoint}", hint)


def doubt_by_table(name: str, endpoint: str | None, day: str, until: str) -> Doubt | None:
    """Return what `doubt` returns by the table, with the date of the table."""
    found = doubt(name, endpoint, day, until)
    hint = f"{found.hint} (table of {table().date}; the API decides)" if found else ""
    return found and replace(found, hint=hint)


def doubt_by_api(
    name: str, endpoint: str | None, day: str, until: str, listed: Mapping[str, Model]
) -> Doubt | None:
    """Return what `doubt` returns by the API's list, and by the table what the list does not tell.

    The list leaves retired models out, and has no capability for some endpoints. Without a list, the table decides.
    """
    found, known = doubt(name, endpoint, day, until, listed), doubt_by_table(name, endpoint, day, until)
    if not listed or (known and known.kind == ("unfit" if found is None else "retired")):
        return known
    return found
