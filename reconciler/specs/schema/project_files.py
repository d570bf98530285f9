"""The fields of `reconciler.yaml`, of a policy file and of `prices.yaml` as they are written.

A settings file has one project, or several environments with a project each. A policy says what specs and settings may
say.

Annotations are values here, not texts: msgspec reads them in less time.
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from msgspec import UNSET, Meta, Struct, UnsetType

from reconciler.constraints import NAME_PATTERN, NAME_RULE, matching, such_as
from reconciler.cost.prices import Rates
from reconciler.settings import ApplyFrom, Guards, InputPrefix, Limits, ProjectName, Settings
from reconciler.specs.schema.job_fields import JobFields, fields_of
from reconciler.specs.schema.types import Day, Grouped, MetadataKey, ModelName, optional_fields

if TYPE_CHECKING:
    from reconciler.settings import ApplyFrom as RequiredApply
    from reconciler.settings import Guards as MaxGuards
    from reconciler.settings import Limits as MaxLimits

    SetFields = dict[str, Any]
else:
    SetFields = optional_fields("SetFields", fields_of(JobFields, {"name"}))
    MaxGuards = optional_fields("MaxGuards", fields_of(Guards))
    MaxLimits = optional_fields("MaxLimits", fields_of(Limits))
    RequiredApply = optional_fields("RequiredApply", fields_of(ApplyFrom))

_EnvironmentName = Annotated[str, matching(NAME_PATTERN, "not a name of an environment", NAME_RULE, end="")]
Globs = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]


class EnvironmentFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One environment: a project of its own, with the same specs."""

    project: ProjectName
    """Identifies the jobs of the environment. No two have the same one."""
    set: dict[Annotated[str, Meta(min_length=1)], SetFields] = {}
    """Fields to replace in specs: for a glob of their names as written, such as `nightly-*`, each field with its value.
    Any field of a spec except `name`; a value is replaced as a whole. Paths are relative to the spec."""
    guards: Guards = Guards()
    """Guards that differ from those of the file."""
    apply: ApplyFrom = ApplyFrom()
    """Rules about the checkout that differ from those of the file."""


class SettingsFile(Settings, Grouped, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of `reconciler.yaml`."""

    EXACTLY_ONE: ClassVar = (("project", "environments"),)

    project: ProjectName | UnsetType = UNSET  # type: ignore[assignment]  # then the chosen environment has it
    """Identifies your jobs: it is written into every job. Set it before the first apply; changing it later resubmits
    everything. 1 to 100 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or a digit."""
    environments: Annotated[dict[_EnvironmentName, EnvironmentFields], Meta(min_length=1)] | UnsetType = UNSET
    """In place of `project`: [environments](#environments), of which `--env` chooses one."""


class PolicyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of a policy file."""

    message: Annotated[str, Meta(min_length=1, max_length=500)] | UnsetType = UNSET
    """A sentence that each error of the policy ends with, such as the team to ask."""
    allowed_models: Annotated[Globs | UnsetType, such_as(["mistral-small-*"])] = UNSET
    """Globs of the models that specs may name."""
    allowed_endpoints: Annotated[Globs | UnsetType, such_as(["/v1/chat/completions"])] = UNSET
    """Globs of the endpoints that specs may name."""
    allow_agents: bool | UnsetType = UNSET
    """Whether specs may name an agent. If this is missing, they may only without `allowed_models`, since an agent has a
    model of its own."""
    required_metadata: Annotated[
        dict[MetadataKey, Globs],
        such_as({"team": ["search", "billing"], "cost_centre": ["cc-[0-9][0-9]"], "owner": ["*"]}),
    ] = {}
    """Keys that the metadata of each job must have, and for each key globs of its values."""
    allowed_input_uris: Annotated[list[InputPrefix] | UnsetType, such_as(["s3://lake/"])] = UNSET
    """The beginnings that `input_uris` in the settings may have, and so the URIs of inputs."""
    may_adopt: Annotated[bool | Globs, such_as(["search/*"])] = True
    """Whether specs may adopt jobs; or globs of `project/name` of the specs that may."""
    may_set_prices: bool = True
    """Whether a project may have a `prices.yaml`. With lower prices, larger jobs keep within ceilings of costs."""
    max_guards: MaxGuards = MaxGuards()
    """The largest value of each guard, in settings and on the command line. `false` forbids an `allow_…`."""
    max_limits: MaxLimits = MaxLimits()
    """The largest value of each limit."""
    required_apply: Annotated[
        RequiredApply, such_as({"only_from": ["main"], "clean": True, "pushed": True})
    ] = RequiredApply()
    """Rules about the checkout that `apply` in the settings has at least; with `only_from`, globs that it may choose
    from. A rule forbids its `allow_…`, unless `max_guards` allows that."""


class PriceFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The price of a model."""

    model: Annotated[ModelName, such_as("mistral-small-2603")]
    """Its id, or an alias."""
    batch: Annotated[Rates, such_as({"input": 0.075, "output": 0.3})]
    """What batches cost."""
    live: Rates | None = None
    """What single requests cost, which `reconciler try` sends."""
    since: Day | UnsetType = UNSET
    """The first day of the price. Before it, the price above it holds, or that of the package."""


class PricesFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of `prices.yaml`."""

    date: Annotated[Day, such_as("2026-11-10")]
    """The date on which you looked up these prices."""
    currency: Annotated[
        str, matching(r"^[A-Z]{3}", "not a currency", "its code in ISO 4217, such as `USD` or `EUR`")
    ] = "USD"
    """If it is not USD, no price of the package is used: amounts of two currencies are never added."""
    models: Annotated[list[PriceFields], such_as([{"model": "mistral-ocr-4-1", "batch": {"pages": 2}}])]
    """Prices that replace those of the package."""
