"""Everything that one run works with: API, environment, target and settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from msgspec.structs import replace

from reconciler.api.client import Reader
from reconciler.api.retry import Retrier
from reconciler.catalogue.models import Model
from reconciler.cost.prices import Prices
from reconciler.environment import Environment
from reconciler.errors import ReconcilerError
from reconciler.facts import cached_property
from reconciler.model import Ancestry, Checkout, InputFile, JobSpec, KnownRequests, RunKey, Source, Target
from reconciler.settings import ApplyFrom, Guards, Limits
from reconciler.specs.project import Project

ApiT = TypeVar("ApiT", bound=Reader)
ApiT_co = TypeVar("ApiT_co", bound=Reader, covariant=True)


@dataclass(frozen=True, kw_only=True)
class RunContext(Generic[ApiT_co]):
    """Everything that one run works with."""

    api: ApiT_co
    retrier: Retrier
    """Limits how often requests that certainly had no effect are sent again, in reads and writes together."""
    env: Environment
    project: Project
    target: Target
    limits: Limits
    guards: Guards
    """The settings, with those of the command line in their place."""
    checkout: Checkout
    ancestry: Callable[[frozenset[str]], Ancestry]
    """Returns which of some commits the checkout contains, and which are its descendants."""
    source: Source
    """Written into the tags: who creates jobs, and from which commit and run."""
    folder: Path
    """The folder of this target's ledger and lock."""
    began: float
    """On the monotonic clock."""
    redact: Callable[[str], str]
    """Removes the API key from a text."""
    give_up_at: float = -math.inf
    """On the monotonic clock: no create is sent after it. Until an apply begins, none is sent at all."""
    reported: set[str] = field(default_factory=set)
    """What the run has warned of: ids of unreadable jobs, and notes."""
    requests: dict[RunKey, KnownRequests] = field(default_factory=dict)
    """What the run has read of the requests of specs."""
    rendered: dict[str, InputFile] = field(default_factory=dict)
    """The requests that the run has rendered or fetched, by the identity of their rows or content."""
    unfetched: dict[str, ReconcilerError] = field(default_factory=dict)
    """For names with an input at a URI whose content could not be fetched or used: why."""
    apply_from: ApplyFrom = field(default_factory=ApplyFrom)
    """The rules that hold for the checkout; none in the sandbox and for the plan of a pull request."""
    models: list[Mapping[str, Model]] = field(default_factory=list)
    """The API's list of models by name, once it was asked; an empty one if it did not answer."""
    ops: Mapping[RunKey, str] = field(default_factory=dict)
    """The ops of the intents that an apply has recorded, by the run key to create."""

    def resolved(self, model: str | None) -> str:
        """Return the id of the model that an alias means now, "" if it is none or that is not known."""
        found = self.models[0].get(model or "") if self.models else None
        return found.id if found and found.id != model else ""

    @cached_property
    def prices(self) -> Prices:
        """Prices of models: those of `prices.yaml`, and those that ship with the package. Raises what `load` raises."""
        from reconciler.specs.prices import load  # noqa: PLC0415 - a run that creates nothing needs none

        return load(self.project)

    @cached_property
    def shown_prices(self) -> Prices:
        """The same for costs that are only shown: none is known if `prices.yaml` has mistakes."""
        from reconciler.specs.prices import load_shown  # noqa: PLC0415 - likewise

        return load_shown(self.project)

    def with_rows(self, spec: JobSpec) -> JobSpec:
        """Return a spec with what the run has rendered or fetched of its inputs in their place."""
        return replace(spec, inputs=tuple(self.rendered.get(it.identity, it) for it in spec.inputs))
